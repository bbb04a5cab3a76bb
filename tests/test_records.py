"""Every attribute of every record, beside the JSON of the same thing."""

import json
from typing import Any

import pytest

import epcore
from strategies import TEMPLATE, Json, slice_of

FULL: Json = {
    "addresses": ["10.0.0.1"],
    "conditions": {"ready": True, "serving": True, "terminating": False},
    "hostname": "h",
    "targetRef": {"kind": "Pod", "namespace": "shop", "name": "web-1-a", "uid": "u1"},
    "nodeName": "n1",
    "zone": "a",
}


def test_an_endpoint_says_what_its_json_says() -> None:
    (full, bare) = epcore.EndpointSet.from_objects([FULL, {"addresses": ["::1:2"]}])
    assert (full.addresses, full.ready, full.serving, full.terminating) == (["10.0.0.1"], True, True, False)
    assert (full.hostname, full.node_name, full.zone) == ("h", "n1", "a")
    assert (full.target_namespace, full.target_name, full.target_uid) == ("shop", "web-1-a", "u1")
    assert json.loads(full.to_json()) == full.to_dict() == FULL
    assert "10.0.0.1" in repr(full)
    nothing = {bare.ready, bare.serving, bare.terminating, bare.hostname, bare.node_name, bare.zone}
    assert nothing | {bare.target_namespace, bare.target_name, bare.target_uid} == {None}
    handle = epcore.EndpointSet.from_objects([FULL])
    assert json.loads(handle.to_json()) == handle.to_dicts() == [FULL]


def test_a_slice_says_what_its_json_says() -> None:
    given = slice_of("web-1", [FULL], annotations={"a": "b"}, generateName="web-")
    handle = epcore.SliceSet.from_objects(given)
    (slice_,) = handle
    assert (slice_.name, slice_.generate_name, slice_.namespace, slice_.service) == ("web-1", "web-", "shop", "web")
    assert (slice_.address_type, slice_.labels, slice_.annotations) == ("IPv4", given["metadata"]["labels"], {"a": "b"})
    assert [one.to_dict() for one in slice_.endpoints] == [FULL]
    assert json.loads(slice_.to_json()) == slice_.to_dict() == handle.to_dicts()[0]
    assert (len(slice_), bool(slice_)) == (1, True)
    assert "web-1" in repr(slice_)


def test_a_change_says_what_its_json_says() -> None:
    moved = {**FULL, "addresses": ["10.0.0.9"]}
    before = [slice_of("web-1", [FULL, {"addresses": ["10.0.0.2"]}]), slice_of("web-2", [moved])]
    updated = {**FULL, "conditions": {"ready": False}}
    after = [slice_of("web-1", [updated, {"addresses": ["10.0.0.3"]}, moved])]
    delta = epcore.diff(before, after)
    assert len(delta) == 4
    assert [len(many) for many in (delta.added, delta.removed, delta.updated, delta.moved)] == [1, 1, 1, 1]
    (change,) = delta.updated
    assert (change.namespace, change.service, change.address) == ("shop", "web", "10.0.0.1")
    assert (change.port_name, change.port, change.protocol) == ("http", 80, "TCP")
    assert change.reasons == ["conditions"]
    assert change.before is not None
    assert change.after is not None
    assert (change.before.ready, change.after.ready) == (True, False)
    told = delta.to_dict()
    assert told == json.loads(delta.to_json())
    assert told["updated"] == [change.to_dict()]
    assert repr(change) == '<Change "shop/web 10.0.0.1 http TCP 80": conditions>'
    assert repr(delta.removed[0]) == '<Change "shop/web 10.0.0.2 http TCP 80">'
    (by_address,) = epcore.diff(before, after, key="address").updated
    assert (by_address.port_name, by_address.port, by_address.protocol) == (None, None, None)


