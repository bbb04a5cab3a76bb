"""Workloads: what Pods do in a cluster, made up from published parameters and a seed.

Each class is one kind of load; its fields are its parameters, with their units. The same parameters and seed give the
same events on every machine.
"""

from collections import deque
from dataclasses import dataclass
from functools import partial
from math import ceil, pi, sin
from typing import TYPE_CHECKING, ClassVar, Final

from epcore.simulate.cluster import Cluster, Deployment, Pod
from epcore.simulate.workload import Workload

if TYPE_CHECKING:
    from epcore.simulate.load import Event, Telling


@dataclass(frozen=True, kw_only=True)
class RollingUpdate(Workload):
    """A Deployment passes to a new revision, all at once or in batches (canary steps) with pauses between them."""

    name: ClassVar[str] = "rolling-update"
    max_surge: float = 0.25
    max_unavailable: float = 0.25
    batches: int = 1
    pause: float = 60.0
    """Seconds after a batch is ready before the next one begins."""

    @property
    def expected(self) -> float:
        """About how many changes there will be."""
        return 2 * self.pods

    def drive(self, cluster: Cluster, service: str) -> "list[Event]":
        """Update batch after batch."""
        web = Deployment(cluster, service, self.pods, self.max_surge, self.max_unavailable)
        reached = 1

        def go_on() -> None:
            web.limit = reached / self.batches
            web.reconcile()

        def look() -> None:
            nonlocal reached
            ready = sum(pod.ready and pod.revision == web.revision for pod in web.living)
            if reached < self.batches and ready >= ceil(self.pods * reached / self.batches):
                reached += 1
                cluster.after(self.pause, go_on)

        cluster.after(0.0, lambda: web.update(1 / self.batches))
        web.changed = look
        return cluster.run()


@dataclass(frozen=True, kw_only=True)
class NodeDrain(Workload):
    """Nodes are cordoned and drained one by one; a disruption budget keeps evictions back."""

    name: ClassVar[str] = "node-drain"
    drained: int = 10
    """How many nodes are drained."""
    max_unavailable: float = 0.1
    """Share of the Pods that may be missing: the disruption budget."""
    pause: float = 30.0
    """Seconds between two nodes."""

    @property
    def expected(self) -> float:
        """About how many changes there will be."""
        return self.pods + min(self.drained, self.nodes)

    def drive(self, cluster: Cluster, service: str) -> "list[Event]":
        """Evict as many as the budget allows, and go on as replacements become ready."""
        web = Deployment(cluster, service, self.pods)
        least = ceil(self.pods * (1 - self.max_unavailable))
        nodes = iter([f"node-{number}" for number in range(min(self.drained, self.nodes - 1))])

        def drain() -> None:
            node = next(nodes, None)
            if node is not None:
                cluster.cordoned.add(node)
                web.changed = evict
                evict()

        def evict() -> None:
            left = [pod for pod in web.living if pod.node in cluster.cordoned]
            spare = sum(pod.ready for pod in web.living) - least
            for pod in left[: max(0, spare)]:
                web.stop(pod)
            if len(left) <= spare:
                web.changed = lambda: None
                cluster.after(self.pause, drain)
            web.reconcile()

        cluster.after(0.0, drain)
        return cluster.run()


