"""What happens to the Pods of a Service, as a Deployment, a kubelet and a drain would have it, and when."""

import itertools
import random
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from cluster.api import Api, Json
from cluster.objects import address, node, pod, running, service, start_nodes
from cluster.observer import State
from cluster.processes import eventually

READY: State = (True, True, False)
NOT_READY: State = (False, False, False)
DRAINING: State = (False, True, True)
GONE: State = None
NUMBERS = itertools.count(1)


@dataclass(frozen=True)
class Change:
    """From this moment on a Pod is so; a right slice says it."""

    since: float
    pod: str
    state: State


@dataclass
class Fleet:
    """The Pods of one Service on some nodes, and all that happened to them."""

    api: Api
    namespace: str
    nodes: int = 10
    zones: Sequence[str] = ("a", "b", "c")
    pods: dict[str, Json] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)
    pause: float = 0.2
    """Seconds between two waves."""
    is_known: Callable[[], bool] | None = None
    """Whether all know the last wave: what the next one waits for, instead of some seconds."""

    def prepare(self, size: int, **spec: Any) -> None:
        """Make Nodes, the Service and its first Pods."""
        there = {one["metadata"]["name"] for one in self.api.items("nodes")}
        nodes = [node(self.node(number), self.zones[number % len(self.zones)]) for number in range(self.nodes)]
        start_nodes(self.api, [one for one in nodes if one["metadata"]["name"] not in there])
        self.start(size)
        self.api.create(service("web", self.namespace, selector={"app": "web"}, **spec))

    def node(self, number: int) -> str:
        return f"node-{number % self.nodes}"

    def start(self, count: int, nodes: Sequence[int] | None = None) -> list[str]:
        """Make Pods that are ready at once."""
        names = self.begin(count, nodes)
        self.be(names, ready=True)
        return names

    def begin(self, count: int, nodes: Sequence[int] | None = None) -> list[str]:
        """Make Pods that run and are not ready yet."""
        numbers = [next(NUMBERS) for _ in range(count)]
        places = nodes if nodes is not None else range(self.nodes)

        def make(number: int) -> None:
            where = self.node(places[number % len(places)])
            made = self.api.create(pod(f"web-{number}", self.namespace, where, labels={"app": "web"}))
            self._set(made, address(number), ready=False)

        self.api.each(make, numbers)
        return [f"web-{number}" for number in numbers]

    def be(self, names: Iterable[str], *, ready: bool) -> None:
        """Let Pods be ready, or not."""
        self.api.each(lambda name: self._set(self.pods[name], self.pods[name]["status"]["podIP"], ready=ready), names)

    def _set(self, made: Json, ip: str, *, ready: bool) -> None:
        since = time.monotonic()
        name = made["metadata"]["name"]
        self.pods[name] = self.api.patch(made, running(ip, ready=ready), "status")
        self.changes.append(Change(since, name, READY if ready else NOT_READY))

    def drain(self, names: Iterable[str]) -> None:
        """Let Pods begin to terminate; they serve until they are gone."""

        def delete(name: str) -> None:
            since = time.monotonic()
            was_ready = self.pods[name]["status"]["conditions"][0]["status"] == "True"
            self.api.delete(self.pods[name])
            self.changes.append(Change(since, name, (False, was_ready, True)))

        self.api.each(delete, names)

    def end(self, names: Iterable[str]) -> None:
        """Let Pods be gone."""

        def delete(name: str) -> None:
            since = time.monotonic()
            self.api.delete(self.pods.pop(name), grace=0)
            self.changes.append(Change(since, name, GONE))

        self.api.each(delete, list(names))

    def wait(self) -> None:
        if self.is_known:
            eventually(self.is_known, "slices that say what is")
        else:
            time.sleep(self.pause)

    def expected(self) -> dict[str, State]:
        """What slices should say of each Pod at last."""
        last = {change.pod: change.state for change in sorted(self.changes, key=lambda change: change.since)}
        return {name: state for name, state in last.items() if state is not None}

    def last_changes(self) -> list[Change]:
        """Those that no later change of the same Pod overtook before anybody could know it."""
        ordered = sorted(self.changes, key=lambda change: change.since)
        following: dict[str, float] = {}
        found = []
        for change in reversed(ordered):
            if following.get(change.pod, float("inf")) - change.since > self.pause:
                found.append(change)
            following[change.pod] = change.since
        return found[::-1]


def rollout(fleet: Fleet) -> None:
    """Each Pod is replaced: a quarter at most is new and not ready yet, as a Deployment does by default."""
    old = list(fleet.pods)
    wave = max(1, len(old) // 8)
    for begin in range(0, len(old), wave):
        leaving = old[begin : begin + wave]
        new = fleet.begin(len(leaving))
        fleet.wait()
        fleet.be(new, ready=True)
        fleet.drain(leaving)
        fleet.wait()
        fleet.end(leaving)


def drain(fleet: Fleet) -> None:
    """The Pods of two nodes move to the others, one node after the other."""
    for number in range(2):
        others = [one for one in range(fleet.nodes) if one > number]
        leaving = [name for name, one in fleet.pods.items() if one["spec"]["nodeName"] == fleet.node(number)]
        fleet.drain(leaving)
        new = fleet.begin(len(leaving), others)
        fleet.wait()
        fleet.be(new, ready=True)
        fleet.end(leaving)
        fleet.wait()


def scale(fleet: Fleet) -> None:
    """Twice as many, then half of that, then a quarter, then as many as before, in steps."""
    size = len(fleet.pods)
    for _ in range(4):
        new = fleet.begin(size // 4)
        fleet.wait()
        fleet.be(new, ready=True)
    for _ in range(6):
        leaving = list(fleet.pods)[-(size // 4) :]
        fleet.drain(leaving)
        fleet.wait()
        fleet.end(leaving)
    for _ in range(2):
        new = fleet.begin(size // 4)
        fleet.wait()
        fleet.be(new, ready=True)


def flapping(fleet: Fleet) -> None:
    """One in ten, wherever it is, is ready, is not, and is again, ten times."""
    names = random.Random(1).sample(sorted(fleet.pods), len(fleet.pods) // 10)
    for turn in range(20):
        fleet.be(names, ready=turn % 2 == 1)
        fleet.wait()


def node_failure(fleet: Fleet) -> None:
    """The last node goes: its Pods are not ready all at once, then gone, while others come elsewhere."""
    failed = fleet.nodes - 1
    lost = [name for name, one in fleet.pods.items() if one["spec"]["nodeName"] == fleet.node(failed)]
    fleet.be(lost, ready=False)
    fleet.wait()
    new = fleet.begin(len(lost), range(failed))
    fleet.wait()
    fleet.be(new, ready=True)
    fleet.drain(lost)
    fleet.wait()
    fleet.end(lost)


Load: TypeAlias = Callable[[Fleet], None]
LOADS: dict[str, Load] = {
    "rollout": rollout,
    "drain": drain,
    "scale": scale,
    "flapping": flapping,
    "node failure": node_failure,
}
