"""Legacy Endpoints: built, merged from slices, mirrored into slices, and what a change costs under each API."""

import copy
import json
import pickle
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import epcore
from epcore.types import PolicyName
from kube_model import canonical, stored
from kube_strategies import HEADLESS, MANAGED_BY, SERVICE_NAME, Json, pods, services
from legacy_strategies import ADDRESSES, MIRRORING, endpoints_objects, mirrors
from strategies import endpoints as slice_endpoints

SERVICE: Json = {
    "metadata": {"name": "web", "namespace": "shop", "uid": "s", "labels": {"app": "web"}},
    "spec": {"selector": {"app": "web"}, "clusterIP": "10.96.0.1", "ports": [{"name": "http", "port": 80}]},
}
ENDPOINTS: Json = {
    "metadata": {"name": "web", "namespace": "shop", "uid": "e"},
    "subsets": [{"addresses": [{"ip": "10.0.0.1"}, {"ip": "10.0.0.2"}], "ports": [{"name": "http", "port": 80}]}],
}
WITHOUT_SELECTOR: Json = {"metadata": {"name": "web", "namespace": "shop"}}


def pod(number: int, *, ready: bool = True, **status: Any) -> Json:
    condition = {"type": "Ready", "status": str(ready)}
    address = f"10.{number // 65536}.{number // 256 % 256}.{number % 256}"
    return {
        "metadata": {"name": f"web-{number}", "namespace": "shop", "uid": f"u{number}", "labels": {"app": "web"}},
        "spec": {"nodeName": f"n{number % 7}"},
        "status": {"podIPs": [{"ip": address}], "conditions": [condition], **status},
    }


def addresses(endpoints: Json, kind: str = "addresses") -> list[str]:
    return [one["ip"] for subset in endpoints["subsets"] for one in subset.get(kind, [])]


def build(found: list[Json], existing: Any = None, service: Json = SERVICE) -> epcore.EndpointsPlan:
    return epcore.build_endpoints(service, found, existing)


def test_ready_pods_come_apart_from_those_that_are_not() -> None:
    plan = build([pod(1), pod(2, ready=False), pod(3, phase="Failed")])
    assert plan.verb == "create"
    assert plan.object is not None
    made = plan.object.to_dict()
    assert (addresses(made), addresses(made, "notReadyAddresses")) == (["10.0.0.1"], ["10.0.0.2"])
    assert made["metadata"]["labels"] == {"app": "web", "endpoints.kubernetes.io/managed-by": "endpoint-controller"}
    assert (plan.object.ready, plan.object.not_ready, plan.object.truncated) == (1, 1, False)


def test_nothing_is_written_where_nothing_changed() -> None:
    found = [pod(1), pod(2)]
    first = build(found)
    again = build(list(reversed(found)), first.object)
    assert (again.verb, bool(again)) == (None, False)
    assert again.object == first.object


@pytest.mark.parametrize(
    ("spec", "verb"),
    [({"type": "ExternalName", "selector": {"app": "web"}}, None), ({"selector": {}}, None), ({}, None)],
    ids=str,
)
def test_a_service_without_pods_of_its_own_keeps_what_somebody_wrote(spec: Json, verb: None) -> None:
    plan = build([pod(1)], ENDPOINTS, {**SERVICE, "spec": spec})
    assert plan.verb is verb
    assert plan.object == epcore.LegacyEndpoints.from_object(ENDPOINTS)


def test_a_pod_with_a_bad_address_is_told() -> None:
    plan = build([pod(1), {**pod(2), "status": {"podIPs": [{"ip": "127.0.0.1"}]}}])
    assert plan.object is not None
    assert plan.object.ready == 1
    assert plan.errors == ['Pod shop/web-2: "127.0.0.1" cannot be the address of an endpoint']


def test_endpoints_of_another_service_are_refused() -> None:
    with pytest.raises(epcore.InvalidInputError, match="the Service is shop/web") as caught:
        build([], {"metadata": {"name": "other", "namespace": "shop"}})
    assert caught.value.path == "existing.metadata"


