"""Who writes slices in a simulation: the engine with each of its policies, and those it is measured against.

A writer is asked at each sync for its writes, starting from what it wrote itself before.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, Protocol, TypeAlias

from epcore import EndpointSet, SliceSet, merge_endpoints, pack
from epcore.simulate.blind import Lives, least_resent
from epcore.simulate.chunking import first_fit, sort_and_chunk

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from epcore import Plan, Policy
    from epcore.simulate.load import Telling
    from epcore.types import CohortName, PolicyName, Replace

KUBERNETES: Final = "Kubernetes' rule"
CONTROL: Final = f"{KUBERNETES}, smaller max"
BOUND: Final = "offline bound"
BLIND: Final = "bound without foresight"
BOUNDS: Final = (BOUND, BLIND)

Kind: TypeAlias = Literal["engine", "first-fit", "sort-and-chunk", "endpoints", "bound", "blind"]


class Written(NamedTuple):
    """What one sync wrote."""

    writes: int
    bytes: int
    """What one watcher receives: the objects written, the last state for a delete."""
    slices: int
    """Slices of the Service afterwards."""
    resent: int | None = None
    """Unchanged endpoints that were part of a written object; ``None`` where that has no meaning."""
    moved: int | None = None
    """Endpoints that changed their slice."""
    floor: int | None = None
    """The fewest writes that any plan without moves could need from the same slices."""


class Writer(Protocol):
    """One row of a report. ``wanted`` is what each endpoint should say, by key; ``template`` an empty slice."""

    def sync(self, service: str, template: bytes, wanted: "Mapping[str, bytes]") -> Written:
        """Make the slices of a Service hold what is wanted."""
        ...


@dataclass(frozen=True, kw_only=True)
class Row:
    """What is to be simulated: a way of writing slices, and how it is called."""

    title: str
    kind: Kind = "engine"
    policy: "PolicyName | Policy" = "balanced"
    cohort: "CohortName | str | None" = "auto"
    replace: "Replace" = "safe"
    max_endpoints: int = 100

    def __post_init__(self) -> None:
        """Refuse a maximum that no slice may have. Raises ``ValueError``."""
        if not 1 <= self.max_endpoints <= EndpointsWriter.most:
            raise ValueError(f"max_endpoints must be 1 to {EndpointsWriter.most}, not {self.max_endpoints}")

    def writer(self, telling: "Telling" = "node") -> Writer:
        """Make a writer that has written nothing yet. One bound depends on what the load's past tells."""
        if self.kind == "engine":
            return EngineWriter(self)
        if self.kind == "endpoints":
            return EndpointsWriter()
        if self.kind == "blind":
            return BlindWriter(BoundWriter(self.max_endpoints), self.max_endpoints, telling)
        return BoundWriter(self.max_endpoints) if self.kind == "bound" else ChunkWriter(self)


def kubernetes(max_endpoints: int, title: str = KUBERNETES) -> Row:
    """Make the row of Kubernetes' rule, which has no idea of what changes together."""
    return Row(title=title, policy="upstream", cohort=None, replace="recycle", max_endpoints=max_endpoints)


def baselines(max_endpoints: int) -> list[Row]:
    """Make the rows that every report begins with."""
    return [
        kubernetes(max_endpoints),
        Row(title="first-fit", kind="first-fit", max_endpoints=max_endpoints),
        Row(title="sort-and-chunk", kind="sort-and-chunk", max_endpoints=max_endpoints),
        Row(title="one Endpoints object", kind="endpoints", max_endpoints=EndpointsWriter.most),
        Row(title=BOUND, kind="bound", max_endpoints=max_endpoints),
        Row(title=BLIND, kind="blind", max_endpoints=max_endpoints),
    ]


def _array(contents: "Mapping[str, bytes]") -> bytes:
    return b"[" + b",".join(contents.values()) + b"]"


