"""``reconcile`` beside Kubernetes' own library: one sync of a Service, from JSON and from decoded objects."""

import json
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import epcore

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture

PROGRAM = Path(__file__).parent.parent / "tests" / "upstream" / "upstream"
SIZES = [100, 1_000, 10_000]
MANAGER = "endpointslice-controller.k8s.io"
SERVICE = {
    "metadata": {"name": "web", "namespace": "shop", "uid": "u-web", "labels": {"app": "web"}},
    "spec": {
        "selector": {"app": "web"},
        "clusterIP": "10.96.0.1",
        "ipFamilies": ["IPv4"],
        "ports": [{"name": "http", "protocol": "TCP", "port": 80, "targetPort": "http"}],
    },
}


def pod(number: int) -> dict[str, Any]:
    """A Pod as large as they are: most of it does not matter here."""
    ip = f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"
    name = f"web-7d9c5f6b8d-{number:05x}"
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-7d9c5f6b8d", "uid": "u-rs", "controller": True}
    return {
        "metadata": {
            "name": name,
            "namespace": "shop",
            "uid": f"76aab8c4-8e74-4648-8491-{number:012x}",
            "resourceVersion": str(number),
            "labels": {"app": "web", "pod-template-hash": "7d9c5f6b8d"},
            "ownerReferences": [owner],
        },
        "spec": {
            "nodeName": f"node-{number % 300}",
            "containers": [
                {
                    "name": "main",
                    "image": "registry.example.com/web:1.2.3",
                    "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
                    "env": [{"name": f"SETTING_{index}", "value": "value of it"} for index in range(6)],
                    "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}},
                }
            ],
            "tolerations": [{"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute"}],
        },
        "status": {
            "phase": "Running",
            "podIP": ip,
            "podIPs": [{"ip": ip}],
            "conditions": [
                {"type": kind, "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}
                for kind in ("Initialized", "Ready", "ContainersReady", "PodScheduled")
            ],
        },
    }


def dump(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


@cache
def case(size: int) -> dict[str, bytes]:
    """Service, Pods, Nodes and the slices that they want, as JSON."""
    zones = [{"topology.kubernetes.io/zone": zone} for zone in "abc"]
    nodes = dump([{"metadata": {"name": f"node-{number}", "labels": zones[number % 3]}} for number in range(300)])
    pods = dump([pod(number) for number in range(1, size + 1)])
    slices: list[Any] = list(epcore.reconcile(dump(SERVICE), pods, nodes, policy="upstream").result().to_dicts())
    for number, one in enumerate(slices):
        one["metadata"] |= {"name": f"web-{number:05}", "uid": f"u-{number}", "generation": 1}
    return {"service": dump(SERVICE), "pods": pods, "nodes": nodes, "slices": dump(slices)}


@pytest.fixture(scope="module")
def library() -> Iterator["subprocess.Popen[bytes]"]:
    with subprocess.Popen([PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        yield process


def ask(library: "subprocess.Popen[bytes]", question: bytes) -> None:
    assert library.stdin is not None
    assert library.stdout is not None
    library.stdin.write(question + b"\n")
    library.stdin.flush()
    assert library.stdout.readline() == b"{}\n"


def load(library: "subprocess.Popen[bytes]", size: int) -> None:
    parts = b",".join(b'"%s":%s' % (name.encode(), value) for name, value in case(size).items())
    ask(library, b'{"op":"load","max":100,"controller":"%s",%s}' % (MANAGER.encode(), parts))


@pytest.mark.parametrize("size", SIZES)
class BenchReconcile:
    """A sync that writes nothing: every Pod and every slice is looked at."""

    def bench_library_from_json(
        self, benchmark: "BenchmarkFixture", library: "subprocess.Popen[bytes]", size: int
    ) -> None:
        benchmark.group = f"reconcile {size:,}"
        load(library, size)
        benchmark(lambda: ask(library, b'{"op":"sync","decode":true}'))

    def bench_library_from_objects(
        self, benchmark: "BenchmarkFixture", library: "subprocess.Popen[bytes]", size: int
    ) -> None:
        benchmark.group = f"reconcile {size:,}"
        load(library, size)
        benchmark(lambda: ask(library, b'{"op":"sync"}'))

    def bench_epcore_reconcile(self, benchmark: "BenchmarkFixture", size: int) -> None:
        benchmark.group = f"reconcile {size:,}"
        given = case(size)
        plan = benchmark(
            lambda: epcore.reconcile(
                given["service"], given["pods"], given["nodes"], given["slices"], policy="upstream"
            )
        )
        assert not plan
