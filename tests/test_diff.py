"""``diff`` tells what a correct reader of the slices would see, and nothing else."""

from itertools import product
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import epcore
from epcore.types import DiffKey, FieldMask
from reader_strategies import readable, successive
from reference_diff import diff
from strategies import Json, slice_of

EXAMPLES = settings().max_examples


def found(before: list[Json], after: list[Json], key: DiffKey, fields: FieldMask) -> Any:
    delta = epcore.diff(before, after, key=key, fields=fields)
    return {
        "added": {change.key for change in delta.added},
        "removed": {change.key for change in delta.removed},
        "updated": {change.key: change.reasons for change in delta.updated},
        "moved": {change.key: (change.slice_before, change.slice_after) for change in delta.moved},
    }


KEYS = get_args(DiffKey)
MASKS = get_args(FieldMask)
keys = st.sampled_from(KEYS)
masks = st.sampled_from(MASKS)


@settings(max_examples=10 * EXAMPLES)
@given(st.tuples(readable(), readable()) | successive())
def test_finds_what_the_reference_finds(sides: tuple[list[Json], list[Json]]) -> None:
    for key, fields in product(KEYS, MASKS):
        assert found(*sides, key, fields) == diff(*sides, key, fields), (key, fields)


@given(readable(), keys, masks, st.randoms())
def test_reordering_changes_nothing(before: list[Json], key: DiffKey, fields: FieldMask, random: Any) -> None:
    after = random.sample(before, len(before))
    assert not epcore.diff(before, after, key=key, fields=fields)


def one(**fields: object) -> list[Json]:
    return [slice_of("web-1", [{"addresses": ["10.0.0.1"], **fields}])]


@pytest.mark.parametrize("given", [{"ready": True}, {"serving": True}, {"terminating": False}, {}, None])
def test_an_unset_condition_means_its_default(given: Json | None) -> None:
    assert not epcore.diff(one(), one(conditions=given), fields="all")


def test_a_live_pod_beats_the_ghost_that_had_its_address() -> None:
    ghost = slice_of("web-0", [{"addresses": ["10.0.0.1"], "conditions": {"terminating": True}, "nodeName": "old"}])
    live = slice_of("web-9", [{"addresses": ["10.0.0.1"], "nodeName": "new"}])
    change = epcore.diff([ghost], [ghost, live]).updated[0]
    assert change.after is not None
    assert change.after.node_name == "new"


def test_nothing_is_removed_while_a_slice_still_holds_it() -> None:
    twice = [*one(), slice_of("web-2", [{"addresses": ["10.0.0.1"]}])]
    delta = epcore.diff(twice, twice[1:])
    assert not delta.removed
    assert [(change.slice_before, change.slice_after) for change in delta.moved] == [("web-1", "web-2")]


def test_a_service_that_loses_its_last_endpoint_is_a_transition() -> None:
    (transition,) = epcore.diff(one(), [slice_of("web-1", [])]).transitions
    assert (transition.service, transition.port_name, transition.endpoints_before, transition.endpoints_after) == (
        "web",
        "http",
        1,
        0,
    )
    (transition,) = epcore.diff(one(), one(conditions={"ready": False})).transitions
    assert (transition.ready_before, transition.ready_after) == (1, 0)


def test_changes_are_lazy_sequences() -> None:
    many = [slice_of("web-1", [{"addresses": [f"10.0.0.{index}"]} for index in range(1, 6)])]
    added = epcore.diff([], many).added
    assert len(added) == len(list(added)) == 5
    assert added[-1].address == "10.0.0.5"
    assert [change.address for change in added[1:3]] == ["10.0.0.2", "10.0.0.3"]
    with pytest.raises(IndexError):
        added[5]
