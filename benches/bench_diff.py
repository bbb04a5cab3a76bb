"""``diff`` beside ``orjson`` and dicts: the same input to the same counts."""

from typing import TYPE_CHECKING

import orjson
import pytest

import epcore
import peer
from data import listed

if TYPE_CHECKING:
    from race import Race


def counts(delta: epcore.Delta) -> tuple[int, int, int, int]:
    return len(delta.added), len(delta.removed), len(delta.updated), len(delta.moved)


@pytest.mark.parametrize("form", ["bytes on both sides", "a handle and bytes", "handles"])
def bench_diff_one_percent(race: "Race", size: int, form: str) -> None:
    """A handle stands beside dicts that are loaded already."""
    before, after = listed(size), listed(size, changed=True)
    loaded = [orjson.loads(side)["items"] for side in (before, after)]
    parsed = [epcore.SliceSet.from_json(side) for side in (before, after)]

    def differences() -> tuple[int, int, int, int]:
        sides = loaded
        if form != "handles":
            sides = [loaded[0], orjson.loads(after)["items"]]
        if form == "bytes on both sides":
            sides = [orjson.loads(before)["items"], sides[1]]
        return peer.differences(*sides)

    sides: list[bytes | epcore.SliceSet] = [before, after]
    if form != "bytes on both sides":
        sides[0] = parsed[0]
    if form == "handles":
        sides[1] = parsed[1]
    found = race(lambda: counts(epcore.diff(*sides)), {"orjson + Python, collector off": differences}, case=form)
    assert found == peer.differences(*loaded)
