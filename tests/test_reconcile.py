"""Kubernetes' rules without Kubernetes: laws, recordings of the real controller, defined answers, bad input."""

import json
import lzma
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import epcore
from epcore.cli.recording import read_recording
from epcore.cli.replay import replay
from kube_model import reconciled, stored, summary
from kube_strategies import Json, cases
from test_pack_promises import through_an_api_server

EXAMPLES = Path(__file__).parent.parent / "examples"
policies = st.sampled_from(["balanced", "dense", "lean"])

SERVICE: Json = {
    "metadata": {"name": "web", "namespace": "shop", "uid": "u-web"},
    "spec": {"selector": {"app": "web"}, "clusterIP": "10.96.0.1", "ipFamilies": ["IPv4"], "ports": [{"port": 80}]},
}
TOPOLOGY_MODE = "service.kubernetes.io/topology-mode"
NODES: list[Json] = [{"metadata": {"name": "n1", "labels": {"topology.kubernetes.io/zone": "a"}}}]


def pod(number: int, **more: Any) -> Json:
    metadata = {"name": f"web-{number}", "namespace": "shop", "uid": f"u{number}", "labels": {"app": "web"}}
    status = {
        "phase": "Running",
        "podIPs": [{"ip": f"10.0.0.{number}"}],
        "conditions": [{"type": "Ready", "status": "True"}],
    }
    return {"metadata": metadata, "spec": {"nodeName": "n1", "containers": []}, "status": status, **more}


def must_be_mended(case: Json) -> bool:
    """True if an endpoint is held twice or has two zones, or a slice is overfull: mending that may cost writes."""
    held = Counter(
        (slice_["addressType"], one["addresses"][0], one["targetRef"]["name"])
        for slice_ in case["slices"]
        for one in slice_["endpoints"]
    )
    zones = [(one.get("hints") or {}).get("forZones") or [] for slice_ in case["slices"] for one in slice_["endpoints"]]
    return (
        any(count > 1 for count in held.values())
        or any(len(one["endpoints"]) > case["max"] for one in case["slices"])
        or any(len(of_one) > 1 for of_one in zones)
    )


@given(cases(), policies)
def test_other_policies_publish_the_same_and_never_write_more(case: Json, policy: Any) -> None:
    theirs, ours = reconciled(case, policy="upstream"), reconciled(case, policy=policy)
    endpoints = [
        summary([dict(one) for one in plan.result().to_dicts()], shared_zones=True)[0] for plan in (theirs, ours)
    ]
    if "deletionTimestamp" not in case["service"]["metadata"]:
        assert endpoints[0] == endpoints[1]
        assert must_be_mended(case) or len(ours) <= len(theirs)


def never_rests(plan: epcore.Plan, policy: Any) -> bool:
    """Where an endpoint has no zone the library writes slices without hints at every sync, for the annotation Auto."""
    disabled = any(event["reason"] == "TopologyAwareHintsDisabled" for event in plan.events)
    return bool(policy == "upstream" and disabled and all(write.reasons == ["hints"] for write in plan.writes))


@pytest.mark.parametrize("policy", ["balanced", "lifecycle", "upstream"])
def test_a_slice_that_passes_from_group_to_group_is_written_once(policy: Any) -> None:
    """An empty slice that nobody's ports fit is offered to one group, and then to another one."""
    service = {**SERVICE, "spec": {**SERVICE["spec"], "ports": [{"name": "http", "port": 80, "targetPort": "http"}]}}
    ports: list[Json] = [{"name": "http", "protocol": "TCP", "port": 8080}]
    container = {"ports": [{"name": "http", "protocol": "TCP", "containerPort": 8080}]}
    starting = pod(3, spec={"nodeName": "n1", "containers": [container]})
    starting["status"]["conditions"] = []
    labels = {
        "kubernetes.io/service-name": "web",
        "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
    }
    owner = {"apiVersion": "v1", "kind": "Service", "name": "web", "uid": "u-web", "controller": True}
    existing: list[Json] = [
        {
            "metadata": {"name": f"web-{number}", "namespace": "shop", "labels": labels, "ownerReferences": [owner]},
            "addressType": "IPv4",
            "endpoints": [],
            "ports": held,
        }
        for number, held in enumerate([[{"name": "old", "port": 1}], ports, []])
    ]
    plan = epcore.reconcile(service, [pod(1), starting], NODES, existing, policy=policy)
    assert len({write.name for write in plan.writes}) == len(plan)
    assert summary([dict(one) for one in plan.result().to_dicts()], shared_zones=False)[0].total() == 2
    assert not epcore.reconcile(service, [pod(1), starting], NODES, plan.result(), policy=policy)


