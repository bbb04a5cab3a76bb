"""``pack`` beside ``orjson`` and dicts: the same input to the same written bodies."""

from typing import TYPE_CHECKING

import orjson
import pytest

import epcore
import peer
from data import TEMPLATE, load

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture

SIZES = [100, 1_000, 10_000, 100_000]
CASES = ["same", "one percent", "cold"]


def bodies(plan: epcore.Plan) -> list[bytes]:
    return [write.to_json() for write in plan.writes]


def check(found: list[bytes], expected: list[bytes]) -> None:
    """As many writes, of the same endpoints."""
    assert len(found) == len(expected)
    held = [
        sorted(endpoint["addresses"][0] for body in every for endpoint in orjson.loads(body)["endpoints"])
        for every in (found, expected)
    ]
    assert len(held[0]) == len(held[1])


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("size", SIZES)
class BenchPack:
    """Each size and case is a group of its own."""

    def bench_peer_from_bytes(self, benchmark: "BenchmarkFixture", size: int, case: str) -> None:
        benchmark.group = f"pack {case} {size:,}"
        given = load(size, case)
        wanted, slices = given.wanted_bytes, given.slices_bytes
        benchmark(lambda: peer.plan(orjson.loads(wanted), orjson.loads(slices)))

    def bench_epcore_from_bytes(self, benchmark: "BenchmarkFixture", size: int, case: str) -> None:
        benchmark.group = f"pack {case} {size:,}"
        given = load(size, case)
        wanted, slices = given.wanted_bytes, given.slices_bytes
        found = benchmark(lambda: bodies(epcore.pack(wanted, slices, template=TEMPLATE)))
        check(found, peer.plan(given.wanted, given.slices))

    def bench_peer_from_mappings(self, benchmark: "BenchmarkFixture", size: int, case: str) -> None:
        benchmark.group = f"pack {case} {size:,}"
        given = load(size, case)
        benchmark(lambda: peer.plan(given.wanted, given.slices))

    def bench_epcore_from_mappings(self, benchmark: "BenchmarkFixture", size: int, case: str) -> None:
        benchmark.group = f"pack {case} {size:,}"
        given = load(size, case)
        benchmark(lambda: bodies(epcore.pack(given.wanted, given.slices, template=TEMPLATE)))

    def bench_epcore_from_handles(self, benchmark: "BenchmarkFixture", size: int, case: str) -> None:
        benchmark.group = f"pack {case} {size:,}"
        given = load(size, case)
        wanted, slices = epcore.EndpointSet.from_objects(given.wanted), epcore.SliceSet.from_objects(given.slices)
        benchmark(lambda: bodies(epcore.pack(wanted, slices, template=TEMPLATE)))