def test_changes_are_a_sequence_of_values() -> None:
    held = [{**FULL, "addresses": [f"10.0.0.{number}"]} for number in range(1, 5)]
    slices = [slice_of("a", held[:3]), slice_of("b", held[3:])]
    added, again = (epcore.diff([], slices).added for _ in range(2))
    changes = list(added)
    assert list(again) == changes
    assert list(reversed(added)) == changes[::-1]
    assert len({*changes, *again}) == len(changes) == 4
    assert [added.index(change) for change in changes] == [0, 1, 2, 3]
    assert [added.count(changes[0]), added[1:].count(changes[0])] == [1, 0]
    assert changes[0] in added
    assert changes[0] not in added[1:]
    assert "10.0.0.1" not in added
    (removed,) = epcore.diff(slices[1:], []).removed
    assert removed != changes[3]
    with pytest.raises(ValueError, match="no record"):
        added.index(changes[0], 1)


def test_a_transition_says_what_its_json_says() -> None:
    delta = epcore.diff([slice_of("web-1", [FULL])], [slice_of("web-1", [])])
    (gone,) = delta.transitions
    assert (gone.namespace, gone.service, gone.port_name, gone.protocol) == ("shop", "web", "http", "TCP")
    counts = (gone.endpoints_before, gone.endpoints_after, gone.ready_before, gone.ready_after)
    assert counts == (1, 0, 1, 0)
    assert delta.to_dict()["transitions"] == [gone.to_dict()]
    assert "1 -> 0 endpoints" in repr(gone)


def test_an_assignment_says_what_its_dict_says() -> None:
    items = [(name, 1, 100, None) for name in "abc"]
    found = epcore.assign(items, [items[:2], [("gone", 1, 1, None)]], max_items=2)
    assert found.to_dict() == {
        "containers": [["a", "b"], ["c"]],
        "written": [1],
        "deleted": [],
        "moved": [],
        "write_floor": 1,
    }
    assert (found.deleted, found.moved, found.write_floor) == ([], [], 1)
    assert repr(found) == "<Assignment: 2 containers, 1 written>"


def test_assign_keeps_each_container_under_its_bytes() -> None:
    items = [(str(number), 1, 10 + 37 * number % 50, None) for number in range(40)]
    found = epcore.assign(items, [items[:9]], max_items=100, max_bytes=120)
    sizes = {key: size for key, _, size, _ in items}
    assert all(sum(sizes[key] for key in held) <= 120 for held in found.containers)
    assert sorted(key for held in found.containers for key in held) == sorted(sizes)
    assert set(found.moved) == {key for key, *_ in items[:9]} - set(found.containers[0])


@pytest.mark.parametrize(
    ("call", "error", "path"),
    [
        (lambda: epcore.assign([], [], max_items=0), epcore.LimitError, "max_items"),
        (lambda: epcore.assign([("a", 1, 1, None)] * 2, []), epcore.InvalidInputError, "wanted[1].key"),
        (lambda: epcore.assign([("a", 1, 9, None)], [], max_bytes=8), epcore.LimitError, "wanted[0].size"),
    ],
)
def test_assign_names_what_is_wrong(call: Any, error: type[epcore.EpcoreError], path: str) -> None:
    with pytest.raises(error) as caught:
        call()
    assert caught.value.path == path  # type: ignore[attr-defined]


def test_nothing_wanted_and_nothing_there_is_an_empty_plan() -> None:
    plan = epcore.pack([])
    assert (bool(plan), len(plan.result()), str(plan)) == (False, 0, "nothing to write")


@pytest.mark.parametrize("cohort", ["targetRef.kind", "targetRef.namespace", "targetRef.name", "hostname", "zone"])
def test_a_field_is_a_cohort(cohort: str) -> None:
    part: Any = FULL
    for name in cohort.split("."):
        part = part[name]
    assert epcore.cohort_of([FULL, {"addresses": ["10.0.0.2"]}], cohort) == [part, None]
    assert epcore.pack([FULL], template=TEMPLATE, cohort=cohort).stats.writes == 1


def test_a_word_that_is_no_other_cohort_names_a_further_field() -> None:
    further = {"addresses": ["10.0.0.1"], "nodeName": "n", "rack": ["r", 1]}
    assert epcore.cohort_of([further, FULL], "rack") == ['["r",1]', None]
    assert epcore.cohort_of([further, FULL], "nod") == [None, None]