@given(st.lists(st.integers(0, 9), max_size=8, unique=True), services(), st.data())
def test_slices_of_a_service_say_what_its_endpoints_say(numbers: list[int], service: Json, data: st.DataObject) -> None:
    assume(service["spec"]["ports"] and "deletionTimestamp" not in service["metadata"])
    family = service["spec"].get("ipFamilies", ["IPv4"])[0]
    service["spec"]["ipFamilies"] = [family]
    service["metadata"]["labels"] = {}
    found = [data.draw(pods(number)) for number in numbers]
    found = [{**one, "spec": {**one["spec"], "nodeName": "n"}} for one in found]
    node = {"metadata": {"name": "n", "labels": {"topology.kubernetes.io/zone": "a"}}}
    slices = epcore.reconcile(service, found, [node]).result()
    merged = epcore.merge_endpoints(slices, family=family).to_dict()
    built = build(found, service=service).object
    assert built is not None
    assert [subset for subset in merged["subsets"] if "ports" in subset] == built.to_dict()["subsets"]
    assert merged["metadata"]["labels"]["endpointslice.kubernetes.io/skip-mirror"] == "true"


def slice_of(*held: str, family: str = "IPv4", **labels: str) -> Json:
    named = {SERVICE_NAME: "web", **{name.replace("_", "-"): value for name, value in labels.items()}}
    return {
        "metadata": {"name": f"web-{family.lower()}-{len(held)}", "namespace": "shop", "labels": named},
        "addressType": family,
        "endpoints": [{"addresses": [address]} for address in held],
        "ports": [{"name": "http", "port": 80}],
    }


def test_merging_leaves_out_what_is_going_and_what_is_of_the_other_family() -> None:
    going = {"addresses": ["10.0.0.9"], "conditions": {"ready": False, "terminating": True}}
    slices = [slice_of("10.0.0.1"), slice_of("2001:db8::1", family="IPv6"), {**slice_of(), "endpoints": [going]}]
    merged = epcore.merge_endpoints(slices, family="IPv4")
    assert addresses(merged.to_dict()) == ["10.0.0.1"]
    with pytest.raises(epcore.InvalidInputError, match="both families") as caught:
        epcore.merge_endpoints(slices)
    assert caught.value.path == "family"


@pytest.mark.parametrize("policy", ["balanced", "upstream"])
def test_a_port_name_with_two_numbers_makes_two_slices_in_whatever_subsets(policy: PolicyName) -> None:
    ports = [[{"name": "a", "port": number}] for number in (80, 81)]
    apart = {**ENDPOINTS, "subsets": [{"addresses": [{"ip": "10.0.0.1"}], "ports": some} for some in ports]}
    together = {**ENDPOINTS, "subsets": [{"addresses": [{"ip": "10.0.0.1"}], "ports": ports[0] + ports[1]}]}
    forms: list[Any] = [apart, together, epcore.LegacyEndpoints.from_object(apart).repack()]
    for form in forms:
        plan = epcore.mirror(WITHOUT_SELECTOR, form, policy=policy)
        held = [[port["port"] for port in one["ports"] or ()] for one in plan.result().to_dicts()]
        assert sorted(held) == [[80], [81]]


def with_all_fields(endpoint: Json, number: int) -> Json:
    """The same with what Endpoints have no word for, and a target with all of its fields."""
    more = {
        "addresses": [*endpoint["addresses"], f"10.1.0.{number}"],
        "conditions": {**endpoint.get("conditions", {}), "newer": number},
        "hints": {"forZones": [{"name": "a"}], "newer": number},
        "newer": number,
    }
    target = {"kind": "Pod", "name": f"x-{number}", "apiVersion": "v1", "resourceVersion": "7", "newer": number}
    return {**endpoint, **more, "targetRef": {**target, "fieldPath": "spec.containers{a}"}}


@given(st.lists(slice_endpoints(), max_size=8), st.lists(st.booleans(), min_size=8))
def test_merged_endpoints_are_what_their_json_says(held: list[Json], whole: list[bool]) -> None:
    listed = [with_all_fields(one, n) if more else one for n, (one, more) in enumerate(zip(held, whole, strict=False))]
    merged = epcore.merge_endpoints([{**slice_of(), "endpoints": listed}])
    assert epcore.LegacyEndpoints.from_json(merged.to_json()) == merged
    assert pickle.loads(pickle.dumps(merged)) == merged
    assert merged.repack() == merged


