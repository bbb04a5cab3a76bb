"""Many Services at once, or one that is large, and what a single change costs a controller beside all that stays."""

import time
from dataclasses import dataclass, field

from cluster.api import Api, Json, path
from cluster.objects import address, node, pod, running, service, start_nodes, start_pods
from cluster.processes import Program, eventually

NODES = 50
EVERYTHING = {"crowd": "yes"}


@dataclass
class Crowd:
    """Pods of many Services, which are made and taken away."""

    api: Api
    namespace: str
    each: int
    """Pods of one Service."""
    pods: list[Json] = field(default_factory=list)
    services: list[str] = field(default_factory=list)

    def prepare(self, services: int) -> None:
        """Make the Pods of so many Services; each is of the large one, too."""
        start_nodes(self.api, [node(f"crowd-{number}", "abc"[number % 3]) for number in range(NODES)])
        wanted = [self._pod(number) for number in range(services * self.each)]
        self.pods = start_pods(self.api, wanted)

    def _pod(self, number: int) -> tuple[Json, Json]:
        labels = {"app": f"web-{number // self.each}", **EVERYTHING}
        made = pod(f"pod-{number}", self.namespace, f"crowd-{number % NODES}", labels=labels)
        return made, running(address(number + 1))

    def open(self, begin: int, end: int) -> None:
        """Make Services by number."""
        names = [f"web-{number}" for number in range(begin, end)]
        self.services += names
        self.api.each(lambda name: self.api.create(service(name, self.namespace, selector={"app": name})), names)

    def open_large(self) -> None:
        """Make a Service of all Pods."""
        self.services.append("large")
        self.api.create(service("large", self.namespace, selector=EVERYTHING))

    def close(self) -> None:
        """Take all Services away, and their slices."""
        self.services.clear()
        for resource in ("services", "endpointslices"):
            self.api.request("DELETE", path(resource, self.namespace))

    def wait(self, patience: float = 600.0) -> None:
        """Wait until each Service has slices of all its Pods."""
        expected = len(self.pods) if self.services == ["large"] else len(self.services) * self.each

        def count() -> int:
            slices = self.api.items("endpointslices", self.namespace)
            return sum(len(one["endpoints"] or ()) for one in slices)

        eventually(lambda: count() == expected, f"{expected} endpoints", patience=patience, pause=1.0)

    def cost_of_change(self, program: Program, turns: int) -> float:
        """Let one Pod be ready and not, turn by turn, each time until its slice says so; CPU seconds for each."""
        one = self.pods[0]
        [where] = [
            path("endpointslices", self.namespace, found["metadata"]["name"])
            for found in self.api.items("endpointslices", self.namespace)
            if any(endpoint["targetRef"]["name"] == one["metadata"]["name"] for endpoint in found["endpoints"] or ())
        ]
        # What else it does after a while should be done.
        time.sleep(1.5)
        before = program.cpu_seconds()
        for turn in range(turns):
            version = self._version(where)
            self.api.patch(one, running(one["status"]["podIP"], ready=turn % 2 == 1), "status")
            self._wait_for_another(where, version)
        return (program.cpu_seconds() - before) / turns

    def _version(self, where: str) -> str:
        return str(self.api.request("GET", where)["metadata"]["resourceVersion"])

    def _wait_for_another(self, where: str, version: str) -> None:
        eventually(lambda: self._version(where) != version, "the slice of the Pod", pause=0.01)
