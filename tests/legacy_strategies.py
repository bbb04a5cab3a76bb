"""Hypothesis strategies for legacy Endpoints, and for the slices that some earlier mirroring may have left."""

from typing import Any

from hypothesis import strategies as st

from kube_strategies import MANAGED_BY, SERVICE_NAME, Json, rarely, sometimes

MIRRORING = "endpointslicemirroring-controller.k8s.io"
ADDRESSES = [f"10.0.0.{number}" for number in (1, 2, 3, 10, 20, 100)] + ["2001:db8::1", "2001:db8::2", "2001:db8::a"]
PORTS: list[Json] = [
    {"name": "http", "port": 80, "protocol": "TCP"},
    {"name": "http", "port": 81, "protocol": "TCP"},
    {"name": "dns", "port": 53, "protocol": "UDP"},
    {"name": "", "port": 9000, "protocol": "SCTP"},
]


def _name(port: Json) -> str:
    name: str = port["name"]
    return name


@st.composite
def addresses(draw: st.DrawFn, *, strange: bool = False) -> Json:
    address: Json = {"ip": draw(st.sampled_from([*ADDRESSES, *(["10.0.0.300", "", "a b"] if strange else [])]))}
    if draw(rarely):
        address["hostname"] = draw(st.sampled_from(["a", "b"]))
    if draw(st.booleans()):
        address["nodeName"] = draw(st.sampled_from(["n1", "n2"]))
    if draw(sometimes):
        target = {"kind": "Pod", "namespace": "shop", "name": draw(st.sampled_from("xyz"))}
        target["uid"] = draw(st.sampled_from(["u1", "u2", "u3"]))
        if draw(rarely):
            target["resourceVersion"] = draw(st.sampled_from("12"))
        address["targetRef"] = target
    return address


@st.composite
def subsets(draw: st.DrawFn, number: int, *, strange: bool = False) -> Json:
    listed = st.lists(addresses(strange=strange), max_size=5)
    ports = draw(st.lists(st.sampled_from(PORTS), max_size=3, unique_by=_name))
    if draw(rarely):
        # The library tells two by their address in memory: one of a kind.
        ports = [*ports, {"name": f"p{number}", "port": 1, "protocol": "TCP", "appProtocol": "example.com/p"}]
    subset: Json = {}
    for name, part in (("addresses", draw(listed)), ("notReadyAddresses", draw(listed)), ("ports", ports)):
        if part:
            subset[name] = part
    return subset


@st.composite
def endpoints_objects(draw: st.DrawFn, *, strange: bool = False) -> Json:
    """Endpoints of the Service ``db``."""
    metadata: Json = {"name": "db", "namespace": "shop", "uid": draw(st.sampled_from(["e1", "e1", "e2"]))}
    if draw(st.booleans()):
        metadata["labels"] = {"app": draw(st.sampled_from(["x", "y"]))}
    if draw(st.booleans()):
        metadata["annotations"] = {"note": draw(st.sampled_from(["a", "b"]))}
    if draw(rarely):
        own = ["kubectl.kubernetes.io/last-applied-configuration", "endpoints.kubernetes.io/last-change-trigger-time"]
        metadata.setdefault("annotations", {})[draw(st.sampled_from(own))] = "2026-01-01T00:00:00Z"
    if draw(rarely):
        metadata.setdefault("annotations", {})["control-plane.alpha.kubernetes.io/leader"] = "{}"
    if draw(rarely):
        skip = draw(st.sampled_from(["true", "false"]))
        metadata.setdefault("labels", {})["endpointslice.kubernetes.io/skip-mirror"] = skip
    if draw(rarely):
        metadata["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    count = draw(st.integers(0, 3))
    return {"metadata": metadata, "subsets": [draw(subsets(number, strange=strange)) for number in range(count)]}


@st.composite
def mirrored(draw: st.DrawFn, number: int) -> Json:
    """A slice that an earlier sync may have left."""
    family = draw(st.sampled_from(["IPv4", "IPv4", "IPv6"]))
    of_family = [address for address in ADDRESSES if (":" in address) == (family == "IPv6")]
    labels = {SERVICE_NAME: "db", MANAGED_BY: MIRRORING}
    if draw(st.booleans()):
        labels["app"] = draw(st.sampled_from(["x", "y"]))
    if draw(rarely):
        labels |= draw(st.sampled_from([{MANAGED_BY: "me"}, {SERVICE_NAME: "other"}]))
    metadata: Json = {"name": f"db-{number}", "namespace": "shop", "labels": labels, "resourceVersion": "7"}
    if draw(st.booleans()):
        metadata["annotations"] = {"note": draw(st.sampled_from(["a", "b"]))}
    owner = {"apiVersion": "v1", "kind": "Endpoints", "name": "db", "controller": True, "blockOwnerDeletion": True}
    metadata["ownerReferences"] = [{**owner, "uid": draw(st.sampled_from(["e1", "e1", "e2"]))}]
    held = draw(st.lists(st.sampled_from(of_family), max_size=5, unique=True))
    endpoints = [{"addresses": [address], "conditions": {"ready": draw(st.booleans())}} for address in held]
    ports = draw(st.lists(st.sampled_from(PORTS), max_size=2, unique_by=_name))
    return {"metadata": metadata, "addressType": family, "endpoints": endpoints, "ports": ports}


@st.composite
def mirrors(draw: st.DrawFn) -> dict[str, Any]:
    """Everything that one sync of the mirroring controller looks at."""
    service: Json | None = {"metadata": {"name": "db", "namespace": "shop", "uid": "s"}, "spec": {}}
    if service and draw(rarely):
        service = draw(st.sampled_from([None, {**service, "spec": {"selector": {"app": "db"}}}]))
    endpoints = None if service and draw(rarely) else draw(endpoints_objects(strange=draw(rarely)))
    maximum = draw(st.sampled_from([1000, 1000, 2, 3]))
    slices = [draw(mirrored(number)) for number in range(draw(st.integers(0, 4)))]
    return {"service": service, "endpoints": endpoints, "slices": slices, "max": maximum}