class EngineWriter:
    """:func:`epcore.pack`, fed with its own result."""

    def __init__(self, row: Row, look: "Callable[[Plan], None] | None" = None) -> None:
        self._row = row
        self._look = look
        self._slices: dict[str, SliceSet] = {}
        self._contents: dict[str, dict[str, bytes]] = {}

    def sync(self, service: str, template: bytes, wanted: "Mapping[str, bytes]") -> Written:
        """Plan, and take the result for granted."""
        plan = pack(
            EndpointSet.from_json(_array(wanted)),
            self._slices.get(service, ()),
            template=template,
            max_endpoints=self._row.max_endpoints,
            policy=self._row.policy,
            cohort=self._row.cohort,
            replace=self._row.replace,
            naming="deterministic",
        )
        if self._look:
            self._look(plan)
        self._slices[service] = plan.result()
        old, self._contents[service] = self._contents.get(service, {}), dict(wanted)
        sent = sum(len(write.slice) for write in plan.writes if write.verb != "delete")
        new = sum(old.get(key) != content for key, content in wanted.items())
        stats = plan.stats
        return Written(
            stats.writes,
            stats.bytes,
            stats.slices_after,
            sent - new,  # Stats.endpoints_resent leaves out those that only move
            stats.endpoints_moved,
            stats.write_floor,
        )


@dataclass(slots=True)
class _Chunked:
    """The slices of one Service: the keys in each, and what each endpoint says."""

    chunks: dict[int, list[str]] = field(default_factory=dict)
    contents: dict[str, bytes] = field(default_factory=dict)

    def object(self, place: int, template: bytes) -> bytes:
        """Write a slice as an API server stores it. Its name is as long as those that the engine gives."""
        prefix = template[template.index(b'"generateName":"') + 16 :].partition(b'"')[0]
        named = template.replace(b'"metadata":{', b'"metadata":{"name":"%s%010d",' % (prefix, place), 1)
        endpoints = b",".join([self.contents[key] for key in self.chunks[place]])
        return named.replace(b'"endpoints":[]', b'"endpoints":[%s]' % endpoints, 1)


class ChunkWriter:
    """Cuts endpoints into slices by a simple rule, and writes every slice whose endpoints are not what they were."""

    def __init__(self, row: Row, look: "Callable[[list[bytes]], None] | None" = None) -> None:
        self._kind = row.kind
        self._max = row.max_endpoints
        self._look = look
        self._services: dict[str, _Chunked] = {}

    def sync(self, service: str, template: bytes, wanted: "Mapping[str, bytes]") -> Written:
        """Arrange, and write what differs."""
        old = self._services.get(service, _Chunked())
        new = self._services[service] = _Chunked(self._arrange(old, wanted), dict(wanted))
        objects: list[bytes] = []
        resent = 0
        for place in sorted(old.chunks.keys() | new.chunks.keys()):
            was, is_ = old.chunks.get(place, []), new.chunks.get(place, [])
            if was == is_ and all(old.contents[key] == new.contents[key] for key in is_):
                continue
            objects.append((new if is_ else old).object(place, template))
            resent += sum(old.contents.get(key) == new.contents[key] for key in is_)
        home = {key: place for place, chunk in old.chunks.items() for key in chunk}
        moved = sum(home.get(key, place) != place for place, chunk in new.chunks.items() for key in chunk)
        if self._look:
            self._look(objects)
        return Written(len(objects), sum(map(len, objects)), len(new.chunks), resent, moved)

    def _arrange(self, old: _Chunked, wanted: "Mapping[str, bytes]") -> dict[int, list[str]]:
        if self._kind == "first-fit":
            return first_fit(old.chunks, {key: key for key in wanted}, self._max)
        return sort_and_chunk(sorted(wanted, key=lambda key: (_address(wanted[key]), key)), self._max)


def _address(content: bytes) -> tuple[int, ...] | tuple[bytes]:
    """Sort addresses as numbers where they are."""
    text = content[content.index(b'"addresses":["') + 14 :].partition(b'"')[0]
    parts = text.split(b".")
    return tuple(map(int, parts)) if len(parts) == 4 and all(map(bytes.isdigit, parts)) else (text,)  # noqa: PLR2004


