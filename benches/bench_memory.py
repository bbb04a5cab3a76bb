"""Bytes in memory for each endpoint of slices that are read: handles, dicts, and Go's objects."""

import subprocess
import sys
from typing import TYPE_CHECKING

from data import listed

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture

    from library import Library

WEIGH = """
import gc, sys
from pathlib import Path
import orjson
import epcore

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

read = {"epcore": epcore.SliceSet.from_json, "orjson": orjson.loads}[sys.argv[1]]
# What a thread remembers of what it has read, and the code that reads, are not of the handle.
read(sys.stdin.buffer.readline())
data = sys.stdin.buffer.read()
# A small one fits where something was freed; many do not.
count = int(sys.argv[2])
before = resident()
kept = [read(data) for _ in range(count)]
print((resident() - before) // count)
"""


def resident(who: str, data: bytes, size: int) -> int:
    """Weigh in a process of its own, where little was freed that could be used again."""
    both = listed(10) + b"\n" + data
    weigh = [sys.executable, "-c", WEIGH, who, str(max(1, 100_000 // size))]
    run = subprocess.run(weigh, input=both, capture_output=True, check=True)
    return int(run.stdout)


def bench_memory_of_slices(benchmark: "BenchmarkFixture", library: "Library", size: int) -> None:
    data = listed(size)
    library.ask("keep", list=data)
    weights = {"Go": library.ask("decode", weigh=b"true")["bytes"], "orjson": resident("orjson", data, size)}
    weights["epcore"] = benchmark.pedantic(lambda: resident("epcore", data, size))  # type: ignore[no-untyped-call]
    benchmark.extra_info |= {"row": "memory", "weights": {name: bytes_ / size for name, bytes_ in weights.items()}}
