"""One changed Pod in Services of many: ``Packer`` beside one sync of Kubernetes' own library."""

import json
from itertools import cycle
from typing import TYPE_CHECKING, Any

import pytest

import epcore
from bench_reconcile import SERVICE, ask, case, dump, library, load, pod

if TYPE_CHECKING:
    import subprocess

    from pytest_benchmark.fixture import BenchmarkFixture

__all__ = ["library"]

SIZES = [1_000, 10_000]


def packer_of(size: int) -> epcore.Packer:
    """A packer whose slices hold what is wanted."""
    given = case(size)
    packer = epcore.Packer()
    packer.replace([SERVICE], kind="Service")
    for kind, name in [("Node", "nodes"), ("Pod", "pods"), ("EndpointSlice", "slices")]:
        packer.replace(given[name], kind=kind)  # type: ignore[arg-type]
    write(packer)
    return packer


def write(packer: epcore.Packer) -> None:
    for number, one in enumerate(packer.plan("web", namespace="shop").writes):
        sent: dict[str, Any] = {**one.to_dict()}
        name = one.name or f"web-new-{number}"
        packer.answer(one, "accepted", {**sent, "metadata": {**sent["metadata"], "name": name}})
    assert packer.dirty == []


@pytest.mark.parametrize("size", SIZES)
class BenchChange:
    """A Pod turns ready or not: from the event, as JSON, to the plan of one write."""

    def bench_library_change(
        self, benchmark: "BenchmarkFixture", library: "subprocess.Popen[bytes]", size: int
    ) -> None:
        """It looks at every Pod and slice, whatever changed; here not even a write is made."""
        benchmark.group = f"change {size:,}"
        load(library, size)
        benchmark(lambda: ask(library, b'{"op":"sync"}'))

    def bench_epcore_change(self, benchmark: "BenchmarkFixture", size: int) -> None:
        benchmark.group = f"change {size:,}"
        packer = packer_of(size)
        held = pod(7)
        told = []
        for ready in ("False", "Unknown"):
            changed = json.loads(json.dumps(held))
            changed["status"]["conditions"][1]["status"] = ready
            changed["metadata"]["uid"] = f"u-{ready}"  # so that each event differs from the one before
            told.append(dump({"type": "MODIFIED", "object": {"kind": "Pod", **changed}}))
        events = cycle(told)

        def change() -> epcore.Plan:
            packer.apply(next(events))
            return packer.plan("web", namespace="shop")

        plan = benchmark(change)
        assert len(plan) == 1
