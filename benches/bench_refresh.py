"""A list that is read again with one percent changed, and what is done with it next."""

from typing import TYPE_CHECKING

import orjson

import epcore
import peer
from data import TEMPLATE, listed, wanted

if TYPE_CHECKING:
    from race import Race

PYTHON = "orjson + Python, collector off"


def refreshed(size: int) -> tuple[epcore.SliceSet, bytes]:
    """The set of the last list, and the bytes of the next one."""
    return epcore.SliceSet.from_json(b"[]").refresh(listed(size)), listed(size, changed=True)


def bench_refresh_and_plan(race: "Race", size: int) -> None:
    """Slices that did not change are those of the last list, and what plans found out about them is known."""
    before, again = refreshed(size)
    endpoints, loaded = epcore.EndpointSet.from_json(wanted(size)), orjson.loads(wanted(size))
    assert not epcore.pack(endpoints, before, template=TEMPLATE)

    def plan() -> list[bytes]:
        return [write.to_json() for write in epcore.pack(endpoints, before.refresh(again), template=TEMPLATE).writes]

    def by_hand() -> list[bytes]:
        return peer.plan(loaded, orjson.loads(again)["items"])

    assert len(race(plan, {PYTHON: by_hand})) == len(by_hand())


def bench_refresh_and_diff(race: "Race", size: int) -> None:
    """Slices that are the same object are not compared."""
    before, again = refreshed(size)
    loaded = orjson.loads(listed(size))["items"]

    def differences() -> tuple[int, int, int, int]:
        delta = epcore.diff(before, before.refresh(again))
        return len(delta.added), len(delta.removed), len(delta.updated), len(delta.moved)

    def by_hand() -> tuple[int, int, int, int]:
        return peer.differences(loaded, orjson.loads(again)["items"])

    assert race(differences, {PYTHON: by_hand}) == by_hand()
