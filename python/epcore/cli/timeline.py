"""The steps of a replay: what was wanted at the end of each sync, of each lane, in the order of time."""

from array import array
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, Self

from epcore import EndpointSet

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from epcore.cli.catalog import Catalog
    from epcore.cli.recording import Lane, Numbers, Recording, SliceEvent
    from epcore.cli.syncs import Sync
    from epcore.cli.witness import Ports


class Wanted(NamedTuple):
    """What one group should hold: the slices of a lane with one set of ports."""

    template: bytes
    endpoints: "Numbers"
    parsed: EndpointSet
    """The endpoints as the engine reads them: the bytes that were recorded."""

    @classmethod
    def of(cls, template: bytes, endpoints: "Iterable[int]", catalog: "Catalog") -> Self:
        """Read the endpoints with these numbers."""
        numbers = array("L", endpoints)
        return cls(template, numbers, EndpointSet.from_json(catalog.array(numbers)))


@dataclass(frozen=True)
class Step:
    """One moment at which the recorded controller had written what was wanted."""

    lane: "Lane"
    sync: "Sync"
    slices: "Sequence[SliceEvent]"
    """The last write of each slice that is there now, the oldest write first."""
    catalog: "Catalog"
    primary: bool
    """The lane is of the address family that the legacy Endpoints object of its Service holds."""

    @property
    def time(self) -> float:
        """When the sync ended, in seconds on the clock of the recording."""
        return self.sync.events[-1].time

    @property
    def overhead(self) -> int:
        """Bytes of an object that no writer decides, as the mean of those written now."""
        return round(sum(event.overhead for event in self.sync.events) / len(self.sync.events))

    @property
    def template(self) -> bytes:
        """The metadata and ports that were written last."""
        return self.sync.events[-1].template

    @cached_property
    def groups(self) -> "dict[Ports, Wanted]":
        """What each group with any endpoint should hold. An endpoint in two slices counts as it was written last."""
        found: dict[Ports, dict[int, int]] = {}
        templates: dict[Ports, bytes] = {}
        for event in self.slices:
            if event.endpoints:
                templates[event.ports] = event.template
                identity = self.catalog.identity
                found.setdefault(event.ports, {}).update({identity[number]: number for number in event.endpoints})
        return {ports: Wanted.of(templates[ports], found[ports].values(), self.catalog) for ports in sorted(found)}


def steps(recording: "Recording", syncs: "Sequence[Sync]") -> "Iterator[Step]":
    """Yield the steps. Each is made when asked for, so that only one set of wanted endpoints is in memory."""
    lane_of = {event.order: lane for lane, events in recording.lanes.items() for event in events}
    slices: dict[Lane, dict[str, SliceEvent]] = {lane: {} for lane in recording.lanes}
    primary = {lane: recording.is_primary(lane) for lane in recording.lanes}
    for sync in syncs:
        lane = lane_of[sync.events[0].order]
        for event in sync.events:
            slices[lane].pop(event.name, None)
            if event.verb != "delete":
                slices[lane][event.name] = event
        yield Step(lane, sync, tuple(slices[lane].values()), recording.catalog, primary[lane])
