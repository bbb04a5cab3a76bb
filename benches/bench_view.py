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
    from collections.abc import Callable, Iterator, Sequence

    from library import Library
    from race import Peer, Race

CALLS = 100


@pytest.mark.parametrize("form", ["bytes", "dicts", "a handle"])
def bench_view_step(race: "Race", library: "Library", size: int, form: str) -> None:
    """``orjson`` merely loads the slice; kube-proxy begins with a decoded one and ends with its list of endpoints.

    It is the same slice each time.
    """
    change = states_of_one(library, size)
    objects: list[Any] = change
    if form == "a handle":
        objects = [epcore.SliceSet.from_objects(one)[0] for one in change]
    events: list[Any] = [{"type": "MODIFIED", "object": one} for one in objects]
    peers: dict[str, Peer] = {"kube-proxy": lambda: library.seconds("fold")}
    if form == "bytes":
        events = [orjson.dumps(event) for event in events]
        loaded = cycle(events)
        peers["orjson, collector off"] = lambda: loading(loaded)
    assert len(race(stepping(size, events), peers, calls=CALLS, case=form).updated) == 1


def bench_view_step_by_itself(race: "Race", size: int) -> None:
    """The same from bytes, but nobody except ``orjson`` uses the caches of the processor in between."""
    events = [orjson.dumps({"type": "MODIFIED", "object": one}) for one in states_of_one(None, size)]
    loaded = cycle(events)
    peers: dict[str, Peer] = {"orjson, collector off": lambda: loading(loaded)}
    assert len(race(stepping(size, events), peers, calls=CALLS).updated) == 1


def bench_first_view_step_after_kube_proxy(race: "Race", library: "Library", size: int) -> None:
    """One step from bytes, and one load: each finds in the caches what a turn of kube-proxy left there."""
    events = [orjson.dumps({"type": "MODIFIED", "object": one}) for one in states_of_one(library, size)]
    loaded = cycle(events)

    def load() -> float:
        library.seconds("fold")
        return loading(loaded, calls=1)

    peers: dict[str, Peer] = {"orjson, collector off": load, "kube-proxy": lambda: library.seconds("fold")}
    assert len(race(stepping(size, events, calls=1), peers).updated) == 1


def bench_view_step_anywhere(race: "Race", size: int) -> None:
    """From bytes, and each step is of another slice: of many, what it needs is in no cache of the processor."""
    events = [orjson.dumps({"type": "MODIFIED", "object": one}) for one in states_of_slices(size)]
    loaded = cycle(events)
    peers: dict[str, Peer] = {"orjson, collector off": lambda: loading(loaded)}
    assert len(race(stepping(size, events), peers, calls=CALLS).updated) == 1


def states_of_one(library: "Library | None", size: int) -> list[Json]:
    """The first slice with one endpoint that is not ready, and as it is held; kube-proxy is told of both."""
    change = [held(0, size), held(0, size)]
    change[0]["endpoints"][7]["conditions"]["ready"] = False
    if library is not None:
        library.ask("follow", slices=dump(orjson.loads(listed(size))["items"]), change=dump(change))
    return change


def stepping(size: int, events: "Sequence[Any]", calls: int = CALLS) -> "Callable[[], epcore.Delta]":
    """So many steps of a view that holds all slices."""
    view = epcore.View()
    view.replace(listed(size))
    turns = cycle(events)

    def step() -> epcore.Delta:
        for _ in range(calls):
            delta = view.apply(next(turns))
        return delta

    return step


def states_of_slices(size: int) -> list[Json]:
    """Up to 1,000 slices in no order, one endpoint of each not ready; and then the same ones as they are held."""
    slices = size // 100
    numbers = random.Random(7).sample(range(slices), min(slices, 1_000))
    return [state(number, size, changed=changed) for changed in (True, False) for number in numbers]


def state(number: int, size: int, *, changed: bool) -> Json:
    one = held(number, size)
    one["endpoints"][number % 100]["conditions"]["ready"] = not changed
    return one


def loading(turns: "Iterator[bytes]", calls: int = CALLS) -> float:
    """What ``orjson.loads`` takes of the next events, each, as often as the view does."""
    events = [*islice(turns, calls)]
    start = process_time()
    for event in events:
        orjson.loads(event)
    return (process_time() - start) / calls
