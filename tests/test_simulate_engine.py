"""The simulator counts what is really written, as Kubernetes would, at the moments at which it would."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, get_args

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import epcore
from epcore.simulate import KUBERNETES, Event, Load, Row, Settings, Sync, Workload, Written, baselines, build_load, run
from epcore.simulate.writers import BoundWriter, ChunkWriter, EngineWriter, kubernetes
from epcore.testing import judge
from epcore.types import PolicyName
from simulate_strategies import SMALL, event_lists
from upstream_peer import Upstream, needs_upstream

MOST = 7
POLICIES: tuple[PolicyName, ...] = get_args(PolicyName)
ENGINE = [kubernetes(MOST), *(Row(title=name, policy=name, max_endpoints=MOST) for name in POLICIES)]
few = settings(max_examples=max(20, settings().max_examples // 2))
each_workload = pytest.mark.parametrize("workload", SMALL, ids=lambda workload: workload.name)

Contents = Counter[bytes]


class Witness:
    """Carries out the writes of each sync, as an API server would, and counts the bytes of the real objects."""

    def __init__(self, row: Row) -> None:
        self.slices: dict[str, dict[str, epcore.EndpointSlice]] = {}
        self.plans: list[epcore.Plan] = []
        self._inner = EngineWriter(row, self.plans.append)

    def sync(self, service: str, template: bytes, wanted: Mapping[str, bytes]) -> Written:
        written = self._inner.sync(service, template, wanted)
        held = self.slices.setdefault(service, {})
        before = {name: one.to_json() for name, one in held.items()}
        home = {one.target_name: name for name, slice_ in held.items() for one in slice_.endpoints}
        old = [one.to_json() for slice_ in held.values() for one in slice_.endpoints]
        size = resent = 0
        for write in self.plans[-1].writes:
            assert write.name is not None
            assert (write.verb == "create") == (write.name not in held)
            size += len(before[write.name] if write.verb == "delete" else write.to_json())
            if write.verb == "delete":
                del held[write.name]
            else:
                held[write.name] = write.slice
                resent += sum(one.to_json() in old for one in write.slice.endpoints)
        moved = [
            one for name, slice_ in held.items() for one in slice_.endpoints if home.get(one.target_name, name) != name
        ]
        assert contents(list(held.values())) == Counter(wanted.values())
        assert all(1 <= len(one) <= MOST for one in held.values())
        found = Written(len(self.plans[-1].writes), size, len(held), resent, len(moved), written.floor)
        assert found == written
        return written


def contents(slices: list[epcore.EndpointSlice]) -> Contents:
    return Counter(one.to_json() for slice_ in slices for one in slice_.endpoints)


def batched(seconds: float) -> Settings:
    return Settings(batch_period=seconds)


@each_workload
@pytest.mark.parametrize("row", ENGINE, ids=lambda row: row.title)
def test_what_is_counted_is_what_the_real_objects_come_to(workload: Workload, row: Row) -> None:
    assert len(run(workload.load(3), Witness(row), batched(1.0))) > 2


@few
@given(event_lists(), st.sampled_from(ENGINE), st.sampled_from([0.0, 0.5, 3.0]))
def test_on_random_events_too(events: list[Event], row: Row, period: float) -> None:
    run(build_load("random", events), Witness(row), batched(period))


@each_workload
@pytest.mark.parametrize("kind", ["first-fit", "sort-and-chunk"])
def test_simple_writers_write_real_objects_that_hold_exactly_what_is_wanted(workload: Workload, kind: Any) -> None:
    class Checked:
        def __init__(self) -> None:
            self.objects: list[list[bytes]] = []
            self.inner = ChunkWriter(Row(title=kind, kind=kind, max_endpoints=MOST), self.objects.append)
            self.held: dict[str, dict[str, epcore.EndpointSlice]] = {}

        def sync(self, service: str, template: bytes, wanted: Mapping[str, bytes]) -> Written:
            written = self.inner.sync(service, template, wanted)
            assert written.bytes == sum(map(len, self.objects[-1]))
            assert written.writes == len(self.objects[-1])
            held = self.held.setdefault(service, {})
            for text in self.objects[-1]:
                slice_ = epcore.SliceSet.from_json(text)[0]
                assert slice_.to_json() == text
                assert slice_.name is not None
                if held.get(slice_.name) == slice_:
                    del held[slice_.name]  # the last state of one that goes
                else:
                    held[slice_.name] = slice_
            assert contents(list(held.values())) == Counter(wanted.values())
            assert len(held) == written.slices
            return written

    run(workload.load(1), Checked(), batched(1.0))


@each_workload
@pytest.mark.parametrize("row", ENGINE, ids=lambda row: row.title)
def test_every_prefix_of_every_plan_passes_the_reader_models(workload: Workload, row: Row) -> None:
    plans: list[epcore.Plan] = []
    run(workload.load(2), EngineWriter(row, plans.append), batched(2.0))
    assert sum(map(len, plans)) > 5
    assert [trouble for plan in plans for trouble in judge(plan)] == []


@few
@given(event_lists(), st.integers(1, 8), st.sampled_from([0.0, 0.5, 3.0]))
def test_nobody_is_below_the_offline_bound(events: list[Event], most: int, period: float) -> None:
    load = build_load("random", events)
    bound = run(load, BoundWriter(most), batched(period))
    rows = [row for row in baselines(most) if row.kind not in ("bound", "blind", "endpoints")]
    for row in [*rows, *(Row(title=name, policy=name, max_endpoints=most) for name in POLICIES)]:
        for least, found in zip(bound, run(load, row.writer(), batched(period)), strict=True):
            assert (least.time, least.service, least.endpoints) == (found.time, found.service, found.endpoints)
            assert least.written.writes <= found.written.writes
            assert least.written.bytes <= found.written.bytes
            assert least.written.slices <= found.written.slices


@few
@given(event_lists(), st.integers(1, 8), st.sampled_from([0.0, 0.5, 3.0]))
def test_nobody_with_as_few_slices_as_kubernetes_sends_less_again_than_the_bound(
    events: list[Event], most: int, period: float
) -> None:
    load = build_load("random", events)
    bound = run(load, BoundWriter(most), batched(period))
    kept = run(load, kubernetes(most).writer(), batched(period))
    rows = [row for row in baselines(most) if row.kind not in ("bound", "blind", "endpoints")]
    for row in [*rows, *(Row(title=name, policy=name, max_endpoints=most) for name in POLICIES)]:
        few_before: dict[str, bool] = {}
        for least, allowed, found in zip(bound, kept, run(load, row.writer(), batched(period)), strict=True):
            few_now = found.written.slices <= allowed.written.slices
            if few_before.get(found.service, True) and few_now and found.time >= 0:
                assert least.written.resent is not None
                assert found.written.resent is not None
                assert least.written.resent <= found.written.resent
            few_before[found.service] = few_now


def test_a_group_of_one_slice_is_sent_again_whole_whatever_one_knows() -> None:
    events = [Event(-1.0, "svc", f"pod-{number}", "add") for number in range(8)]
    events += [Event(float(number), "svc", f"pod-{number}", "ready") for number in range(8)]
    load = build_load("one", events)
    found = [run(load, writer, batched(0.0)) for writer in (BoundWriter(10), kubernetes(10).writer())]
    assert [[sync.written.resent for sync in syncs if sync.time >= 0] for syncs in found] == [[7] * 8, [7] * 8]


Slices = frozenset[frozenset[str]]


def partitions(keys: list[str], most: int) -> Iterator[Slices]:
    """Every way to put keys into slices."""
    if not keys:
        yield frozenset()
        return
    for rest in partitions(keys[1:], most):
        yield rest | {frozenset(keys[:1])}
        for one in rest:
            if len(one) < most:
                yield rest - {one} | {one | {keys[0]}}


def fewest_writes(states: list[Mapping[str, bytes]], most: int) -> int:
    """What a planner needs that knows the future and may move whatever it likes: the shortest way through all ways."""
    costs: dict[Slices, int] = {frozenset(): 0}
    before: Mapping[str, bytes] = {}
    for number, wanted in enumerate(states):
        found: dict[Slices, int] = {}
        for after in partitions(sorted(wanted), most):
            # A slice need not be written if it holds the same and all of it says the same.
            clean = {one for one in after if all(before.get(key) == wanted[key] for key in one)}
            found[after] = min(
                cost + (max(len(after - (clean & old)), len(old - (clean & after))) if number else 0)
                for old, cost in costs.items()
            )
        costs, before = found, wanted
    return min(costs.values())


@few
@given(event_lists(services=1, most=14), st.integers(1, 3), st.sampled_from([0.0, 0.5]))
def test_the_offline_bound_is_below_what_brute_force_finds(events: list[Event], most: int, period: float) -> None:
    states: list[Mapping[str, bytes]] = []

    class Noted(BoundWriter):
        def sync(self, service: str, template: bytes, wanted: Mapping[str, bytes]) -> Written:
            states.append(dict(wanted))
            return super().sync(service, template, wanted)

    bound = run(build_load("random", events), Noted(most), batched(period))
    assume(max(map(len, states)) <= 6)
    best = fewest_writes(states, most)
    assert sum(sync.written.writes for sync in bound if sync.time >= 0) <= best
    for row in (kubernetes(most), Row(title="balanced", max_endpoints=most)):
        found = run(build_load("random", events), row.writer(), batched(period))
        assert best <= sum(sync.written.writes for sync in found if sync.time >= 0)


def test_the_offline_bound_is_reached_where_all_come_and_go_at_once() -> None:
    events = [Event(0.0, "svc", f"pod-{number}", "add") for number in range(25)]
    events += [Event(9.0, "svc", f"pod-{number}", "remove") for number in range(25)]
    load = build_load("all", events)
    writes = [
        [sync.written.writes for sync in run(load, row.writer(), Settings())]
        for row in (Row(title="bound", kind="bound", max_endpoints=10), kubernetes(10))
    ]
    assert writes == [[0, 3, 3], [0, 3, 3]]


def pods_of(wanted: Mapping[str, bytes]) -> list[Any]:
    """Pods that Kubernetes makes these endpoints of."""
    pods = []
    for content in wanted.values():
        endpoint = json.loads(content)
        target, conditions = endpoint["targetRef"], endpoint["conditions"]
        metadata = {"name": target["name"], "namespace": target["namespace"], "uid": target["uid"]}
        if conditions["terminating"]:
            metadata["deletionTimestamp"] = "2026-01-01T00:00:00Z"
        ready = {"type": "Ready", "status": str(conditions["serving"])}
        status = {"podIPs": [{"ip": endpoint["addresses"][0]}], "conditions": [ready]}
        spec = {"nodeName": endpoint["nodeName"], "containers": []}
        pods.append({"metadata": {**metadata, "labels": {"app": "svc"}}, "spec": spec, "status": status})
    return pods


def nodes_of(wanted: Mapping[str, bytes]) -> list[Any]:
    zones = {endpoint["nodeName"]: endpoint["zone"] for endpoint in map(json.loads, wanted.values())}
    return [
        {"metadata": {"name": name, "labels": {"topology.kubernetes.io/zone": zone}}} for name, zone in zones.items()
    ]


class Compared:
    """Kubernetes' rule in the simulator, each sync asked of Kubernetes' own library too."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self._inner = EngineWriter(kubernetes(MOST), self._see)
        self._plan: epcore.Plan
        self.compared = 0

    def _see(self, plan: epcore.Plan) -> None:
        self._plan = plan

    def sync(self, service: str, template: bytes, wanted: Mapping[str, bytes]) -> Written:
        written = self._inner.sync(service, template, wanted)
        if not wanted:
            return written  # the library keeps an empty slice, which the simulator leaves out
        owner = json.loads(template)["metadata"]["ownerReferences"][0]
        ports = [{"name": "http", "protocol": "TCP", "port": 8080, "targetPort": 8080}]
        spec = {"selector": {"app": "svc"}, "ipFamilies": ["IPv4"], "ports": ports, "clusterIP": "10.9.9.9"}
        metadata = {"name": service, "namespace": "simulated", "uid": owner["uid"], "labels": {}}
        question: dict[str, Any] = {
            "service": {"metadata": metadata, "spec": spec},
            "pods": pods_of(wanted),
            "nodes": nodes_of(wanted),
            "slices": self._plan.prefix(0).to_dicts(),
            "max": MOST,
            "controller": "endpointslice-controller.k8s.io",
        }
        ours = self._plan.stats.creates, self._plan.stats.updates, self._plan.stats.deletes, self._sizes()
        for repeat in (1, 20, 200):
            theirs = []
            for one in self._upstream.ask(op="reconcile", repeat=repeat, **question)["runs"]:
                verbs = Counter(write["verb"] for write in one["writes"])
                sizes = sorted(len(slice_["endpoints"]) for slice_ in one["slices"])
                theirs.append((verbs["create"], verbs["update"], verbs["delete"], sizes))
            if ours in theirs:
                break
        assert ours in theirs
        assert written.writes == sum(ours[:3])
        self.compared += 1
        return written

    def _sizes(self) -> list[int]:
        return sorted(len(one) for one in self._plan.result())


