"""Beside Kubernetes' own library (``tests/upstream``): the same writes, the same endpoints, the same errors."""

import re
from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

import epcore
from kube_model import asks_for_topology, canonical, hints_by_zone, reconciled, summary
from kube_strategies import Json, cases
from submitted_strategies import submitted
from upstream_peer import Upstream, needs_upstream

EXAMPLES = settings().max_examples


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


def refused(slice_: Json) -> set[str]:
    """Where the linter says that the API server refuses a slice."""
    found = epcore.lint([slice_])
    return {one.path.removeprefix("slices[0].") for one in found if one.rule in ("refused", "unreadable")}


def refused_upstream(slice_: Json, violations: list[Json]) -> set[str]:
    """The same as the API server says it, which names the list where an address is of the wrong family."""
    paths = set()
    for violation in violations:
        path = violation["path"]
        addresses = re.fullmatch(r"endpoints\[(\d+)\]\.addresses", path)
        if addresses and violation["value"]:
            held = slice_["endpoints"][int(addresses[1])]["addresses"]
            paths |= {f"{path}[{index}]" for index, address in enumerate(held) if address == violation["value"]}
        else:
            paths.add(path)
    return paths


def without_keys(paths: set[str]) -> set[str]:
    """The API server names the whole where a label, an annotation or a finalizer is wrong."""
    return {re.sub(r"^(metadata\.(?:labels|annotations|finalizers))[.\[].*", r"\1", path) for path in paths}


@needs_upstream
def test_lint_refuses_what_the_api_server_refuses(upstream: Upstream) -> None:
    @settings(max_examples=EXAMPLES * 10, suppress_health_check=list(HealthCheck))
    @given(submitted())
    def agrees(slice_: Json) -> None:
        answer = upstream.ask(op="validate", slice=slice_)
        theirs = without_keys(refused_upstream(slice_, answer["violations"]))
        assert without_keys(refused(slice_)) == theirs, slice_

    agrees()
