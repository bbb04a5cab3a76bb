"""A sweep comes to the same wherever it runs: here, in threads, in processes, on the workers of a cluster engine."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import pytest
from distributed import Client, LocalCluster

from epcore import Policy
from epcore.cli import main
from epcore.simulate import (
    BOUNDS,
    CONTROL,
    KUBERNETES,
    ClusterLoad,
    Flapping,
    Outcome,
    Plan,
    Replacement,
    Row,
    Settings,
    Sync,
    TraceFile,
    Written,
    run,
    study,
    sweep,
    write_trace,
)

ROWS = [Row(title="epcore lean", policy="lean", max_endpoints=10), Row(title="epcore dense", policy="dense")]
PLAN = Plan(
    sources=[Flapping(pods=40, restless=10, seconds=60.0), ClusterLoad(pods=60, big=20, middle=6, small=3)],
    rows=ROWS,
    seeds=(1, 2),
    copies=3,
)


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    """A real scheduler with two worker processes, on the loopback: its address."""
    options = {"processes": True, "threads_per_worker": 1, "dashboard_address": None, "host": "127.0.0.1"}
    with LocalCluster(n_workers=2, **options) as cluster:  # type: ignore[no-untyped-call]
        yield cluster.scheduler_address


@contextmanager
def dask(address: str) -> Iterator[Executor]:
    with (
        Client(address, set_as_default=False) as client,  # type: ignore[no-untyped-call]
        client.get_executor() as executor,
    ):
        pids = client.run(os.getpid)
        assert len(set(pids.values()) - {os.getpid()}) == 2
        yield executor


@contextmanager
def processes() -> Iterator[Executor]:
    with ProcessPoolExecutor(2, get_context("spawn")) as executor:
        yield executor


@contextmanager
def threads() -> Iterator[Executor]:
    with ThreadPoolExecutor(2) as executor:
        yield executor


@pytest.mark.parametrize("kind", ["threads", "processes", "dask"])
def test_a_sweep_comes_to_the_same_on_every_executor(kind: str, request: pytest.FixtureRequest) -> None:
    here = study(PLAN, max_endpoints=10)
    kinds: dict[str, Callable[[], AbstractContextManager[Executor]]] = {
        "threads": threads,
        "processes": processes,
        "dask": lambda: dask(request.getfixturevalue("scheduler")),
    }
    with kinds[kind]() as executor:
        there = study(PLAN, max_endpoints=10, executor=executor)
    assert there.to_dict() == here.to_dict()
    assert [one.syncs for one in there.outcomes] == [one.syncs for one in here.outcomes]
    assert len(here.outcomes) == 4 * 9


def test_the_command_line_runs_on_a_scheduler_that_is_there(scheduler: str, capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("simulate", "advise"):
        arguments = [command, "flapping", "--set", "pods=60", "--seeds", "2", "-o", "json"]
        assert main([*arguments, "--dask", scheduler]) == 0
        there = capsys.readouterr().out
        assert main(arguments) == 0
        assert there == capsys.readouterr().out


def test_copies_that_run_apart_come_to_the_same_as_copies_that_run_together() -> None:
    load = ClusterLoad(pods=60, big=20, middle=6, small=3)
    for period in (0.0, 1.0):
        plan = Plan(sources=[load], rows=ROWS[:1], copies=3, settings=Settings(batch_period=period, latency=0.5))
        assert len(plan.tasks(load, 1, ROWS[0])) == 3
        (apart,) = sweep(plan)
        together = run(load.load(1, (0, 1, 2)), ROWS[0].writer(), plan.settings)
        assert together == apart.syncs
        assert len({sync.service.rpartition("-")[0] for sync in together}) == 3


def test_copies_that_share_a_rate_limit_run_together() -> None:
    load = Replacement(pods=30, per_second=2.0, seconds=30.0)
    limited = Plan(sources=[load], rows=ROWS, copies=4, settings=Settings(qps=1.0, burst=1))
    assert len(limited.tasks(load, 1, ROWS[0])) == 1
    (alone, *_), (crowded, *_) = sweep(replace(limited, copies=1)), sweep(limited)
    assert crowded.measures.delay_mean > 1.5 * alone.measures.delay_mean


def test_the_control_keeps_as_many_slices_as_the_first_row() -> None:
    row = Row(title="lean", policy=Policy(threshold=0.2), max_endpoints=50)
    load = Replacement(pods=200, seconds=200.0)
    plan = Plan(sources=[load], rows=[row], seeds=(1, 2), settings=Settings(batch_period=0.0))
    found = study(plan, max_endpoints=50)

    def slices(title: str) -> float:
        return sum(one.measures.slices_mean for one in found.outcomes if one.row.title == title)

    assert slices("lean") > 1.5 * slices(KUBERNETES)
    assert abs(slices(CONTROL) - slices("lean")) < abs(slices(KUBERNETES) - slices("lean")) / 10
    assert {one.row.max_endpoints for one in found.outcomes if one.row.title == CONTROL} < set(range(10, 40))


def test_the_bounds_are_told_only_where_everybody_is_asked_at_the_same_moments() -> None:
    for settings, told in ((Settings(), True), (Settings(qps=5.0), False), (Settings(latency=0.1), False)):
        found = study(replace(PLAN, settings=settings, copies=1, seeds=(1,)))
        titles = {one.row.title for one in found.outcomes}
        assert [title in titles for title in BOUNDS] == [told, told]


def test_what_could_not_be_told_apart_or_is_nothing_is_refused() -> None:
    small, large = (Flapping(pods=pods, restless=5, seconds=60.0) for pods in (10, 20))
    with pytest.raises(ValueError, match="two loads are called 'flapping'"):
        Plan(sources=[small, large], rows=ROWS[:1])
    with pytest.raises(ValueError, match="two rows are called 'one'"):
        Plan(sources=[small], rows=[Row(title="one"), Row(title="one", policy="lean")])
    with pytest.raises(ValueError, match="two rows are called 'first-fit'"):
        study(Plan(sources=[small], rows=[Row(title="first-fit")]))
    for wrong in ({"copies": 0}, {"seeds": ()}):
        with pytest.raises(ValueError, match="must be"):
            Plan(sources=[small], rows=ROWS[:1], **wrong)
    for most in (-1, 0, 1001):
        with pytest.raises(ValueError, match="max_endpoints must be 1 to 1000"):
            Row(title="one", kind="first-fit", max_endpoints=most)


def test_slices_count_from_when_they_are_written_in_whatever_order_syncs_end() -> None:
    written = [Written(1, 1, 3), Written(1, 1, 5)]
    syncs = [Sync(0.0, 8.0, "a", written[0], 30, (1.0,)), Sync(1.0, 2.0, "b", written[1], 10, (1.0,))]
    outcome = Outcome("load", 1, ROWS[0], syncs)
    assert [(point.time, point.slices) for point in outcome.series] == [(0.0, 0), (2.0, 5), (8.0, 8)]
    assert outcome.measures.slices_mean == 5 * 6 / 8
    assert outcome.measures.fill == pytest.approx(10 / (5 * ROWS[0].max_endpoints), abs=1e-4)


def test_measures_follow_from_the_syncs() -> None:
    (outcome,) = sweep(Plan(sources=[Flapping(pods=40, restless=10, seconds=60.0)], rows=[ROWS[0]]))
    counted = [sync for sync in outcome.syncs if sync.time >= 0]
    found = outcome.measures
    assert found.writes == sum(sync.written.writes for sync in counted) > 0
    assert found.bytes == sum(sync.written.bytes for sync in counted)
    assert found.slices_mean == found.slices_most == found.slices_after == 4
    assert found.fill == 1.0
    delays = sorted(delay for sync in counted for delay in sync.delays)
    assert found.delay_mean == pytest.approx(sum(delays) / len(delays), abs=1e-4)
    assert found.delay_most == pytest.approx(delays[-1], abs=1e-4)
    assert found.delay_most <= 1.0
    assert sum(delay > found.delay_99 + 1e-4 for delay in delays) <= len(delays) / 100


def test_a_file_is_simulated_once_whatever_the_seeds(tmp_path: Path) -> None:
    load = Flapping(pods=40, restless=10, seconds=60.0)
    path = tmp_path / "trace.csv"
    path.write_text("\n".join(write_trace(load.events(1))), encoding="utf-8")
    plan = Plan(sources=[TraceFile(str(path))], rows=ROWS, seeds=(1, 2, 3), copies=5)
    made = replace(plan, sources=[load], seeds=(1,), copies=1)
    assert [one.measures for one in sweep(plan)] == [one.measures for one in sweep(made)]


def test_the_laboratory_needs_nothing_but_the_engine() -> None:
    missing = "cyclopts", "distributed", "plotly", "rich", "yaml"
    script = f"import sys; sys.modules.update(dict.fromkeys({missing})); from epcore.simulate import WORKLOADS as found"
    done = subprocess.run(
        [sys.executable, "-c", f"{script}; print(len(found))"], capture_output=True, text=True, check=True
    )
    assert done.stdout == "8\n"


def test_the_same_seed_prints_the_same_bytes_in_every_process() -> None:
    command = [sys.executable, "-m", "epcore", "simulate", "flapping", "cluster", "--set", "pods=60", "-o", "json"]
    outputs = set()
    for seed, jobs in (("0", "1"), ("1", "1"), ("2", "2")):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        done = subprocess.run([*command, "--jobs", jobs], env=environment, capture_output=True, check=True)
        outputs.add(done.stdout)
    assert len(outputs) == 1
    told = json.loads(outputs.pop())
    assert [one["load"] for one in told["loads"]] == ["flapping", "cluster"]
