"""`epcore advise` tells what simulations came to, and beaten choices apart from those that no other beats."""

import json
import re
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epcore.cli import main
from epcore.simulate import (
    KUBERNETES,
    Advice,
    Choice,
    Flapping,
    Plan,
    Replacement,
    Row,
    Settings,
    advise,
    kubernetes,
    sweep,
)

EXAMPLES = Path(__file__).parent.parent / "examples"
LOADS = [Replacement(pods=60, per_second=1.0, seconds=60.0), Flapping(pods=60, restless=10, seconds=60.0)]
PLAN = Plan(sources=LOADS, rows=[Row(title="epcore lean", policy="lean")], seeds=(1, 2))


def test_each_choice_tells_what_its_simulation_came_to() -> None:
    advice = advise(PLAN, sizes=[10, 30], periods=[0.0, 2.0])
    tried = {(one.policy, one.max_endpoints, one.batch_period) for one in advice.choices}
    assert tried == set(product((KUBERNETES, "epcore lean"), (10, 30), (0.0, 2.0))) | {(KUBERNETES, 100, 0.0)}
    for choice in advice.choices:
        policy = kubernetes(choice.max_endpoints)
        if choice.policy != KUBERNETES:
            policy = Row(title="epcore lean", policy="lean", max_endpoints=choice.max_endpoints)
        settings = Settings(batch_period=choice.batch_period)
        found = sweep(Plan(sources=LOADS, rows=[policy], seeds=(1, 2), settings=settings))
        assert choice.writes == sum(one.measures.writes for one in found)
        assert choice.bytes == sum(one.measures.bytes for one in found)
        assert choice.delay_99 == max(one.measures.delay_99 for one in found)
        delays = [delay for one in found for sync in one.syncs for delay in sync.delays]
        assert choice.delay_mean == pytest.approx(sum(delays) / len(delays), abs=1e-3)
        assert choice.slices_mean == pytest.approx(sum(one.measures.slices_mean for one in found), abs=1e-3)


def test_what_is_compared_with_is_kubernetes_at_its_defaults() -> None:
    for sizes, periods in (([10], [2.0]), ([100], [0.0]), ([100, 10], [2.0, 0.0])):
        advice = advise(PLAN, sizes=sizes, periods=periods)
        assert advice.today[:3] == (KUBERNETES, 100, 0.0)
        assert advice.choices.count(advice.today) == 1
        assert advice.relative(advice.today) == {"writes": 1.0, "bytes": 1.0}


COSTS = st.integers(0, 5)
CHOICES = st.lists(
    st.builds(
        lambda number, writes, size, delay: Choice(f"p{number}", 100, 0.0, writes, size, delay / 2, float(delay), 1.0),
        st.integers(0, 10**6),
        COSTS,
        COSTS,
        COSTS,
    ),
    min_size=1,
    max_size=20,
)


def costs(choice: Choice) -> tuple[float, float, float]:
    return choice.writes, choice.bytes, choice.delay_99


@given(CHOICES, st.integers(0, 5))
def test_the_front_has_whom_nobody_beats_and_the_best_keep_to_the_delay(choices: list[Choice], most: int) -> None:
    advice = Advice(choices, choices[0], float(most))
    for choice in choices:
        better = [
            one
            for one in choices
            if costs(one) != costs(choice) and all(a <= b for a, b in zip(costs(one), costs(choice), strict=True))
        ]
        assert (choice in advice.front) == (not better)
    prompt = [one for one in choices if one.delay_99 <= most]
    assert bool(advice.best) == bool(prompt)
    for found in advice.best.values():
        assert found in prompt
    if prompt:
        assert advice.best["fewest writes"].writes == min(one.writes for one in prompt)
        assert advice.best["fewest bytes"].bytes == min(one.bytes for one in prompt)
        least = min(one.writes * one.bytes for one in prompt)
        assert advice.best["both"].writes * advice.best["both"].bytes == least


ADVISE = ["advise", "replacement", "--set", "pods=60", "--set", "seconds=60"]


def out_of(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    code = main(arguments)
    captured = capsys.readouterr()
    assert (code, captured.err) == (0, "")
    return captured.out


def test_it_prints_for_programs_what_was_found(capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--max-endpoints", "10", "--max-endpoints", "20", "--batch-period", "1", "--policy", "dense"]
    told = json.loads(out_of([*ADVISE, *options, "--most-delay", "1.5", "--watchers", "9", "-o", "json"], capsys))
    plan = Plan(sources=[Replacement(pods=60, seconds=60.0)], rows=[Row(title="epcore dense", policy="dense")])
    assert told == advise(plan, sizes=[10, 20], periods=[1.0], most_delay=1.5, watchers=9).to_dict()
    assert told["choices"][0]["bytes_to_all"] == 9 * told["choices"][0]["bytes"]


def test_the_table_shows_today_the_best_and_once_what_costs_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    shown = out_of(ADVISE, capsys)
    everything = out_of([*ADVISE, "--all"], capsys)
    told = json.loads(out_of([*ADVISE, "-o", "json"], capsys))
    row = re.compile(r"^(?:Kubernetes' rule|epcore \w+) +\d", re.MULTILINE)
    assert len(row.findall(everything)) == len(told["choices"])
    costs = ("batch_period", "writes", "bytes", "delay_mean", "delay_99", "slices_mean")
    front = [one for one in told["choices"] if not one["beaten"]]
    named = [told["today"], *told["best"].values()]
    groups: dict[tuple[float, ...], set[tuple[str, int]]] = {}
    for one in [*named, *front]:
        groups.setdefault(tuple(one[cost] for cost in costs), set()).add((one["policy"], one["max_endpoints"]))
    assert len(row.findall(shown)) == len(groups) < len(front)
    many = re.compile(r"^(?:Kubernetes' rule|epcore \w+) .* (\d+)(?:  \D.*)?$", re.MULTILINE)
    more = sum(map(int, many.findall(shown)))
    assert len(row.findall(shown)) + more == sum(map(len, groups.values()))
    assert re.search(r"^Kubernetes' rule +100 +0 .* today$", shown, re.MULTILINE)
    for what, best in told["best"].items():
        assert f"\n{what}, within 1 s: {best['policy']}, at most {best['max_endpoints']} endpoints" in shown


def test_a_delay_that_nobody_keeps_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    out = out_of([*ADVISE, "--latency", "3", "--most-delay", "1"], capsys)
    assert "No choice makes 99 of 100 changes known within 1 s" in out


def test_a_recording_may_be_asked_about(capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--batch-period", "1", "--max-endpoints", "100", "--policy", "balanced", "--qps", "20"]
    out = out_of(["advise", str(EXAMPLES / "rollout.jsonl.xz"), *options], capsys)
    assert re.search(r"^epcore balanced +100 +1 ", out, re.MULTILINE)


def test_a_load_is_needed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["advise"]) == 2
    assert capsys.readouterr().err == "epcore: advise needs a load: epcore advise LOAD...\n"
