"""What the API server gives back of a plan needs no further write, for every feature that a plan can use.

The API server sets defaults, sorts, rewrites addresses, drops what is empty, and adds fields of its own; and it takes
and gives JSON as well as protobuf.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

import epcore
from cluster.api import Api, Json, path
from cluster.objects import address, address_v6, node, pod, running, service, start_nodes, start_pods
from cluster.writer import FORMS, Form, carry_out, slices
from epcore.types import PolicyName
from kube_model import reconciled
from kube_strategies import cases
from legacy_strategies import mirrors

Wanted: TypeAlias = list[Any]

OURS = "db-sync.example.com"
POLICIES: list[Any] = ["balanced", "dense", "lean", "lifecycle", "upstream"]
TRIGGER = "2026-02-03T04:05:06.789Z"
SQL: Json = {"name": "sql", "port": 5432}

forms = pytest.mark.parametrize("form", FORMS, ids=["json", "protobuf"])


def settles(api: Api, namespace: str, form: Form, planned: Callable[[epcore.SliceSet], epcore.Plan]) -> None:
    """Carry a plan out, and expect that what is there then is what was meant, and needs nothing more."""
    plan = planned(slices(api, namespace, form))
    carry_out(api, plan, form)
    there = slices(api, namespace, form)
    again = planned(there)
    assert not again, str(again)
    assert len(there) == len(plan.result())
    refused = [finding for finding in epcore.lint(there.to_dicts()) if finding.severity == "error"]
    assert not refused, refused


# Of each feature of `publish`: the Service's parts, and two states of its endpoints, one after the other.
PUBLISHED: dict[str, tuple[Json, Wanted, Wanted]] = {
    "plain addresses": ({}, ["10.0.0.1", "10.0.0.2"], ["10.0.0.2", "10.0.0.3"]),
    "both families": (
        {"ipFamilyPolicy": "PreferDualStack"},
        ["10.0.0.1", "2001:db8::1"],
        ["2001:db8::1", "2001:DB8:0:0::2", "2001:db8::10.0.0.1"],
    ),
    "names of hosts": ({}, ["db.example.org", "a.b:1"], ["db.example.org"]),
    "a headless Service": ({"clusterIP": "None"}, [{"address": "10.0.0.1", "hostname": "db-0"}], ["10.0.0.2"]),
    "ports of endpoints": (
        {},
        ["10.0.0.1:1", "10.0.0.2:2", "[2001:db8::1]:3"],
        [{"address": "10.0.0.1", "ports": {"sql": 7}}, {"address": "10.0.0.3", "ports": [{"name": "x", "port": 9}]}],
    ),
    "protocols and appProtocol": (
        {
            "ports": [
                {"name": "grpc", "port": 80, "appProtocol": "kubernetes.io/h2c"},
                {"name": "dns", "port": 53, "protocol": "UDP", "appProtocol": "example.com/dns"},
                {"name": "sctp", "port": 54, "protocol": "SCTP", "targetPort": 5400},
            ]
        },
        ["10.0.0.1"],
        ["10.0.0.1", "10.0.0.2"],
    ),
    "a port without name": ({"ports": [{"port": 80}]}, ["10.0.0.1"], ["10.0.0.2"]),
    "conditions": (
        {},
        [{"address": "10.0.0.1", "ready": False}, {"address": "10.0.0.2", "ready": True, "serving": True}],
        [{"address": "10.0.0.1", "ready": False, "serving": True, "terminating": True}, {"address": "10.0.0.2"}],
    ),
    "places and hints": (
        {},
        [{"address": "10.0.0.1", "zone": "a", "nodeName": "n1", "hints": {"forZones": [{"name": "a"}]}}],
        [
            {"address": "10.0.0.1", "zone": "a", "nodeName": "n2", "hints": {"forNodes": [{"name": "n2"}]}},
            {"address": "10.0.0.2", "hints": {}},
        ],
    ),
    "targets": (
        {},
        [{"address": "10.0.0.1", "targetRef": {"kind": "VM", "name": "vm-1", "uid": "u1", "namespace": "other"}}],
        [{"address": "10.0.0.1", "targetRef": {}}],
    ),
    "nothing at last": ({}, ["10.0.0.1", "2001:db8::1"], []),
    "more than one slice": (
        {},
        [address(number) for number in range(1, 251)],
        [address(number) for number in range(40, 330)],
    ),
}


@forms
@pytest.mark.parametrize("options", [{}, {"naming": "deterministic", "trigger_time": TRIGGER}], ids=["plain", "named"])
@pytest.mark.parametrize("feature", PUBLISHED)
def test_what_was_published_is_published(api: Api, namespace: str, form: Form, feature: str, options: Any) -> None:
    spec, first, second = PUBLISHED[feature]
    labels, annotations = {"team": "storage", "example.com/empty": ""}, {"note": "kept on the Service"}
    made = service("db", namespace, **{"ports": [SQL], "labels": labels, "annotations": annotations, **spec})
    there = api.create(made)
    for wanted in (first, second):
        settles(api, namespace, form, partial(_published, there, wanted, options))


def test_slices_of_a_thousand_endpoints_and_of_few_bytes_are_taken(api: Api, namespace: str) -> None:
    wanted = [{"address": address(number), "zone": "a" * 60} for number in range(1, 1201)]
    limits: list[Any] = [{"max_endpoints": 1000}, {"max_endpoints": 1000, "max_bytes": 20_000}]
    for number, limit in enumerate(limits):
        there = api.create(service(f"db-{number}", namespace, ports=[SQL]))
        carry_out(api, _published(there, wanted, limit, epcore.SliceSet.from_json(b"[]")))
        assert not _published(there, wanted, limit, slices(api, namespace, "application/json"))


def _published(there: Json, wanted: Wanted, options: Any, existing: epcore.SliceSet) -> epcore.Plan:
    return epcore.publish(there, wanted, existing, managed_by=OURS, **options)


# Of each feature of `reconcile`: the Service's parts and those of its Pods.
RECONCILED: dict[str, tuple[Json, Json]] = {
    "one family": ({}, {}),
    "both families": ({"ipFamilyPolicy": "RequireDualStack"}, {}),
    "a headless Service": ({"clusterIP": "None"}, {"hostname": "web-host", "subdomain": "web"}),
    "ports by name": ({"ports": [{"name": "http", "port": 80, "targetPort": "http"}]}, {}),
    "several ports": (
        {
            "ports": [
                {"name": "http", "port": 80, "targetPort": "http", "appProtocol": "kubernetes.io/h2c"},
                {"name": "dns", "port": 53, "protocol": "UDP", "targetPort": 5353},
            ]
        },
        {},
    ),
    "no port": ({"clusterIP": "None", "ports": []}, {}),
    "Pods that are not ready": ({"publishNotReadyAddresses": True}, {}),
    "hints for zones": ({"trafficDistribution": "PreferSameZone"}, {}),
    "hints for nodes": ({"trafficDistribution": "PreferSameNode"}, {}),
    "hints as they were asked for before": ({"annotations": {"service.kubernetes.io/topology-mode": "Auto"}}, {}),
    "labels": ({"labels": {"app.kubernetes.io/name": "web", "empty": ""}}, {}),
}


@pytest.mark.parametrize(("policy", "form"), [(policy, FORMS[turn % 2]) for turn, policy in enumerate(POLICIES)])
@pytest.mark.parametrize("feature", RECONCILED)
def test_what_was_reconciled_is_reconciled(
    api: Api, namespace: str, form: Form, feature: str, policy: PolicyName
) -> None:
    """First without Pods, then with Pods of every state, then with others."""
    spec, of_pods = RECONCILED[feature]
    there = api.create(service("web", namespace, selector={"app": "web"}, **spec))
    nodes = [node(f"{namespace}-{number}", "abc"[number % 3]) for number in range(6)]
    start_nodes(api, nodes)
    hints = epcore.reconcile(there, [], nodes).hints

    def planned(existing: epcore.SliceSet) -> epcore.Plan:
        nonlocal hints
        listed = [api.raw(path("pods", namespace)), api.raw(path("nodes"))]
        plan = epcore.reconcile(
            there, listed[0], listed[1], existing, policy=policy, max_endpoints=5, hints=hints, trigger_time=TRIGGER
        )
        hints = plan.hints
        return plan

    settles(api, namespace, form, planned)
    pods = start_pods(api, [_pod(namespace, number, of_pods) for number in range(18)])
    settles(api, namespace, form, planned)
    api.each(api.delete, pods[:4])
    api.each(lambda one: api.delete(one, grace=0), pods[4:6])
    api.patch(pods[7], {"status": {"conditions": [{"type": "Ready", "status": "False"}]}}, "status")
    start_pods(api, [_pod(namespace, number, of_pods) for number in range(18, 22)])
    settles(api, namespace, form, planned)


def _pod(namespace: str, number: int, spec: Json) -> tuple[Json, Json]:
    """A Pod in one of its states; some tell their port by another number."""
    port = {"name": "http", "containerPort": 8080 + number // 10}
    made = pod(f"web-{number}", namespace, f"{namespace}-{number % 6}", labels={"app": "web"}, ports=[port], **spec)
    if "hostname" in spec:
        made["spec"]["hostname"] = f"web-{number}"
    phase = "Pending" if number == 3 else "Failed" if number == 2 else "Running"
    return made, running(address(number + 1), address_v6(number + 1), ready=number % 5 != 1, phase=phase)


@given(cases(), st.sampled_from(POLICIES), st.sampled_from(FORMS))
def test_whatever_was_there_is_mended_once(control_plane: Any, case: Json, policy: Any, form: Form) -> None:
    """Slices that are wrong in many ways, and Pods in every state, as the tests of the rules have them."""
    api: Api = control_plane.admin
    case["service"]["metadata"].pop("deletionTimestamp", None)
    _only(api, "shop", case["slices"])
    first = reconciled({**case, "slices": slices(api, "shop", form)}, policy=policy)
    carry_out(api, first, form)
    again = reconciled({**case, "slices": slices(api, "shop", form)}, policy=policy, state=first.hints)
    rests_never = policy == "upstream" and any(
        event["reason"] == "TopologyAwareHintsDisabled" for event in again.events
    )
    assert not again or (rests_never and all(write.reasons == ["hints"] for write in again.writes)), str(again)


@given(mirrors(), st.sampled_from(["balanced", "upstream"]), st.sampled_from(FORMS))
def test_what_was_mirrored_is_mirrored(control_plane: Any, case: Json, policy: Any, form: Form) -> None:
    api: Api = control_plane.admin
    _only(api, "shop", case["slices"])

    def planned() -> epcore.Plan:
        existing, most = slices(api, "shop", form), case["max"]
        return epcore.mirror(case["service"], case["endpoints"], existing, max_endpoints=most, policy=policy)

    if case["service"] or case["endpoints"]:
        carry_out(api, planned(), form)
        assert not planned()


def _only(api: Api, namespace: str, wanted: list[Json]) -> None:
    """Make the slices of a namespace these."""
    if not any(one["metadata"]["name"] == namespace for one in api.items("namespaces")):
        api.create({"kind": "Namespace", "metadata": {"name": namespace}})
    api.request("DELETE", path("endpointslices", namespace))
    for one in wanted:
        metadata = {name: value for name, value in one["metadata"].items() if name != "resourceVersion"}
        api.request("POST", path("endpointslices", namespace), {**one, "metadata": metadata})
