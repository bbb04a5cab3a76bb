"""One changed slice of 100 endpoints, folded into Services of many: ``View`` beside kube-proxy's own bookkeeping."""

import random
from itertools import cycle, islice
from time import process_time
from typing import TYPE_CHECKING, Any

import orjson
import pytest

import epcore
from data import Json, dump, held, listed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from library import Library
    from race import Peer, Race

CALLS = 20


@pytest.mark.parametrize("form", ["bytes", "dicts", "a handle"])
def bench_view_step(race: "Race", library: "Library", size: int, form: str) -> None:
    """``orjson`` merely loads the slice; kube-proxy begins with a decoded one and ends with its list of endpoints.

    It is the same slice each time.
    """
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
        loaded = cycle(events)
        peers["orjson, collector off"] = lambda: loading(loaded)
    view = epcore.View()
    view.replace(listed(size))
    turns = cycle(events)

    def step() -> epcore.Delta:
        for _ in range(CALLS):
            delta = view.apply(next(turns))
        return delta

    assert len(race(step, peers, calls=CALLS, case=form).updated) == 1


def bench_view_step_anywhere(race: "Race", size: int) -> None:
    """From bytes, and each step is of another slice: of many, what it needs is in no cache of the processor."""
    events = [orjson.dumps({"type": "MODIFIED", "object": one}) for one in states_of_slices(size)]
    view = epcore.View()
    view.replace(listed(size))
    turns, loaded = cycle(events), cycle(events)

    def step() -> epcore.Delta:
        for _ in range(CALLS):
            delta = view.apply(next(turns))
        return delta

    peers: dict[str, Peer] = {"orjson, collector off": lambda: loading(loaded)}
    assert len(race(step, peers, calls=CALLS).updated) == 1


def states_of_slices(size: int) -> list[Json]:
    """Up to 1,000 slices in no order, one endpoint of each not ready; and then the same ones as they are held."""
    slices = size // 100
    numbers = random.Random(7).sample(range(slices), min(slices, 1_000))
    return [state(number, size, changed=changed) for changed in (True, False) for number in numbers]


def state(number: int, size: int, *, changed: bool) -> Json:
    one = held(number, size)
    one["endpoints"][number % 100]["conditions"]["ready"] = not changed
    return one


def loading(turns: "Iterator[bytes]") -> float:
    """Seconds for one event of as many as a turn of ours has: who finds the processor's caches cold does so once."""
    events = [*islice(turns, CALLS)]
    start = process_time()
    for event in events:
        orjson.loads(event)
    return (process_time() - start) / CALLS
