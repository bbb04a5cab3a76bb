"""The clock of a simulation: when a Service is synced, and when its writes are done.

As in Kubernetes' controller: a change marks its Service, a sync comes ``batch_period`` seconds after the first change
that none has seen, and never while the one before is still being written. Writes wait for the rate limit of the
client, in the order in which their syncs begin.
"""

from dataclasses import dataclass, field
from heapq import heappop, heappush
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
        if not 0 <= self.batch_period < float("inf") or not 0 <= self.latency < float("inf"):
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
    free: float = 0.0


class _Limit:
    """The rate limit of a client: a bucket of tokens that refills steadily."""

    def __init__(self, settings: Settings) -> None:
        self._interval = 1 / settings.qps if settings.qps else 0.0
        self._allowance = self._interval * (settings.burst - 1)
        self._full = 0.0
        """When the bucket is full again."""

    def take(self, now: float) -> float:
        """Tell when a write that is ready now may go."""
        start = max(now, self._full - self._allowance)
        self._full = max(self._full, start) + self._interval
        return start


def run(load: "Load", writer: "Writer", settings: Settings) -> list[Sync]:
    """Simulate one writer. What was there before time 0 comes first, as syncs that do not count."""
    services = {name: _Service() for name in load.templates}
    limit = _Limit(settings)
    queue: list[tuple[float, str]] = []
    syncs: list[Sync] = []

    def sync(time: float, name: str) -> None:
        service = services[name]
        written = writer.sync(name, load.templates[name], service.wanted)
        now = time
        for _ in range(written.writes):
            now = limit.take(now) + settings.latency
        service.free = now
        delays = tuple([round(now - change, 6) for change in service.unseen])
        syncs.append(Sync(time, now, name, written, len(service.wanted), delays))
        service.unseen = []

    begin = next((place for place, change in enumerate(load.changes) if change.time >= 0), len(load.changes))
    for change in load.changes[:begin]:
        _apply(services[change.service].wanted, change.key, change.content)
    for name, service in services.items():
        written = writer.sync(name, load.templates[name], service.wanted)
        syncs.append(Sync(-1.0, -1.0, name, written, len(service.wanted), ()))
    for change in load.changes[begin:]:
        while queue and queue[0][0] < change.time:
            sync(*heappop(queue))
        service = services[change.service]
        _apply(service.wanted, change.key, change.content)
        if not service.unseen:
            heappush(queue, (max(change.time + settings.batch_period, service.free), change.service))
        service.unseen.append(change.time)
    while queue:
        sync(*heappop(queue))
    return syncs


def _apply(wanted: dict[str, bytes], key: str, content: bytes | None) -> None:
    if content is None:
        wanted.pop(key, None)
    else:
        wanted[key] = content
