"""``pack`` as plainly as it can be said: slow, over dicts, from the rules in DESIGN.md.

Endpoints are dicts in canonical field order, so that ``json.dumps`` is their canonical text. Address reuse is
``"ordered"``.
"""

import ipaddress
import json
from collections import Counter
from dataclasses import dataclass, field
from math import ceil, floor, inf
from typing import Any

from reference_place import Target, place

Json = dict[str, Any]
Identity = tuple[Any, ...]

OWN_LABELS = {
    "kubernetes.io/service-name",
    "endpointslice.kubernetes.io/managed-by",
    "service.kubernetes.io/headless",
}
THRESHOLDS = {"dense": 1.0, "balanced": 0.75, "lean": 0.5}


@dataclass
class Settings:
    """The options that the reference knows."""

    max_endpoints: int = 100
    policy: str | float = "balanced"
    """A named policy or a threshold."""
    cohort: str | None = "auto"
    epsilon: float | None = None
    max_moves: int | None = None
    break_first: bool = False
    recycle: bool = False

    @property
    def upstream(self) -> bool:
        return self.policy == "upstream"

    @property
    def threshold(self) -> float:
        return self.policy if isinstance(self.policy, float) else THRESHOLDS[self.policy]


@dataclass
class Bin:
    """A slice on its way: what stays, what comes, and why it must be written."""

    slice: Json | None
    held: list[Json] = field(default_factory=list)
    kept: list[int] = field(default_factory=list)
    changed: set[int] = field(default_factory=set)
    added: list[int] = field(default_factory=list)
    dirty: bool = False
    lost: bool = False
    foreign: bool = False
    closed: bool = False
    recyclable: bool = False
    moved_out: bool = False

    @property
    def count(self) -> int:
        return len(self.kept) + len(self.added)

    @property
    def must(self) -> bool:
        return self.dirty or self.closed

    @property
    def written(self) -> bool:
        return self.must or self.moved_out or bool(self.added)

    @property
    def deleted(self) -> bool:
        gone = self.slice is None or self.closed or self.foreign or self.lost or self.moved_out
        return self.count == 0 and gone


def address_key(address: str) -> tuple[int, Any]:
    parsed = ipaddress.ip_address(address)
    return (parsed.version, int(parsed))


def target(endpoint: Json) -> tuple[str, str]:
    ref = endpoint.get("targetRef") or {}
    return (ref.get("namespace") or "", ref.get("name") or "")


def identity(endpoint: Json, *, upstream: bool) -> Identity:
    addresses = tuple(sorted(map(address_key, endpoint["addresses"])))
    return (addresses, target(endpoint), (endpoint.get("hostname") or "") if upstream else "")


def order_key(endpoint: Json) -> Any:
    addresses = sorted(map(address_key, endpoint["addresses"]))
    return (addresses, target(endpoint), endpoint.get("hostname") or "")


def fnv(texts: list[str]) -> int:
    number = 0x6C62272E07BB014262B821756295C58D
    for byte in b"".join(text.encode() + b"\0" for text in texts):
        number = ((number ^ byte) * 0x0000000001000000000000000000013B) % 2**128
    return number


def terminating(endpoint: Json) -> bool:
    return (endpoint.get("conditions") or {}).get("terminating") is True


def ready(endpoint: Json) -> bool:
    return (endpoint.get("conditions") or {}).get("ready") is not False


def text(endpoint: Json) -> str:
    return json.dumps(endpoint, separators=(",", ":"))


def content(endpoint: Json) -> Json:
    """What must be equal for an endpoint to stay as it is."""
    ref = {name: value for name, value in (endpoint.get("targetRef") or {}).items() if name != "resourceVersion"}
    rest = {name: value for name, value in endpoint.items() if name not in ("addresses", "targetRef")}
    return {**rest, "first": address_key(endpoint["addresses"][0]), "ref": ref}


def ports(slice_: Json) -> Any:
    listed = [(p.get("name") or "", p.get("protocol") or "TCP", p.get("port")) for p in slice_["ports"] or []]
    return Counter(listed)


def service(slice_: Json) -> str:
    return str(slice_["metadata"].get("labels", {}).get("kubernetes.io/service-name", ""))


def canonical(existing: list[Json]) -> list[Json]:
    """Slices that stay, by name; of one name the newest counts."""
    newest: dict[str, Json] = {}
    for slice_ in existing:
        metadata = slice_["metadata"]
        best = newest.get(metadata["name"])
        if best is None or int(metadata["resourceVersion"]) > int(best["metadata"]["resourceVersion"]):
            newest[metadata["name"]] = slice_
    return [newest[name] for name in sorted(newest) if not newest[name]["metadata"].get("deletionTimestamp")]


