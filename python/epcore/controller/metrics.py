"""What a controller counts, under Kubernetes' names where it has them (``k8s.io/endpointslice/metrics``)."""

from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from epcore import Plan
    from epcore.controller.objects import Name

_COUNTS: Final = tuple(2.0**power for power in range(1, 16))
"""Buckets as Kubernetes has them: 2 to 32768, doubling."""
_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_KUBERNETES: Final = "endpoint_slice_controller"


class Metrics:
    """The metrics of one controller, in a registry of their own."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = CollectorRegistry() if registry is None else registry
        self._sizes: dict[Name, tuple[int, int, int]] = {}
        """Of each Service: endpoints, slices, the fewest slices that could hold them."""

        def counter(name: str, text: str, *labels: str, of: str = _KUBERNETES) -> Counter:
            return Counter(f"{of}_{name}", text, labels, registry=self.registry)

        def gauge(name: str, text: str, *labels: str, of: str = _KUBERNETES) -> Gauge:
            return Gauge(f"{of}_{name}", text, labels, registry=self.registry)

        def histogram(name: str, text: str, buckets: tuple[float, ...], of: str = _KUBERNETES) -> Histogram:
            return Histogram(f"{of}_{name}", text, buckets=buckets, registry=self.registry)

        self.added = histogram("endpoints_added_per_sync", "Endpoints added in one sync of a Service", _COUNTS)
        self.removed = histogram("endpoints_removed_per_sync", "Endpoints removed in one sync of a Service", _COUNTS)
        self.endpoints = gauge("endpoints_desired", "Endpoints that should be in slices")
        self.slices = gauge("num_endpoint_slices", "Slices that there are")
        self.ideal = gauge("desired_endpoint_slices", "Slices that would be enough")
        self.changes = counter("changes", "Writes of slices", "operation")
        self.changed = histogram("endpointslices_changed_per_sync", "Slices written in one sync", _COUNTS)
        self.syncs = counter("syncs", "Syncs of Services", "result")
        ours = "epcore_controller"
        self.bytes = counter("bytes", "Bytes of written slices, as JSON: what each watcher receives", of=ours)
        self.floor = counter("write_floor", "Writes that no plan without moves could have done without", of=ours)
        self.moves = counter("moves", "Endpoints that changed their slice", of=ours)
        self.resent = counter("endpoints_resent", "Unchanged endpoints in written slices", of=ours)
        self.fill = gauge("fill_ratio", "The fewest slices that could hold all endpoints, by those that do", of=ours)
        self.services = gauge("services", "Services that are ours, by where their endpoints come from", "role", of=ours)
        self.queue = gauge("queue_depth", "Services that are due", of=ours)
        self.failures = counter("source_failures", "Times that a source could not tell its endpoints", of=ours)
        self.troubles = counter("watch_troubles", "Times that a list or a watch failed", "kind", of=ours)
        self.unreadable = counter("unreadable_objects", "Objects that could not be read", "kind", of=ours)
        self.conflicts = counter("conflicts", "Syncs planned again since a slice was not what was thought", of=ours)
        self.duration = histogram("sync_duration_seconds", "Seconds for one sync of a Service", _SECONDS, of=ours)
        self.delay = histogram("event_delay_seconds", "Seconds from an event until all is written", _SECONDS, of=ours)
        self.fill.set_function(self._fill)

    def planned(self, plan: "Plan") -> None:
        """Count what a plan says that was carried out."""
        stats = plan.stats
        self.added.observe(stats.endpoints_added)
        self.removed.observe(stats.endpoints_removed)
        self.changed.observe(stats.writes)
        self.floor.inc(stats.write_floor)
        self.moves.inc(stats.endpoints_moved)
        self.resent.inc(stats.endpoints_resent)

    def sized(self, name: "Name", plans: "Sequence[Plan]") -> None:
        """Note how large a Service is whose plans were carried out; counted anew, since others change slices too."""
        endpoints = sum(len(slice_) for plan in plans for slice_ in plan.result())
        slices, ideal = sum(plan.stats.slices_after for plan in plans), sum(plan.stats.slices_ideal for plan in plans)
        before = self._sizes.get(name, (0, 0, 0))
        self._sizes[name] = (endpoints, slices, ideal)
        for gauge, was, is_ in zip(self._gauges(), before, self._sizes[name], strict=True):
            gauge.inc(is_ - was)

    def forget(self, name: "Name") -> None:
        """A Service is gone, not ours any more, or another replica's."""
        for gauge, was in zip(self._gauges(), self._sizes.pop(name, (0, 0, 0)), strict=True):
            gauge.dec(was)

    def forget_all(self, concerned: "Callable[[str, str], bool]") -> None:
        """Services, by namespace and name, are another replica's."""
        for name in [name for name in self._sizes if concerned(*name)]:
            self.forget(name)

    def shared(self, buckets: "Callable[[], int]", owned: "Callable[[], int]") -> None:
        """Tell into how many buckets replicas divide the Services, and how many of them are this one's."""
        text = "Parts into which the replicas divide the Services"
        Gauge("epcore_controller_buckets", text, registry=self.registry).set_function(buckets)
        text = "Those of them that are this replica's"
        Gauge("epcore_controller_owned_buckets", text, registry=self.registry).set_function(owned)

    def _gauges(self) -> tuple[Gauge, Gauge, Gauge]:
        return self.endpoints, self.slices, self.ideal

    def _fill(self) -> float:
        slices = sum(size[1] for size in self._sizes.values())
        return sum(size[2] for size in self._sizes.values()) / slices if slices else 1.0
