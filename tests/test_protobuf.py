"""Kubernetes' protobuf, beside Kubernetes' own encoder and decoder: the objects that JSON says, by the same bytes."""

import base64
import copy
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import epcore
from kube_strategies import Json, cases
from upstream_peer import Upstream, needs_upstream

READY = {"type": "Ready", "status": "True"}
PORT = {"name": "http", "port": 80, "targetPort": "web"}
VERSION = {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice"}
METADATA: Json = {
    "name": "web-1",
    "generateName": "web-",
    "namespace": "shop",
    "selfLink": "/x",
    "uid": "u-1",
    "resourceVersion": "9",
    "generation": 7,
    "creationTimestamp": "2026-11-24T08:03:15Z",
    "deletionTimestamp": "1969-12-31T23:59:59Z",
    "deletionGracePeriodSeconds": 0,
    "labels": {"kubernetes.io/service-name": "web", "a": ""},
    "annotations": {"n": 'é\n"'},
    "finalizers": ["a/b", "c"],
    "ownerReferences": [
        {"apiVersion": "v1", "kind": "Service", "name": "web", "uid": "u", "controller": False},
        {"apiVersion": "", "kind": "", "name": "", "uid": "", "blockOwnerDeletion": True},
    ],
    "managedFields": [
        {
            "manager": "m",
            "operation": "Update",
            "apiVersion": "v1",
            "time": "2026-11-24T08:03:15Z",
            "fieldsType": "FieldsV1",
            "fieldsV1": {"f:x": {"f:y": {}}},
        },
        {"subresource": "status"},
    ],
}
FULL: Json = {
    **VERSION,
    "metadata": METADATA,
    "addressType": "IPv6",
    "endpoints": [
        {
            "addresses": ["2001:db8::1", "2001:db8::2"],
            "conditions": {"ready": True, "terminating": False},
            "hostname": "a",
            "targetRef": {
                "kind": "Pod",
                "namespace": "shop",
                "name": "p",
                "uid": "u",
                "apiVersion": "v1",
                "resourceVersion": "9",
                "fieldPath": "x",
            },
            "nodeName": "n.b",
            "zone": "z",
            "hints": {"forZones": [{"name": "z"}], "forNodes": [{"name": "n"}]},
            "deprecatedTopology": {"k": "v"},
        },
        {"addresses": ["2001:db8::3"], "conditions": {"serving": True}},
    ],
    "ports": [
        {"name": "http", "protocol": "TCP", "port": 80, "appProtocol": "http"},
        {"name": "all", "protocol": "UDP"},
    ],
}

names = st.sampled_from(["", "a", "b-1", "web.x"])
texts = st.sampled_from(["a", "é", "x" * 200])
addresses = st.sampled_from(["10.0.0.1", "10.0.0.2", "10.1.255.3"])
targets = st.fixed_dictionaries(
    {"kind": texts},
    optional=dict.fromkeys(("namespace", "name", "uid"), texts) | {"resourceVersion": st.just("9"), "fieldPath": texts},
)


def port_name(port: Any) -> str:
    return str(port["name"])


slices = st.fixed_dictionaries(
    {
        "addressType": st.just("IPv4"),
        "metadata": st.fixed_dictionaries(
            {"name": st.sampled_from(["a", "b-1"])},
            optional={key: st.just(METADATA[key]) for key in METADATA if key != "name"},
        ),
        "ports": st.lists(
            st.fixed_dictionaries(
                {"name": names.filter(lambda name: "." not in name), "protocol": st.sampled_from(["TCP", "UDP"])},
                optional={"port": st.integers(1, 65535), "appProtocol": st.just("http")},
            ),
            max_size=2,
            unique_by=port_name,
        ),
        "endpoints": st.lists(
            st.fixed_dictionaries(
                {
                    "addresses": st.lists(addresses, min_size=1, max_size=2, unique=True),
                },
                optional={
                    "conditions": st.dictionaries(st.sampled_from(["ready", "serving", "terminating"]), st.booleans()),
                    "hostname": st.sampled_from(["a", "b-1"]),
                    "nodeName": st.sampled_from(["n-1", "n.b"]),
                    "zone": texts,
                    "targetRef": targets,
                    "hints": st.sampled_from([{"forZones": [{"name": "z"}]}, {"forNodes": [{"name": "n"}]}]),
                    "deprecatedTopology": st.just({"b": "x", "a": ""}),
                },
            ),
            max_size=5,
        ),
    }
).map(lambda slice_: {**VERSION, **slice_})


def translated(upstream: Upstream, obj: Json) -> tuple[Json, bytes]:
    """An object as Kubernetes' library writes it, as JSON and as protobuf."""
    answer = upstream.ask(op="translate", object=obj)
    return answer["object"], base64.b64decode(answer["protobuf"])


def frames(upstream: Upstream, events: list[Json]) -> bytes:
    return base64.b64decode(upstream.ask(op="frames", events=events)["protobuf"])


def check(upstream: Upstream, slice_: Json) -> None:
    theirs, binary = translated(upstream, slice_)
    read = epcore.SliceSet.from_json(binary)
    assert read == epcore.SliceSet.from_objects(theirs)
    written = read[0].to_protobuf()
    _, expected = translated(upstream, dict(read[0].to_dict()))
    assert written == expected
    back = upstream.ask(op="translate", protobuf=base64.b64encode(written).decode())
    assert epcore.SliceSet.from_objects(back["object"]) == read


@needs_upstream
def test_each_field_of_a_slice_is_what_the_library_reads_and_writes(upstream: Upstream) -> None:
    check(upstream, FULL)


@needs_upstream
def test_slices_are_those_of_the_library(upstream: Upstream) -> None:
    @settings(suppress_health_check=list(HealthCheck))
    @given(slices)
    def agrees(slice_: Json) -> None:
        check(upstream, slice_)

    agrees()


@needs_upstream
def test_bytes_that_are_taken_are_what_the_library_reads_of_them(upstream: Upstream) -> None:
    changes = st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=2)

    @settings(suppress_health_check=list(HealthCheck))
    @given(slices, changes)
    def agrees(slice_: Json, changes: list[tuple[float, int]]) -> None:
        changed = bytearray(translated(upstream, slice_)[1])
        for place, byte in changes:
            changed[int(place * len(changed))] = byte
        try:
            read = epcore.SliceSet.from_json(changed)
        except epcore.InvalidInputError:
            return
        answer = upstream.ask(op="translate", protobuf=base64.b64encode(changed).decode())
        assert read.to_dicts() == epcore.SliceSet.from_objects(answer["object"]).to_dicts()

    agrees()


