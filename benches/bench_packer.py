"""Changes in a Service of many: ``Packer``, beside one sync of Kubernetes' own library."""

import random
from collections.abc import Callable, Sequence
from itertools import cycle
from typing import TYPE_CHECKING, Any

import orjson
import pytest

import epcore
from data import DATABASE, MANAGER, SERVICE, cluster, dump, endpoint, listed, pod, wanted
from race import SIZES

if TYPE_CHECKING:
    from library import Library
    from race import Race

CASES = [(size, changes) for size in SIZES for changes in (1, 10, 1_000) if changes <= size]
CALLS = 100


def load(library: "Library", size: int) -> "dict[str, Callable[[], float]]":
    """It looks at every Pod and slice, whatever changed; here not even a write is made."""
    library.load(size)
    return {"Go": lambda: library.seconds("sync")}


def answer(packer: epcore.Packer, plan: epcore.Plan) -> None:
    for number, one in enumerate(plan.writes):
        sent: Any = one.to_dict()
        packer.answer(one, "accepted", {**sent, "metadata": {**sent["metadata"], "name": one.name or f"new-{number}"}})


def packer_of(size: int) -> epcore.Packer:
    """A packer whose slices hold what comes from outside."""
    packer = epcore.Packer()
    packer.replace([DATABASE], kind="Service")
    packer.replace(listed(size).replace(MANAGER.encode(), b"epcore"), kind="EndpointSlice")
    packer.publish("web", epcore.EndpointSet.from_json(wanted(size)), namespace="shop")
    answer(packer, packer.plan("web", namespace="shop"))
    assert packer.dirty == []
    return packer


def states(size: int, changes: int) -> list[list[dict[str, Any]]]:
    """Two states of some endpoints, all over the slices, and neither the one that the slices hold."""
    numbers = [number * size // changes for number in range(changes)]
    return [[{**endpoint(number), "zone": zone} for number in numbers] for zone in ("one", "other")]


def slices_of(size: int, changes: int) -> int:
    """How many slices hold them."""
    return len({number * size // changes // 100 for number in range(changes)})


def planning(packer: epcore.Packer, told: Sequence[Any], calls: int) -> Callable[[], epcore.Plan]:
    """So many times: some endpoints are told in their other state, and the plan is asked for."""
    turns = cycle(told)

    def plan() -> epcore.Plan:
        for _ in range(calls):
            packer.upsert("web", next(turns), namespace="shop")
            plan = packer.plan("web", namespace="shop")
        return plan

    return plan


@pytest.mark.parametrize("form", ["JSON", "dicts"])
@pytest.mark.parametrize(("size", "changes"), CASES)
def bench_plan_changes(race: "Race", library: "Library", size: int, changes: int, form: str) -> None:
    told = states(size, changes)
    given = [orjson.dumps(one) for one in told] if form == "JSON" else told
    calls = max(1, CALLS // changes)
    case = f"{changes:,} from {form}"
    plan = race(planning(packer_of(size), given, calls), load(library, size), calls=calls, case=case)
    assert len(plan) == slices_of(size, changes)


@pytest.mark.parametrize("form", ["JSON", "dicts"])
@pytest.mark.parametrize(("size", "changes"), CASES)
def bench_plan_changes_by_themselves(race: "Race", size: int, changes: int, form: str) -> None:
    """The same, but nobody else uses the caches of the processor in between."""
    told = states(size, changes)
    given = [orjson.dumps(one) for one in told] if form == "JSON" else told
    calls = max(1, CALLS // changes)
    plan = race(planning(packer_of(size), given, calls), calls=calls, case=f"{changes:,} from {form}")
    assert len(plan) == slices_of(size, changes)


def bench_plan_a_change_where_all_are_told(race: "Race", library: "Library", size: int) -> None:
    """Every endpoint is told, in handles that were not told before, and one of them changed."""
    packer = packer_of(size)
    rest = orjson.loads(wanted(size))[1:]
    texts = cycle([orjson.dumps([*changed, *rest]) for changed in states(size, 1)])
    handles: list[epcore.EndpointSet] = []

    def plan() -> epcore.Plan:
        packer.publish("web", handles[-1], namespace="shop")
        return packer.plan("web", namespace="shop")

    def before() -> None:
        handles[:] = [epcore.EndpointSet.from_json(next(texts))]

    assert len(race(plan, load(library, size), before=before)) == 1


def anywhere(size: int) -> list[list[dict[str, Any]]]:
    """States of one endpoint each: up to 10,000 in no order, and then the same ones in another state."""
    numbers = random.Random(7).sample(range(size), min(size, 10_000))
    return [[{**endpoint(number), "zone": zone}] for zone in ("one", "other") for number in numbers]


def answering(packer: epcore.Packer, told: Sequence[Any]) -> Callable[[], epcore.Plan]:
    """The whole way round: an endpoint is told, its plan asked for, and what the API server said to the write told."""
    turns = cycle(told)

    def around() -> epcore.Plan:
        for _ in range(CALLS):
            packer.upsert("web", next(turns), namespace="shop")
            plan = packer.plan("web", namespace="shop")
            (write,) = plan.writes
            packer.answer(write, "accepted", write.slice)
        return plan

    return around


def bench_plan_and_answer_a_change(race: "Race", library: "Library", size: int) -> None:
    """It is the same endpoint each time."""
    packer = packer_of(size)
    race(answering(packer, [orjson.dumps(one) for one in states(size, 1)]), load(library, size), calls=CALLS)
    assert packer.dirty == []


def bench_plan_and_answer_a_change_anywhere(race: "Race", library: "Library", size: int) -> None:
    """Of many, what is known of the next one is in no cache of the processor."""
    packer = packer_of(size)
    race(answering(packer, [orjson.dumps(one) for one in anywhere(size)]), load(library, size), calls=CALLS)
    assert packer.dirty == []


def bench_plan_a_changed_Pod(race: "Race", library: "Library", size: int) -> None:  # noqa: N802
    """From the event, as JSON, to the plan of one write, by Kubernetes' rules."""
    given = cluster(size)
    packer = epcore.Packer()
    packer.replace([SERVICE], kind="Service")
    packer.replace(given["nodes"], kind="Node")
    packer.replace(given["pods"], kind="Pod")
    packer.replace(given["slices"], kind="EndpointSlice")
    answer(packer, packer.plan("web", namespace="shop"))
    events = []
    for ready in ("False", "Unknown"):
        changed = pod(7)
        changed["status"]["conditions"][1]["status"] = ready
        changed["metadata"]["uid"] = f"u-{ready}"  # so that each event differs from the one before
        events.append(dump({"type": "MODIFIED", "object": {"kind": "Pod", **changed}}))
    turns = cycle(events)

    def change() -> epcore.Plan:
        for _ in range(CALLS):
            packer.apply(next(turns))
            plan = packer.plan("web", namespace="shop")
        return plan

    assert len(race(change, load(library, size), calls=CALLS)) == 1
