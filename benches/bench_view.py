"""One changed slice of 100 endpoints, folded into Services of many: ``View`` beside kube-proxy's own bookkeeping."""

import json
import subprocess
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import epcore
from data import load

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture

PROGRAM = Path(__file__).parent.parent / "tests" / "upstream" / "upstream"
ROUNDS = {1_000: 201, 10_000: 51, 100_000: 15}


@cache
def case(size: int) -> tuple[list[Any], list[Any]]:
    """The slices of a Service, and one of them in two states that differ in one endpoint."""
    held = load(size, "same").slices
    changed = json.loads(json.dumps(held[3]))
    changed["endpoints"][7]["conditions"]["ready"] = False
    return held, [changed, held[3]]


@cache
def kube_proxy(size: int) -> float:
    """Seconds that kube-proxy needs from the decoded slice to its new endpoints: the median, timed by itself."""
    held, change = case(size)
    question = {"op": "fold", "slices": held, "change": change, "rounds": ROUNDS[size]}
    run = subprocess.run([PROGRAM], input=json.dumps(question).encode() + b"\n", capture_output=True, check=True)
    seconds: float = json.loads(run.stdout)["seconds"]
    return seconds


@pytest.mark.parametrize("form", ["bytes", "handles"])
@pytest.mark.parametrize("size", list(ROUNDS))
def bench_fold(benchmark: "BenchmarkFixture", size: int, form: str) -> None:
    benchmark.group = f"fold {size:,}"
    benchmark.extra_info |= {"form": form, "kube_proxy": kube_proxy(size)}
    held, change = case(size)
    parsed = [epcore.SliceSet.from_objects([slice_])[0] for slice_ in change]
    events: list[Any] = [{"type": "MODIFIED", "object": slice_} for slice_ in parsed]
    if form == "bytes":
        events = [json.dumps({"type": "MODIFIED", "object": slice_}).encode() for slice_ in change]
    view = epcore.View()
    view.replace(held)
    turn = iter(range(10**9))
    delta = benchmark(lambda: view.apply(events[next(turn) % 2]))
    assert len(delta.updated) == 1