class EndpointsWriter:
    """One ``v1`` Endpoints object for each Service: what slices replaced. It holds 1000 addresses at most."""

    most: Final = 1000
    """Addresses that the controller writes, and endpoints that the API allows in the slices they are read from."""

    def __init__(self) -> None:
        self._objects: dict[str, bytes] = {}

    def sync(self, service: str, template: bytes, wanted: "Mapping[str, bytes]") -> Written:
        """Write the object if it says something else than before; none of domain names, which it cannot hold."""
        if b'"addressType":"FQDN"' in template:
            return Written(0, 0, 0)
        before = self._objects.get(service)
        held = _Chunked(sort_and_chunk(list(wanted), self.most), dict(wanted))
        slices = [held.object(place, template) for place in held.chunks]
        if not slices:
            self._objects.pop(service, None)
            return Written(int(before is not None), len(before or b""), 0)
        after = merge_endpoints(SliceSet.from_json(b"[" + b",".join(slices) + b"]")).to_json()
        self._objects[service] = after
        return Written(1, len(after), 1) if after != before else Written(0, 0, 1)


class BoundWriter:
    """Nobody: the least that any planner must write in a sync, one that knows the future included.

    Of the endpoints that a sync brings in or changes, a write carries at most ``most``; of those that it takes away or
    changes, a write frees its slice of at most as many. So there are at least as many writes as either needs, and they
    carry at least what is new and an empty slice each. Whatever was written before, and however endpoints may move.

    ``resent`` is for planners that never keep more slices than Kubernetes' rule: what does not find room in the slices
    that are left alone is sent, and what of it is not new is sent again.
    """

    def __init__(self, most: int) -> None:
        self._max = most
        self._contents: dict[str, dict[str, bytes]] = {}
        self.slices: dict[str, int] = {}
        """Of Kubernetes' rule."""
        self._kubernetes = EngineWriter(kubernetes(most))

    def sync(self, service: str, template: bytes, wanted: "Mapping[str, bytes]") -> Written:
        """Count."""
        old = self._contents.get(service, {})
        self._contents[service] = dict(wanted)
        new = [content for key, content in wanted.items() if old.get(key) != content]
        gone = sum(wanted.get(key) != content for key, content in old.items())
        filled, freed = -(-len(new) // self._max), -(-gone // self._max)
        writes = max(filled, freed)
        size = sum(map(len, new)) + max(0, len(new) - writes) + writes * len(template)
        before = self.slices.get(service, 0)
        after = self.slices[service] = self._kubernetes.sync(service, template, wanted).slices
        # Those that are freed were there before, and those that are filled are there afterwards.
        alone = max(0, min(before - freed, after - filled))
        resent = max(0, len(wanted) - alone * self._max - len(new)) if writes else 0
        return Written(writes, size, -(-len(wanted) // self._max), resent)


class BlindWriter:
    """The offline bound, raised to what is sent again on average by planners who cannot tell who changes next.

    Like it for planners that never keep more slices than Kubernetes' rule. The endpoints of a sync are whole numbers
    whose sum is that of the averages, rounded down.
    """

    def __init__(self, bound: BoundWriter, most: int, telling: "Telling") -> None:
        self._bound = bound
        self._most = most
        self._telling = telling
        self._lives: dict[str, Lives] = {}
        self.resent: dict[str, float] = {}
        """Of each Service, so far."""

    def sync(self, service: str, template: bytes, wanted: "Mapping[str, bytes]") -> Written:
        """Count."""
        slices = self._bound.slices.get(service, 0)
        least = self._bound.sync(service, template, wanted)
        classes = self._lives.setdefault(service, Lives(self._telling)).step(wanted)
        before = self.resent.get(service, 0.0)
        resent = max(least_resent(classes, slices, self._most), least.resent or 0)
        after = self.resent[service] = before + resent
        whole = int(after) - int(before)
        return least._replace(resent=whole, bytes=least.bytes + whole * min(map(len, wanted.values()), default=0))