@pytest.mark.parametrize(
    ("slices", "path"),
    [
        ([], "slices"),
        ([slice_of(), {**slice_of(), "metadata": {"name": "a"}}], "slices[1].metadata.labels"),
        (
            [slice_of(), {**slice_of(), "metadata": {"name": "a", "labels": {SERVICE_NAME: "b"}}}],
            "slices[1].metadata.labels",
        ),
        ([slice_of("a.example.org", family="FQDN")], "slices[0].addressType"),
    ],
    ids=["no slice", "no Service", "two Services", "names"],
)
def test_what_endpoints_cannot_say_is_refused(slices: list[Json], path: str) -> None:
    with pytest.raises(epcore.InvalidInputError) as caught:
        epcore.merge_endpoints(slices)
    assert caught.value.path == path


def test_above_a_thousand_addresses_ready_ones_stay() -> None:
    found = [pod(number, ready=number > 100) for number in range(1, 1201)]
    made = build(found).object
    assert made is not None
    assert (made.ready, made.not_ready, made.truncated) == (1000, 0, True)
    assert made.annotations["endpoints.kubernetes.io/over-capacity"] == "truncated"
    # It is written again at each sync, as Kubernetes does, until it fits.
    assert build(found, made).verb == "update"
    fits = build(found[:500], made).object
    assert fits is not None
    assert not fits.truncated


