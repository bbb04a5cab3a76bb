"""What handles know of themselves never shows: the plan is that of looking at each endpoint and at each slice."""

import copy
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import epcore

Json = dict[str, Any]
Edit = Callable[[Json], object]

OURS = "db-sync.example.com"
SERVICE_NAME, MANAGED_BY = "kubernetes.io/service-name", "endpointslice.kubernetes.io/managed-by"
SERVICE: Json = {
    "metadata": {"name": "db", "namespace": "shop", "uid": "u-db", "labels": {"team": "storage"}},
    "spec": {"clusterIP": "10.96.0.9", "ports": [{"name": "sql", "port": 5432}]},
}
COUNT, MOST = 90, 30
"""Enough for what is found out about many at once, in three slices."""
PLACES = [0, 44, COUNT - 1]


def endpoint(number: int) -> Json:
    return {
        "addresses": [f"10.0.{number // 50}.{number % 50 + 1}"],
        "conditions": {"ready": True, "serving": True, "terminating": False},
        "hostname": f"h-{number}",
        "nodeName": f"n-{number % 7}",
        "zone": f"z-{number % 3}",
        "hints": {"forZones": [{"name": f"z-{number % 3}"}]},
        "targetRef": {"kind": "VM", "namespace": "shop", "name": f"vm-{number}", "uid": f"u-{number}"},
    }


WANTED = [endpoint(number) for number in range(COUNT)]


def held(number: int) -> Json:
    """One of the slices that hold them in order."""
    (one,) = publish(SERVICE, WANTED[MOST * number : MOST * (number + 1)], (), cohort=None).result().to_dicts()
    metadata = {**one["metadata"], "name": f"db-{number}", "uid": f"s-{number}", "resourceVersion": str(number + 1)}
    return copy.deepcopy({**one, "metadata": metadata})


def publish(service: Json, wanted: Any, slices: Any, **options: Any) -> epcore.Plan:
    return epcore.publish(service, wanted, slices, **{"managed_by": OURS, "max_endpoints": MOST, **options})


