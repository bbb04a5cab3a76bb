"""``policy="lifecycle"`` over whole runs: no reader notices it, and it writes less."""

import itertools
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import epcore
from epcore.cli.recording import read_recording
from epcore.cli.replay import KUBERNETES, Replay, replay
from epcore.cli.summary import summarise
from epcore.simulate import (
    Autoscaler,
    Plan,
    Replacement,
    RollingUpdate,
    Row,
    Settings,
    TraceFile,
    Workload,
    kubernetes,
    sweep,
)
from epcore.simulate import run as run_load
from epcore.simulate.writers import EngineWriter
from epcore.testing import judge
from lifecycle_worlds import READY, Json, State, World, packed
from upstream_peer import Upstream, needs_upstream

EXAMPLES = Path(__file__).parent.parent / "examples"
STATES: list[State] = [READY, (False, False, False), (False, True, True), (False, False, True)]


def endpoint(number: int, state: State) -> Json:
    return {
        "addresses": [f"10.0.0.{number + 1}"],
        "conditions": dict(zip(("ready", "serving", "terminating"), state, strict=True)),
        "targetRef": {"kind": "Pod", "namespace": "shop", "name": f"web-{number % 2}-{number}"},
    }


def plans(worlds: list[World], policy: Any, most: int, **options: Any) -> Iterator[epcore.Plan]:
    return packed(worlds, endpoint, policy, most, **options)


@st.composite
def lives(draw: st.DrawFn, endpoints: int = 16, steps: int = 8) -> list[World]:
    """A group whose endpoints come, get ready, flap, terminate and go, some of them at a time."""
    worlds: list[World] = [dict.fromkeys(range(endpoints), READY)]
    for _ in range(draw(st.integers(1, steps))):
        world = dict(worlds[-1])
        for number in draw(st.sets(st.integers(0, endpoints - 1), max_size=6)):
            state = draw(st.sampled_from([None, *STATES]))
            if state is None:
                world.pop(number, None)
            else:
                world[number] = state
        worlds.append(world)
    return worlds


policies = st.sampled_from(["lifecycle", epcore.Policy(spare=1.0), epcore.Policy(moves="not-serving")])


@given(lives(), policies, st.integers(1, 6))
def test_no_reader_notices_a_move(worlds: list[World], policy: Any, most: int) -> None:
    for plan in plans(worlds, policy, most):
        assert [str(one) for one in judge(plan)] == []


class Told:
    """Events of slices as a watch tells them, and what is in all slices together after each."""

    def __init__(self) -> None:
        self.events: list[Json] = []
        self.unions: list[dict[str, list[str]]] = []

    def carry_out(self, plan: epcore.Plan) -> None:
        for number, write in enumerate(plan.writes):
            kind = {"create": "ADDED", "update": "MODIFIED", "delete": "DELETED"}[write.verb]
            self.events.append({"type": kind, "object": write.to_dict()})
            self.unions.append(union(plan.prefix(number + 1)))

    def compare(self, upstream: Upstream) -> None:
        """Hold every port of kube-proxy's books against the union of the slices at that moment."""
        books = upstream.ask(op="books", events=self.events)["books"]
        for ports, expected in zip(books, self.unions, strict=True):
            assert bool(ports) == bool(expected)
            assert all(book == expected for book in ports.values())


def union(slices: epcore.SliceSet) -> dict[str, list[str]]:
    held: dict[str, list[str]] = {}
    for one in (endpoint for slice_ in slices for endpoint in slice_.endpoints):
        words = {"ready": one.ready, "serving": one.serving, "terminating": one.terminating}
        held.setdefault(one.addresses[0], []).append(
            " ".join(f"{word}={value}".lower() for word, value in words.items())
        )
    return held


@needs_upstream
def test_kube_proxy_holds_exactly_the_union_of_the_slices_after_every_event(upstream: Upstream) -> None:
    moved = 0

    @settings(max_examples=4 * settings().max_examples, suppress_health_check=[HealthCheck.nested_given])
    @given(lives(24, 10), policies, st.integers(1, 6))
    def agrees(worlds: list[World], policy: Any, most: int) -> None:
        nonlocal moved
        told = Told()
        for plan in plans(worlds, policy, most):
            told.carry_out(plan)
            moved += len(plan.moves)
        told.compare(upstream)

    agrees()
    assert moved > 20


