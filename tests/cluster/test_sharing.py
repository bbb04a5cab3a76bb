"""Three replicas of the controller on a real API server: one is killed, one stands still, the server is restarted."""

import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from cluster import sharing
from cluster.control_plane import ControlPlane
from cluster.objects import service
from cluster.processes import Program, eventually
from cluster.proxy import Proxy

NAMES = [f"s{number}" for number in range(12)]
OURS = "endpointslice.kubernetes.io/managed-by=epcore"


class Fleet:
    """Replicas, each behind a proxy of its own that keeps what it wrote, and lists of endpoints for all of them."""

    def __init__(self, control_plane: ControlPlane, folder: Path, stack: ExitStack) -> None:
        self.control_plane, self.api = control_plane, control_plane.admin
        self.folder, self._stack = folder, stack
        self.namespace = "sharing"
        self.api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}})
        self.programs: list[Program] = []
        self.proxies: list[Proxy] = []
        self.turn = 0
        account = {"kind": "ServiceAccount", "metadata": {"name": "epcore", "namespace": self.namespace}}
        self.api.create(account)
        role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}
        subject = {"kind": "ServiceAccount", "name": "epcore", "namespace": self.namespace}
        binding = {"kind": "ClusterRoleBinding", "metadata": {"name": self.namespace}}
        self.api.create({**binding, "roleRef": role, "subjects": [subject]})
        for name in NAMES:
            self.api.create(service(name, self.namespace))
        self.change()

    def start(self) -> Program:
        number = len(self.programs)
        proxy = self._stack.enter_context(Proxy(self.control_plane))
        user = {"token": self.control_plane.token(self.namespace, "epcore")}
        config = self.control_plane.credentials.kubeconfig(f"{self.namespace}-{number}", proxy.server, user)
        command = [sys.executable, sharing.__file__, str(config), str(self.folder), self.namespace, "32"]
        program = Program(command, self.folder / f"{number}.log")
        program.start()
        self.programs.append(program)
        self.proxies.append(proxy)
        self._stack.callback(program.stop)
        return program

    def change(self) -> None:
        """Give every Service other endpoints."""
        self.turn += 1
        for number, name in enumerate(NAMES):
            file = self.folder / f"{name}.json"
            beside = file.with_suffix(".new")
            beside.write_text(json.dumps([f"10.{number}.{self.turn}.1", f"10.{number}.0.1"]))
            beside.replace(file)

    def becomes_right(self) -> None:
        eventually(self.is_right, f"turn {self.turn}", patience=60)

    def is_right(self) -> bool:
        """Each Service has its endpoints, each of them once."""
        found: dict[str, list[str]] = {name: [] for name in NAMES}
        for slice_ in self.api.items("endpointslices", self.namespace, labels=OURS):
            name = slice_["metadata"]["labels"]["kubernetes.io/service-name"]
            found[name] += [one["addresses"][0] for one in slice_["endpoints"] or []]
        return all(
            sorted(found[name]) == [f"10.{number}.0.1", f"10.{number}.{self.turn}.1"]
            for number, name in enumerate(NAMES)
        )

    def writers(self) -> dict[str, list[int]]:
        """Who updated the slices of each Service, in the order of time; what is told is forgotten."""
        told = sorted(
            (request.moment, number, request.path.rpartition("/")[2].rpartition("-")[0])
            for number, proxy in enumerate(self.proxies)
            for request in proxy.requests
            if request.writes_slice and request.method == "PUT"
        )
        for proxy in self.proxies:
            proxy.requests.clear()
        return {name: [number for _, number, of in told if of == name] for name in NAMES}

    def holders(self) -> set[str]:
        leases = self.api.items("leases", self.namespace, labels="epcore.dev/lease=bucket")
        return {lease["spec"].get("holderIdentity", "") for lease in leases}


@pytest.fixture
def fleet(own_control_plane: ControlPlane, tmp_path: Path) -> Iterator[Fleet]:
    with ExitStack() as stack:
        yield Fleet(own_control_plane, tmp_path, stack)


def test_three_share_the_services_and_whatever_happens_to_one_the_others_go_on(fleet: Fleet) -> None:
    killed, frozen, third = fleet.start(), fleet.start(), fleet.start()
    fleet.becomes_right()
    eventually(lambda: len(fleet.holders() - {""}) == 3 and "" not in fleet.holders(), "three that hold", patience=60)

    def one_turn() -> set[int]:
        fleet.writers()
        fleet.change()
        fleet.becomes_right()
        writers = fleet.writers()
        assert all(len(set(numbers)) == 1 for numbers in writers.values()), writers
        return {number for numbers in writers.values() for number in numbers}

    assert one_turn() <= {0, 1, 2}
    killed.kill()
    fleet.change()
    fleet.becomes_right()
    assert one_turn() <= {1, 2}

    frozen.pause()
    fleet.change()
    fleet.becomes_right()
    assert one_turn() == {2}
    frozen.resume()
    fleet.change()
    fleet.becomes_right()
    for numbers in fleet.writers().values():
        assert sorted(set(numbers), key=numbers.index) in ([2], [1], [2, 1]), "handed over once, and not back"

    fleet.control_plane.stop()
    fleet.control_plane.start()
    fleet.change()
    fleet.becomes_right()

    assert third.stop(patience=30) == 0
    assert one_turn() == {1}
    assert frozen.stop(patience=30) == 0
    assert fleet.holders() == {""}, "all was handed back"
    assert fleet.api.items("leases", fleet.namespace, labels="epcore.dev/lease=member") == []