SLICES = [held(number) for number in range(COUNT // MOST)]
assert [one for held_ in SLICES for one in held_["endpoints"]] == WANTED
SLICE_SET = epcore.SliceSet.from_objects(SLICES)
ENDPOINT_SET = epcore.EndpointSet.from_objects(WANTED)


def foreign(slices: list[Json]) -> list[Json]:
    """One more slice, of another writer: now no slice stands for all."""
    other = copy.deepcopy(SLICES[0])
    other["metadata"] |= {"name": "zz", "labels": {SERVICE_NAME: "db", MANAGED_BY: "someone.example.com"}}
    return [*slices, other]


def ports_of(service: Json) -> list[Json]:
    numbers = [{**port, "port": port.get("targetPort", port["port"])} for port in service["spec"]["ports"]]
    return [{name: value for name, value in port.items() if name != "targetPort"} for port in numbers]


def each_by_itself(service: Json, wanted: list[Json]) -> list[Json]:
    """The same, but every second one says its ports: now no one's ports stand for all."""
    return [{**one, "ports": ports_of(service)} if number % 2 else one for number, one in enumerate(wanted)]


def outcome(call: Callable[[], epcore.Plan]) -> Any:
    """All that there is to see of a plan: of both calls the slices are named alike."""
    try:
        plan = call()
    except epcore.EpcoreError as error:
        return type(error), str(error), getattr(error, "path", None)
    return plan.to_json(), plan.events, plan.errors, plan.result().to_json()


def planned(service: Json, wanted: list[Json], slices: list[Json], **options: Any) -> Any:
    """What is planned by handles whatever they were asked before, which is what is planned plainly."""
    plainly = outcome(lambda: publish(service, each_by_itself(service, wanted), foreign(slices), **options))
    endpoint_set, slice_set = epcore.EndpointSet.from_objects(wanted), epcore.SliceSet.from_objects(slices)

    def ask() -> Any:
        return outcome(lambda: publish(service, endpoint_set, slice_set, **options))

    known = [ask(), ask()]
    # Each is asked with what was known before, and the others: they know all there is to know now.
    for endpoints in (endpoint_set, ENDPOINT_SET):
        for held in (slice_set, SLICE_SET):
            outcome(partial(publish, SERVICE, endpoints, held))
    known.append(ask())
    from_bytes = outcome(lambda: publish(service, endpoint_set.to_json(), slice_set.to_json(), **options))
    assert known == [plainly] * 3
    assert from_bytes == plainly
    return plainly


def nothing(service: Json, wanted: list[Json], slices: list[Json]) -> bool:
    return not publish(service, wanted, slices)


def test_nothing_is_written_where_nothing_changed_in_whatever_order() -> None:
    for wanted in (WANTED, WANTED[::-1], [*WANTED[40:], *WANTED[:40]]):
        for slices in (SLICES, SLICES[::-1]):
            assert nothing(SERVICE, wanted, slices)
            planned(SERVICE, wanted, slices)


ENDPOINT_EDITS: dict[str, Edit] = {
    "address": lambda one: one.update(addresses=["10.9.9.9"]),
    "family": lambda one: one.update(addresses=["2001:db8::1"]),
    "name": lambda one: one.update(addresses=["db.example.org"]),
    "second address": lambda one: one.update(addresses=[*one["addresses"][:1], "10.9.9.8"]),
    "ready": lambda one: one.setdefault("conditions", {}).update(ready=False),
    "serving": lambda one: one.setdefault("conditions", {}).update(serving=False),
    "terminating": lambda one: one.setdefault("conditions", {}).update(terminating=True),
    "no conditions": lambda one: one.pop("conditions", None),
    "hostname": lambda one: one.update(hostname="other"),
    "nodeName": lambda one: one.update(nodeName="other"),
    "zone": lambda one: one.pop("zone", None),
    "hints": lambda one: one.update(hints={"forZones": [{"name": "other"}]}),
    "kind": lambda one: one["targetRef"].update(kind="Pod"),
    "namespace": lambda one: one["targetRef"].update(namespace="other"),
    "target": lambda one: one["targetRef"].update(name="other"),
    "uid": lambda one: one["targetRef"].update(uid="other"),
    "fieldPath": lambda one: one["targetRef"].update(fieldPath="spec"),
    "a field of a newer API": lambda one: one.update(weight=1),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("edit", ENDPOINT_EDITS)
def test_a_change_of_one_endpoint_is_seen_on_either_side(edit: str, place: int) -> None:
    wanted, slices = copy.deepcopy(WANTED), copy.deepcopy(SLICES)
    ENDPOINT_EDITS[edit](wanted[place])
    assert not nothing(SERVICE, wanted, SLICES)
    planned(SERVICE, wanted, SLICES)
    if edit not in {"family", "name"}:
        ENDPOINT_EDITS[edit](slices[place // MOST]["endpoints"][place % MOST])
        # What is wanted does not name the field, and so it stays.
        assert nothing(SERVICE, WANTED, slices) == (edit == "a field of a newer API")
        planned(SERVICE, WANTED, slices)
        assert nothing(SERVICE, wanted, slices)
        planned(SERVICE, wanted, slices)


def test_what_comes_goes_or_is_there_twice_is_seen() -> None:
    for wanted in ([*WANTED, endpoint(COUNT)], WANTED[1:], WANTED[:-1], []):
        assert not nothing(SERVICE, wanted, SLICES)
        planned(SERVICE, wanted, SLICES)
    twin = {**WANTED[3], "zone": "other"}
    for wanted in ([*WANTED, WANTED[3]], [WANTED[3], *WANTED], [*WANTED, twin], [twin, *WANTED]):
        planned(SERVICE, wanted, SLICES)
    slices = copy.deepcopy(SLICES)
    slices[2]["endpoints"][-1] = copy.deepcopy(WANTED[3])
    for wanted in (WANTED, [*WANTED[:-1], WANTED[3]]):
        assert not nothing(SERVICE, wanted, slices)
        planned(SERVICE, wanted, slices)


def of_port(one: Json) -> Json:
    """The first port, if there still is one."""
    found: Json = next(iter(one["ports"]), {})
    return found


SERVICE_EDITS: dict[str, Edit] = {
    "port": lambda one: of_port(one["spec"]).update(port=5433),
    "targetPort": lambda one: of_port(one["spec"]).update(targetPort=15432),
    "name of the port": lambda one: of_port(one["spec"]).update(name="other"),
    "protocol": lambda one: of_port(one["spec"]).update(protocol="UDP"),
    "appProtocol": lambda one: of_port(one["spec"]).update(appProtocol="sql"),
    "another port": lambda one: one["spec"]["ports"].append({"name": "admin", "port": 80}),
    "no port": lambda one: one["spec"].update(ports=[]),
    "a label": lambda one: one["metadata"]["labels"].update(team="other"),
    "no label": lambda one: one["metadata"]["labels"].clear(),
    "uid": lambda one: one["metadata"].update(uid="other"),
    "no uid": lambda one: one["metadata"].pop("uid", None),
    "name": lambda one: one["metadata"].update(name="other"),
    "namespace": lambda one: one["metadata"].update(namespace="other"),
    "headless": lambda one: one["spec"].update(clusterIP="None"),
    "going": lambda one: one["metadata"].update(deletionTimestamp="2026-01-02T03:04:05Z", labels={}),
}


@pytest.mark.parametrize("edit", SERVICE_EDITS)
def test_a_change_of_the_service_is_seen(edit: str) -> None:
    service = copy.deepcopy(SERVICE)
    SERVICE_EDITS[edit](service)
    assert not nothing(service, WANTED, SLICES)
    planned(service, WANTED, SLICES)


SLICE_EDITS: dict[str, Edit] = {
    "a label": lambda one: one["metadata"]["labels"].update(team="other"),
    "one label more": lambda one: one["metadata"]["labels"].update(other="x"),
    "the writer": lambda one: one["metadata"]["labels"].update({MANAGED_BY: "other.example.com"}),
    "the Service": lambda one: one["metadata"]["labels"].update({SERVICE_NAME: "other"}),
    "namespace": lambda one: one["metadata"].update(namespace="other"),
    "owner": lambda one: one["metadata"]["ownerReferences"][0].update(uid="other"),
    "kind of the owner": lambda one: one["metadata"]["ownerReferences"][0].update(kind="Endpoints"),
    "a move half done": lambda one: one["metadata"].update(annotations={"epcore/moving": "true"}),
    "going": lambda one: one["metadata"].update(deletionTimestamp="2026-01-02T03:04:05Z"),
    "port": lambda one: of_port(one).update(port=5433),
    "name of the port": lambda one: of_port(one).update(name="other"),
    "protocol": lambda one: of_port(one).update(protocol="UDP"),
    "no port": lambda one: one["ports"].clear(),
    "no endpoints": lambda one: one["endpoints"].clear(),
}
UNSEEN_EDITS: dict[str, Edit] = {
    "version": lambda one: one["metadata"].update(resourceVersion="77"),
    "no owner": lambda one: one["metadata"].pop("ownerReferences"),
    "an annotation": lambda one: one["metadata"].update(annotations={"note": "x"}),
    "a time": lambda one: one["metadata"].update(
        annotations={"endpoints.kubernetes.io/last-change-trigger-time": "2026-01-02T03:04:05Z"}
    ),
    "name": lambda one: one["metadata"].update(name=one["metadata"]["name"] + "-x"),
    "a field of a newer API": lambda one: one.update(later=1),
}

ALL_SLICE_EDITS = {**SLICE_EDITS, **UNSEEN_EDITS}


@pytest.mark.parametrize("place", range(len(SLICES)))
@pytest.mark.parametrize("edit", ALL_SLICE_EDITS)
def test_a_change_of_one_slice_is_seen(edit: str, place: int) -> None:
    slices = copy.deepcopy(SLICES)
    ALL_SLICE_EDITS[edit](slices[place])
    assert nothing(SERVICE, WANTED, slices) == (edit in UNSEEN_EDITS)
    planned(SERVICE, WANTED, slices)


@pytest.mark.parametrize("edit", ALL_SLICE_EDITS)
def test_a_change_of_all_slices_is_seen(edit: str) -> None:
    slices = copy.deepcopy(SLICES)
    for one in slices:
        ALL_SLICE_EDITS[edit](one)
    planned(SERVICE, WANTED, slices)


def test_two_of_one_name_are_one_slice_whichever_is_newer() -> None:
    for edit in ALL_SLICE_EDITS.values():
        for version in ("0", "99"):
            other = copy.deepcopy(SLICES[1])
            edit(other)
            other["metadata"] |= {"name": SLICES[1]["metadata"]["name"], "resourceVersion": version}
            planned(SERVICE, WANTED, [*SLICES, other])
            planned(SERVICE, WANTED, [other, *SLICES])


OPTIONS: list[Json] = [
    {"max_endpoints": 29},
    {"max_endpoints": 100},
    {"max_bytes": 9_000},
    {"policy": "upstream"},
    {"policy": "lifecycle"},
    {"policy": "dense"},
    {"compaction": epcore.Compaction(epsilon=0.0), "max_endpoints": 60},
    {"replace": "recycle"},
    {"naming": "deterministic"},
    {"trigger_time": "2026-01-02T03:04:05Z"},
    {"managed_by": "other.example.com"},
]
places = st.integers(0, COUNT - 1)
endpoint_edits = st.lists(st.tuples(st.sampled_from(sorted(ENDPOINT_EDITS)), places), max_size=2)
held_edits = st.lists(st.tuples(st.sampled_from(sorted({*ENDPOINT_EDITS} - {"family", "name"})), places), max_size=2)
slice_edits = st.lists(st.tuples(st.sampled_from(sorted({*ALL_SLICE_EDITS} - {"no owner"})), places), max_size=2)
service_edits = st.lists(st.sampled_from(sorted({*SERVICE_EDITS} - {"no port"})), max_size=1)


@given(endpoint_edits, held_edits, slice_edits, service_edits, st.sampled_from([{}, *OPTIONS]), places)
def test_whatever_changed_the_plan_is_that_of_looking_at_each(
    in_wanted: Any, in_held: Any, in_slices: Any, in_service: Any, options: Json, first: int
) -> None:
    service, wanted, slices = copy.deepcopy((SERVICE, WANTED, SLICES))
    for edit, place in in_wanted:
        ENDPOINT_EDITS[edit](wanted[place])
    for edit, place in in_held:
        ENDPOINT_EDITS[edit](slices[place // MOST]["endpoints"][place % MOST])
    for edit, place in in_slices:
        ALL_SLICE_EDITS[edit](slices[place // MOST])
    for edit in in_service:
        SERVICE_EDITS[edit](service)
    planned(service, [*wanted[first:], *wanted[:first]], slices, **options)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    "addresses", [["10.9.9.9", "2001:db8::1"], ["2001:db8::1", "10.9.9.9"], ["10.9.9.9", "db.example.org"], ["x.300"]]
)
def test_an_endpoint_that_no_slice_may_hold_is_refused_each_time(addresses: list[str], place: int) -> None:
    wanted = copy.deepcopy(WANTED)
    wanted[place]["addresses"] = addresses
    (kind, text, path) = planned(SERVICE, wanted, SLICES)
    assert kind is epcore.InvalidInputError
    assert path.startswith(f"endpoints[{place}].addresses[")
    handle = epcore.EndpointSet.from_objects(wanted)
    assert {outcome(lambda: publish(SERVICE, handle, SLICE_SET))[1] for _ in range(3)} == {text}


def test_a_port_that_the_service_does_not_tell_is_refused_each_time() -> None:
    service = copy.deepcopy(SERVICE)
    service["spec"]["ports"][0]["targetPort"] = "pg"
    calls = [outcome(lambda: publish(service, ENDPOINT_SET, SLICE_SET)) for _ in range(3)]
    assert calls == [calls[0]] * 3
    assert calls[0][2] == "endpoints[0]"
    assert not publish(SERVICE, ENDPOINT_SET, SLICE_SET)
