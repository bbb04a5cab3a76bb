"""From bytes to something to work with, and back."""

from typing import TYPE_CHECKING

import orjson
import pytest

import epcore
from data import load

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture

SIZES = [100, 1_000, 10_000, 100_000]


@pytest.mark.parametrize("size", SIZES)
class BenchRead:
    """Each size is a group of its own."""

    def bench_peer_read(self, benchmark: "BenchmarkFixture", size: int) -> None:
        benchmark.group = f"read {size:,}"
        data = load(size, "same").slices_bytes
        benchmark(lambda: orjson.loads(data))

    def bench_epcore_read(self, benchmark: "BenchmarkFixture", size: int) -> None:
        benchmark.group = f"read {size:,}"
        data = load(size, "same").slices_bytes
        assert sum(map(len, benchmark(lambda: epcore.SliceSet.from_json(data)))) == size

    def bench_peer_write(self, benchmark: "BenchmarkFixture", size: int) -> None:
        benchmark.group = f"write {size:,}"
        slices = load(size, "same").slices
        benchmark(lambda: orjson.dumps(slices))

    def bench_epcore_write(self, benchmark: "BenchmarkFixture", size: int) -> None:
        benchmark.group = f"write {size:,}"
        handle = epcore.SliceSet.from_objects(load(size, "same").slices)
        benchmark(handle.to_json)