class Pack:
    """One call."""

    def __init__(self, wanted: list[Json], existing: list[Json], template: Json, settings: Settings) -> None:
        self.settings = settings
        self.template = template
        best: dict[Identity, Json] = {}
        for endpoint in wanted:
            key = identity(endpoint, upstream=settings.upstream)
            rank = (terminating(endpoint), not ready(endpoint), text(endpoint))
            if key not in best or rank < (terminating(best[key]), not ready(best[key]), text(best[key])):
                best[key] = endpoint
        self.items = list(best.values())
        self.number = {key: index for index, key in enumerate(best)}
        self.bins = [self.bin_of(slice_) for slice_ in canonical(existing)]
        self.staying: set[tuple[int, int]] = set()
        """Slice and place of each endpoint that stays or, from an overfull slice, moves."""
        self.origin: dict[int, int] = {}
        self.sources: dict[int, list[int]] = {}

    def bin_of(self, slice_: Json) -> Bin:
        settings, template = self.settings, self.template
        group = (ports(slice_), slice_["addressType"], service(slice_))
        foreign = group != (ports(template), template["addressType"], service(template))
        harmless = not slice_["endpoints"] and service(slice_) == service(template)
        recycles = settings.recycle or settings.upstream
        convertible = slice_["addressType"] == template["addressType"] and (recycles or harmless)
        skipped = OWN_LABELS if settings.upstream else set()
        labels = [
            {key: value for key, value in one["metadata"].get("labels", {}).items() if key not in skipped}
            for one in (slice_, template)
        ]
        return Bin(
            slice_,
            held=list(slice_["endpoints"] or []),
            dirty=foreign or labels[0] != labels[1],
            foreign=foreign,
            closed=foreign and (settings.upstream or not convertible),
            recyclable=settings.upstream and convertible,
        )

    def settle(self) -> None:
        """Everything wanted stays; of copies one."""
        places: dict[int, list[tuple[int, int, bool]]] = {}
        for index, bin_ in enumerate(self.bins):
            for place_, endpoint in enumerate(bin_.held):
                item = self.number.get(identity(endpoint, upstream=self.settings.upstream))
                if bin_.foreign or item is None:
                    bin_.dirty = bin_.lost = True
                else:
                    changed = content(endpoint) != content(self.items[item])
                    places.setdefault(item, []).append((index, place_, changed))
        for copies in places.values():
            if len(copies) == 1 and copies[0][2]:
                self.bins[copies[0][0]].dirty = True
        keepers: dict[int, tuple[int, int, bool]] = {}
        crowd = Counter(index for copies in places.values() for index, _, _ in copies)
        for item, copies in sorted(places.items(), key=lambda entry: entry[1][0]):
            if len(copies) > 1:
                keepers[item] = self.keeper(copies, crowd)
                for index, place_, _ in copies:
                    if (index, place_) != keepers[item][:2]:
                        self.bins[index].dirty = self.bins[index].lost = True
                        crowd[index] -= 1
                self.bins[keepers[item][0]].dirty |= keepers[item][2]
            else:
                keepers[item] = copies[0]
        for item, (index, _, changed) in sorted(keepers.items(), key=lambda entry: entry[1][:2]):
            self.bins[index].kept.append(item)
            if changed:
                self.bins[index].changed.add(item)
        self.staying = {keeper[:2] for keeper in keepers.values()}

    def keeper(self, copies: list[tuple[int, int, bool]], crowd: Counter[int]) -> tuple[int, int, bool]:
        if self.settings.upstream:
            return copies[0]
        held = Counter(index for index, _, _ in copies)

        def cost(copy: tuple[int, int, bool]) -> tuple[bool, bool, bool, int, int]:
            index, place_, changed = copy
            free = not changed and not self.bins[index].dirty and held[index] == 1
            return (crowd[index] > self.settings.max_endpoints, not free, changed, index, place_)

        return min(copies, key=cost)

    def evict(self) -> None:
        for index, bin_ in enumerate(self.bins):
            while len(bin_.kept) > self.settings.max_endpoints and not self.settings.upstream:
                self.origin[bin_.kept.pop()] = index
                bin_.dirty = bin_.lost = True

    def room(self, bin_: Bin) -> int:
        return 0 if bin_.closed else max(0, self.settings.max_endpoints - bin_.count)

    def floor(self, waiting: int) -> int:
        dirty = [bin_ for bin_ in self.bins if bin_.must]
        most = self.settings.max_endpoints
        room = sum(most if bin_.closed and bin_.recyclable else self.room(bin_) for bin_ in dirty)
        return len(dirty) + ceil(max(0, waiting - room) / most)

    def find_reuse(self, waiting: list[int]) -> None:
        leaving: dict[Any, set[int]] = {}
        for index, bin_ in enumerate(self.bins):
            for place_, endpoint in enumerate(bin_.held):
                stays = (index, place_) in self.staying
                for address in endpoint["addresses"] if not (bin_.foreign or stays) else ():
                    leaving.setdefault(address_key(address), set()).add(index)
        for item in waiting:
            if item not in self.origin:
                found = [leaving.get(address_key(address), set()) for address in self.items[item]["addresses"]]
                if any(found):
                    self.sources[item] = sorted(set().union(*found))

    def fill(self, waiting: list[int]) -> None:
        upstream = self.settings.upstream
        forced = [
            index
            for index, bin_ in enumerate(self.bins)
            if bin_.must and self.room(bin_) and not (upstream and not bin_.kept and bin_.deleted)
        ]
        if not upstream and self.threshold() == 1.0:
            # Fewest slices: one that lost everything goes where the others have room.
            emptied = [index for index in forced if self.bins[index].deleted]
            left = len(waiting) - sum(self.room(self.bins[index]) for index in forced if index not in emptied)
            spared = emptied[ceil(max(0, left) / self.settings.max_endpoints) :]
            forced = [index for index in forced if index not in spared]
        overflow = max(0, len(waiting) - sum(self.room(self.bins[index]) for index in forced))
        clean, new = self.choose(overflow)
        first = len(self.bins)
        self.bins += [Bin(None) for _ in range(new)]
        indexes = [(index, True) for index in forced]
        others = [*range(first, first + new), *clean] if upstream else [*clean, *range(first, first + new)]
        indexes += [(index, False) for index in others]
        targets = [
            Target(index, self.room(self.bins[index]), forced, [self.items[item] for item in self.bins[index].kept])
            for index, forced in indexes
        ]
        endpoints = {item: self.items[item] for item in waiting}
        cohort = None if upstream else self.settings.cohort
        sources = {} if upstream else self.sources
        for item, index in place(endpoints, targets, cohort, sources, fullest_first=upstream):
            self.bins[index].added.append(item)

    def threshold(self) -> float:
        crowded = self.settings.epsilon is not None and len(self.bins) + 1 > self.limit()
        return 1.0 if crowded else self.settings.threshold

    def choose(self, overflow: int) -> tuple[list[int], int]:
        """Which clean slices to write and how many to make, found by trying every subset size."""
        most = self.settings.max_endpoints
        clean = [index for index, bin_ in enumerate(self.bins) if not bin_.must]
        if not overflow:
            return [], 0
        if self.settings.upstream:
            new, rest = divmod(overflow, most)
            fits = [index for index in clean if self.bins[index].count + rest <= most]
            if not rest:
                return [], new
            best = max(fits, key=lambda index: self.bins[index].count, default=None)
            return ([best], new) if best is not None else ([], new + 1)
        threshold = self.threshold()
        clean = sorted((i for i in clean if self.bins[i].count < most), key=lambda i: (self.bins[i].count, i))
        writes = ceil(overflow / most)
        best_cost, chosen = inf, 0
        for size in range(min(writes, len(clean)) + 1):
            room = sum(most - self.bins[index].count for index in clean[:size])
            if room + (writes - size) * most < overflow:
                continue
            cost = sum(self.bins[index].count for index in clean[:size]) + (writes - size) * threshold * most
            if cost <= best_cost:
                best_cost, chosen = cost, size
        return clean[:chosen], writes - chosen

    def limit(self) -> int:
        assert self.settings.epsilon is not None
        return floor((1 + self.settings.epsilon) * len(self.items) / self.settings.max_endpoints + 2)

    def compact(self) -> None:
        budget = self.settings.max_moves if self.settings.max_moves is not None else inf
        live = [index for index, bin_ in enumerate(self.bins) if not bin_.deleted]
        while len(live) > self.limit():
            live.sort(key=lambda index: (self.bins[index].count, not self.bins[index].written, index))
            source = self.bins[live[0]]
            others = sorted(live[1:], key=lambda i: (not self.bins[i].written, self.bins[i].count, i))
            places = [index for index in others for _ in range(self.room(self.bins[index]))]
            if len(places) < source.count or len(source.kept) > budget:
                return
            budget -= len(source.kept)
            self.origin |= dict.fromkeys(source.kept, live[0])
            for item, index in zip([*source.kept, *source.added], places, strict=False):
                self.bins[index].added.append(item)
            source.kept, source.added, source.moved_out = [], [], True
            live.pop(0)

    def recycle(self) -> None:
        for bin_ in self.bins.copy():
            if bin_.slice is not None and bin_.deleted and bin_.recyclable and self.bins[-1].slice is None:
                bin_.added = self.bins.pop().added
                bin_.dirty, bin_.closed = True, False

    def writes(self) -> list[tuple[str, str | None, list[int]]]:
        """Verb, name and items of each write, in order."""
        written = [index for index, bin_ in enumerate(self.bins) if bin_.written]
        phase = {}
        for index in written:
            bin_ = self.bins[index]
            phase[index] = "delete" if bin_.deleted else "create" if bin_.slice is None else "update"
        edges: set[tuple[int, int, int]] = set()
        """What needs an order (0 that a survivor is there, 1 that it takes traffic, 2 all else), and its two writes."""
        for index in written:
            for item in self.bins[index].added:
                if item in self.origin:
                    pair = (self.origin[item], index)
                    breaks_first = self.settings.break_first and self.settings.epsilon is not None
                    edges.add((0, *(pair if breaks_first else pair[::-1])))
                edges |= {(2, source, index) for source in self.sources.get(item, []) if source != index}
        edges |= self.edges_of_copies(written)
        order = sorted(written, key=lambda index: (["create", "update", "delete"].index(phase[index]), index))
        done: list[int] = []
        while order:

            def waits(index: int) -> tuple[int, ...]:
                found = Counter(need for need, first, second in edges if second == index and first not in done)
                return tuple(found[need] for need in range(3))

            def rank(index: int) -> tuple[tuple[int, ...], int]:
                return (waits(index), order.index(index))

            best = min(order, key=rank)
            if any(waits(best)):
                # A ring of addresses that change hands: what only waits for it is not the one to break it.
                path = [best]
                while path[-1] not in path[:-1]:
                    leaders = ((need, first) for need, first, second in edges if second == path[-1] and first in order)
                    path.append(min(leaders)[1])
                best = min(path[path.index(path[-1]) :], key=rank)
            else:
                best = next(index for index in order if not any(waits(index)))
            done.append(best)
            order.remove(done[-1])
        done.sort(key=lambda index: phase[index] == "delete" and self.bins[index].foreign)
        named = [(phase[i], (self.bins[i].slice or {"metadata": {"name": None}})["metadata"]["name"], i) for i in done]
        return [(verb, name, [*self.bins[i].kept, *self.bins[i].added]) for verb, name, i in named]

    def edges_of_copies(self, written: list[int]) -> set[tuple[int, int, int]]:
        """Before a copy goes that takes traffic or is as it should be, the one that stays is so too."""
        upstream = self.settings.upstream
        keepers: dict[int, tuple[int, bool]] = {}
        for index in written:
            bin_ = self.bins[index]
            for item in bin_.added:
                if item in self.origin:
                    keepers[item] = (index, False)
            for place_, endpoint in enumerate(bin_.held):
                item = self.number.get(identity(endpoint, upstream=upstream), -1)
                if (index, place_) in self.staying and item in bin_.kept and item in bin_.changed:
                    keepers[item] = (index, ready(endpoint))
        edges = set()
        for index in written:
            for place_, copy in enumerate(self.bins[index].held):
                item = self.number.get(identity(copy, upstream=upstream), -1)
                keeper, was_ready = keepers.get(item, (index, False))
                stays = (index, place_) in self.staying or self.origin.get(item) == index
                if not self.bins[index].foreign and not stays and keeper != index:
                    if ready(copy) and ready(self.items[item]) and not was_ready:
                        edges.add((1, keeper, index))
                    elif content(copy) == content(self.items[item]):
                        edges.add((2, keeper, index))
        return edges