@needs_upstream
@pytest.mark.parametrize("name", ["rollout", "scale"])
def test_kube_proxy_holds_exactly_the_union_on_a_recording(upstream: Upstream, name: str) -> None:
    told = Told()
    load = TraceFile(path=str(EXAMPLES / f"{name}.jsonl.xz")).load()
    run_load(load, EngineWriter(Row(title="lifecycle", policy="lifecycle"), told.carry_out), Settings(batch_period=2.0))
    assert len(told.events) > 50
    told.compare(upstream)


@given(lives(), st.integers(1, 6))
def test_publish_and_a_packer_plan_the_same(worlds: list[World], most: int) -> None:
    service = {
        "kind": "Service",
        "metadata": {"name": "web", "namespace": "shop", "resourceVersion": "1"},
        "spec": {"ports": [{"name": "http", "port": 80}]},
    }
    options: Any = {"policy": "lifecycle", "max_endpoints": most, "naming": "deterministic"}
    packer = epcore.Packer(managed_by="tests.example.com", **options)
    packer.apply(service)
    version = itertools.count(10)
    for world in worlds:
        wanted = [endpoint(number, state) for number, state in world.items()]
        packer.publish("web", wanted, namespace="shop")
        slices = packer.slices("web", namespace="shop")
        whole = epcore.publish(service, wanted, slices, managed_by="tests.example.com", **options)
        plan = packer.plan("web", namespace="shop")
        assert plan.to_json() == whole.to_json()
        for write in plan.writes:
            sent: Json = {**write.to_dict()}
            stored = {**sent, "metadata": {**sent["metadata"], "resourceVersion": str(next(version))}}
            packer.answer(write, "accepted", None if write.verb == "delete" else stored)
        assert packer.dirty == []


@cache
def replayed(name: str) -> Replay:
    return replay(read_recording(str(EXAMPLES / f"{name}.jsonl.xz")), {"lifecycle": "lifecycle"})


COUNTS = {
    "rollout": ((471, 38_793, 8), (378, 28_019, 8, 845)),
    "scale": ((800, 44_543, 8), (762, 37_625, 8, 890)),
}
"""Writes, endpoints sent again and slices at most by Kubernetes' rule; the same and moved endpoints by ours."""


@pytest.mark.parametrize("name", COUNTS)
def test_the_counts_on_the_recordings_are_these(name: str) -> None:
    theirs, ours = (replayed(name).row(title) for title in (KUBERNETES, "epcore lifecycle"))
    counts = (
        (theirs.writes, theirs.endpoints_resent, theirs.slices_most),
        (ours.writes, ours.endpoints_resent, ours.slices_most, ours.endpoints_moved),
    )
    assert counts == COUNTS[name]


def test_the_readme_has_these_figures() -> None:
    means = summarise([replayed(name) for name in COUNTS]).rows["epcore lifecycle"].values()
    moved = sum(ours[3] for _, ours in COUNTS.values())
    told = " | ".join(f"{mean:.3f}" for mean in means if mean is not None)
    text = (EXAMPLES.parent / "README.md").read_text()
    assert f'| epcore `"lifecycle"` (moves {moved:,} endpoints that are not ready) | {told} |' in text


@given(lives(), policies, st.integers(1, 6))
def test_no_move_costs_a_write_where_one_endpoint_changes_at_a_time(
    worlds: list[World], policy: Any, most: int
) -> None:
    single = [worlds[0]]
    for old, new in itertools.pairwise(worlds):
        world = dict(old)
        for number in old.keys() | new.keys():
            if number in new:
                world[number] = new[number]
            else:
                del world[number]
            single.append(dict(world))
    for plan in plans(single, policy, most):
        assert plan.stats.writes == plan.stats.write_floor


