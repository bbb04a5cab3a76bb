"""``diff`` beside ``orjson`` and dicts: the same input to the same counts."""

from typing import TYPE_CHECKING

import orjson
import pytest

import epcore
import peer
from data import TEMPLATE, Json, load

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture

SIZES = [100, 1_000, 10_000, 100_000]
CASES = ["same", "one percent"]


def sides(size: int, case: str) -> tuple[list[Json], list[Json]]:
    given = load(size, case)
    after = epcore.pack(given.wanted, given.slices, template=TEMPLATE, naming="deterministic").result()
    return given.slices, orjson.loads(after.to_json())["items"]


def counts(delta: epcore.Delta) -> tuple[int, int, int, int]:
    return len(delta.added), len(delta.removed), len(delta.updated), len(delta.moved)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("size", SIZES)
class BenchDiff:
    """Each size and case is a group of its own."""

    def bench_peer_from_bytes(self, benchmark: "BenchmarkFixture", size: int, case: str) -> None:
        benchmark.group = f"diff {case} {size:,}"
        before, after = map(orjson.dumps, sides(size, case))
        benchmark(lambda: peer.differences(orjson.loads(before), orjson.loads(after)))

    def bench_epcore_from_bytes(self, benchmark: "BenchmarkFixture", size: int, case: str) -> None:
        benchmark.group = f"diff {case} {size:,}"
        objects = sides(size, case)
        before, after = map(orjson.dumps, objects)
        assert benchmark(lambda: counts(epcore.diff(before, after))) == peer.differences(*objects)

    def bench_peer_from_mappings(self, benchmark: "BenchmarkFixture", size: int, case: str) -> None:
        benchmark.group = f"diff {case} {size:,}"
        before, after = sides(size, case)
        benchmark(lambda: peer.differences(before, after))

    def bench_epcore_from_mappings(self, benchmark: "BenchmarkFixture", size: int, case: str) -> None:
        benchmark.group = f"diff {case} {size:,}"
        before, after = sides(size, case)
        benchmark(lambda: counts(epcore.diff(before, after)))

    def bench_epcore_from_handles(self, benchmark: "BenchmarkFixture", size: int, case: str) -> None:
        benchmark.group = f"diff {case} {size:,}"
        before, after = map(epcore.SliceSet.from_objects, sides(size, case))
        benchmark(lambda: counts(epcore.diff(before, after)))
