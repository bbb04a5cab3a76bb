"""Handles as sequences: all that a tuple of their records does, and what is equal has one hash."""

import copy
import gc
import operator
import pickle
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

import epcore
from strategies import slice_of

ENDPOINTS = [{"addresses": [f"10.0.0.{number}"], "zone": "abc"[number % 3]} for number in (1, 2, 3, 1, 2)]
SLICES = [slice_of(f"web-{number}", ENDPOINTS[:number]) for number in (1, 2, 3, 2, 1)]

HANDLES: list[Sequence[Any]] = [
    epcore.SliceSet.from_objects(SLICES),
    epcore.SliceSet.from_objects(SLICES).refresh(SLICES),
    epcore.EndpointSet.from_objects(ENDPOINTS),
    epcore.SliceSet.from_objects([slice_of("web", ENDPOINTS)])[0].endpoints,
]
every_handle = pytest.mark.parametrize("handle", HANDLES, ids=["slices", "refreshed", "endpoints", "of a slice"])


@every_handle
def test_a_handle_is_a_sequence_like_a_tuple_of_its_records(handle: Sequence[Any]) -> None:
    records = tuple(handle)
    assert isinstance(handle, Sequence)
    assert len(handle) == len(records) == 5
    assert [*reversed(handle)] == [*reversed(records)]
    assert [handle[at] for at in range(-5, 5)] == [records[at] for at in range(-5, 5)]
    assert [handle.count(record) for record in records] == [records.count(record) for record in records]
    assert [handle.index(record) for record in records] == [records.index(record) for record in records]
    assert all(record in handle for record in records)
    match handle:
        case [first, *_, last]:
            assert (first, last) == (records[0], records[-1])
        case _:
            pytest.fail("a sequence has a first and a last")


@every_handle
@given(data=st.data())
def test_parts_and_places_are_those_of_a_tuple(handle: Sequence[Any], data: st.DataObject) -> None:
    records = tuple(handle)
    numbers = st.integers(-9, 9) | st.sampled_from([-(2**64), 2**64])
    ends = st.none() | numbers
    part = slice(data.draw(ends), data.draw(ends), data.draw(ends.filter(lambda step: step != 0)))
    assert tuple(handle[part]) == records[part]
    assert type(handle[part]) is type(handle)
    record, start, stop = data.draw(st.sampled_from(records)), data.draw(numbers), data.draw(ends)
    bounds = (start,) if stop is None else (start, stop)
    assert outcome(handle.index, record, *bounds) == outcome(records.index, record, *bounds)


def outcome(call: Callable[..., object], *arguments: object) -> object:
    try:
        return call(*arguments)
    except (IndexError, TypeError, ValueError) as error:
        return type(error)


@every_handle
@pytest.mark.parametrize("index", [5, -6, 2**64, -(2**64), "1", 1.0, None])
def test_a_place_that_is_not_there_is_the_error_of_a_tuple(handle: Sequence[Any], index: Any) -> None:
    assert outcome(operator.getitem, handle, index) == outcome(operator.getitem, tuple(handle), index)


@every_handle
@pytest.mark.parametrize("value", [None, 1, "10.0.0.1", ENDPOINTS[0], SLICES[0]])
def test_what_is_no_record_is_in_no_handle(handle: Sequence[Any], value: Any) -> None:
    assert value not in handle
    assert handle.count(value) == 0
    with pytest.raises(ValueError, match="no record equals the value"):
        handle.index(value)
    assert handle != value


@pytest.mark.parametrize("empty", [epcore.SliceSet.from_json(b"[]"), epcore.EndpointSet.from_json(b"[]")])
def test_an_empty_handle_is_an_empty_sequence(empty: Sequence[Any]) -> None:
    assert (bool(empty), len(empty), [*empty], [*reversed(empty)], [*empty[:]]) == (False, 0, [], [], [])
    assert copy.deepcopy(empty) == empty
    assert hash(copy.copy(empty)) == hash(empty)


@every_handle
def test_what_is_equal_has_one_hash(handle: Sequence[Any]) -> None:
    again = pickle.loads(pickle.dumps(handle))
    assert (again == handle, hash(again)) == (True, hash(handle))
    assert handle != handle[:-1]
    assert hash(handle) != hash(handle[:-1])
    for one, other in zip(handle, again, strict=True):
        for copied in (other, copy.copy(one), copy.deepcopy(one)):
            assert (copied == one, hash(copied)) == (True, hash(one))
    assert len({*handle, *again}) == 3


def test_what_is_spelled_in_another_way_has_the_same_hash() -> None:
    plain = epcore.EndpointSet.from_objects([{"addresses": ["10.0.0.1"]}])
    nulls = epcore.EndpointSet.from_objects(
        [{"zone": None, "addresses": ["010.0.0.01"], "conditions": {}, "hints": None}]
    )
    assert (nulls == plain, hash(nulls), hash(nulls[0])) == (True, hash(plain), hash(plain[0]))


@pytest.mark.parametrize("level", ["endpoint", "conditions", "hints", "targetRef"])
@pytest.mark.parametrize("other", [{}, {"weight": 1}])
def test_a_field_of_a_newer_api_that_is_null_is_one_that_is_not_there(level: str, other: dict[str, int]) -> None:
    def endpoint(**more: int | None) -> dict[str, Any]:
        one: dict[str, Any] = {"addresses": ["10.0.0.1"], **other}
        one |= {"conditions": {"ready": True}, "hints": {"forZones": [{"name": "a"}]}, "targetRef": {"uid": "u"}}
        (one if level == "endpoint" else one[level]).update(more)
        return one

    plain, null, given = (
        epcore.EndpointSet.from_objects([one]) for one in (endpoint(), endpoint(x=None), endpoint(x=1))
    )
    assert plain[0] == null[0]
    assert plain == null
    assert hash(plain[0]) == hash(null[0])
    assert given[0] not in (plain[0], null[0])


def test_records_of_a_slice_and_of_a_list_are_the_same_values() -> None:
    of_list, of_slice = HANDLES[2], HANDLES[3]
    assert of_list == of_slice
    assert hash(of_list) == hash(of_slice)
    assert of_list[0] in of_slice


@every_handle
def test_many_threads_share_one_iterator_and_each_record_comes_once(handle: Sequence[Any]) -> None:
    many = handle[:1].__class__.from_objects([record.to_dict() for record in handle] * 200)  # type: ignore[attr-defined]
    iterator = iter(many)
    with ThreadPoolExecutor(4) as pool:
        parts = list(pool.map(lambda _: [record.to_json() for record in iterator], range(4)))
    assert sorted(text for part in parts for text in part) == sorted(record.to_json() for record in many)


def test_a_record_lives_longer_than_its_handle() -> None:
    handle = epcore.SliceSet.from_objects(SLICES)
    iterator, last, endpoints = iter(handle), handle[-1], handle[2].endpoints
    del handle
    gc.collect()
    assert len([*iterator]) == len(SLICES)
    assert last.name == "web-1"
    assert [endpoint.addresses for endpoint in endpoints] == [["10.0.0.1"], ["10.0.0.2"], ["10.0.0.3"]]
