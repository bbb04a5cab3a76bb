"""From bytes to something to work with, and back. The collector is off: it would count against dicts alone."""

import base64
import subprocess
from collections.abc import Iterator
from typing import TYPE_CHECKING

import orjson
import pytest

import epcore
from bench_reconcile import PROGRAM, ask
from data import load

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture

SIZES = [100, 1_000, 10_000, 100_000]


@pytest.fixture(scope="module")
def library() -> Iterator["subprocess.Popen[bytes]"]:
    with subprocess.Popen([PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        yield process


def protobuf(size: int) -> bytes:
    return epcore.SliceSet.from_json(load(size, "same").slices_bytes).to_protobuf()


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

    def bench_library_read(self, benchmark: "BenchmarkFixture", library: "subprocess.Popen[bytes]", size: int) -> None:
        benchmark.group = f"read {size:,}"
        ask(library, b'{"op":"keep","slices":%s}' % load(size, "same").slices_bytes)
        benchmark(lambda: ask(library, b'{"op":"decode"}'))

    def bench_epcore_read_protobuf(self, benchmark: "BenchmarkFixture", size: int) -> None:
        benchmark.group = f"read protobuf {size:,}"
        data = protobuf(size)
        assert sum(map(len, benchmark(lambda: epcore.SliceSet.from_json(data)))) == size

    def bench_library_read_protobuf(
        self, benchmark: "BenchmarkFixture", library: "subprocess.Popen[bytes]", size: int
    ) -> None:
        benchmark.group = f"read protobuf {size:,}"
        ask(library, b'{"op":"keepProtobuf","protobuf":"%s"}' % base64.b64encode(protobuf(size)))
        benchmark(lambda: ask(library, b'{"op":"decodeProtobuf"}'))

    def bench_peer_refresh(self, benchmark: "BenchmarkFixture", size: int) -> None:
        benchmark.group = f"refresh {size:,}"
        data = load(size, "same").slices_bytes
        benchmark(lambda: orjson.loads(data))

    def bench_epcore_refresh(self, benchmark: "BenchmarkFixture", size: int) -> None:
        benchmark.group = f"refresh {size:,}"
        before = epcore.SliceSet.from_json(b"[]").refresh(load(size, "same").slices_bytes)
        # Other bytes than those that are kept.
        again = bytes(bytearray(load(size, "same").slices_bytes))
        assert sum(map(len, benchmark(lambda: before.refresh(again)))) == size

    def bench_peer_write(self, benchmark: "BenchmarkFixture", size: int) -> None:
        benchmark.group = f"write {size:,}"
        slices = load(size, "same").slices
        benchmark(lambda: orjson.dumps(slices))

    def bench_epcore_write(self, benchmark: "BenchmarkFixture", size: int) -> None:
        benchmark.group = f"write {size:,}"
        handle = epcore.SliceSet.from_objects(load(size, "same").slices)
        benchmark(handle.to_json)