@needs_upstream
def test_kubernetes_rule_makes_the_writes_of_kubernetes_own_library(upstream: Upstream) -> None:
    compared = 0

    @settings(max_examples=settings().max_examples)
    @given(event_lists(), st.sampled_from([0.0, 1.0, 5.0]))
    def agrees(events: list[Event], period: float) -> None:
        nonlocal compared
        writer = Compared(upstream)
        run(build_load("random", events), writer, batched(period))
        compared += writer.compared

    agrees()
    assert compared > 100


def made(*times: float) -> Load:
    return build_load("made", [Event(time, "svc", f"pod-{place}", "add") for place, time in enumerate(times)])


def shown(syncs: list[Sync]) -> list[tuple[float, float, tuple[float, ...]]]:
    return [(sync.time, sync.end, sync.delays) for sync in syncs if sync.time >= 0]


def test_a_sync_comes_one_period_after_the_first_change_that_none_has_seen() -> None:
    load = made(-5.0, 1.0, 1.5, 2.0, 2.5, 10.0)
    row = kubernetes(100)
    assert shown(run(load, row.writer(), batched(1.0))) == [
        (2.0, 2.0, (1.0, 0.5, 0.0)),
        (3.5, 3.5, (1.0,)),
        (11.0, 11.0, (1.0,)),
    ]
    assert [sync.time for sync in run(load, row.writer(), batched(0.0))] == [-1.0, 1.0, 1.5, 2.0, 2.5, 10.0]


