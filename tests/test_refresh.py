"""A set that is refreshed is the set that is read afresh, errors too, and stays what it was."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import epcore

Json = dict[str, Any]


def slice_of(name: str, addresses: list[int]) -> Json:
    endpoints = [{"addresses": [f"10.0.0.{one}"], "nodeName": f"node-{one}"} for one in addresses]
    return {"metadata": {"name": name}, "addressType": "IPv4", "endpoints": endpoints, "ports": [{"port": 80}]}


SLICE = st.builds(slice_of, st.sampled_from(["a", "b", "c", "d"]), st.lists(st.integers(0, 255), max_size=3))
LISTS = st.lists(SLICE, max_size=6)


def documents(slices: list[Json], form: str) -> Any:
    listed = {"kind": "EndpointSliceList", "items": slices}
    data = json.dumps(slices if form == "array" else listed).encode()
    if form == "protobuf":
        return epcore.SliceSet.from_json(data).to_protobuf()
    return {"str": data.decode(), "bytearray": bytearray(data), "view": memoryview(data), "objects": slices}.get(
        form, data
    )


FORMS = st.sampled_from(["array", "list", "str", "bytearray", "view", "objects", "protobuf"])


def read(data: Any, before: epcore.SliceSet | None) -> epcore.SliceSet | tuple[str, str, int | None]:
    try:
        if before is not None:
            return before.refresh(data)
        return epcore.SliceSet.from_objects(data) if isinstance(data, list) else epcore.SliceSet.from_json(data)
    except epcore.InvalidInputError as error:
        return (str(error), error.path, error.offset)


@given(st.lists(st.tuples(LISTS, FORMS, st.booleans()), max_size=5))
def test_a_refreshed_set_equals_one_that_is_read_afresh(steps: list[tuple[list[Json], str, bool]]) -> None:
    before = epcore.SliceSet.from_json(b"[]")
    for slices, form, is_cut in steps:
        data = documents(slices, form)
        if is_cut and isinstance(data, bytes):
            data = data[: len(data) * 2 // 3]
        fresh = read(data, None)
        was = before.to_json()
        refreshed = read(data, before)
        assert refreshed == fresh
        assert before.to_json() == was
        if isinstance(refreshed, epcore.SliceSet):
            assert refreshed.to_json() == fresh.to_json()  # type: ignore[union-attr]
            before = refreshed


def test_a_document_that_its_owner_changes_later_is_compared_as_it_was() -> None:
    data = bytearray(json.dumps([slice_of("a", [1]), slice_of("b", [2])]).encode())
    before = epcore.SliceSet.from_json(b"[]").refresh(data)
    data[:] = data.replace(b"10.0.0.1", b"10.0.0.9")
    assert before.refresh(data)[0].endpoints[0].addresses == ["10.0.0.9"]
    assert before[0].endpoints[0].addresses == ["10.0.0.1"]


def test_a_handle_is_taken_for_the_next_list() -> None:
    before = epcore.SliceSet.from_objects([slice_of("a", [1])])
    assert before.refresh(before) == before
    assert list(before.refresh(before[0])) == list(before)
    with pytest.raises(TypeError):
        before.refresh(7)  # type: ignore[arg-type]


def test_slices_share_no_text_with_a_set_that_was_sliced() -> None:
    before = epcore.SliceSet.from_json(b"[]").refresh(json.dumps([slice_of("a", [1]), slice_of("b", [2])]))
    assert before[1:].refresh(json.dumps([slice_of("b", [2])])) == before[1:]
