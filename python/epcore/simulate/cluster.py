"""What moves Pods beneath the workloads: a clock, Pods that start and stop, and Deployments that keep their number."""

from collections import Counter
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count
from math import ceil, floor
from typing import TYPE_CHECKING, Final
from zlib import crc32

from epcore.simulate.load import ADDRESSES_OF_NODE, MOST_NODES, Event, LoadError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from random import Random

    from epcore.simulate.load import EventName

_LETTERS: Final = "bcdfghjklmnpqrstvwxz2456789"
"""Kubernetes' own for generated names: none that makes words."""


@dataclass(eq=False, slots=True)
class Pod:
    """One Pod and how far it is."""

    name: str
    node: str
    revision: str
    added: bool = False
    """It has an address."""
    ready: bool = False
    leaving: bool = False
    created: float = 0.0
    ready_since: float = 0.0
    """When it became ready last."""


@dataclass
class Cluster:
    """A clock that carries out actions in the order of time, and notes what happens to Pods."""

    random: "Random"
    nodes: int
    startup: float
    """Mean seconds from an address to readiness; each Pod takes half to one and a half of it."""
    grace: float
    """Most seconds that a Pod takes to leave; each takes a tenth of it to all."""
    rate: float
    """Most Pods a second that are created or deleted."""
    now: float = -1.0
    events: list[Event] = field(default_factory=list)
    cordoned: set[str] = field(default_factory=set)
    failed: dict[str, float] = field(default_factory=dict)
    """Nodes whose Pods do nothing any more, with the seconds until those that are deleted are gone."""
    _queue: "list[tuple[float, int, Callable[[], None]]]" = field(default_factory=list)
    _order: "Iterator[int]" = field(default_factory=count)
    _next_call: float = 0.0
    _names: set[str] = field(default_factory=set)
    _next_node: "Iterator[int]" = field(default_factory=count)

    def after(self, seconds: float, action: "Callable[[], None]") -> None:
        """Carry out an action later; never before time 0, when the simulation begins."""
        heappush(self._queue, (max(0.0, self.now) + seconds, next(self._order), action))

    def run(self, until: float = float("inf")) -> list[Event]:
        """Let time pass, to an end or until nothing is left to do."""
        while self._queue and self._queue[0][0] <= until:
            self.now, _, action = heappop(self._queue)
            action()
        return self.events

    def call(self, action: "Callable[[], None]") -> None:
        """Carry out a creation or deletion as soon as the rate allows."""
        self._next_call = max(self._next_call, self.now) + 1 / self.rate
        self.after(self._next_call - max(0.0, self.now), action)

    def tell(self, service: str, pod: Pod, event: "EventName") -> None:
        """Note what happened."""
        self.events.append(Event(round(self.now, 6), service, pod.name, event, pod.node))

    def hold(self, pods: int) -> int:
        """Return a number of Pods. Raises ``LoadError`` where there are no addresses for so many."""
        nodes = min(self.nodes, MOST_NODES)
        if pods > nodes * ADDRESSES_OF_NODE:
            raise LoadError(f"has {pods:,} Pods, and {nodes:,} nodes have addresses for {nodes * ADDRESSES_OF_NODE:,}")
        return pods

    def word(self, letters: int) -> str:
        """Make a part of a name."""
        return "".join(self.random.choices(_LETTERS, k=letters))

    def pod(self, service: str, revision: str) -> Pod:
        """Make a Pod with a name of its own, on the next node that takes Pods."""
        while (name := f"{service}-{revision}-{self.word(5)}") in self._names:
            pass
        self._names.add(name)
        nodes = (f"node-{number % self.nodes}" for number in self._next_node)
        return Pod(name, next(node for node in nodes if node not in self.cordoned), revision)


