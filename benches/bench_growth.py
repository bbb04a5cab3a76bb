"""Time for each endpoint as inputs grow to a million; and that of one change, whatever its Service holds."""

from collections.abc import Callable
from itertools import cycle
from typing import TYPE_CHECKING, Any

import pytest

import epcore
from bench_packer import CALLS, answering, anywhere, packer_of, planning, states
from bench_view import states_of_slices
from data import HELD_TEMPLATE, held, listed, wanted
from race import QUICK

if TYPE_CHECKING:
    from race import Race

SIZES = [1_000, 10_000] if QUICK else [1_000, 10_000, 100_000, 1_000_000]
Work = Callable[[], object]
RECORD, TEXTS = 92, 99
"""Bytes that a handle keeps of each endpoint of these: of fixed size, and what differs from the one before."""


def read(size: int) -> Work:
    data = listed(size)
    return lambda: epcore.SliceSet.from_json(data)


def read_again(size: int) -> Work:
    before = epcore.SliceSet.from_json(b"[]").refresh(listed(size))
    again = bytes(bytearray(listed(size)))
    return lambda: before.refresh(again)


def same_bytes(size: int) -> Work:
    """What `read_again` cannot be faster than: each byte of both documents is looked at."""
    before, again = listed(size), bytes(bytearray(listed(size)))
    return lambda: before == again


def pack(size: int) -> Work:
    endpoints, slices = epcore.EndpointSet.from_json(wanted(size)), epcore.SliceSet.from_json(listed(size))
    return lambda: epcore.pack(endpoints, slices, template=HELD_TEMPLATE)


def diff(size: int) -> Work:
    before, after = epcore.SliceSet.from_json(listed(size)), epcore.SliceSet.from_json(listed(size, changed=True))
    return lambda: epcore.diff(before, after)


def same_lists(size: int) -> Work:
    """What `diff` cannot be faster than: each byte that both handles keep of endpoints is looked at, slice by slice."""
    before, after = kept(size), kept(size)
    return lambda: before == after


def kept(size: int) -> list[bytes]:
    """As many bytes as a handle keeps, and in as many pieces: of each slice the records of its endpoints, and texts."""
    return [b"x" * (each * count) for count in counts(size) for each in (RECORD, TEXTS)]


def counts(size: int) -> list[int]:
    return [min(100, size - start) for start in range(0, size, 100)]


def one_change(size: int) -> Work:
    return planning(packer_of(size), [epcore.EndpointSet.from_objects(one) for one in states(size, 1)], CALLS)


def one_change_anywhere(size: int) -> Work:
    """Each is of another endpoint, and answered, so that it is the only one."""
    return answering(packer_of(size), [epcore.EndpointSet.from_objects(one) for one in anywhere(size)])


def view_step(size: int) -> Work:
    change: list[Any] = [held(0, size), held(0, size)]
    change[0]["endpoints"][7]["conditions"]["ready"] = False
    events = [{"type": "MODIFIED", "object": epcore.SliceSet.from_objects(one)[0]} for one in change]
    view = epcore.View()
    view.replace(listed(size))
    return lambda: [view.apply(events[number % 2]) for number in range(CALLS)]


def view_step_anywhere(size: int) -> Work:
    turns = cycle(
        [{"type": "MODIFIED", "object": epcore.SliceSet.from_objects(one)[0]} for one in states_of_slices(size)]
    )
    view = epcore.View()
    view.replace(listed(size))
    return lambda: [view.apply(next(turns)) for _ in range(CALLS)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("work", [read, read_again, same_bytes, pack, diff, same_lists])
def bench_growth_of_work_on_all(race: "Race", size: int, work: Callable[[int], Work]) -> None:
    race(work(size), endpoints=size, case=work.__name__.replace("_", " "))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("work", [one_change, one_change_anywhere, view_step, view_step_anywhere])
def bench_growth_of_work_on_changes(race: "Race", size: int, work: Callable[[int], Work]) -> None:
    race(work(size), calls=CALLS, endpoints=1, case=work.__name__.replace("_", " "))
