"""When ``policy="lifecycle"`` opens a slice for what is leaving, and how many slices it keeps."""

from math import ceil
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import epcore
from lifecycle_worlds import READY, Json, State, World, packed

NEW: State = (False, False, False)
LEAVING: State = (False, True, True)
NOT_EVEN_SERVING: State = (False, False, True)


def endpoint(number: int, state: State) -> Json:
    return {
        "addresses": [f"10.0.{number >> 8}.{number & 255}"],
        "conditions": dict(zip(("ready", "serving", "terminating"), state, strict=True)),
        "targetRef": {"kind": "Pod", "namespace": "shop", "name": f"web-1-{number}"},
    }


def plans(worlds: list[World], most: int = 100, policy: Any = "lifecycle") -> list[epcore.Plan]:
    """The plan of each world."""
    return list(packed(worlds, endpoint, policy, most))


def slices(plan: epcore.Plan) -> list[tuple[int, int]]:
    """Endpoints of each slice, and how many of them are leaving; in rising order."""
    ends = [[bool(one.terminating) for one in slice_.endpoints] for slice_ in plan.result()]
    return sorted((len(leaving), sum(leaving)) for leaving in ends)


def only_leaving(plan: epcore.Plan) -> list[int]:
    """How many are in each slice of those that hold nothing else than what is leaving."""
    return [leaving for count, leaving in slices(plan) if count == leaving]


def shrinking(world: World, every: int, steps: int) -> list[World]:
    """Some of the endpoints begin to leave, and then the first and the last of them go in each step."""
    world = {number: LEAVING if state == READY and number % every == 0 else state for number, state in world.items()}
    worlds = [world]
    for _ in range(steps):
        leaving = [number for number, state in worlds[-1].items() if state == LEAVING]
        gone = {leaving[0], leaving[-1]}
        worlds.append({number: state for number, state in worlds[-1].items() if number not in gone})
    return worlds


def test_what_is_leaving_gets_a_slice_of_its_own_where_nothing_is_new() -> None:
    full = dict.fromkeys(range(300), READY)
    *_, last = plans([full, *shrinking(full, 10, 3)])
    assert slices(last) == [(14, 14), (90, 0), (90, 0), (100, 10)]


def test_what_is_leaving_gets_none_where_something_new_would_come_in() -> None:
    full = {**dict.fromkeys(range(299), READY), 299: NEW}
    *_, last = plans([full, *shrinking(full, 10, 3)])
    assert len(slices(last)) == 3


def test_the_slice_of_what_is_leaving_goes_when_they_are_gone() -> None:
    full = dict.fromkeys(range(300), READY)
    *_, last = plans([full, *shrinking(full, 10, 15)])
    assert [leaving for _, leaving in slices(last)] == [0, 0, 0]


@pytest.fixture
def thinned() -> list[World]:
    """Six slices, though four would do; some of what they hold is leaving."""
    full = dict.fromkeys(range(600), READY)
    thin = {number: READY for number in full if number // 2 % 5 < 3}
    return [full, thin, *shrinking(thin, 10, 3)]


def test_a_group_that_shrank_may_have_one_slice_more_for_a_while(thinned: list[World]) -> None:
    *_, last = plans(thinned)
    assert only_leaving(last) == [54]
    assert len(slices(last)) == 7


def test_nothing_new_comes_into_a_slice_that_is_there_for_a_while(thinned: list[World]) -> None:
    more = {**thinned[-1], **dict.fromkeys(range(700, 740), NEW)}
    *_, last = plans([*thinned, more])
    assert only_leaving(last) == [54]
    assert len(slices(last)) == 7


STATES = st.sampled_from([None, READY, NEW, LEAVING, NOT_EVEN_SERVING])


@st.composite
def lives(draw: st.DrawFn) -> list[World]:
    """A group whose endpoints come, get ready, flap, terminate and go, some of them at a time."""
    worlds: list[World] = [dict.fromkeys(range(30), READY)]
    for _ in range(draw(st.integers(1, 12))):
        world = dict(worlds[-1])
        for number, state in draw(st.dictionaries(st.integers(0, 39), STATES, max_size=12)).items():
            world.pop(number, None)
            if state:
                world[number] = state
        worlds.append(world)
    return worlds


@given(lives(), st.integers(2, 8))
def test_beyond_the_limit_there_is_one_slice_more_at_most_and_only_for_what_is_leaving(
    worlds: list[World], most: int
) -> None:
    before = 0
    for world, plan in zip(worlds, plans(worlds, most), strict=True):
        held = slices(plan)
        if len(held) > max(ceil(len(world) / most) + 1, before):
            assert len(held) == before + 1
            assert only_leaving(plan)
        before = len(held)
