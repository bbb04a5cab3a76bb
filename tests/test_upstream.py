"""Beside Kubernetes' own library (``tests/upstream``): the same writes, the same endpoints, the same errors."""

import json
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

import epcore
from kube_strategies import HEADLESS, Json, cases

FOLDER = Path(__file__).parent / "upstream"
EXAMPLES = settings().max_examples


class Upstream:
    """The Go program, one question a line."""

    def __init__(self) -> None:
        self.process = subprocess.Popen([FOLDER / "upstream"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

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
    program = Upstream()
    yield program
    assert program.process.stdin is not None
    program.process.stdin.close()
    assert program.process.wait(10) == 0


def ports_of(slice_: Json) -> str:
    return json.dumps(sorted(json.dumps(port, sort_keys=True) for port in slice_["ports"]))


def canonical(slices: list[Json]) -> list[Json]:
    return [dict(one) for one in epcore.SliceSet.from_objects(slices).to_dicts()]


def comparable(endpoint: Json, *, shared_zones: bool) -> str:
    """The version of a target is never compared, and dropped by the library where it happens to rewrite a slice."""
    shown = {name: value for name, value in endpoint.items() if name != "hints" or not shared_zones}
    target = {name: value for name, value in endpoint.get("targetRef", {}).items() if name != "resourceVersion"}
    return json.dumps({**shown, "targetRef": target}, sort_keys=True)


def summary(slices: list[Json], *, shared_zones: bool) -> Any:
    """What must be equal whatever Go's maps decide: endpoints of each group, and the slices but for who is in which."""
    endpoints: Counter[str] = Counter()
    shapes: Counter[str] = Counter()
    for slice_ in slices:
        group = f"{slice_['addressType']} {ports_of(slice_)}"
        for endpoint in slice_["endpoints"]:
            endpoints[group + comparable(endpoint, shared_zones=shared_zones)] += 1
        metadata = slice_["metadata"]
        # The library leaves a wrong headless label on a slice that it only appends to; we mend it.
        labels = {key: value for key, value in metadata["labels"].items() if key != HEADLESS}
        owners = sorted(owner["uid"] for owner in metadata["ownerReferences"])
        shape = [group, len(slice_["endpoints"]), labels, metadata.get("annotations", {}), owners]
        shapes[json.dumps(shape, sort_keys=True)] += 1
    return endpoints, shapes


def hints_by_zone(slices: list[Json]) -> Counter[Any]:
    found: Counter[Any] = Counter()
    for slice_ in slices:
        for endpoint in slice_["endpoints"]:
            zones = [hint["name"] for hint in endpoint.get("hints", {}).get("forZones", [])]
            found[(slice_["addressType"], tuple(zones))] += 1
    return found


def asks_for_topology(service: Json) -> bool:
    annotations = service["metadata"]["annotations"]
    names = ["service.kubernetes.io/topology-aware-hints", "service.kubernetes.io/topology-mode"]
    value = next((annotations[name] for name in names if name in annotations), "")
    return value in ("Auto", "auto")


def reconciled(case: Json, **options: Any) -> epcore.Plan:
    hints = {"populated": True, "zones": case["hints"]} if case["hints"] else None
    return epcore.reconcile(
        case["service"],
        case["pods"],
        case["nodes"],
        case["slices"],
        hints=hints,  # type: ignore[arg-type]
        max_endpoints=case["max"],
        trigger_time=case["triggerTime"] or None,
        **options,
    )


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
