"""The table of ``docs/simulate.md``: the lifecycle policy beside Kubernetes' rule, on every load there is."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

from epcore.simulate import BOUND, KUBERNETES, WORKLOADS, Outcome, Plan, Row, TraceFile, compare, kubernetes, sweep
from epcore.simulate.outcome import geometric_mean

ROOT = Path(__file__).parent.parent
OURS = "epcore lifecycle"
RECORDINGS = ("rollout", "scale")


@pytest.fixture(scope="module")
def outcomes() -> list[Outcome]:
    rows = [
        kubernetes(100),
        Row(title=OURS, policy="lifecycle"),
        Row(title=BOUND, kind="bound"),
    ]
    sources: list[Any] = [kind() for kind in WORKLOADS.values()]
    sources += [TraceFile(path=str(ROOT / "examples" / f"{name}.jsonl.xz")) for name in RECORDINGS]
    with ProcessPoolExecutor(2, get_context("spawn")) as executor:
        return sweep(Plan(sources=sources, rows=rows, seeds=range(1, 4)), executor)


def mean(outcomes: list[Outcome], load: str, row: str, field: str) -> float:
    """Over the seeds."""
    values = [getattr(one.measures, field) for one in outcomes if (one.load, one.row.title) == (load, row)]
    return float(sum(values) / len(values))


def table(outcomes: list[Outcome]) -> str:
    """Write the table as the page has it."""
    lines = []
    for load in dict.fromkeys(one.load for one in outcomes):

        def of(row: str, field: str, load: str = load) -> float:
            return mean(outcomes, load, row, field)

        cells = []
        for field, form in (("writes", ",.0f"), ("endpoints_resent", ",.0f"), ("slices_mean", ".2f")):
            theirs, ours = of(KUBERNETES, field), of(OURS, field)
            cells += [f"{theirs:{form}}", f"{ours:{form}}", f"{ours / theirs:.3f}"]
        bounds = [of(BOUND, field) / of(KUBERNETES, field) for field in ("writes", "endpoints_resent")]
        cells += [f"{of(OURS, 'endpoints_moved'):,.0f}", *(f"{bound:.3f}" for bound in bounds)]
        lines.append(f"| {load.removesuffix('.jsonl.xz')} | {' | '.join(cells)} |")
    over_all = compare(outcomes, KUBERNETES)[OURS]
    means = [f"**{over_all[field]:.3f}**" for field in ("writes", "endpoints_resent", "slices_mean")]
    lines.append(f"| geometric mean | | | {means[0]} | | | {means[1]} | | | {means[2]} | | | |")
    loads = dict.fromkeys(one.load for one in outcomes)
    fields = ("writes", "endpoints_resent", "slices_mean")
    once = [
        geometric_mean(mean(outcomes, load, OURS, field) / mean(outcomes, load, KUBERNETES, field) for load in loads)
        for field in fields
    ]
    means = [f"**{ratio:.3f}**" for ratio in once]
    lines.append(f"| geometric mean, each load once | | | {means[0]} | | | {means[1]} | | | {means[2]} | | | |")
    return "\n".join(lines)


def test_the_page_has_the_table_that_comes_out(outcomes: list[Outcome]) -> None:
    assert table(outcomes) in (ROOT / "docs" / "simulate.md").read_text()


def test_it_makes_three_quarters_of_the_writes_at_no_more_slices(outcomes: list[Outcome]) -> None:
    means = compare(outcomes, KUBERNETES)[OURS]
    assert means["writes"] is not None
    assert means["slices_mean"] is not None
    assert means["writes"] <= 0.75
    assert means["slices_mean"] <= 1.0


def test_on_no_load_it_makes_more_writes_or_keeps_two_slices_more(outcomes: list[Outcome]) -> None:
    theirs = {(one.load, one.seed): one.measures for one in outcomes if one.row.title == KUBERNETES}
    for one in outcomes:
        if one.row.title == OURS:
            base = theirs[one.load, one.seed]
            assert one.measures.writes <= base.writes
            assert one.measures.slices_most <= base.slices_most + 1