def test_no_sync_begins_while_the_one_before_is_being_written() -> None:
    found = run(made(1.0, 1.5, 1.7, 9.0), kubernetes(1).writer(), Settings(batch_period=0.0, latency=2.0))
    assert shown(found) == [(1.0, 3.0, (2.0,)), (3.0, 7.0, (5.5, 5.3)), (9.0, 11.0, (2.0,))]


@few
@given(event_lists(services=3), st.floats(0.1, 20), st.integers(1, 5))
def test_no_more_writes_than_the_rate_limit_allows(events: list[Event], qps: float, burst: int) -> None:
    load = build_load("random", events)
    found = run(load, kubernetes(2).writer(), Settings(batch_period=0.0, qps=qps, burst=burst))
    counted = [sync for sync in found if sync.time >= 0]
    for begin in {sync.time for sync in counted}:
        for end in {sync.end for sync in counted if sync.end >= begin}:
            within = [sync.written.writes for sync in counted if begin <= sync.time and sync.end <= end]
            assert sum(within) <= burst + qps * (end - begin) + 1e-6
    changes = sum(change.time >= 0 for change in load.changes)
    assert sum(len(sync.delays) for sync in found) == changes
    assert all(delay >= 0 for sync in found for delay in sync.delays)


def test_without_a_burst_writes_are_evenly_spaced() -> None:
    found = run(made(0.0, 0.0, 0.0), kubernetes(1).writer(), Settings(batch_period=0.0, qps=2.0, burst=1))
    assert shown(found) == [(0.0, 1.0, (1.0, 1.0, 1.0))]


@pytest.mark.parametrize(
    "wrong", [{"batch_period": -1.0}, {"qps": 0.0}, {"burst": 0}, {"latency": float("nan")}, {"qps": float("nan")}]
)
def test_settings_that_mean_nothing_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must be"):
        Settings(**wrong)


def test_every_baseline_has_a_name_of_its_own() -> None:
    titles = [row.title for row in baselines(100)]
    assert len(set(titles)) == len(titles) == 6
    assert titles[0] == KUBERNETES
