"""Objects for the API server of the tests: Services, Nodes, and Pods whose status the test sets, as no kubelet does."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from cluster.api import Api, Json

ZONE = "topology.kubernetes.io/zone"
NUMBERS = itertools.count(1)


def service(
    name: str,
    namespace: str,
    *,
    selector: Mapping[str, str] | None = None,
    ports: Sequence[Json] = ({"name": "http", "port": 80, "targetPort": 8080},),
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    **spec: Any,
) -> Json:
    """Make a Service; without ``selector`` its endpoints come from somewhere else."""
    if selector:
        spec["selector"] = dict(selector)
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": dict(labels or {}),
            "annotations": dict(annotations or {}),
        },
        "spec": {"ports": list(ports), **spec},
    }


def node(name: str, zone: str = "", cpu: int = 4) -> Json:
    """Make a Node that is ready, of which the status goes in by itself."""
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": {ZONE: zone} if zone else {}},
        "status": {
            "allocatable": {"cpu": str(cpu), "memory": "8Gi", "pods": "250"},
            "capacity": {"cpu": str(cpu), "memory": "8Gi", "pods": "250"},
            "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady"}],
        },
    }


def pod(
    name: str,
    namespace: str,
    node_name: str,
    *,
    labels: Mapping[str, str] | None = None,
    ports: Sequence[Json] = (),
    **spec: Any,
) -> Json:
    """Make a Pod that is bound to a Node."""
    container = {"name": "app", "image": "app", "ports": list(ports)}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": dict(labels or {})},
        "spec": {"nodeName": node_name, "containers": [container], "terminationGracePeriodSeconds": 30, **spec},
    }


def running(*addresses: str, ready: bool = True, phase: str = "Running") -> Json:
    """Make a patch of a Pod's status: where it is, and whether it is ready."""
    return {
        "status": {
            "phase": phase,
            "podIP": addresses[0] if addresses else "",
            "podIPs": [{"ip": address} for address in addresses],
            "conditions": [{"type": "Ready", "status": str(ready)}],
        }
    }


def address(number: int) -> str:
    """Make an IPv4 address of a number, of which there are 16 million."""
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


def address_v6(number: int) -> str:
    return f"fd00:10::{number:x}"


def start_nodes(api: Api, nodes: Sequence[Json]) -> None:
    """Create Nodes, with their status."""
    api.each(lambda one: api.patch(api.create(one), {"status": one["status"]}, "status"), nodes)


def start_pods(api: Api, pods: Sequence[tuple[Json, Json]]) -> list[Json]:
    """Create Pods, each with its status, and return them as they are then."""
    return api.each(lambda one: api.patch(api.create(one[0]), one[1], "status"), pods)


def new_namespace(api: Api) -> str:
    """Make a namespace that nothing else is in."""
    name = f"test-{next(NUMBERS)}"
    api.create({"kind": "Namespace", "metadata": {"name": name}})
    return name