def test_the_cost_of_a_change_is_the_size_of_the_objects() -> None:
    wanted = [{"addresses": [f"10.0.{number // 256}.{number % 256}"], "nodeName": "n"} for number in range(1, 1501)]
    slices = epcore.pack(wanted, template=slice_of(), naming="deterministic").result()
    cost = epcore.change_cost(slices, watchers=5000)
    whole = [{"ip": f"10.0.{number // 256}.{number % 256}", "nodeName": "n"} for number in range(1, 1501)]
    sizes = [len(one.to_json()) for one in slices]
    assert (cost.endpoints, cost.slices, cost.left_out, cost.watchers) == (1500, 15, 500, 5000)
    assert cost.slice_bytes_most == max(sizes)
    assert cost.slice_bytes == -(-sum(sizes) // 15)
    assert cost.slice_bytes_total == cost.slice_bytes * 5000
    assert cost.endpoints_bytes == len(epcore.merge_endpoints(slices).to_json())
    listed = len(json.dumps(whole, separators=(",", ":")))
    assert listed < cost.endpoints_bytes_whole < listed + 400
    assert cost.endpoints_bytes_total == cost.endpoints_bytes_whole * 5000
    assert cost.to_dict()["left_out"] == 500
    assert str(cost).startswith(f"one of 1,500 endpoints changes; EndpointSlices (15): {cost.slice_bytes:,} bytes")
    assert str(cost).endswith(f"or {cost.endpoints_bytes:,} to each with 500 addresses left out")


def mirrored(case: Json, **options: Any) -> epcore.Plan:
    return epcore.mirror(case["service"], case["endpoints"], case["slices"], **options)


POLICIES: list[PolicyName] = ["balanced", "dense", "lean"]


@given(mirrors(), st.sampled_from(POLICIES), st.integers(1, 5))
def test_slices_mirror_every_address_once(case: Json, policy: PolicyName, most: int) -> None:
    before = copy.deepcopy(case)
    plan = mirrored(case, policy=policy, max_endpoints=most)
    assert case == before
    left = plan.result()
    if case["endpoints"] is None or case["service"] is None or case["service"]["spec"].get("selector"):
        assert len(left) == 0
        return
    metadata = case["endpoints"]["metadata"]
    skipped = metadata.get("labels", {}).get("endpointslice.kubernetes.io/skip-mirror") == "true"
    if skipped or "control-plane.alpha.kubernetes.io/leader" in metadata.get("annotations", {}):
        assert len(left) == 0
        return
    wanted = wanted_of(case["endpoints"])
    found: list[tuple[str, str, str]] = []
    for slice_ in canonical(list(map(dict, left.to_dicts()))):
        for endpoint in slice_["endpoints"]:
            keys = keys_of(slice_, endpoint["addresses"][0], endpoint)
            assert all(endpoint["conditions"]["ready"] in wanted[key] for key in keys)
            found += keys
    assert len(set(found)) == len(found)
    assert not [one for one in epcore.lint(left) if one.severity == "error"]
    if "deletionTimestamp" in metadata:
        return
    assert set(found) == set(wanted)
    assert all(len(one) <= most for one in left)
    for one in left:
        assert one.labels == {**metadata.get("labels", {}), SERVICE_NAME: "db", MANAGED_BY: MIRRORING}
        kept = {name: value for name, value in metadata.get("annotations", {}).items() if name == "note"}
        assert one.annotations == kept
    again = mirrored({**case, "slices": stored(left)}, policy=policy, max_endpoints=most)
    assert not again, again


def keys_of(ports: Json, address: str, endpoint: Json) -> list[tuple[str, str, str]]:
    """One for each port."""
    names = [f"{port.get('name', '')} {port['port']}" for port in ports.get("ports", [])]
    return [(name, address, endpoint.get("targetRef", {}).get("name", "")) for name in names or [""]]


def wanted_of(endpoints: Json) -> dict[tuple[str, str, str], set[bool]]:
    """Each endpoint of the canonical form, with the readiness that it has in one of its entries."""
    wanted: dict[tuple[str, str, str], set[bool]] = {}
    for subset in epcore.LegacyEndpoints.from_object(endpoints).repack().to_dict()["subsets"]:
        for kind, ready in (("addresses", True), ("notReadyAddresses", False)):
            for one in subset.get(kind, []):
                for key in keys_of(subset, one["ip"], one) if one["ip"] in ADDRESSES else []:
                    wanted.setdefault(key, set()).add(ready)
    return wanted


def mirror(
    endpoints: Json | None = ENDPOINTS, slices: Any = (), service: Json | None = WITHOUT_SELECTOR, **more: Any
) -> epcore.Plan:
    return epcore.mirror(service, endpoints, slices, **more)


@pytest.mark.parametrize("policy", ["balanced", "upstream"])
def test_the_name_of_a_slice_that_is_being_deleted_is_not_given_again(policy: PolicyName) -> None:
    going: list[Json] = [dict(one) for one in mirror(policy=policy, naming="deterministic").result().to_dicts()]
    for one in going:
        one["metadata"] = {**one["metadata"], "deletionTimestamp": "2026-01-01T00:00:00Z"}
    plan = mirror(slices=going, policy=policy, naming="deterministic")
    assert {write.verb for write in plan.writes} == {"create"}
    assert not {write.name for write in plan.writes} & {one["metadata"]["name"] for one in going}


def test_an_address_that_goes_takes_nothing_with_it() -> None:
    first = stored(mirror(max_endpoints=1).result())
    fewer = copy.deepcopy(ENDPOINTS)
    del fewer["subsets"][0]["addresses"][0]
    plan = mirror(fewer, first, max_endpoints=1)
    assert [write.verb for write in plan.writes] == ["delete"]


def test_labels_annotations_and_owner_follow_the_endpoints() -> None:
    first = stored(mirror().result())
    other = {
        **ENDPOINTS,
        "metadata": {**ENDPOINTS["metadata"], "uid": "e2", "labels": {"a": "b"}, "annotations": {"c": "d"}},
    }
    for policy in ("balanced", "upstream"):
        plan = mirror(other, first, policy=policy)
        (left,) = plan.result()
        assert [write.verb for write in plan.writes] == ["update"]
        assert (left.labels["a"], left.annotations) == ("b", {"c": "d"})
        assert [owner["uid"] for owner in left.to_dict()["metadata"]["ownerReferences"]] == ["e2"]
        assert not mirror(other, stored(plan.result()), policy=policy)


def test_addresses_that_are_none_are_told() -> None:
    bad = {
        **ENDPOINTS,
        "subsets": [{"addresses": [{"ip": "x"}, {"ip": "10.0.0.1"}, {"ip": "127.0.0.1"}], "ports": [{"port": 1}]}],
    }
    plan = mirror(bad)
    assert plan.stats.endpoints_added == 1
    assert [event["reason"] for event in plan.events] == ["InvalidIPAddress"]


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        (["127.0.0.1"], '"127.0.0.1" is no address that a slice may have: not mirrored'),
        (["x", "::1", "x"], '"::1" and "x" are no addresses that a slice may have: not mirrored'),
        (["a", "b", "c", "d", "e"], '"a", "b", "c" and 2 others are no addresses that a slice may have: not mirrored'),
        (["a", "b", "c", "d"], '"a", "b", "c" and 1 other are no addresses that a slice may have: not mirrored'),
    ],
    ids=["one", "two", "many", "one more"],
)
def test_addresses_that_are_not_mirrored_are_named(bad: list[str], told: str) -> None:
    plan = mirror({**ENDPOINTS, "subsets": [{"addresses": [{"ip": ip} for ip in ["10.0.0.1", *bad]]}]})
    assert [event["message"] for event in plan.events] == [told]


