"""What faults happen to: a Service with Pods that come and go, a slice of somebody else, and controllers."""

import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cluster.api import ApiError
from cluster.contenders import OURS, command, controller, written_by
from cluster.control_plane import ControlPlane
from cluster.loads import Fleet
from cluster.objects import new_namespace
from cluster.observer import State
from cluster.processes import Program, eventually
from cluster.proxy import Proxy

NUMBERS = itertools.count(1)
PATIENCE = 60.0
"""Seconds after which slices that are not right are a fault of ours."""
SIZE = 40


class Scene:
    """A Service with Pods, a slice of it that is somebody else's, and controllers that are started and ended."""

    def __init__(self, control_plane: ControlPlane, size: int = SIZE) -> None:
        self.control_plane, self.api = control_plane, control_plane.admin
        self.namespace = new_namespace(self.api)
        self.fleet = Fleet(self.api, self.namespace, pause=0.05)
        self.fleet.prepare(size)
        labels = {"kubernetes.io/service-name": "web", "endpointslice.kubernetes.io/managed-by": "another.example.com"}
        theirs = {
            "kind": "EndpointSlice",
            "apiVersion": "discovery.k8s.io/v1",
            "metadata": {"name": "theirs", "namespace": self.namespace, "labels": labels},
            "addressType": "IPv4",
            "ports": [],
            "endpoints": [{"addresses": ["192.0.2.1"]}],
        }
        self.theirs = self.api.create(theirs)
        self.programs: list[Program] = []

    def controller(self, proxy: Proxy | None = None, kubeconfig: Path | None = None, **options: Any) -> Program:
        """Start a controller; through a proxy if there is one."""
        if proxy and not kubeconfig:
            kubeconfig = self.account(proxy.server)[0]
        options = {"namespace": self.namespace, "retry_base": 0.05, **options}
        program = controller(
            self.control_plane,
            kubeconfig,
            name=f"epcore-{next(NUMBERS)}",
            limits={"qps": 1000.0, "timeout": 1.5},
            **options,
        )
        program.start()
        self.programs.append(program)
        return program

    def replica(self, *options: str) -> Program:
        """Start the program as one of several, of which one works."""
        own = ["--namespace", self.namespace, "--lease-namespace", self.namespace, "--leader-elect", "--with-selector"]
        own += ["--managed-by", OURS, "--metrics-address", "none", "--max-endpoints", "10", "--log-level", "warning"]
        program = command(self.control_plane, *own, *options, name=f"epcore-{next(NUMBERS)}")
        program.start()
        self.programs.append(program)
        return program

    def account(self, server: str, seconds: float = 3600.0) -> tuple[Path, Path]:
        """Make a service account that may do everything, and its kubeconfig and token."""
        name = f"epcore-{next(NUMBERS)}"
        self.api.create({"kind": "ServiceAccount", "metadata": {"name": name, "namespace": self.namespace}})
        role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}
        subject = {"kind": "ServiceAccount", "name": name, "namespace": self.namespace}
        binding = {"kind": "ClusterRoleBinding", "metadata": {"name": f"{self.namespace}-{name}"}}
        self.api.create({**binding, "roleRef": role, "subjects": [subject]})
        return self.control_plane.account_kubeconfig(self.namespace, name, server=server, seconds=seconds)

    def held(self) -> tuple[dict[str, State], int]:
        """What our slices say of each Pod, and how many endpoints they hold more than Pods."""
        found: Counter[str] = Counter()
        states: dict[str, State] = {}
        for one in self.api.items("endpointslices", self.namespace, labels=written_by(OURS)):
            for endpoint in one["endpoints"] or ():
                name, conditions = endpoint["targetRef"]["name"], endpoint["conditions"]
                found[name] += 1
                states[name] = (conditions["ready"], conditions["serving"], conditions["terminating"])
        return states, found.total() - len(found)

    def is_right(self) -> bool:
        try:
            return self.held() == (self.fleet.expected(), 0)
        except (ApiError, OSError):
            return False

    def recovers(self, since: float, *, patience: float = PATIENCE) -> float:
        """Wait until slices are right; nothing of others was touched. Returns the seconds since a moment."""
        try:
            eventually(self.is_right, "right slices", patience=patience, pause=0.02)
        except TimeoutError:
            states, more = self.held()
            expected = self.fleet.expected()
            wrong = {name: (states.get(name), expected.get(name)) for name in states.keys() | expected.keys()}
            wrong = {name: pair for name, pair in wrong.items() if pair[0] != pair[1]}
            raise AssertionError(f"held twice: {more}; of {len(expected)}, held and wanted: {wrong}") from None
        took = time.monotonic() - since
        assert self.api.get("endpointslices", self.namespace, "theirs") == self.theirs
        return took

    def is_quiet(self, seconds: float = 1.0) -> bool:
        """Tell whether nobody writes slices for a while."""
        before = self.versions()
        time.sleep(seconds)
        return self.versions() == before

    def versions(self) -> dict[str, str]:
        slices = self.api.items("endpointslices", self.namespace)
        return {one["metadata"]["name"]: one["metadata"]["resourceVersion"] for one in slices}


@contextmanager
def again_and_again(act: Callable[[], None], pause: float) -> Iterator[None]:
    """Do something in another thread while the block lasts; a fault of it fails the test."""
    over = threading.Event()
    faults: list[Exception] = []

    def turn() -> None:
        while not over.wait(pause):
            try:
                act()
            except Exception as error:  # noqa: BLE001 - it is raised in the thread of the test
                faults.append(error)
                return

    thread = threading.Thread(target=turn)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
    assert not faults, faults
