"""Endpoints, slices and Pods as a cluster has them, and lists of them as a client of the API gets them."""

import json
import random
from functools import cache
from typing import Any

import orjson

import epcore

Json = dict[str, Any]

MANAGER = "endpointslice-controller.k8s.io"
TEMPLATE: Json = {
    "metadata": {
        "generateName": "web-",
        "namespace": "shop",
        "labels": {"kubernetes.io/service-name": "web", "endpointslice.kubernetes.io/managed-by": MANAGER},
    },
    "addressType": "IPv4",
    "ports": [{"name": "http", "protocol": "TCP", "port": 80}],
    "endpoints": [],
}
HELD_TEMPLATE = epcore.SliceSet.from_objects(TEMPLATE)[0]
"""The same for who packs again and again: it is read once."""
SERVICE: Json = {
    "metadata": {"name": "web", "namespace": "shop", "uid": "u-web", "labels": {"app": "web"}},
    "spec": {
        "selector": {"app": "web"},
        "clusterIP": "10.96.0.1",
        "ipFamilies": ["IPv4"],
        "ports": [{"name": "http", "protocol": "TCP", "port": 80, "targetPort": "http"}],
    },
}
DATABASE: Json = {
    "kind": "Service",
    "metadata": {"name": "web", "namespace": "shop"},
    "spec": {"ports": [{"name": "http", "port": 80}]},
}
"""A Service without selector."""
HEAD = b'{"kind":"EndpointSliceList","apiVersion":"discovery.k8s.io/v1","metadata":{"resourceVersion":"9"},"items":['
"""How a list of slices begins."""


def address(number: int) -> str:
    return f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"


def endpoint(number: int) -> Json:
    return {
        "addresses": [address(number)],
        "conditions": {"ready": True, "serving": True, "terminating": False},
        "targetRef": {
            "kind": "Pod",
            "namespace": "shop",
            "name": f"web-7d9c5f6b8d-{number:05x}",
            "uid": f"76aab8c4-8e74-4648-8491-{number:012x}",
        },
        "nodeName": f"ip-10-0-0-{number * 7 % 300}.eu-central-1.compute.internal",
        "zone": f"eu-central-1{'abc'[number % 3]}",
    }


@cache
def wanted(size: int, *, shuffled: bool = False) -> bytes:
    """Endpoints as JSON, in the order of the slices or in none."""
    numbers = list(range(size))
    if shuffled:
        random.Random(7).shuffle(numbers)
    return b"[%s]" % b",".join(orjson.dumps(endpoint(number)) for number in numbers)


def held(number: int, size: int) -> Json:
    """One of the slices that hold them: full, but for the last."""
    metadata = {**TEMPLATE["metadata"], "name": f"web-{number:05}", "resourceVersion": str(1_000_000 + number)}
    endpoints = [endpoint(one) for one in range(100 * number, min(100 * number + 100, size))]
    return {**TEMPLATE, "metadata": metadata, "endpoints": endpoints}