@given(cases(), policies | st.sampled_from(["upstream", "lifecycle"]))
def test_a_second_sync_writes_nothing(case: Json, policy: Any) -> None:
    case["service"]["metadata"].pop("deletionTimestamp", None)
    first = reconciled(case, policy=policy)
    again = reconciled({**case, "slices": first.result()}, policy=policy, state=first.hints)
    assert not again or never_rests(again, policy), str(again)


@given(cases(), policies | st.just("upstream"))
def test_what_an_api_server_gives_back_needs_no_write(case: Json, policy: Any) -> None:
    case["service"]["metadata"].pop("deletionTimestamp", None)
    first = reconciled(case, policy=policy)
    again = reconciled({**case, "slices": through_an_api_server(first.result())}, policy=policy, state=first.hints)
    assert not again or never_rests(again, policy), str(again)


@given(cases(), policies)
def test_with_safe_replacement_no_endpoint_is_missing_at_any_prefix(case: Json, policy: Any) -> None:
    case["service"]["metadata"].pop("deletionTimestamp", None)
    plan = reconciled(case, policy=policy, replace="safe")

    def held(slices: epcore.SliceSet) -> set[Any]:
        listed: list[Json] = [dict(one) for one in slices.to_dicts()]
        return {
            (one["addressType"], endpoint["addresses"][0], endpoint["targetRef"]["name"])
            for one in listed
            for endpoint in one["endpoints"]
        }

    before, after = held(plan.prefix(0)), held(plan.result())
    for writes in range(len(plan) + 1):
        assert before & after <= held(plan.prefix(writes)), str(plan)


@cache
def events_of(name: str) -> list[Json]:
    with lzma.open(EXAMPLES / f"{name}.jsonl.xz") as file:
        return [json.loads(line) for line in file]


@pytest.mark.parametrize("name", ["rollout", "scale"])
def test_after_each_recorded_sync_reconcile_wants_exactly_what_the_real_controller_wrote(name: str) -> None:
    """At the Pods that the sync saw (their revision is known) every field of every endpoint is as written."""
    events = events_of(name)
    service = next(event["object"] for event in events if event["kind"] == "Service")
    nodes = [event["object"] for event in events if event["kind"] == "Node"]
    changes = [
        (int(event["object"]["metadata"]["resourceVersion"]), event) for event in events if event["kind"] == "Pod"
    ]
    slices: dict[str, Json] = {}
    pods: dict[str, Json] = {}
    seen = 0
    syncs = replay(read_recording(str(EXAMPLES / f"{name}.jsonl.xz")), {}).syncs
    written = iter([event for event in events if event["kind"] == "EndpointSlice"])
    for sync in syncs:
        for event in (next(written) for _ in sync.events):
            slices[event["object"]["metadata"]["name"]] = event["object"]
            if event["type"] == "DELETED":
                del slices[event["object"]["metadata"]["name"]]
        while seen < len(changes) and changes[seen][0] <= sync.state_since:
            change = changes[seen][1]
            pods[change["object"]["metadata"]["name"]] = change["object"]
            if change["type"] == "DELETED":
                del pods[change["object"]["metadata"]["name"]]
            seen += 1
        plan = epcore.reconcile(service, [*pods.values()], nodes, [*slices.values()], policy="upstream")
        assert not plan, f"{sync.state_since}: {plan}"
        assert not plan.errors


@pytest.mark.parametrize(
    "change",
    [{"type": "ExternalName"}, {"selector": None}, {"selector": {}}],
)
def test_a_service_that_selects_no_pods_needs_nothing(change: Json) -> None:
    service = {**SERVICE, "spec": {**SERVICE["spec"], **change}}
    existing = epcore.reconcile(SERVICE, [pod(1)], NODES).result()
    assert not epcore.reconcile(service, [pod(1)], NODES, existing)