@needs_upstream
def test_a_list_has_the_bytes_of_the_library(upstream: Upstream) -> None:
    second = {**VERSION, "metadata": {"name": "b"}, "addressType": "IPv4", "endpoints": [], "ports": []}
    listed = {"apiVersion": VERSION["apiVersion"], "kind": "EndpointSliceList", "metadata": {}, "items": [FULL, second]}
    _, binary = translated(upstream, listed)
    read = epcore.SliceSet.from_json(binary)
    assert read == epcore.SliceSet.from_objects([FULL, second])
    assert translated(upstream, {**listed, "items": read.to_dicts()})[1] == read.to_protobuf()
    view = epcore.View()
    listed["metadata"] = {"resourceVersion": "77"}
    view.replace(translated(upstream, listed)[1])
    assert view.resource_version == "77"
    assert len(view) == 2
    assert epcore.SliceSet.from_json(b"[]").refresh(binary) == read
    assert epcore.EndpointSet.from_json(binary).to_dicts() == read[0].endpoints.to_dicts()


@needs_upstream
def test_reconcile_plans_the_same_from_protobuf(upstream: Upstream) -> None:
    def as_list(kind: str, version: str, items: list[Json]) -> bytes:
        return translated(upstream, {"apiVersion": version, "kind": f"{kind}List", "metadata": {}, "items": items})[1]

    @settings(suppress_health_check=list(HealthCheck))
    @given(cases())
    def agrees(case: Json) -> None:
        def written(kind: str, one: Json) -> tuple[Json, bytes]:
            return translated(upstream, {"apiVersion": "v1", "kind": kind, **one})

        given_service, service = written("Service", case["service"])
        through = {kind: [written(kind, one)[0] for one in case[f"{kind.lower()}s"]] for kind in ("Pod", "Node")}
        options: Any = {"naming": "deterministic"}
        expected = epcore.reconcile(given_service, through["Pod"], through["Node"], **options)
        pods, nodes = (as_list(kind, "v1", through[kind]) for kind in ("Pod", "Node"))
        assert epcore.reconcile(service, pods, nodes, **options).to_json() == expected.to_json()

    agrees()


@needs_upstream
def test_watches_tell_the_same_by_frames(upstream: Upstream) -> None:
    gone = {
        **VERSION,
        "metadata": {"name": "b"},
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["10.0.0.1"]}],
        "ports": [],
    }
    status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "message": "too old", "code": 410}
    mark = {**copy.deepcopy(gone), "metadata": {"resourceVersion": "88"}}
    events = [("ADDED", FULL), ("ADDED", gone), ("BOOKMARK", mark), ("DELETED", gone)]
    watched: list[Json] = [{"type": kind, "object": obj} for kind, obj in events]
    stream = frames(upstream, watched)
    view, other = epcore.View(), epcore.View()
    for start in range(len(watched)):
        chunk = frames(upstream, watched[start : start + 1])
        assert view.apply(chunk).to_json() == other.apply(watched[start]).to_json()
    assert view.resource_version == other.resource_version == "88"
    assert epcore.SliceSet.from_json(stream) == view.slices()
    assert not view.expired
    view.feed(frames(upstream, [{"type": "ERROR", "object": status}]))
    assert view.expired


