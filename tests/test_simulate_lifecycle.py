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
    return simulated(
        sources, [*ROWS, SPARE, Row(title=BOUND, kind="bound"), Row(title=BLIND, kind="blind")], range(1, 4)
    )


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


Place = tuple[Workload | TraceFile, int]
"""A load, and a seed."""
Leasts = dict[tuple[str, int], tuple[float, float]]
"""What is sent again at least of each load at each seed: by the bound of each sync, and by that of a run."""

SEEDS = range(1, 4)


def places() -> list[Place]:
    return [*((kind(), seed) for kind in WORKLOADS.values() for seed in SEEDS), *((one, 1) for one in recordings())]


def dealt_outcome(place: Place, row: Row) -> Outcome:
    """Run a row where it is chance which of those that say the same is next."""
    source, seed = place
    load = source.load(seed)
    return Outcome(load.name, seed, row, run(load, Dealt(row.writer("nothing"), "nothing", seed), Settings()))


def dealt_least(place: Place) -> tuple[float, float]:
    """Tell what is sent again at least, and where ready endpoints stay where they are."""
    source, seed = place
    writer = StillWriter(100)
    run(source.load(seed), Dealt(writer, "nothing", seed), Settings())
    return sum(writer.resent.values()), sum(writer.least().values())


@pytest.fixture(scope="module")
def dealt() -> list[Outcome]:
    dealings = [(place, row) for place in places() for row in ROWS]
    with ProcessPoolExecutor(2, get_context("spawn")) as executor:
        return list(executor.map(dealt_outcome, *zip(*dealings, strict=True)))


@pytest.fixture(scope="module")
def leasts() -> Leasts:
    # The long ones first.
    those = places()[::-1]
    with pytest.MonkeyPatch.context() as patch:
        # Each process is one thread: more would wait for each other.
        patch.setenv("OPENBLAS_NUM_THREADS", "1")
        with ProcessPoolExecutor(2, get_context("spawn")) as executor:
            found = list(executor.map(dealt_least, those))
    return {(source.name, seed): least for (source, seed), least in zip(those, found, strict=True)}


def test_the_bound_of_a_run_is_no_less_than_that_of_its_syncs(leasts: Leasts) -> None:
    for sync, still in leasts.values():
        assert 0 < sync <= still
    assert sum(sync < still for sync, still in leasts.values()) > len(leasts) / 2


def shares(outcomes: list[Outcome], leasts: Leasts, which: int) -> dict[tuple[str, int], float]:
    """Divide by what Kubernetes' rule sends again."""
    rule = {(one.load, one.seed): one.measures for one in outcomes if one.row.title == KUBERNETES}
    return {place: least[which] / (rule[place].endpoints_resent or 1) for place, least in leasts.items()}


def dealt_table(outcomes: list[Outcome], leasts: Leasts) -> str:
    """Write the second table as the page has it; the last column depends a little on how a processor adds up."""
    lines = []
    for load in dict.fromkeys(one.load for one in outcomes):
        theirs, ours = (mean(outcomes, load, row, "endpoints_resent") for row in (KUBERNETES, OURS))
        slices = mean(outcomes, load, OURS, "slices_mean") / mean(outcomes, load, KUBERNETES, "slices_mean")
        seeds = [least for (name, _), least in leasts.items() if name == load]
        sync, still = (sum(least) / len(seeds) / theirs for least in zip(*seeds, strict=True))
        cells = [f"{theirs:,.0f}", *(f"{value:.3f}" for value in (ours / theirs, slices, sync)), f"{still:.2f}"]
        lines.append(f"| {load.removesuffix('.jsonl.xz')} | {' | '.join(cells)} |")
    means = compare(outcomes, KUBERNETES)[OURS]
    chosen = [f"{value:.3f}" for value in (means["endpoints_resent"], means["slices_mean"])]
    over_all = [geometric_mean(shares(outcomes, leasts, which).values()) for which in range(2)]
    told = [f"**{one}**" for one in [*chosen, f"{over_all[0]:.3f}", f"{over_all[1]:.2f}"]]
    lines.append(f"| geometric mean | | {' | '.join(told)} |")
    return "\n".join(lines)


def test_the_page_has_the_table_of_loads_in_which_who_is_next_is_chance(dealt: list[Outcome], leasts: Leasts) -> None:
    assert dealt_table(dealt, leasts) in (ROOT / "docs" / "simulate.md").read_text()


def test_half_of_the_endpoints_cannot_be_saved_where_who_is_next_is_chance(
    dealt: list[Outcome], leasts: Leasts
) -> None:
    sync, still = (geometric_mean(shares(dealt, leasts, which).values()) for which in range(2))
    assert sync is not None
    assert still is not None
    assert sync > 0.5
    assert still > 0.58