def test_only_kubernetes_rule_leaves_addresses_out() -> None:
    many = {
        **ENDPOINTS,
        "subsets": [
            {"addresses": [{"ip": f"10.0.{n // 250}.{n % 250}"} for n in range(1, 1501)], "ports": [{"port": 1}]}
        ],
    }
    assert mirror(many).stats.endpoints_added == 1500
    cut = mirror(many, policy="upstream")
    assert (cut.stats.creates, cut.stats.endpoints_added) == (1, 1000)
    assert [event["reason"] for event in cut.events] == ["TooManyAddressesToMirror"]
    assert [event["message"] for event in cut.events] == ["500 addresses above 1000 of a subset are not mirrored"]
    (event,) = mirror(policy="upstream", max_endpoints=1).events
    assert event["message"] == "1 address above 1 of a subset is not mirrored"
    assert mirror(many, policy="upstream", max_endpoints=7).stats.endpoints_added == 7


def test_a_limit_of_bytes_holds_for_kubernetes_rule_too() -> None:
    with pytest.raises(epcore.LimitError) as caught:
        mirror(policy="upstream", max_bytes=200)
    assert caught.value.limit == 200


def test_a_mirrored_slice_that_fits_can_be_written_again() -> None:
    """What the API server added to it meanwhile does not count, and the trigger time does at once."""
    options: Any = {"policy": "upstream", "trigger_time": "2026-01-01T00:00:00.000001Z"}

    def size(plan: epcore.Plan) -> int:
        (write,) = plan.writes
        return len(write.to_json()) + (len("web-12345") if write.name is None else 0)

    least = next(limit for limit in range(300, 1_000) if fits(limit, **options))
    created = mirror(max_bytes=least, **options)
    assert size(created) <= least
    held = stored(created.result())
    held[0]["metadata"] |= {"name": "web-12345", "uid": "u" * 36, "resourceVersion": "1000"}
    other: Json = copy.deepcopy(ENDPOINTS)
    other["subsets"][0]["addresses"][0]["ip"] = "10.0.0.3"
    assert len(mirror(other, held, max_bytes=least, **options)) == 1


def fits(limit: int, **options: Any) -> bool:
    try:
        mirror(max_bytes=limit, **options)
    except epcore.LimitError:
        return False
    return True


def test_a_mirrored_slice_that_is_meant_for_some_endpoints_says_so_within_its_limit() -> None:
    """The annotations of a slice are those of the Endpoints, and what it is meant for."""
    listed = [{"ip": f"10.0.0.{number}"} for number in range(1, 9)]
    before, after = (
        {**ENDPOINTS, "subsets": [{kind: listed, "ports": [{"name": "http", "port": 80}]}]}
        for kind in ("notReadyAddresses", "addresses")
    )
    held = stored(mirror(before).result())
    held[0]["metadata"]["annotations"] = {"epcore/role": "leaving"}
    for limit in range(600, 1_200, 8):
        plan = mirror(after, held, policy="lifecycle", max_bytes=limit)
        assert all(len(write.to_json()) <= limit for write in plan.writes if write.verb != "delete")


