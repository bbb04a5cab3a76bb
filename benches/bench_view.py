"""One changed slice of 100 endpoints, folded into Services of many: ``View`` beside kube-proxy's own bookkeeping."""

from itertools import cycle
from typing import TYPE_CHECKING, Any

import orjson
import pytest

import epcore
from data import dump, held, listed

if TYPE_CHECKING:
    from library import Library
    from race import Peer, Race

CALLS = 20


@pytest.mark.parametrize("form", ["bytes", "dicts", "a handle"])
def bench_view_step(race: "Race", library: "Library", size: int, form: str) -> None:
    """``orjson`` merely loads the slice; kube-proxy begins with a decoded one and ends with its list of endpoints."""
    change = [held(0, size), held(0, size)]
    change[0]["endpoints"][7]["conditions"]["ready"] = False
    library.ask("follow", slices=dump(orjson.loads(listed(size))["items"]), change=dump(change))
    objects: list[Any] = change
    if form == "a handle":
        objects = [epcore.SliceSet.from_objects(one)[0] for one in change]
    events: list[Any] = [{"type": "MODIFIED", "object": one} for one in objects]
    peers: dict[str, Peer] = {"kube-proxy": lambda: library.seconds("fold")}
    if form == "bytes":
        events = [orjson.dumps(event) for event in events]
        peers["orjson, collector off"] = lambda: load_turn(events[0])
    view = epcore.View()
    view.replace(listed(size))
    turns = cycle(events)

    def step() -> epcore.Delta:
        for _ in range(CALLS):
            delta = view.apply(next(turns))
        return delta

    assert len(race(step, peers, calls=CALLS, case=form).updated) == 1


def load_turn(event: bytes) -> None:
    orjson.loads(event)