@dataclass(frozen=True, kw_only=True)
class Autoscaler(Workload):
    """A horizontal autoscaler at Kubernetes' defaults follows a demand that swings between two sizes."""

    name: ClassVar[str] = "autoscaler"
    pods: int = 60
    most: int = 600
    """Pods that the highest demand needs; ``pods`` are those of the lowest."""
    period: float = 1200.0
    """Seconds of one swing."""
    swings: int = 2
    noise: float = 0.05
    """Standard deviation of the measured demand."""
    interval: float = 15.0
    """Seconds between two looks."""
    tolerance: float = 0.1
    """Share by which the demand must differ before anything happens."""
    stabilization: float = 300.0
    """Seconds for which the highest recommendation holds before the Service shrinks."""

    @property
    def expected(self) -> float:
        """About how many changes there will be."""
        return self.pods + self.swings * (self.most + self.period / self.interval)

    def drive(self, cluster: Cluster, service: str) -> "list[Event]":
        """Look at the demand again and again."""
        web = Deployment(cluster, service, self.pods)
        # Of the last ones those that none after them is above: the first is the highest.
        recommended: deque[tuple[float, int]] = deque()

        def look() -> None:
            swing = (1 - sin(2 * pi * cluster.now / self.period + pi / 2)) / 2
            demand = (self.pods + (self.most - self.pods) * swing) * cluster.random.gauss(1.0, self.noise)
            wanted = min(max(ceil(demand), self.pods), self.most)
            if abs(demand / web.replicas - 1) <= self.tolerance:
                wanted = web.replicas
            while recommended and recommended[-1][1] <= wanted:
                recommended.pop()
            recommended.append((cluster.now, wanted))
            while recommended[0][0] < cluster.now and recommended[0][0] <= cluster.now - self.stabilization:
                recommended.popleft()
            held = recommended[0][1]
            fastest = max(2 * web.replicas, web.replicas + 4)
            web.scale(min(wanted, fastest) if wanted >= web.replicas else min(held, web.replicas))
            if cluster.now + self.interval < self.period * self.swings:
                cluster.after(self.interval, look)

        cluster.after(0.0, look)
        return cluster.run()


@dataclass(frozen=True, kw_only=True)
class Flapping(Workload):
    """Some Pods become unready and ready again, over and over; all others stay as they are."""

    name: ClassVar[str] = "flapping"
    telling: "ClassVar[Telling]" = "nothing"
    restless: int = 25
    up: float = 60.0
    """Mean seconds for which a restless Pod is ready."""
    down: float = 15.0
    """Mean seconds for which it is not."""
    seconds: float = 600.0

    @property
    def expected(self) -> float:
        """About how many changes there will be."""
        return self.pods + min(self.restless, self.pods) * 2 * self.seconds / (self.up + self.down)

    def drive(self, cluster: Cluster, service: str) -> "list[Event]":
        """Turn each by chance."""
        web = Deployment(cluster, service, self.pods)

        def turn(pod: Pod, *, ready: bool) -> None:
            web.turn(pod, ready=ready)
            wait(pod)

        def wait(pod: Pod) -> None:
            mean = self.up if pod.ready else self.down
            cluster.after(cluster.random.expovariate(1 / mean), partial(turn, pod, ready=not pod.ready))

        for pod in cluster.random.sample(list(web.pods), min(self.restless, self.pods)):
            wait(pod)
        return cluster.run(self.seconds)


@dataclass(frozen=True, kw_only=True)
class Replacement(Workload):
    """Pods go one by one at random times and are replaced: spot nodes, crashes, rescheduling."""

    name: ClassVar[str] = "replacement"
    telling: "ClassVar[Telling]" = "waiting"
    per_second: float = 0.5
    """Pods that go, on average."""
    seconds: float = 600.0

    @property
    def expected(self) -> float:
        """About how many changes there will be."""
        return self.pods + self.per_second * self.seconds

    def drive(self, cluster: Cluster, service: str) -> "list[Event]":
        """Take one away, wait, and take the next."""
        web = Deployment(cluster, service, self.pods)

        def replace() -> None:
            web.stop(cluster.random.choice(web.living))
            web.reconcile()
            wait = cluster.random.expovariate(self.per_second)
            if cluster.now + wait < self.seconds:
                cluster.after(wait, replace)

        cluster.after(cluster.random.expovariate(self.per_second), replace)
        return cluster.run()