@pytest.mark.parametrize(
    ("service", "endpoints", "path"),
    [
        (None, None, ""),
        (WITHOUT_SELECTOR, {"metadata": {"name": "other", "namespace": "shop"}}, "endpoints.metadata"),
        (WITHOUT_SELECTOR, {"metadata": {}}, "endpoints.metadata.name"),
        (WITHOUT_SELECTOR, {**ENDPOINTS, "subsets": 7}, "endpoints.subsets"),
        (
            WITHOUT_SELECTOR,
            {**ENDPOINTS, "subsets": [{"addresses": [{"ip": 7}]}]},
            "endpoints.subsets[0].addresses[0].ip",
        ),
        (WITHOUT_SELECTOR, {**ENDPOINTS, "kind": "Service"}, "endpoints.kind"),
        (
            WITHOUT_SELECTOR,
            {**ENDPOINTS, "subsets": [{}, {"notReadyAddresses": [{"ip": "10.0.0.1", "hostname": "A"}]}]},
            "endpoints.subsets[1].notReadyAddresses[0].hostname",
        ),
        (WITHOUT_SELECTOR, [ENDPOINTS, ENDPOINTS], "endpoints"),
    ],
    ids=["nothing", "another name", "no name", "no list", "no text", "another kind", "bad host name", "two"],
)
def test_bad_endpoints_are_refused_with_their_place(service: Any, endpoints: Any, path: str) -> None:
    with pytest.raises(epcore.InvalidInputError) as caught:
        epcore.mirror(service, endpoints)
    assert caught.value.path == path


def test_bytes_have_the_offset_of_what_is_wrong() -> None:
    text = json.dumps({**ENDPOINTS, "subsets": [{"ports": [{"port": "http"}]}]}).encode()
    with pytest.raises(epcore.InvalidInputError) as caught:
        epcore.LegacyEndpoints.from_json(text)
    assert (caught.value.path, caught.value.offset) == ("endpoints.subsets[0].ports[0].port", text.index(b'"http"'))


def test_what_is_wrong_with_an_object_that_is_there_is_told_of_that_one() -> None:
    for existing in (b'{"subsets": 7}', {"subsets": 7}):
        with pytest.raises(epcore.InvalidInputError) as caught:
            build([], existing)
        assert caught.value.path == "existing.subsets"
    with pytest.raises(epcore.InvalidInputError) as caught:
        build([], b'{"kind": "PodList", "items": []}')
    assert caught.value.path == "existing.kind"


@given(endpoints_objects(strange=True))
def test_an_object_survives_writing_pickling_and_reading(endpoints: Json) -> None:
    made = epcore.LegacyEndpoints.from_object(endpoints)
    assert epcore.LegacyEndpoints.from_json(made.to_json()) == made
    assert pickle.loads(pickle.dumps(made)) == made
    assert made.to_dict() == json.loads(made.to_json())
    assert {**made.to_dict()["metadata"]} == endpoints["metadata"]


def test_fields_that_are_not_known_survive_an_update() -> None:
    made = build([pod(1)]).object
    assert made is not None
    there = made.to_dict()
    there["metadata"] |= {"resourceVersion": "7", "ownerReferences": [{"kind": "X"}], "annotations": {"mine": "1"}}
    written = build([pod(1), pod(2)], {**there, "more": {"a": 1}})
    assert written.verb == "update"
    assert written.object is not None
    again = written.object.to_dict()
    assert again["more"] == {"a": 1}
    assert again["metadata"]["annotations"] == {"mine": "1"}
    assert (again["metadata"]["resourceVersion"], again["metadata"]["ownerReferences"]) == ("7", [{"kind": "X"}])


def test_a_headless_service_says_so() -> None:
    headless = {**SERVICE, "spec": {**SERVICE["spec"], "clusterIP": "None", "ports": []}}
    made = build([pod(1)], service=headless).object
    assert made is not None
    assert made.labels[HEADLESS] == ""
    assert made.to_dict()["subsets"] == [{"addresses": made.to_dict()["subsets"][0]["addresses"]}]