@needs_upstream
def test_a_packer_follows_frames_of_every_kind(upstream: Upstream) -> None:
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web", "namespace": "shop", "uid": "u"},
        "spec": {
            "selector": {"app": "web"},
            "clusterIP": "10.96.0.1",
            "ipFamilies": ["IPv4"],
            "ports": [{"name": "http", "port": 80, "targetPort": "web"}],
        },
    }
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web-1", "namespace": "shop", "uid": "p", "labels": {"app": "web"}},
        "spec": {
            "nodeName": "n",
            "containers": [{"name": "c", "ports": [{"name": "web", "containerPort": 8080}]}],
        },
        "status": {
            "phase": "Running",
            "podIP": "10.0.0.7",
            "podIPs": [{"ip": "10.0.0.7"}],
            "conditions": [READY],
        },
    }
    node = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": "n", "labels": {"topology.kubernetes.io/zone": "z"}},
        "status": {"allocatable": {"cpu": "3920m"}, "conditions": [READY]},
    }
    watched: list[Json] = [{"type": "ADDED", "object": obj} for obj in (service, pod, node)]
    plans = []
    for events in (watched, frames(upstream, watched)):
        packer = epcore.Packer(naming="deterministic")
        packer.apply(events)
        plans.append(packer.plan("web", namespace="shop").to_json())
    assert plans[0] == plans[1]
    assert b"10.0.0.7" in plans[0]
    assert b"8080" in plans[0]


@needs_upstream
def test_legacy_endpoints_are_read(upstream: Upstream) -> None:
    legacy = {
        "apiVersion": "v1",
        "kind": "Endpoints",
        "metadata": {"name": "web", "namespace": "shop"},
        "subsets": [
            {
                "addresses": [{"ip": "10.0.0.1", "nodeName": "n", "targetRef": {"kind": "Pod", "name": "p"}}],
                "notReadyAddresses": [{"ip": "10.0.0.2", "hostname": "h"}],
                "ports": [{"name": "http", "port": 80, "protocol": "TCP"}],
            }
        ],
    }
    theirs, binary = translated(upstream, legacy)
    assert (
        epcore.LegacyEndpoints.from_json(binary).to_json()
        == epcore.LegacyEndpoints.from_json(json.dumps(theirs)).to_json()
    )


@needs_upstream
def test_errors_of_objects_name_path_and_byte_of_the_protobuf(upstream: Upstream) -> None:
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": {"containers": []}}
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n"}, "status": {"allocatable": {"cpu": "1"}}}
    binary = translated(upstream, {"apiVersion": "v1", "kind": "NodeList", "metadata": {}, "items": [node, node]})[1]
    at = binary.rindex(b"\x0a\x011")
    with pytest.raises(epcore.InvalidInputError) as caught:
        epcore.reconcile({"metadata": {"name": "s"}}, [], binary[: at + 2] + b"x" + binary[at + 3 :])
    assert caught.value.path == "nodes[1].status.allocatable.cpu"
    assert caught.value.offset == at
    with pytest.raises(epcore.InvalidInputError, match='expected "Service"'):
        epcore.reconcile(translated(upstream, pod)[1], [], [])


def test_a_plan_writes_protobuf_that_is_read_again() -> None:
    template = {"metadata": {"generateName": "db-"}, "addressType": "IPv4", "ports": [], "endpoints": []}
    plan = epcore.pack([{"addresses": ["10.0.0.1"]}], template=template)
    write = plan.writes[0]
    assert epcore.SliceSet.from_json(write.to_protobuf())[0] == write.slice
    again = epcore.pack([{"addresses": ["10.0.0.1"]}], plan.result().to_protobuf(), template=template)
    assert not again
    delta = epcore.diff(b"[]", plan.result().to_protobuf())
    assert [change.key for change in delta.added] == [change.key for change in epcore.diff(b"[]", plan.result()).added]


def test_what_protobuf_cannot_say_is_an_error_with_its_path() -> None:
    slices_ = epcore.SliceSet.from_objects(
        {"addressType": "IPv4", "endpoints": [{"addresses": ["10.0.0.1"], "weight": 1}], "ports": []}
    )
    with pytest.raises(epcore.InvalidInputError) as caught:
        slices_.to_protobuf()
    assert caught.value.path == "slices[0].endpoints[0].weight"