@dataclass(frozen=True, kw_only=True)
class NodeFailure(Workload):
    """Nodes vanish: their Pods become unready all at once, are evicted later, and go when the node is forgotten."""

    name: ClassVar[str] = "node-failure"
    failures: int = 3
    every: float = 400.0
    """Seconds between two failures."""
    detection: float = 50.0
    """Seconds until the node counts as unreachable (``node-monitor-grace-period``)."""
    toleration: float = 300.0
    """Seconds until its Pods are evicted after that."""
    forgotten: float = 600.0
    """Seconds until they are gone after that."""

    @property
    def expected(self) -> float:
        """About how many changes there will be."""
        return self.pods + min(self.failures, self.nodes)

    def drive(self, cluster: Cluster, service: str) -> "list[Event]":
        """Fail one node after the other."""
        web = Deployment(cluster, service, self.pods)
        for number in range(min(self.failures, self.nodes - 1)):
            cluster.after(number * self.every + self.detection, partial(self._fail, web, f"node-{number}"))
        return cluster.run()

    def _fail(self, web: Deployment, node: str) -> None:
        web.cluster.cordoned.add(node)
        web.cluster.failed[node] = self.forgotten
        lost = [pod for pod in web.living if pod.node == node]
        for pod in lost:
            web.turn(pod, ready=False)

        def evict() -> None:
            for pod in lost:
                web.stop(pod)
            web.reconcile()

        web.cluster.after(self.toleration, evict)


@dataclass(frozen=True, kw_only=True)
class ClusterLoad(Workload):
    """A whole cluster as Kubernetes' own scale tests load it: Services of three sizes, created, resized, deleted.

    A quarter of the Pods are in big Services, a quarter in middle ones, half in small ones. One Service after the other
    is created, resized to X/2 .. 3X/2, and deleted. Source: ``perf-tests/clusterloader2/testing/load``.
    """

    name: ClassVar[str] = "cluster"
    pods: int = 1000
    rate: float = 10.0
    big: int = 250
    middle: int = 30
    small: int = 5
    settle: float = 60.0
    """Seconds between two phases."""

    @property
    def expected(self) -> float:
        """About how many changes there will be."""
        return self.pods + self.big + self.middle + self.small

    def drive(self, cluster: Cluster, service: str) -> "list[Event]":
        """Create, resize, delete."""
        shares = ((self.big, 4), (self.middle, 4), (self.small, 2))
        sizes = [size for size, part in shares for _ in range(max(1, self.pods // (part * size)))]
        groups = [(Deployment(cluster, f"{service}-{number}"), size) for number, size in enumerate(sizes)]

        def phase(sizes: list[int]) -> float:
            """Ask for sizes; return how long it takes at this rate."""
            calls = sum(abs(size - group.replicas) for (group, _), size in zip(groups, sizes, strict=True))
            for (group, _), size in zip(groups, sizes, strict=True):
                group.scale(size)
            return calls / self.rate + self.settle

        resized = [cluster.random.randint(ceil(size / 2), size * 3 // 2) for _, size in groups]

        def create() -> None:
            cluster.after(phase([size for _, size in groups]), resize)

        def resize() -> None:
            cluster.after(phase(resized), delete)

        def delete() -> None:
            phase([0] * len(groups))

        cluster.after(0.0, create)
        return cluster.run()


@dataclass(frozen=True, kw_only=True)
class HugeService(Workload):
    """One Service of thousands of Pods: filled, then resized step by step, to nothing in the end."""

    name: ClassVar[str] = "huge-service"
    pods: int = 5000
    nodes: int = 200
    rate: float = 100.0
    steps: tuple[float, ...] = (1.0, 0.5, 1.5, 0.0)
    """Sizes in turn, as shares of ``pods``."""
    settle: float = 60.0
    """Seconds between two steps."""

    @property
    def expected(self) -> float:
        """About how many changes there will be."""
        return self.pods * sum(self.steps)

    def drive(self, cluster: Cluster, service: str) -> "list[Event]":
        """Take step after step."""
        web = Deployment(cluster, service)
        start = 0.0
        before = 0
        for step in self.steps:
            size = round(self.pods * step)
            cluster.after(start, partial(web.scale, size))
            start += abs(size - before) / self.rate + self.settle
            before = size
        return cluster.run()


WORKLOADS: Final[dict[str, type[Workload]]] = {
    kind.name: kind
    for kind in (
        RollingUpdate,
        NodeDrain,
        Autoscaler,
        Flapping,
        Replacement,
        NodeFailure,
        ClusterLoad,
        HugeService,
    )
}
"""Every kind, by its name."""