def test_slices_of_a_service_without_pods_shrink_to_one_placeholder_and_back() -> None:
    empty = epcore.reconcile(SERVICE, [], NODES)
    assert [(write.verb, write.reasons) for write in empty.writes] == [("create", ["placeholder"])]
    placed = json.loads(empty.result().to_json())["items"]
    placed[0]["metadata"]["name"] = "web-1"
    (write,) = epcore.reconcile(SERVICE, [pod(1)], NODES, placed).writes
    assert (write.verb, write.name, len(write.slice)) == ("update", "web-1", 1)
    full = epcore.reconcile(SERVICE, [pod(1)], NODES, placed).result()
    (write,) = epcore.reconcile(SERVICE, [], NODES, full).writes
    assert (write.verb, write.name, len(write.slice)) == ("update", "web-1", 0)


def test_a_pod_that_cannot_be_published_is_told_and_the_others_are_published() -> None:
    away = pod(2, spec={"nodeName": "gone"})
    broken = pod(3, status={"phase": "Running", "podIPs": [{"ip": "10.0.0"}]})
    loopback = pod(4, status={"phase": "Running", "podIPs": [{"ip": "127.0.0.1"}]})
    waiting = pod(5, spec={})
    plan = epcore.reconcile(SERVICE, [pod(1), away, broken, loopback, waiting], NODES)
    assert [len(slice_) for slice_ in plan.result()] == [1]
    assert plan.errors == [
        'Pod shop/web-2 is left out: its node "gone" is not there',
        'Pod shop/web-3: "10.0.0" cannot be the address of an endpoint',
        'Pod shop/web-4: "127.0.0.1" cannot be the address of an endpoint',
        "Pod shop/web-5 is left out: it is on no node yet",
    ]
    again = epcore.reconcile(SERVICE, [waiting, loopback, pod(1), broken, away], NODES)
    assert again.errors == plan.errors, "in an order of their own"


def test_a_service_with_twenty_thousand_ports_has_them_all_on_each_slice() -> None:
    ports = [{"name": f"p{number}", "port": number % 65_535 + 1} for number in range(20_000)]
    plan = epcore.reconcile({**SERVICE, "spec": {**SERVICE["spec"], "ports": ports}}, [pod(1)], NODES)
    (slice_,) = plan.result().to_dicts()
    assert len(slice_["ports"] or ()) == 20_000


@pytest.mark.parametrize(
    ("service", "pods", "nodes", "path"),
    [
        ({}, [], [], "service.metadata.name"),
        ([SERVICE, SERVICE], [], [], "service"),
        ({**SERVICE, "kind": "Pod"}, [], [], "service.kind"),
        ({**SERVICE, "spec": {"ports": [{"port": "x"}]}}, [], [], "service.spec.ports[0].port"),
        ({**SERVICE, "spec": {"ipFamilies": ["IPv5"]}}, [], [], "service.spec.ipFamilies[0]"),
        (SERVICE, [pod(1), {"metadata": {}}], [], "pods[1].metadata.name"),
        (SERVICE, [pod(1, status={"podIPs": "10.0.0.1"})], [], "pods[0].status.podIPs"),
        (
            SERVICE,
            [],
            [{"metadata": {"name": "n"}, "status": {"allocatable": {"cpu": "4x"}}}],
            "nodes[0].status.allocatable.cpu",
        ),
    ],
)
def test_bad_objects_are_refused_with_their_place(service: Any, pods: Any, nodes: Any, path: str) -> None:
    for form in (lambda value: value, lambda value: json.dumps(value).encode()):
        with pytest.raises(epcore.InvalidInputError) as caught:
            epcore.reconcile(form(service), form(pods), form(nodes))
        assert caught.value.path == path


def test_lists_of_the_api_and_json_lines_are_taken() -> None:
    pods = {"kind": "PodList", "items": [pod(1), pod(2)]}
    lines = "\n".join(json.dumps(one) for one in (pod(1), pod(2)))
    plans = [epcore.reconcile(SERVICE, given, NODES).to_json() for given in (pods, lines, [pod(1), pod(2)])]
    assert plans[0] == plans[1] == plans[2]
    with pytest.raises(epcore.InvalidInputError, match="NodeList"):
        epcore.reconcile(SERVICE, [], pods)


