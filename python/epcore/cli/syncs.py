"""Which writes of a recording belong to one sync of the controller.

A sync looks at the world once and then writes slice after slice, some milliseconds apart. Halfway through it the
union of the slices is nothing that anybody wanted, so a replay must know where each sync ends. Two sources tell:

*The Pods.* A sync can only have ended where the union of the slices is a state that the recorded Pods asked for,
later than the state of the sync before and earlier than the sync's first write. Such a point is *witnessed*.

*The way of writing* (upstream ``finalize`` and ``reconcileByPortMapping``). One sync writes each slice once, first
creates, then updates, then deletes, with one trigger time. It fills the slices it writes anyway before any other, so
of one set of ports at most one slice takes the remainder, and none does while a slice that lost endpoints has room.

Two witnessed syncs that could be one, because the later state was there before the first write, and that are written
as one would be, are taken as one: a prefix of a sync's writes can equal an earlier state by chance. Where no Pods
were recorded, or none asked for what the slices hold, the way of writing decides alone, together with pauses longer
than ``PAUSE``.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from epcore.cli.witness import mark_of_endpoint, total

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from epcore.cli.catalog import Catalog
    from epcore.cli.recording import Recording, SliceEvent
    from epcore.cli.witness import History, Ports

PAUSE: Final = 0.2
"""Seconds between two writes after which no sync goes on. Within syncs of a real controller at most 0.17 were seen."""

_RANK: Final = {"create": 0, "update": 1, "delete": 2}


@dataclass(frozen=True, slots=True)
class Sync:
    """The writes of one sync of one lane."""

    events: "tuple[SliceEvent, ...]"
    witnessed: bool
    """The union after the last write is what the recorded Pods asked for."""
    initial: bool = False
    """Not writes: the slices that were there when the recording began."""
    state_since: int = 0
    """Revision at which the Pods began to ask for this."""


class _Form(NamedTuple):
    """How one write changes its slice."""

    remainder: bool
    """It takes endpoints that no slice written anyway had room for, and is not full after it."""
    roomy: bool
    """It lost or changed endpoints, and has room after it."""


@dataclass(slots=True)
class _Shape:
    """What is known of the sync in progress, to tell whether one more write may belong to it."""

    names: set[str] = field(default_factory=set)
    triggers: set[str | None] = field(default_factory=set)
    rank: int = 0
    time: float | None = None
    remainder: "set[Ports]" = field(default_factory=set)
    roomy: "set[Ports]" = field(default_factory=set)

    def admits(self, event: "SliceEvent", form: _Form) -> bool:
        """Tell whether one sync can have written this too."""
        return not (
            event.name in self.names
            or (event.verb != "delete" and self.triggers and event.trigger not in self.triggers)
            or _RANK[event.verb] < self.rank
            or (self.time is not None and event.time - self.time > PAUSE)
            or (form.remainder and event.ports in self.remainder | self.roomy)
            or (form.roomy and event.ports in self.remainder)
        )

    def add(self, event: "SliceEvent", form: _Form) -> None:
        self.names.add(event.name)
        if event.verb != "delete":
            self.triggers.add(event.trigger)
        self.rank = _RANK[event.verb]
        self.time = event.time
        if form.remainder:
            self.remainder.add(event.ports)
        if form.roomy:
            self.roomy.add(event.ports)


def find_syncs(recording: "Recording") -> list[Sync]:
    """Return the syncs of all lanes in the order in which they ended."""
    syncs = []
    for lane, events in recording.lanes.items():
        history = recording.witness.history(lane.namespace, lane.service, lane.address_type)
        initial, live = _initial(events)
        if initial:
            syncs.append(Sync(tuple(initial), witnessed=False, initial=True))
        forms = _forms(events, recording.catalog)
        stretches = list(_witnessed(initial, live, history, recording.catalog))
        syncs += _joined([part for stretch in stretches for part in _parted(stretch, forms)], forms)
    return sorted(syncs, key=lambda sync: sync.events[-1].order)


def _initial(events: "list[SliceEvent]") -> "tuple[list[SliceEvent], list[SliceEvent]]":
    """Split off the slices that the watch found at its start: a slice that was just created is of generation 1."""
    count = next((place for place, event in enumerate(events) if event.verb != "create"), len(events))
    if not any(event.generation > 1 for event in events[:count]):
        count = 0
    return events[:count], events[count:]


def _forms(events: "Sequence[SliceEvent]", catalog: "Catalog") -> "dict[int, _Form]":
    """Tell how each write of a lane changes its slice, by the order of the event."""
    full: dict[Ports, int] = {}
    for event in events:
        full[event.ports] = max(full.get(event.ports, 1), len(event.endpoints))
    forms = {}
    last: dict[str, SliceEvent] = {}
    for event in events:
        before = last.get(event.name)
        forms[event.order] = _form(before, event, catalog, has_room=len(event.endpoints) < full[event.ports])
        if event.verb == "delete":
            last.pop(event.name, None)
        else:
            last[event.name] = event
    return forms


def _form(before: "SliceEvent | None", event: "SliceEvent", catalog: "Catalog", *, has_room: bool) -> _Form:
    if event.verb == "delete" or (before and before.template != event.template):
        return _Form(remainder=False, roomy=False)
    old = {catalog.unhinted[number] for number in before.endpoints} if before else set()
    new = {catalog.unhinted[number] for number in event.endpoints}
    gained = _identities(event, catalog) - (_identities(before, catalog) if before else set())
    if old.isdisjoint(new) and len(gained) == len(new):  # created, or taken over for other endpoints
        return _Form(remainder=has_room and bool(new), roomy=False)
    lost = not old <= new
    return _Form(remainder=bool(gained) and not lost, roomy=lost and has_room)


def _identities(event: "SliceEvent", catalog: "Catalog") -> set[int]:
    return {catalog.identity[number] for number in event.endpoints}


def _witnessed(
    initial: "list[SliceEvent]", events: "list[SliceEvent]", history: "History | None", catalog: "Catalog"
) -> "Iterable[Sync]":
    """Yield stretches of writes that end where the union of the slices is a state of the Pods; at last the rest."""
    marks: dict[tuple[int, Ports], int] = {}

    def mark(number: int, ports: "Ports") -> int:
        key = number, ports
        if key not in marks:
            marks[key] = mark_of_endpoint(catalog.endpoint(number), ports)
        return marks[key]

    def state(event: "SliceEvent") -> int:
        return 0 if event.verb == "delete" else total(mark(number, event.ports) for number in event.endpoints)

    union = {event.name: state(event) for event in initial}
    since = 0
    stretch: list[SliceEvent] = []
    for event in events:
        union[event.name] = state(event)
        stretch.append(event)
        began = history.first(total(union.values()), since) if history else None
        if began is not None and began <= stretch[0].revision:
            yield Sync(tuple(stretch), witnessed=True, state_since=began)
            stretch, since = [], began
    if stretch:
        yield Sync(tuple(stretch), witnessed=False)


def _parted(stretch: Sync, forms: "dict[int, _Form]") -> list[Sync]:
    """Part a stretch that cannot be one sync; of a witnessed one only the last part is."""
    names = {event.name for event in stretch.events}
    triggers = {event.trigger for event in stretch.events if event.verb != "delete"}
    if stretch.witnessed and len(names) == len(stretch.events) and len(triggers) <= 1:
        return [stretch]
    parts: list[list[SliceEvent]] = []
    shape = _Shape()
    for event in stretch.events:
        if not parts or not shape.admits(event, forms[event.order]):
            parts.append([])
            shape = _Shape()
        parts[-1].append(event)
        shape.add(event, forms[event.order])
    last = Sync(tuple(parts[-1]), witnessed=stretch.witnessed, state_since=stretch.state_since)
    return [Sync(tuple(part), witnessed=False) for part in parts[:-1]] + [last]


def _joined(syncs: list[Sync], forms: "dict[int, _Form]") -> list[Sync]:
    """Join witnessed syncs that follow each other and are more likely one."""
    joined: list[Sync] = []
    for sync in syncs:
        if joined and _is_one(joined[-1], sync, forms):
            joined[-1] = Sync(joined[-1].events + sync.events, witnessed=True, state_since=sync.state_since)
        else:
            joined.append(sync)
    return joined


def _is_one(first: Sync, second: Sync, forms: "dict[int, _Form]") -> bool:
    if not (first.witnessed and second.witnessed and second.state_since <= first.events[0].revision):
        return False
    shape = _Shape()
    for event in first.events:
        shape.add(event, forms[event.order])
    for event in second.events:
        if not shape.admits(event, forms[event.order]):
            return False
        shape.add(event, forms[event.order])
    return True
