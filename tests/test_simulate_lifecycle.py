"""The table of ``docs/simulate.md``: the lifecycle policy beside Kubernetes' rule, on every load there is."""

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

from epcore import Policy
from epcore.simulate import (
    BLIND,
    BOUND,
    KUBERNETES,
    WORKLOADS,
    HugeService,
    Outcome,
    Plan,
    Row,
    Settings,
    TraceFile,
    Workload,
    compare,
    kubernetes,
    run,
    sweep,
)
from epcore.simulate.outcome import geometric_mean
from simulate_dealt import Dealt
from simulate_still import StillWriter

ROOT = Path(__file__).parent.parent
OURS = "epcore lifecycle"
RECORDINGS = ("rollout", "scale")


ROWS = [kubernetes(100), Row(title=OURS, policy="lifecycle")]
SPARE = Row(title="spare", policy=Policy(spare=0.5))
BOUND_OF_CHANCE = Row(title=BLIND, kind="blind")


def simulated(sources: Sequence[Any], rows: list[Row], seeds: range, batch_period: float = 1.0) -> list[Outcome]:
    with ProcessPoolExecutor(2, get_context("spawn")) as executor:
        return sweep(
            Plan(sources=sources, rows=rows, seeds=seeds, settings=Settings(batch_period=batch_period)), executor
        )


def recordings() -> list[TraceFile]:
    return [TraceFile(path=str(ROOT / "examples" / f"{name}.jsonl.xz")) for name in RECORDINGS]


@pytest.fixture(scope="module")
def outcomes() -> list[Outcome]:
    sources = [*(kind() for kind in WORKLOADS.values()), *recordings()]
    return simulated(sources, [*ROWS, SPARE, Row(title=BOUND, kind="bound"), BOUND_OF_CHANCE], range(1, 4))


@pytest.fixture(scope="module")
def held_out() -> list[Outcome]:
    """Seeds on which no constant was tuned."""
    return simulated([kind() for kind in WORKLOADS.values()], ROWS, range(11, 14))


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
        bounds.append(of(BLIND, "endpoints_resent") / of(KUBERNETES, "endpoints_resent"))
        cells += [f"{of(OURS, 'endpoints_moved'):,.0f}", *(f"{bound:.3f}" for bound in bounds)]
        lines.append(f"| {load.removesuffix('.jsonl.xz')} | {' | '.join(cells)} |")
    over_all = compare(outcomes, KUBERNETES)[OURS]
    means = [f"**{over_all[field]:.3f}**" for field in ("writes", "endpoints_resent", "slices_mean")]
    blind = compare(outcomes, KUBERNETES)[BLIND]["endpoints_resent"]
    lines.append(f"| geometric mean | | | {means[0]} | | | {means[1]} | | | {means[2]} | | | | {blind:.3f} |")
    loads = dict.fromkeys(one.load for one in outcomes)
    fields = ("writes", "endpoints_resent", "slices_mean")
    once = [
        geometric_mean(mean(outcomes, load, OURS, field) / mean(outcomes, load, KUBERNETES, field) for load in loads)
        for field in fields
    ]
    means = [f"**{ratio:.3f}**" for ratio in once]
    lines.append(f"| geometric mean, each load once | | | {means[0]} | | | {means[1]} | | | {means[2]} | | | | |")
    return "\n".join(lines)


def test_the_page_has_the_table_that_comes_out(outcomes: list[Outcome]) -> None:
    assert table(outcomes) in (ROOT / "docs" / "simulate.md").read_text()


def test_it_makes_three_quarters_of_the_writes_at_no_more_slices(outcomes: list[Outcome]) -> None:
    means = compare(outcomes, KUBERNETES)[OURS]
    assert means["writes"] is not None
    assert means["slices_mean"] is not None
    assert means["writes"] <= 0.75
    assert means["slices_mean"] <= 1.0


@pytest.mark.parametrize("load", ["flapping", "replacement", "node-failure"])
def test_kubernetes_rule_keeps_the_fewest_slices_there_can_be_on_some_loads(outcomes: list[Outcome], load: str) -> None:
    kept = {(one.row.title, one.seed): one.measures.slices_mean for one in outcomes if one.load == load}
    for seed in range(1, 4):
        assert kept[KUBERNETES, seed] == kept[BOUND, seed]


def test_the_page_has_what_spare_slices_buy(outcomes: list[Outcome]) -> None:
    means = compare(outcomes, KUBERNETES)[SPARE.title]
    writes, resent, slices = (f"{means[field]:.3f}" for field in ("writes", "endpoints_resent", "slices_mean"))
    told = f"it sends {resent} of the endpoints again, with {writes} of the writes, at {slices} of the slices"
    assert told in (ROOT / "docs" / "simulate.md").read_text()