@dataclass
class Deployment:
    """Keeps a number of Pods of one revision, and passes from one revision to the next.

    Rules: upstream ``reconcileNewReplicaSet`` and ``reconcileOldReplicaSets``. Never more Pods that are not leaving
    than ``replicas + max_surge``, never fewer that are ready than ``replicas - max_unavailable``.
    """

    cluster: Cluster
    service: str
    replicas: int = 0
    max_surge: float = 0.25
    """Share of the replicas, rounded up."""
    max_unavailable: float = 0.25
    """Share of the replicas, rounded down."""
    limit: float = 1.0
    """Share of the replicas that may be of the new revision."""
    changed: "Callable[[], None]" = lambda: None
    """Is called after a Pod has become ready or has gone."""
    pods: dict[Pod, None] = field(default_factory=dict)
    """All Pods, the oldest first."""
    _living: dict[Pod, None] = field(default_factory=dict)
    """Of these the ones that are not leaving, which are few where many wait to be deleted."""
    revision: str = ""
    _rolling: bool = False

    def __post_init__(self) -> None:
        self.revision = self.cluster.word(10)
        for _ in range(self.cluster.hold(self.replicas)):
            pod = self.cluster.pod(self.service, self.revision)
            pod.added = pod.ready = True
            pod.created = pod.ready_since = self.cluster.now
            self.pods[pod] = self._living[pod] = None
            self.cluster.tell(self.service, pod, "add")
            self.cluster.tell(self.service, pod, "ready")

    @property
    def living(self) -> list[Pod]:
        """Pods that are not leaving, the oldest first."""
        return list(self._living)

    def update(self, limit: float = 1.0) -> None:
        """Roll out a new revision, to a share of the Pods."""
        self.revision, self.limit = self.cluster.word(10), limit
        self.reconcile()

    def scale(self, replicas: int) -> None:
        """Ask for another number of Pods. Raises ``LoadError`` as :meth:`Cluster.hold`."""
        self.replicas = self.cluster.hold(replicas)
        self.reconcile()

    def reconcile(self) -> None:
        """Start and stop Pods as far as surge and unavailability allow."""
        living = self.living
        new = [pod for pod in living if pod.revision == self.revision]
        old = [pod for pod in living if pod.revision != self.revision]
        self._rolling = bool(old)
        goal = ceil(self.replicas * self.limit) if old else self.replicas
        surge = ceil(self.replicas * self.max_surge)
        unavailable = floor(self.replicas * self.max_unavailable) or (0 if surge else 1)
        room = self.replicas + (surge if old else 0) - len(living)
        for _ in range(min(room, goal - len(new))):
            self._start()
        surplus = self._first_to_go(new, len(new) - self.replicas)
        idle = sum(not pod.ready for pod in new) - sum(not pod.ready for pod in surplus)
        dispensable = len(living) - len(surplus) - (self.replicas - unavailable) - idle
        share = min(dispensable, len(old) - (self.replicas - goal))
        for pod in surplus + self._first_to_go(old, share):
            self.stop(pod)

    def stop(self, pod: Pod) -> None:
        """Take a Pod away; what replaces it is a matter of :meth:`reconcile`."""
        pod.leaving = True
        self._living.pop(pod, None)
        self.cluster.call(lambda: self._leave(pod))

    def turn(self, pod: Pod, *, ready: bool) -> None:
        """Let a Pod become ready or unready."""
        dead = ready and pod.node in self.cluster.failed
        if pod in self.pods and not dead and not pod.leaving and pod.ready != ready:
            pod.ready = ready
            pod.ready_since = self.cluster.now if ready else pod.ready_since
            self.cluster.tell(self.service, pod, "ready" if ready else "unready")
            self._settle()

    def _first_to_go(self, pods: list[Pod], number: int) -> list[Pod]:
        """Choose Pods of one revision to stop, as upstream ``getPodsToDelete`` by ``ActivePodsWithRanks``.

        First those without address, then those that are not ready, those on nodes with more Pods of this Deployment,
        and those of the lower power of two of age, in nanoseconds since a whole second; then by UID, which is chance.
        If all go, only chance has a say.
        """
        if number <= 0:
            return []
        crowd = Counter(pod.node for pod in self.living)

        def rank(pod: Pod) -> tuple[int, ...]:
            age = self.cluster.now - floor(pod.ready_since if pod.ready else pod.created)
            return pod.added, pod.ready, -crowd[pod.node], int(1e9 * age).bit_length(), crc32(pod.name.encode())

        return sorted(pods, key=rank if number < len(pods) else lambda pod: rank(pod)[-1:])[:number]

    def _start(self) -> None:
        pod = self.cluster.pod(self.service, self.revision)
        self.pods[pod] = self._living[pod] = None
        self.cluster.call(lambda: self._add(pod))

    def _add(self, pod: Pod) -> None:
        if not pod.leaving:
            pod.added, pod.created = True, self.cluster.now
            self.cluster.tell(self.service, pod, "add")
            startup = self.cluster.startup * self.cluster.random.uniform(0.5, 1.5)
            self.cluster.after(startup, lambda: self.turn(pod, ready=True))

    def _leave(self, pod: Pod) -> None:
        if not pod.added:
            del self.pods[pod]
            return
        self.cluster.tell(self.service, pod, "terminate")
        seconds = self.cluster.grace * self.cluster.random.uniform(0.1, 1.0)
        self.cluster.after(self.cluster.failed.get(pod.node, seconds), lambda: self._remove(pod))

    def _remove(self, pod: Pod) -> None:
        self.cluster.tell(self.service, pod, "remove")
        del self.pods[pod]
        self._settle()

    def _settle(self) -> None:
        if self._rolling:
            self.reconcile()
        self.changed()