@pytest.mark.parametrize(
    "load",
    [
        Autoscaler(most=300, period=600.0, swings=1),
        Replacement(pods=250, seconds=300.0),
        RollingUpdate(pods=250),
    ],
    ids=lambda load: load.name,
)
def test_where_nothing_is_collected_it_makes_no_more_writes_than_kubernetes(load: Workload) -> None:
    rows = [kubernetes(100), Row(title="lifecycle", policy="lifecycle")]
    theirs, ours = sweep(Plan(sources=[load], rows=rows, settings=Settings(batch_period=0.0)))
    assert 300 < ours.measures.writes <= theirs.measures.writes


Blocks = tuple[frozenset[int], ...]


def partitions(numbers: tuple[int, ...], most: int) -> Iterator[Blocks]:
    """Every way to put endpoints into slices."""
    if not numbers:
        yield ()
        return
    first, rest = numbers[0], numbers[1:]
    for others in partitions(rest, most):
        yield (frozenset({first}), *others)
        for at, block in enumerate(others):
            if len(block) < most:
                yield (*others[:at], block | {first}, *others[at + 1 :])


def fewest_writes(before: Blocks, after: Blocks, old: World, new: World) -> int | None:
    """Writes from one arrangement to another in which no endpoint that is ready moves; ``None`` if that cannot be."""
    fixed = {number for number in old if number in new and new[number][0]}
    touched = {number for number in old.keys() | new.keys() if old.get(number) != new.get(number)}
    free_before, free_after, writes = [], [], 0
    for block in before:
        pinned = block & fixed
        heirs = [other for other in after if other & pinned]
        if not pinned:
            free_before.append(block)
            continue
        if len(heirs) != 1 or heirs[0] & fixed != pinned:
            return None
        writes += heirs[0] != block or bool(block & touched)
    free_after = [block for block in after if not block & fixed]
    # Of the others a slice that stays as it is costs nothing, one that changes one write, like one that comes or goes.
    same = sum(block in free_before and not block & touched for block in free_after)
    return writes + max(len(free_before), len(free_after)) - same


def optimum(worlds: list[World], start: Blocks, most: int) -> int:
    """Fewest writes of any planner that knows the future and never moves an endpoint that is ready."""
    costs: dict[Blocks, int] = {start: 0}
    for old, new in itertools.pairwise(worlds):
        following: dict[Blocks, int] = {}
        for after in partitions(tuple(sorted(new)), most):
            found = [
                cost + writes
                for before, cost in costs.items()
                if (writes := fewest_writes(before, after, old, new)) is not None
            ]
            if found:
                following[after] = min(found)
        costs = following
    return min(costs.values())


def blocks(slices: epcore.SliceSet) -> Blocks:
    return tuple(
        frozenset(int(one.addresses[0].rsplit(".", 1)[1]) - 1 for one in slice_.endpoints) for slice_ in slices
    )


def run(worlds: list[World], policy: Any, most: int) -> tuple[int, Blocks]:
    """Writes after the first world, and the slices of the first."""
    made = list(plans(worlds, policy, most))
    return sum(len(plan) for plan in made[1:]), blocks(made[0].result())


def lives_of_pods(seed: int) -> list[World]:
    """Six places; in each step two of them go on in the life of a Pod: made, ready, unready or leaving, gone."""
    random = Random(seed)
    worlds: list[World] = [dict.fromkeys(range(6), READY)]
    for _ in range(6):
        world = dict(worlds[-1])
        for number in random.sample(range(6), 2):
            state = world.pop(number, None)
            if state is None:
                world[number] = STATES[1]
            elif state == STATES[1]:
                world[number] = READY
            elif state == READY:
                world[number] = random.choice([STATES[1], STATES[2]])
        worlds.append(world)
    return worlds


def test_the_writes_are_near_those_of_a_planner_that_knows_the_future() -> None:
    best = ours = 0
    for seed in range(40):
        worlds = lives_of_pods(seed)
        writes, start = run(worlds, "lifecycle", 3)
        least = optimum(worlds, start, 3)
        assert least <= writes
        best, ours = best + least, ours + writes
    assert best > 200
    assert ours <= 1.2 * best, (ours, best)
