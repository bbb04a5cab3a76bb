"""Beside Kubernetes' own library (``tests/upstream``): the same writes, the same endpoints, the same errors."""

import json
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

import epcore
from kube_model import asks_for_topology, canonical, hints_by_zone, reconciled, summary
from kube_strategies import Json, cases

PROGRAM = Path(__file__).parent / "upstream" / "upstream"
needs_upstream = pytest.mark.skipif(not PROGRAM.exists(), reason="tests/upstream is not built: make test does it")
EXAMPLES = settings().max_examples


@dataclass
class Upstream:
    """The Go program, one question a line."""

    process: subprocess.Popen[bytes]

    def ask(self, **question: object) -> Json:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(question).encode() + b"\n")
        self.process.stdin.flush()
        answer: Json = json.loads(self.process.stdout.readline())
        assert "error" not in answer, answer
        return answer


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with subprocess.Popen([PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        yield Upstream(process)
    assert process.returncode == 0


def outcome_of(plan: epcore.Plan, *, shared_zones: bool) -> Any:
    counts = (plan.stats.creates, plan.stats.updates, plan.stats.deletes)
    slices = [dict(one) for one in plan.result().to_dicts()]
    events = sorted(f"{event['type']} {event['reason']}" for event in plan.events)
    zones = hints_by_zone(slices) if shared_zones else None
    return counts, summary(slices, shared_zones=shared_zones), len(plan.errors), events, plan.hints["populated"], zones


def outcome_of_run(run: Json, *, shared_zones: bool) -> Any:
    verbs = Counter(write["verb"] for write in run["writes"])
    slices = canonical(run["slices"])
    events = sorted(" ".join(event.split()[:2]) for event in run["events"])
    zones = hints_by_zone(slices) if shared_zones else None
    errors = {error.split(" for Service")[0] for error in run["errors"]}
    counts = (verbs["create"], verbs["update"], verbs["delete"])
    return counts, summary(slices, shared_zones=shared_zones), len(errors), events, run["populated"], zones


def comparable_outcome(outcome: Any, *, going: bool) -> Any:
    """No slice is created for a Service that is being deleted: which endpoints are left out is chance."""
    counts, (endpoints, shapes), *rest = outcome
    return counts, (None if going else endpoints, shapes), *rest


@needs_upstream
@pytest.mark.parametrize("part", range(10))
def test_reconcile_does_what_the_library_does(upstream: Upstream, part: int) -> None:
    @settings(max_examples=EXAMPLES * 5 // 2, suppress_health_check=list(HealthCheck))
    @given(cases())
    def agrees(case: Json) -> None:
        shared = asks_for_topology(case["service"])
        going = "deletionTimestamp" in case["service"]["metadata"]
        plan = reconciled(case, policy="upstream")
        ours = comparable_outcome(outcome_of(plan, shared_zones=shared), going=going)
        for repeat in (2, 30, 200):
            runs = upstream.ask(op="reconcile", repeat=repeat, **case)["runs"]
            found = [outcome_of_run(run, shared_zones=shared) for run in runs]
            theirs = [comparable_outcome(one, going=going) for one in found]
            if ours in theirs:
                break
        assert ours in theirs, f"part {part}: {plan}"

    agrees()