def pack(wanted: list[Json], existing: list[Json], template: Json, settings: Settings) -> Json:
    """Return the writes with their endpoints in order, and the counts."""
    call = Pack(wanted, existing, template, settings)
    call.settle()
    call.evict()
    staying = {item for bin_ in call.bins for item in bin_.kept}
    waiting = [item for item in range(len(call.items)) if item not in staying]

    def key(item: int) -> Any:
        endpoint = call.items[item]
        address = str(ipaddress.ip_address(endpoint["addresses"][0]))
        shuffled = fnv([address, *target(endpoint)]) if settings.upstream else 0
        return (shuffled, order_key(endpoint))

    waiting.sort(key=key)
    call.find_reuse(waiting)
    write_floor = call.floor(len(waiting))
    call.fill(waiting)
    if settings.epsilon is not None:
        call.compact()
    call.bins = [bin_ for bin_ in call.bins if bin_.slice is not None or bin_.count]
    if settings.upstream:
        call.recycle()
    writes = [
        (verb, name, [] if verb == "delete" else [order_key(call.items[item]) for item in items])
        for verb, name, items in call.writes()
    ]
    written = [bin_ for bin_ in call.bins if bin_.written]
    return {
        "writes": writes,
        "write_floor": write_floor,
        "moved": len(call.origin),
        "updated": sum(len(bin_.changed & set(bin_.kept)) for bin_ in call.bins),
        "resent": sum(len(set(bin_.kept) - bin_.changed) for bin_ in written),
    }
