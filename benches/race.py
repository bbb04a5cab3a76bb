"""What every row of the table has: sizes, the peers' turns, and Kubernetes' own library."""

import gc
import os
from collections.abc import Callable, Iterator, Mapping
from time import perf_counter, process_time
from typing import TYPE_CHECKING, Protocol, TypeVar

import pytest

from library import Library, running

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture

QUICK = os.environ.get("EPCORE_BENCH") == "quick"
SIZES = [100, 1_000] if QUICK else [100, 1_000, 10_000, 100_000]
BUDGET = 0.02 if QUICK else 1.5
"""Seconds for all turns of a row, ours and the peers'."""
LEAST, MOST = (2, 200) if QUICK else (5, 200)
"""Turns after the first. Other work on a machine only adds to a time: the least of two says less than that of five."""

Answer = TypeVar("Answer")
Peer = Callable[[], float | object]
"""A turn of a peer: it is timed, unless it answers with the seconds that it took by its own clock."""


class Race(Protocol):
    """Take turns of ours and of the peers, so that each finds the caches as another left them; tell our last answer."""

    def __call__(
        self,
        ours: Callable[[], Answer],
        peers: Mapping[str, Peer] | None = None,
        *,
        calls: int = 1,
        before: Callable[[], object] | None = None,
        **about: object,
    ) -> Answer: ...


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "size" in metafunc.fixturenames and not any(
        "size" in mark.args[0] for mark in metafunc.definition.iter_markers("parametrize")
    ):
        metafunc.parametrize("size", SIZES)


@pytest.fixture(scope="session")
def library() -> Iterator[Library]:
    with running() as program:
        yield program


def timed(peer: Peer, *, collector: bool) -> float:
    if collector:
        gc.enable()
    start = process_time()
    answer = peer()
    seconds = process_time() - start
    gc.disable()
    return answer if isinstance(answer, float) else seconds


@pytest.fixture
def race(benchmark: "BenchmarkFixture", request: pytest.FixtureRequest) -> Iterator[Race]:
    """Tell the row to pytest-benchmark: ``calls`` is how many are in one turn of ours, peers are the least of theirs.

    What is done ``before`` each turn of ours does not count.
    A peer whose name ends with "collector on" has Python's garbage collector; everything else has none.
    """
    least: dict[str, float] = {}

    def run(
        ours: Callable[[], Answer],
        peers: Mapping[str, Peer] | None = None,
        *,
        calls: int = 1,
        before: Callable[[], object] | None = None,
        **about: object,
    ) -> Answer:
        peers = peers or {}

        def others() -> None:
            if before is not None:
                before()
            for name, peer in peers.items():
                seconds = timed(peer, collector=name.endswith("collector on"))
                least[name] = min(seconds, least.get(name, seconds))

        # What the rows before left is not the collector's work here.
        gc.collect()
        gc.freeze()
        gc.disable()
        start = perf_counter()
        others()
        ours()
        turns = max(LEAST, min(MOST, int(BUDGET / (perf_counter() - start))))
        row = request.node.originalname.removeprefix("bench_").replace("_", " ")
        benchmark.extra_info |= {"row": row, "peers": least, "calls": calls, **about}
        return benchmark.pedantic(ours, setup=others, rounds=turns)  # type: ignore[no-any-return, no-untyped-call]

    yield run
    gc.enable()
    gc.unfreeze()