@cache
def listed(size: int, *, changed: bool = False) -> bytes:
    """A list of all slices; or the next one, in which one endpoint of each slice is not ready."""
    items = []
    for number in range(-(-size // 100)):
        one = held(number, size)
        if changed:
            one["metadata"]["resourceVersion"] = str(2_000_000 + number)
            one["endpoints"][number % 100]["conditions"]["ready"] = False
        items.append(orjson.dumps(one))
    return HEAD + b",".join(items) + b"]}"


@cache
def mixed(size: int) -> bytes:
    """A list of full slices, their endpoints in no order: nothing follows from the one before, some are not ready."""
    random_ = random.Random(7)
    nodes = [f"ip-10-{one % 7}-{one * 7 % 256}-{one * 31 % 256}.eu-central-1.compute.internal" for one in range(300)]

    def one() -> Json:
        address, node = random_.randrange(1 << 24), random_.randrange(len(nodes))
        uid = f"{random_.getrandbits(128):032x}"
        name = "".join(random_.choices("bcdfghjklmnpqrstvwxz2456789", k=5))
        is_ready = random_.random() >= 0.02
        return {
            "addresses": [f"10.{address >> 16}.{address >> 8 & 255}.{address & 255}"],
            "conditions": {"ready": is_ready, "serving": is_ready, "terminating": random_.random() < 0.01},
            "nodeName": nodes[node],
            "targetRef": {
                "kind": "Pod",
                "name": f"web-7d9c5f6b8d-{name}",
                "namespace": "shop",
                "uid": f"{uid[:8]}-{uid[8:12]}-4{uid[13:16]}-{uid[16:20]}-{uid[20:]}",
            },
            "zone": f"eu-central-1{'abc'[node % 3]}",
        }

    slices = [
        orjson.dumps({**held(number, 0), "endpoints": [one() for _ in range(100)]}) for number in range(size // 100)
    ]
    return HEAD + b",".join(slices) + b"]}"


def of_a_service(number: int, endpoints: list[Json]) -> Json:
    """The slice of one of many Services, with all that the API server says of it."""
    name, time = f"service-{number}", f"2026-11-23T08:{number // 60 % 60:02}:{number % 60:02}Z"
    uid = f"bb8de845-73a7-4cad-9da5-{number:012x}"
    labels = {"app": name, "endpointslice.kubernetes.io/managed-by": MANAGER, "kubernetes.io/service-name": name}
    trigger = "endpoints.kubernetes.io/last-change-trigger-time"
    owner = {"apiVersion": "v1", "kind": "Service", "name": name, "uid": uid, "controller": True}
    managed: Json = {
        "f:addressType": {},
        "f:endpoints": {},
        "f:metadata": {
            "f:annotations": {".": {}, f"f:{trigger}": {}},
            "f:generateName": {},
            "f:labels": {".": {}, **{f"f:{label}": {} for label in labels}},
            "f:ownerReferences": {".": {}, f'k:{{"uid":"{uid}"}}': {}},
        },
        "f:ports": {},
    }
    manager = {
        "manager": "kube-controller-manager",
        "operation": "Update",
        "apiVersion": "discovery.k8s.io/v1",
        "time": time,
        "fieldsType": "FieldsV1",
        "fieldsV1": managed,
    }
    metadata = {
        "name": f"{name}-{number * 7_919 % 0x100000:05x}",
        "generateName": f"{name}-",
        "namespace": f"team-{number % 40}",
        "uid": f"8e3c0e4f-a541-408a-ace1-{number:012x}",
        "resourceVersion": str(1_000_000 + number),
        "generation": number % 9 + 1,
        "creationTimestamp": time,
        "labels": labels,
        "annotations": {trigger: time},
        "ownerReferences": [{**owner, "blockOwnerDeletion": True}],
        "managedFields": [manager],
    }
    ports = [{"name": "http", "port": 8000 + number % 3, "protocol": "TCP"}]
    return {"metadata": metadata, "addressType": "IPv4", "endpoints": endpoints, "ports": ports}


@cache
def small_services(size: int) -> bytes:
    """The slices of as many Services as have so many endpoints, ten each."""
    slices = [
        orjson.dumps(of_a_service(start // 10, [endpoint(number) for number in range(start, start + 10)]))
        for start in range(0, size, 10)
    ]
    return HEAD + b",".join(slices) + b"]}"


def pod(number: int) -> Json:
    """A small Pod, of 1,300 bytes: most of them do not matter here."""
    ip = address(number)
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-7d9c5f6b8d", "uid": "u-rs", "controller": True}
    return {
        "metadata": {
            "name": f"web-7d9c5f6b8d-{number:05x}",
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


def whole_pod(number: int) -> Json:
    """The same Pod with what the API server, its volume and its kubelet say of it: times and identifiers of its own."""
    random_ = random.Random(number)

    def time() -> str:
        return f"2026-11-{random_.randint(1, 30):02}T{random_.randrange(24):02}:{random_.randrange(60):02}:07Z"

    def managed(manager: str, fields: Json, **more: str) -> Json:
        about = {"manager": manager, "operation": "Update", "apiVersion": "v1", "time": time()}
        return {**about, "fieldsType": "FieldsV1", "fieldsV1": fields, **more}

    one, token = pod(number), f"kube-api-access-{random_.getrandbits(20):05x}"
    (container,) = one["spec"]["containers"]
    by_address: Json = {f'k:{{"ip":"{address(number)}"}}': {".": {}, "f:ip": {}}}
    one["metadata"] |= {
        "generateName": "web-7d9c5f6b8d-",
        "creationTimestamp": time(),
        "managedFields": [
            managed("kube-controller-manager", {"f:spec": {"f:containers": {'k:{"name":"main"}': {"f:image": {}}}}}),
            managed("kubelet", {"f:status": {"f:podIPs": {".": {}, **by_address}}}, subresource="status"),
        ],
    }
    container["volumeMounts"] = [{"name": token, "readOnly": True, "mountPath": "/var/run/secrets/kubernetes.io"}]
    one["spec"]["volumes"] = [{"name": token, "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}}]
    for condition in one["status"]["conditions"]:
        condition["lastTransitionTime"] = time()
    of_container = {"name": "main", "ready": True, "restartCount": 0, "state": {"running": {"startedAt": time()}}}
    container_id = f"containerd://{random_.getrandbits(256):064x}"
    one["status"] |= {
        "hostIP": f"192.168.{number % 300 >> 8}.{number % 300 & 255}",
        "startTime": time(),
        "containerStatuses": [{**of_container, "image": container["image"], "containerID": container_id}],
    }
    return one


def dump(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


@cache
def cluster(size: int, *, whole: bool = False) -> dict[str, bytes]:
    """Service, Pods, Nodes and the slices that they want, as JSON; Pods small, or with all that is said of them."""
    zones = [{"topology.kubernetes.io/zone": zone} for zone in "abc"]
    nodes = dump([{"metadata": {"name": f"node-{number}", "labels": zones[number % 3]}} for number in range(300)])
    pods = b"[%s]" % b",".join(dump((whole_pod if whole else pod)(number)) for number in range(size))
    slices: list[Any] = list(epcore.reconcile(dump(SERVICE), pods, nodes, policy="upstream").result().to_dicts())
    for number, one in enumerate(slices):
        one["metadata"] |= {"name": f"web-{number:05}", "uid": f"u-{number}", "generation": 1}
    return {"service": dump(SERVICE), "pods": pods, "nodes": nodes, "slices": dump(slices)}