def test_pods_that_the_service_does_not_select_are_left_out() -> None:
    other, away = pod(2), pod(3)
    other["metadata"]["labels"] = {"app": "other"}
    away["metadata"]["namespace"] = "elsewhere"
    assert [len(one) for one in epcore.reconcile(SERVICE, [pod(1), other, away], NODES).result()] == [1]


def test_hints_for_two_zones_are_right_while_both_have_room() -> None:
    service = {**SERVICE, "metadata": {**SERVICE["metadata"], "annotations": {TOPOLOGY_MODE: "Auto"}}}
    status = {"conditions": [{"type": "Ready", "status": "True"}], "allocatable": {"cpu": "4"}}
    nodes = [
        {"metadata": {"name": f"n{number}", "labels": {"topology.kubernetes.io/zone": zone}}, "status": status}
        for number, zone in enumerate("ab", 1)
    ]
    pods = [pod(number, spec={"nodeName": f"n{number % 2 + 1}"}) for number in range(1, 10)]
    slices: list[Json] = [dict(one) for one in epcore.reconcile(service, pods, nodes).result().to_dicts()]
    slices[0]["metadata"]["name"] = "web-1"
    # Five of nine serve one zone and four the other; each may have five.
    zones = Counter(endpoint["hints"]["forZones"][0]["name"] for endpoint in slices[0]["endpoints"])
    crowded = {"forZones": [{"name": max(zones, key=lambda zone: zones[zone])}]}
    first = next(endpoint for endpoint in slices[0]["endpoints"] if endpoint["hints"] == crowded)
    first["hints"] = {"forZones": [{"name": "a"}, {"name": "b"}]}
    assert not epcore.reconcile(service, pods, nodes, slices)
    assert not epcore.reconcile(service, pods, nodes, slices, policy="upstream")


def test_hints_by_zone_rest_after_one_sync_where_a_zone_gets_more_than_it_may_keep() -> None:
    """Three of four may be of zone ``b``: one of zone ``a`` has its hint already, and three come that are in it."""
    service = {**SERVICE, "metadata": {**SERVICE["metadata"], "annotations": {TOPOLOGY_MODE: "Auto"}}}
    condition = {"type": "Ready", "status": "True"}
    nodes = [
        {
            "metadata": {"name": f"n{cpu}", "labels": {"topology.kubernetes.io/zone": zone}},
            "status": {"conditions": [condition], "allocatable": {"cpu": str(cpu)}},
        }
        for zone, cpu in (("a", 1), ("b", 8))
    ]
    pods = [pod(number, spec={"nodeName": f"n{cpu}"}) for number, cpu in enumerate((8, 8, 8, 1), 1)]
    before = stored(epcore.reconcile(service, pods[3:], nodes).result())
    before[0]["endpoints"][0]["hints"] = {"forZones": [{"name": "b"}]}
    plan = epcore.reconcile(service, pods, nodes, before)
    assert plan
    assert not epcore.reconcile(service, pods, nodes, plan.result(), hints=plan.hints)


@given(st.permutations(range(6)), policies)
def test_hints_by_zone_do_not_depend_on_the_order_of_the_pods(order: list[int], policy: Any) -> None:
    nodes: list[Json] = [
        {
            "metadata": {"name": f"n{number}", "labels": {"topology.kubernetes.io/zone": "ab"[number]}},
            "status": {"conditions": [{"type": "Ready", "status": "True"}], "allocatable": {"cpu": "4"}},
        }
        for number in range(2)
    ]
    pods = [pod(number + 1) for number in range(6)]
    metadata = {**SERVICE["metadata"], "annotations": {TOPOLOGY_MODE: "Auto"}}
    service = {**SERVICE, "metadata": metadata}
    plan = epcore.reconcile(service, pods, nodes, policy=policy)
    other = epcore.reconcile(service, [pods[number] for number in order], nodes, policy=policy)
    assert other.to_json() == plan.to_json()
