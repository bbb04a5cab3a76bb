"""Hypothesis strategies for Services, Pods, Nodes and the slices that some earlier sync may have left."""

import copy
from typing import Any

from hypothesis import strategies as st

Json = dict[str, Any]

MANAGER = "endpointslice-controller.k8s.io"
SERVICE_NAME = "kubernetes.io/service-name"
MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
HEADLESS = "service.kubernetes.io/headless"

rarely = st.integers(0, 9).map(lambda number: number == 0)
sometimes = st.integers(0, 3).map(lambda number: number == 0)


@st.composite
def services(draw: st.DrawFn) -> Json:
    """A Service whose selector is ``app: web``."""
    metadata: Json = {"name": "web", "namespace": "shop", "uid": "u-web", "labels": {}, "annotations": {}}
    if draw(st.booleans()):
        metadata["labels"]["app"] = draw(st.sampled_from(["x", "y", ""]))
    if draw(rarely):
        metadata["labels"][draw(st.sampled_from([MANAGED_BY, SERVICE_NAME, HEADLESS]))] = "mine"
    if draw(rarely):
        metadata["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    spec: Json = {"selector": {"app": "web"}, "clusterIP": draw(st.sampled_from(["10.96.0.1", "None", "", "fd00::1"]))}
    families = draw(st.sampled_from([["IPv4"], ["IPv4"], ["IPv6"], ["IPv4", "IPv6"], ["IPv6", "IPv4"], []]))
    if families:
        spec["ipFamilies"] = families
    ports = [
        {"name": "http", "protocol": "TCP", "port": 80, "targetPort": draw(st.sampled_from(["http", 8080]))},
        {"name": "dns", "protocol": "UDP", "port": 53, "targetPort": "dns", "appProtocol": "example.com/dns"},
        {"name": "raw", "protocol": "TCP", "port": 9000, "targetPort": 9000},
    ]
    spec["ports"] = draw(st.sampled_from([ports[:1], ports[:1], ports[:2], ports, []]))
    if draw(rarely):
        spec["publishNotReadyAddresses"] = True
    distribution = draw(st.sampled_from([None, None, "PreferClose", "PreferSameZone", "PreferSameNode", "Other"]))
    if distribution:
        spec["trafficDistribution"] = distribution
    mode = draw(st.sampled_from([None, None, None, "Auto", "Auto", "auto", "Disabled"]))
    if mode:
        names = ["service.kubernetes.io/topology-mode", "service.kubernetes.io/topology-aware-hints"]
        metadata["annotations"][draw(st.sampled_from(names))] = mode
    return {"metadata": metadata, "spec": spec}


@st.composite
def pods(draw: st.DrawFn, number: int) -> Json:
    """A Pod of the Service ``web``."""
    metadata: Json = {"name": f"web-{number}", "namespace": "shop", "uid": f"u{number}", "labels": {"app": "web"}}
    if draw(rarely):
        metadata["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    named = draw(st.sampled_from([8080, 8080, 8080, 8081, None]))
    ports = [{"name": "http", "protocol": "TCP", "containerPort": named}] if named else []
    dns = {"name": "dns", "protocol": draw(st.sampled_from(["UDP", "UDP", "TCP"])), "containerPort": 5353}
    spec: Json = {"containers": [{"name": "main", "ports": ports}], "nodeName": f"node-{draw(st.integers(0, 3))}"}
    if draw(rarely):
        spec["nodeName"] = draw(st.sampled_from(["", "gone"]))
    where = draw(st.sampled_from(["containers", "sidecar", "init", None]))
    if where == "containers":
        spec["containers"].append({"name": "dns", "ports": [dns]})
    elif where:
        policy = {"restartPolicy": "Always"} if where == "sidecar" else {}
        spec["initContainers"] = [{"name": "dns", "ports": [dns], **policy}]
    if draw(rarely):
        spec |= {"hostname": f"host-{number}", "subdomain": draw(st.sampled_from(["web", "web", "other"]))}
    shared = draw(rarely)
    four, six = f"10.0.0.{1 if shared else number + 1}", f"fd00::{1 if shared else number + 1:x}"
    ips = draw(st.sampled_from([[four], [four, six], [four, six], [six], []]))
    status: Json = {"phase": draw(st.sampled_from(["Running"] * 6 + ["Pending", "Failed", "Succeeded", "Unknown"]))}
    if ips:
        status |= {"podIP": ips[0], "podIPs": [{"ip": ip} for ip in ips]}
    ready = draw(st.sampled_from(["True", "True", "True", "True", "False", "Unknown", None]))
    if ready:
        status["conditions"] = [
            {"type": "PodScheduled", "status": "True"},
            {"type": "Ready", "status": ready, "lastTransitionTime": "2026-01-01T00:00:00Z"},
        ]
    return {"metadata": metadata, "spec": spec, "status": status}


@st.composite
def nodes(draw: st.DrawFn) -> list[Json]:
    """Three or four Nodes, mostly in zones."""
    found = []
    # One node that does not tell its zone or CPU ends all topology hints.
    broken = draw(st.booleans())
    for number in range(draw(st.integers(3, 4))):
        labels = {} if broken and draw(rarely) else {"topology.kubernetes.io/zone": "ab"[number % 2]}
        if draw(rarely):
            labels["node-role.kubernetes.io/control-plane"] = ""
        ready = "False" if draw(rarely) else "True"
        allocatable = {} if broken and draw(rarely) else {"cpu": draw(st.sampled_from(["4", "2", "3920m", "0.5"]))}
        status = {"conditions": [{"type": "Ready", "status": ready}], "allocatable": allocatable}
        found.append({"metadata": {"name": f"node-{number}", "labels": labels}, "status": status})
    return found


def endpoint_of(pod: Json, family: str, all_nodes: list[Json], *, publish: bool) -> Json | None:
    """What an earlier sync made of a Pod."""
    is_six = family == "IPv6"
    addresses = [one["ip"] for one in pod["status"].get("podIPs", []) if (":" in one["ip"]) == is_six]
    if not addresses:
        return None
    conditions = {one["type"]: one["status"] for one in pod["status"].get("conditions", [])}
    serving, terminating = conditions.get("Ready") == "True", "deletionTimestamp" in pod["metadata"]
    metadata = pod["metadata"]
    endpoint: Json = {
        "addresses": addresses,
        "conditions": {
            "ready": publish or (serving and not terminating),
            "serving": serving,
            "terminating": terminating,
        },
        "targetRef": {"kind": "Pod", "namespace": "shop", "name": metadata["name"], "uid": metadata["uid"]},
    }
    if pod["spec"]["nodeName"]:
        endpoint["nodeName"] = pod["spec"]["nodeName"]
    node: Json = next((one for one in all_nodes if one["metadata"]["name"] == pod["spec"]["nodeName"]), {})
    zone = node.get("metadata", {}).get("labels", {}).get("topology.kubernetes.io/zone")
    if zone:
        endpoint["zone"] = zone
    if pod["spec"].get("subdomain") == "web":
        endpoint["hostname"] = pod["spec"]["hostname"]
    return endpoint


HTTP = {"name": "http", "protocol": "TCP", "port": 8080}
DNS = {"name": "dns", "protocol": "UDP", "port": 5353, "appProtocol": "example.com/dns"}
RAW = {"name": "raw", "protocol": "TCP", "port": 9000}
PORTS: list[Any] = [
    [HTTP],
    [HTTP],
    [HTTP, DNS],
    [DNS, HTTP],
    [HTTP, DNS, RAW],
    [{**HTTP, "port": 8081}],
    [],
    None,
]


@st.composite
def existing_slices(draw: st.DrawFn, service: Json, all_pods: list[Json], all_nodes: list[Json]) -> list[Json]:
    """Slices as an earlier sync may have left them, with all that can have changed since."""
    publish = service["spec"].get("publishNotReadyAddresses", False)
    wanted = {1: [HTTP], 2: [HTTP, DNS], 3: [HTTP, DNS, RAW], 0: []}[len(service["spec"]["ports"])]
    found = []
    for number in range(draw(st.integers(0, 5))):
        family = draw(st.sampled_from([*service["spec"].get("ipFamilies", ["IPv4"]) * 3, "IPv4", "IPv6"]))
        held = draw(st.lists(st.sampled_from(all_pods), max_size=5)) if all_pods else []
        made = [(pod, endpoint_of(pod, family, all_nodes, publish=publish)) for pod in held]
        endpoints = [draw(held_endpoints(pod, endpoint)) for pod, endpoint in made if endpoint is not None]
        metadata = draw(held_metadata(service, f"web-{number}"))
        ports = draw(st.sampled_from(PORTS)) if draw(sometimes) else wanted
        slice_ = {"metadata": metadata, "addressType": family, "endpoints": endpoints, "ports": ports}
        found.append(copy.deepcopy(slice_))
    return found


@st.composite
def held_endpoints(draw: st.DrawFn, pod: Json, made: Json) -> Json:
    """An endpoint of a Pod, with what can have changed of it since."""
    endpoint = copy.deepcopy(made)
    change = draw(st.integers(0, 11))
    if change == 0:
        endpoint["conditions"] = draw(st.sampled_from([{}, {"ready": False}, {"ready": True}]))
    elif change == 1:
        endpoint["targetRef"] |= draw(st.sampled_from([{"uid": "old"}, {"resourceVersion": "7"}]))
    elif change == 2:
        endpoint["zone"] = "b"
    elif change == 3:
        endpoint["targetRef"]["name"] = "web-gone"
    hints: list[Any] = [None, None, None, {"forZones": [{"name": endpoint.get("zone", "a")}]}]
    hints += [{"forZones": [{"name": "a"}]}, {"forZones": [{"name": "a"}, {"name": "b"}]}]
    hints += [{"forNodes": [{"name": pod["spec"]["nodeName"] or "n"}]}]
    hint = draw(st.sampled_from(hints))
    return endpoint if hint is None else {**endpoint, "hints": hint}


@st.composite
def held_metadata(draw: st.DrawFn, service: Json, name: str) -> Json:
    """What a slice of a Service says of itself, with what can have changed of it since."""
    labels = {**service["metadata"]["labels"], SERVICE_NAME: "web", MANAGED_BY: MANAGER}
    labels.pop(HEADLESS, None)
    if service["spec"]["clusterIP"] in ("None", ""):
        labels[HEADLESS] = ""
    if draw(rarely):
        labels["app"] = draw(st.sampled_from(["x", "z"]))
    owner = "u-web" if draw(st.integers(0, 14)) else "u-old"
    metadata = {
        "name": name,
        "namespace": "shop",
        "generateName": "web-",
        "resourceVersion": "1",
        "labels": labels,
        "ownerReferences": [{"apiVersion": "v1", "kind": "Service", "name": "web", "uid": owner, "controller": True}],
    }
    if draw(sometimes):
        metadata["annotations"] = {
            "endpoints.kubernetes.io/last-change-trigger-time": "2025-01-01T00:00:00Z",
            "other": "kept",
        }
    return metadata


@st.composite
def cases(draw: st.DrawFn) -> Json:
    """The input of one sync."""
    service = draw(services())
    all_nodes = draw(nodes())
    all_pods = [draw(pods(number)) for number in range(draw(st.integers(0, 12)))]
    hints = draw(st.sampled_from([None, None, {"IPv4": {"a": 2, "b": 1}}]))
    return {
        "service": service,
        "pods": all_pods,
        "nodes": all_nodes,
        "slices": draw(existing_slices(service, all_pods, all_nodes)),
        "max": draw(st.integers(1, 6)),
        "triggerTime": draw(st.sampled_from(["", "2026-02-03T04:05:06.789Z"])),
        "controller": MANAGER,
        "hints": hints,
    }
