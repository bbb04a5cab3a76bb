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
read(b"[]")
data = sys.stdin.buffer.read()
before = resident()
kept = read(data)
print(resident() - before)
"""


def resident(who: str, data: bytes) -> int:
    """Weigh in a process of its own, where nothing was freed that could be used again."""
    run = subprocess.run([sys.executable, "-c", WEIGH, who], input=data, capture_output=True, check=True)
    return int(run.stdout)


def bench_memory_of_slices(benchmark: "BenchmarkFixture", library: "Library", size: int) -> None:
    data = listed(size)
    library.ask("keep", list=data)
    weights = {"Go": library.ask("decode", weigh=b"true")["bytes"], "orjson": resident("orjson", data)}
    weights["epcore"] = benchmark.pedantic(lambda: resident("epcore", data))  # type: ignore[no-untyped-call]
    benchmark.extra_info |= {"row": "memory", "weights": {name: bytes_ / size for name, bytes_ in weights.items()}}