def test_the_page_has_what_comes_out_at_seeds_that_nothing_was_tuned_on(held_out: list[Outcome]) -> None:
    means = compare(held_out, KUBERNETES)[OURS]
    told = [f"**{means[field]:.3f}**" for field in ("writes", "endpoints_resent", "slices_mean")]
    assert f"give {told[0]}, {told[1]} and {told[2]}" in (ROOT / "docs" / "simulate.md").read_text()


@pytest.mark.parametrize("batch_period", [0.3, 0.5, 1.0, 2.0, 3.0, 5.0])
def test_on_a_recording_it_makes_no_more_writes_however_long_changes_are_collected(batch_period: float) -> None:
    found = simulated(recordings(), ROWS, range(1, 2), batch_period)
    writes = {(one.load, one.row.title): one.measures.writes for one in found}
    for load in dict.fromkeys(one.load for one in found):
        assert 30 < writes[load, OURS] <= writes[load, KUBERNETES]


def test_on_no_load_it_makes_more_writes_or_keeps_two_slices_more(
    outcomes: list[Outcome], held_out: list[Outcome]
) -> None:
    both = outcomes + held_out
    theirs = {(one.load, one.seed): one.measures for one in both if one.row.title == KUBERNETES}
    for one in both:
        if one.row.title == OURS:
            base = theirs[one.load, one.seed]
            assert one.measures.writes <= base.writes
            assert one.measures.slices_most <= base.slices_most + 1


Dealing = tuple[Workload, int, Row]
Leasts = dict[tuple[str, int], float]
"""For each load and seed."""


def dealt_outcome(dealing: Dealing) -> Outcome:
    """Run a row where it is chance which of those that say the same is next."""
    workload, seed, row = dealing
    load = workload.load(seed)
    return Outcome(load.name, seed, row, run(load, Dealt(row.writer("nothing"), "nothing", seed), Settings()))


def dealt_least(workload: Workload, seed: int) -> float:
    """Tell what is sent again at least where ready endpoints stay where they are."""
    writer = StillWriter(100)
    run(workload.load(seed), Dealt(writer, "nothing", seed), Settings())
    return sum(writer.least().values())


KINDS = [kind for kind in WORKLOADS.values() if kind is not HugeService]
SEEDS = range(1, 4)


@pytest.fixture(scope="module")
def dealt() -> list[Outcome]:
    dealings = [(kind(), seed, row) for kind in KINDS for seed in SEEDS for row in [*ROWS, BOUND_OF_CHANCE]]
    with ProcessPoolExecutor(2, get_context("spawn")) as executor:
        return list(executor.map(dealt_outcome, dealings))


@pytest.fixture(scope="module")
def leasts() -> Leasts:
    places = [(kind(), seed) for kind in KINDS for seed in SEEDS]
    with ProcessPoolExecutor(2, get_context("spawn")) as executor:
        found = list(executor.map(dealt_least, *zip(*places, strict=True)))
    return {(workload.name, seed): least for (workload, seed), least in zip(places, found, strict=True)}


def shares(outcomes: list[Outcome], leasts: Leasts) -> Leasts:
    """Divide by what Kubernetes' rule sends again."""
    rule = [one for one in outcomes if one.row.title == KUBERNETES]
    return {(one.load, one.seed): leasts[one.load, one.seed] / (one.measures.endpoints_resent or 1) for one in rule}


def dealt_table(outcomes: list[Outcome], leasts: Leasts) -> str:
    """Write the second table as the page has it; the last column depends a little on how a processor adds up."""
    lines = []
    for load in dict.fromkeys(one.load for one in outcomes):
        theirs, ours, bound = (mean(outcomes, load, row, "endpoints_resent") for row in (KUBERNETES, OURS, BLIND))
        slices = mean(outcomes, load, OURS, "slices_mean") / mean(outcomes, load, KUBERNETES, "slices_mean")
        least = sum(leasts[load, seed] for seed in SEEDS) / len(SEEDS)
        cells = [f"{value:.3f}" for value in (ours / theirs, slices, bound / theirs)]
        lines.append(f"| {load} | {theirs:,.0f} | {' | '.join(cells)} | {least / theirs:.2f} |")
    means = compare(outcomes, KUBERNETES)
    chosen = [means[OURS]["endpoints_resent"], means[OURS]["slices_mean"], means[BLIND]["endpoints_resent"]]
    over_all = geometric_mean(shares(outcomes, leasts).values())
    lines.append(f"| geometric mean | | {' | '.join(f'**{one:.3f}**' for one in chosen)} | **{over_all:.2f}** |")
    return "\n".join(lines)


def test_the_page_has_the_table_of_loads_in_which_who_is_next_is_chance(dealt: list[Outcome], leasts: Leasts) -> None:
    assert dealt_table(dealt, leasts) in (ROOT / "docs" / "simulate.md").read_text()


def test_half_of_the_endpoints_cannot_be_saved_where_who_is_next_is_chance(
    dealt: list[Outcome], leasts: Leasts
) -> None:
    least = geometric_mean(shares(dealt, leasts).values())
    assert least is not None
    assert least > 0.55
