"""The clock of a simulation: when a Service is synced, and when its writes are done.

As in Kubernetes' controller: a change marks its Service, a sync comes ``batch_period`` seconds after the first change
that none has seen, and never while the one before is still being written. The writes of a sync come one after another;
those of several Services share the rate limit of the client, in the order in which they ask.
"""

from dataclasses import dataclass, field
from heapq import heappop, heappush
from math import inf
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from epcore.simulate.load import Load
    from epcore.simulate.writers import Writer, Written


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How a controller runs, whatever its policy."""

    batch_period: float = 1.0
    """Seconds for which changes of a Service are collected (``--endpointslice-updates-batch-period``)."""
    qps: float | None = None
    """Most writes a second (``--kube-api-qps``); ``None`` is no limit."""
    burst: int = 30
    """Writes that may come at once after a pause (``--kube-api-burst``)."""
    latency: float = 0.0
    """Seconds that one write takes; those of one sync come one after the other."""

    def __post_init__(self) -> None:
        if not 0 <= self.batch_period < inf or not 0 <= self.latency < inf:
            raise ValueError("batch_period and latency must be 0 or more seconds")
        if (self.qps is not None and not self.qps > 0) or self.burst < 1:
            raise ValueError("qps must be more than 0, and burst 1 or more")

    @property
    def independent(self) -> bool:
        """Whether Services do not wait for one another, so that each can be simulated alone."""
        return self.qps is None

    @property
    def punctual(self) -> bool:
        """Whether all writers are asked at the same moments, whatever they write."""
        return self.qps is None and self.latency == 0


class Sync(NamedTuple):
    """One sync of one Service."""

    time: float
    """Below 0: not a sync, but the slices that were there at the beginning, as the writer would have left them."""
    end: float
    """When its last write was done."""
    service: str
    written: "Written"
    endpoints: int
    """Endpoints that were wanted."""
    delays: tuple[float, ...]
    """For each change that it made known, the seconds since it happened."""


@dataclass(slots=True)
class _Service:
    wanted: dict[str, bytes] = field(default_factory=dict)
    unseen: list[float] = field(default_factory=list)
    """When the changes happened that no sync has seen."""
    begun: "tuple[float, Written, int, tuple[float, ...]] | None" = None
    """The sync that is being written: when it began, what it writes, for how many endpoints and which changes."""
    left: int = 0
    """Writes of it that wait."""


class _Limit:
    """The rate limit of a client: a bucket of tokens that refills steadily."""

    def __init__(self, settings: Settings) -> None:
        self._interval = 1 / settings.qps if settings.qps else 0.0
        self._allowance = self._interval * (settings.burst - 1)
        self._full = 0.0
        """When the bucket is full again."""

    def take(self, now: float) -> float:
        """Tell when a write that is ready now may go. Writes ask in the order of time."""
        start = max(now, self._full - self._allowance)
        self._full = max(self._full, start) + self._interval
        return start


class _Controller:
    """Syncs Services one by one, and writes those that have begun side by side."""

    def __init__(self, load: "Load", writer: "Writer", settings: Settings) -> None:
        self.services = {name: _Service() for name in load.templates}
        self.syncs: list[Sync] = []
        self._load = load
        self._writer = writer
        self._settings = settings
        self._limit = _Limit(settings)
        self._queue: list[tuple[float, str]] = []
        """When each Service that has something to do goes on; one entry for each."""

    def begin(self) -> None:
        """Write what is there at the beginning."""
        for name, service in self.services.items():
            written = self._writer.sync(name, self._load.templates[name], service.wanted)
            self.syncs.append(Sync(-1.0, -1.0, name, written, len(service.wanted), ()))

    def notice(self, time: float, name: str) -> None:
        """Note that a Service changed; a sync will come."""
        service = self.services[name]
        if not service.unseen and service.begun is None:
            heappush(self._queue, (time + self._settings.batch_period, name))
        service.unseen.append(time)

    def run(self, until: float) -> None:
        """Do everything that is due before a moment."""
        while self._queue and self._queue[0][0] < until:
            time, name = heappop(self._queue)
            service = self.services[name]
            if service.begun is None:
                written = self._writer.sync(name, self._load.templates[name], service.wanted)
                delays = tuple(service.unseen)
                service.begun, service.left, service.unseen = (
                    (time, written, len(service.wanted), delays),
                    written.writes,
                    [],
                )
            if service.left:
                service.left -= 1
                heappush(self._queue, (self._limit.take(time) + self._settings.latency, name))
            else:
                self._finish(time, name, service)

    def _finish(self, time: float, name: str, service: _Service) -> None:
        if service.begun is not None:
            begun, written, endpoints, changes = service.begun
            delays = tuple([round(time - change, 6) for change in changes])
            self.syncs.append(Sync(begun, time, name, written, endpoints, delays))
        service.begun = None
        if service.unseen:
            heappush(self._queue, (max(service.unseen[0] + self._settings.batch_period, time), name))


def run(load: "Load", writer: "Writer", settings: Settings) -> list[Sync]:
    """Simulate one writer, and return its syncs in the order in which they began, then by Service.

    What was there before time 0 comes first, as syncs that do not count.
    """
    controller = _Controller(load, writer, settings)
    begin = next((place for place, change in enumerate(load.changes) if change.time >= 0), len(load.changes))
    for change in load.changes[:begin]:
        _apply(controller.services[change.service].wanted, change.key, change.content)
    controller.begin()
    for change in load.changes[begin:]:
        controller.run(change.time)
        _apply(controller.services[change.service].wanted, change.key, change.content)
        controller.notice(change.time, change.service)
    controller.run(inf)
    return sorted(controller.syncs, key=itemgetter(0, 2))


def _apply(wanted: dict[str, bytes], key: str, content: bytes | None) -> None:
    if content is None:
        wanted.pop(key, None)
    else:
        wanted[key] = content
