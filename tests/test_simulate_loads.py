"""Loads do what their published parameters say, and a bad file is told with its line."""

import gzip
import json
import lzma
import re
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import fields
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import epcore
from epcore.simulate import (
    WORKLOADS,
    Autoscaler,
    ClusterLoad,
    Event,
    Flapping,
    HugeService,
    Load,
    LoadError,
    NodeDrain,
    NodeFailure,
    Replacement,
    RollingUpdate,
    Row,
    Settings,
    TraceFile,
    Workload,
    baselines,
    build_load,
    read_recording,
    read_trace,
    run,
    write_trace,
)

EXAMPLES = Path(__file__).parent.parent / "examples"
GUIDE = Path(__file__).parent.parent / "docs" / "simulate.md"
SEEDS = st.integers(0, 10_000)
few = settings(max_examples=min(20, settings().max_examples))


class Pods:
    """What there is after each event."""

    def __init__(self) -> None:
        self.state: dict[str, str] = {}
        self.node: dict[str, str] = {}
        self.begun = False

    def of(self, *states: str) -> list[str]:
        return [key for key, state in self.state.items() if state in states]

    @property
    def ready(self) -> int:
        return len(self.of("ready"))

    @property
    def living(self) -> int:
        return len(self.state) - len(self.of("terminate"))


def moments(events: list[Event]) -> Iterator[tuple[Event, Pods]]:
    """Each event from time 0 on, with what there is after it."""
    pods = Pods()
    for event in events:
        pods.node[event.key] = event.node
        pods.state[event.key] = event.event
        if event.event == "remove":
            del pods.state[event.key]
        if event.time >= 0:
            yield event, pods


def end_of(events: list[Event]) -> Pods:
    *_, (_, pods) = moments(events)
    return pods


@few
@given(SEEDS, st.integers(1, 60), st.floats(0, 1), st.floats(0, 1), st.integers(1, 4))
def test_a_rolling_update_keeps_to_surge_and_unavailability(
    seed: int, pods: int, surge: float, unavailable: float, batches: int
) -> None:
    load = RollingUpdate(pods=pods, max_surge=surge, max_unavailable=unavailable, batches=batches)
    events = load.events(seed)
    most = pods + -(-pods * surge // 1)
    least = pods - (int(pods * unavailable) or (0 if surge and pods else 1))
    for _, now in moments(events):
        assert now.living <= most
        assert now.ready >= least
    old = {event.key for event in events if event.time < 0}
    assert len(old) == pods
    assert now.ready == now.living == pods
    assert not old & now.state.keys()


def test_a_rolling_update_waits_after_each_batch() -> None:
    load = RollingUpdate(pods=100, batches=4, pause=500.0)
    begun = [event.time for event in load.events(1) if event.event == "add" and event.time >= 0]
    pauses = [later - sooner for sooner, later in pairwise(begun) if later - sooner > 100]
    assert len(pauses) == 3
    assert min(pauses) >= 500


@few
@given(SEEDS, st.integers(1, 100), st.integers(2, 10), st.integers(1, 10))
def test_a_drain_keeps_the_disruption_budget_and_empties_the_nodes(
    seed: int, pods: int, nodes: int, drained: int
) -> None:
    load = NodeDrain(pods=pods, nodes=nodes, drained=drained, max_unavailable=0.5)
    least = -(-pods // 2)
    for _, now in moments(events := load.events(seed)):
        assert now.ready >= least
    emptied = {f"node-{number}" for number in range(min(drained, nodes - 1))}
    begun = [event for event in events if event.time < 0]
    if any(event.node in emptied for event in begun) and pods > 1:
        assert not emptied & {now.node[key] for key in now.state}
        assert now.ready == pods


@few
@given(SEEDS)
def test_an_autoscaler_stays_between_its_sizes_and_nearly_reaches_the_highest(seed: int) -> None:
    load = Autoscaler(pods=20, most=200, period=1200.0, swings=1)
    living = [now.living for _, now in moments(load.events(seed))]
    assert max(living) <= 200
    assert max(living) >= 170
    assert min(living) >= 20
    assert len(load.events(seed)) > sum(event.time < 0 for event in load.events(seed)) == 40


def test_an_autoscaler_without_stabilization_shrinks_as_soon_as_it_looks() -> None:
    """The last recommendation alone holds then: no endpoint is there for longer than with one."""
    held, loose = (Autoscaler(pods=20, most=200, swings=1, stabilization=seconds).events(1) for seconds in (300.0, 0.0))
    first_to_go = [next(event.time for event in events if event.event == "terminate") for events in (held, loose)]
    assert first_to_go[1] < first_to_go[0]


@few
@given(SEEDS)
def test_an_autoscaler_grows_no_faster_than_twofold_in_a_look(seed: int) -> None:
    load = Autoscaler(pods=10, most=500, period=400.0, swings=1, startup=1.0, rate=1000.0, interval=15.0)
    sizes = defaultdict(int)
    for event, now in moments(load.events(seed)):
        sizes[int(event.time // 15)] = now.living
    for look, size in sizes.items():
        before = max((living for earlier, living in sizes.items() if earlier < look), default=10)
        assert size <= max(2 * before, before + 4)


@few
@given(SEEDS, st.integers(1, 30))
def test_only_the_restless_flap_and_nobody_comes_or_goes(seed: int, restless: int) -> None:
    load = Flapping(pods=50, restless=restless, up=30.0, down=5.0, seconds=600.0)
    turned: Counter[str] = Counter()
    for event, now in moments(load.events(seed)):
        assert event.event in ("ready", "unready")
        assert event.time <= 600
        turned[event.key] += 1
        assert now.living == 50
    assert len(turned) <= min(restless, 50)
    assert sum(turned.values()) == pytest.approx(2 * restless * 600 / 35, rel=0.8, abs=20)


@few
@given(SEEDS)
def test_replacement_takes_pods_at_its_rate_and_replaces_each(seed: int) -> None:
    load = Replacement(pods=50, per_second=0.5, seconds=1000.0, startup=2.0)
    events = load.events(seed)
    now = end_of(events)
    assert sum(event.event == "terminate" for event in events) == pytest.approx(500, abs=150)
    assert now.ready == now.living == 50


def test_a_failed_node_loses_its_pods_at_once_and_they_are_evicted_later() -> None:
    load = NodeFailure(pods=100, nodes=10, failures=2, every=1000.0, detection=50.0, toleration=300.0, forgotten=600.0)
    times = defaultdict(list)
    events = load.events(3)
    now = end_of(events)
    for event in events:
        times[event.event, event.node].append(event.time)
    assert times["unready", "node-0"] == [50.0] * 10
    assert times["unready", "node-1"][0] == 1050.0
    assert min(times["terminate", "node-0"]) >= 350.0
    assert min(times["remove", "node-0"]) >= 950.0
    assert not {"node-0", "node-1"} & {now.node[key] for key in now.state}
    assert now.ready == 100


@few
@given(SEEDS)
def test_a_cluster_has_groups_of_three_sizes_resized_by_half_and_paced(seed: int) -> None:
    load = ClusterLoad(pods=1000, rate=10.0)
    events = load.events(seed)
    most: dict[str, list[int]] = defaultdict(list)
    state: dict[str, set[str]] = defaultdict(set)
    half = 1000 / 10 + 30
    for event in events:
        held = state[event.service]
        held.add(event.key) if event.event == "ready" else held.discard(event.key)
        most[event.service].append(len(held) if event.time < half else 0)
    sizes = Counter(max(counts) for counts in most.values())
    assert sizes == {250: 1, 30: 8, 5: 100}
    calls = [event.time for event in events if event.event in ("add", "terminate")]
    for first in range(0, len(calls) - 200, 50):
        assert calls[first + 199] - calls[first] >= 199 / 10 - 1e-6
    assert not any(state.values())
    resized = {service: max(counts) for service, counts in most.items()}
    peak: Counter[str] = Counter()
    now: dict[str, set[str]] = defaultdict(set)
    for event in events:
        now[event.service].add(event.key) if event.event == "ready" else now[event.service].discard(event.key)
        peak[event.service] = max(peak[event.service], len(now[event.service]))
    assert all(peak[service] <= size * 3 // 2 for service, size in resized.items())
    # Of five there may be 3 to 7, and the others may all shrink.
    assert len({peak[service] / size for service, size in resized.items()}) >= 3


@pytest.mark.parametrize("size", [1000, 5000, 20_000])
def test_a_huge_service_is_filled_resized_and_emptied(size: int) -> None:
    load = HugeService(pods=size)
    living = 0
    peaks = [0]
    for event in load.events(1):
        living += (event.event == "add") - (event.event == "terminate")
        peaks.append(living)
    assert max(peaks) == 3 * size // 2
    assert size in peaks
    assert living == 0


ALL = [kind() for name, kind in WORKLOADS.items() if name != "huge-service"]


@pytest.mark.parametrize("load", [*ALL, HugeService(pods=300)], ids=lambda load: load.name)
def test_a_seed_makes_the_same_load_and_another_seed_another(load: Workload) -> None:
    assert load.load(7) == load.load(7)
    assert load.events(7) != load.events(8)
    assert load.events(7, copy=0) != load.events(7, copy=1)


@pytest.mark.parametrize("load", ALL, ids=lambda load: load.name)
def test_no_address_is_held_twice_and_endpoints_are_as_the_engine_writes_them(load: Workload) -> None:
    held: dict[tuple[str, str], str] = {}
    for change in load.load(1).changes:
        place = change.service, change.key
        if change.content is None:
            del held[place]
            continue
        parsed = epcore.EndpointSet.from_json(change.content)
        assert parsed.to_json() == b"[" + change.content + b"]"
        if place not in held:
            assert parsed[0].addresses[0] not in held.values()
        held[place] = parsed[0].addresses[0]


def told(workload: type[Workload]) -> str:
    """The parameters that the guide tells of a workload, and those of all."""
    rows = re.findall(r"^\| `?([^|]*?)`? \| [^|]* \| ([^|]*) \|$", GUIDE.read_text(encoding="utf-8"), re.MULTILINE)
    named: dict[str, str] = dict(rows)
    return named[workload.name] + " " + named["all, unless told otherwise"]


@pytest.mark.parametrize("workload", WORKLOADS.values(), ids=WORKLOADS)
def test_the_guide_tells_every_parameter_and_its_default(workload: type[Workload]) -> None:
    published = dict(reversed([text.split("=") for text in re.findall(r"`([^`]*)`", told(workload))]))
    defaults = {one.name: one.default for one in fields(workload)}
    shown = {name: "/".join(map(str, one)) if isinstance(one, tuple) else str(one) for name, one in defaults.items()}
    assert published == shown


TRACE = """\
# a comment
time,service,key,event,node

-1, web, web-1, add, node-1
-1,web,web-1,ready
2.5,db,"db-0",add
3,web,web-1,terminate
4,web,web-1,remove
"""


def test_a_trace_is_read_line_by_line() -> None:
    load = read_trace("mine", TRACE.splitlines())
    assert [(one.time, one.service, one.key, one.content is None) for one in load.changes] == [
        (-1.0, "web", "web-1", False),
        (-1.0, "web", "web-1", False),
        (2.5, "db", "db-0", False),
        (3.0, "web", "web-1", False),
        (4.0, "web", "web-1", True),
    ]
    last = epcore.EndpointSet.from_json(load.changes[3].content or b"")[0]
    assert (last.ready, last.serving, last.terminating, last.node_name) == (False, True, True, "node-1")


def test_a_trace_may_have_its_columns_in_any_order_or_no_heading() -> None:
    ordered = read_trace("a", ["0,web,a,add", "1,web,a,ready"])
    assert read_trace("a", ["event,KEY,service,time", "add,a,web,0", "ready,a,web,1"]) == ordered


@few
@given(SEEDS)
def test_what_is_written_as_a_trace_is_read_as_the_same_load(seed: int) -> None:
    events = Flapping(pods=20, restless=5, seconds=100.0).events(seed)
    assert read_trace("flapping", write_trace(events)) == build_load("flapping", events)


def test_a_trace_may_come_from_a_spreadsheet(tmp_path: Path) -> None:
    (tmp_path / "sheet.csv").write_bytes(b"\xef\xbb\xbftime,service,key,event\r\n0,web,a,add\r\n1,web,a,ready\r\n")
    load = TraceFile(str(tmp_path / "sheet.csv")).load()
    assert load == read_trace("sheet.csv", ["0,web,a,add", "1,web,a,ready"])


@st.composite
def parameters(draw: st.DrawFn) -> Workload:
    """Any workload with small parameters that are odd together."""
    kind = draw(st.sampled_from([WORKLOADS[name] for name in WORKLOADS]))
    odd: dict[type, st.SearchStrategy[Any]] = {
        int: st.integers(1, 12),
        float: st.sampled_from([0.2, 0.5, 1.0, 3.0, 40.0]),
        tuple: st.lists(st.sampled_from([0.0, 0.5, 1.0, 2.0]), max_size=4).map(tuple),
    }
    return kind(**{one.name: draw(odd[type(one.default)]) for one in fields(kind)})


@few
@given(parameters(), SEEDS)
def test_every_workload_ends_and_tells_what_can_happen_whatever_its_parameters(load: Workload, seed: int) -> None:
    events = load.events(seed)
    assert [event.time for event in events] == sorted(event.time for event in events)
    made = build_load("odd", events)
    assert len(made.changes) == len(events)


BAD: dict[str, tuple[list[str], str]] = {
    "no number": (["0,web,a,add", "soon,web,a,ready"], "line 2 has no number of seconds in column time: 'soon'"),
    "not finite": (["nan,web,a,add"], "line 1 has no number of seconds"),
    "time goes back": (["5,web,a,add", "4,web,a,ready"], "line 2 time goes back from 5 to 4"),
    "too few columns": (["0,web,a"], "line 1 has 3 columns"),
    "too many columns": (["0,web,a,add,n,x"], "line 1 has 6 columns"),
    "an unknown event": (["0,web,a,born"], "line 1 knows no event 'born', only add, ready"),
    "added twice": (["", "0,web,a,add", "1,web,a,add"], "line 3 adds a to web, where it is already"),
    "never added": (["0,web,a,ready"], "line 1 tells that a is ready in web, where it was not added"),
    "gone": (["0,web,a,add", "0,web,a,remove", "1,web,a,ready"], "line 3 tells that a is ready"),
    "ready while leaving": (["0,web,a,add", "0,web,a,terminate", "1,web,a,ready"], "though it is leaving"),
    "a bad name": (["0,Web_1,a,add"], "line 1 has a Service 'Web_1'"),
    "no key": (["0,web,,add"], "line 1 has an empty key"),
    "an open quote": (['0,web,"a,add'], "line 1 unexpected end of data"),
    "nothing": (["# nothing"], "holds no event"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_trace_is_told_with_its_line(case: str) -> None:
    lines, complaint = BAD[case]
    with pytest.raises(LoadError) as caught:
        read_trace("bad", lines)
    assert complaint in str(caught.value)


REFUSED = (
    b'{"kind":"EndpointSlice","type":"ADDED","object":{"metadata":{"name":"a","namespace":"b"},'
    b'"addressType":"IPv4","endpoints":[{"addresses":["10.0.0.300"]}]}}\n'
)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b'{"kind": \n', "line 1 is no JSON of an event"),
        (b'{"t": 0}\n', "line 1 is no event with t, kind, type and object"),
        (b"[{}]\n", "line 1 is no event with t, kind, type and object"),
        (b'{"kind": "Pod", "type": "ADDED", "object": {"metadata": {"name": "a"}}}\n', "tells of no endpoint"),
        (b"0,web,a,add\n\xff", "line 2 is not UTF-8"),
        (b"0,web,a,add\n\n" + b"# x\n" * 50_000 + b"1,web,\xff,add\n", "line 50003 is not UTF-8"),
        (b"\n\n\n0,web,a,add\n0,web,a,add\n", "line 5 adds a to web, where it is already"),
        (b"\xfd7zXZ\x00broken", "bad"),
        pytest.param(gzip.compress(b"# nothing\n" * 10_000)[:-10], "ended before", id="gzip-cut"),
        (REFUSED, "line 1 is refused: "),
        *(
            (b'{"t": %s, "kind": "Pod"}\n' % one, "line 1 is refused: ")
            for one in (b"NaN", b"-Infinity", b"1e300", b'"x"')
        ),
    ],
)
def test_a_bad_file_is_told_with_name_and_line(tmp_path: Path, content: bytes, complaint: str) -> None:
    path = tmp_path / "bad"
    path.write_bytes(content)
    with pytest.raises(LoadError, match=f"^{path}: ") as caught:
        TraceFile(str(path)).load()
    assert complaint in str(caught.value)
    assert str(caught.value).count("line") <= 1


def recorded(time: float, verb: str, name: str, hosts: list[int], port: int = 80, service: str = "web") -> str:
    metadata = {"name": name, "namespace": "shop", "labels": {"kubernetes.io/service-name": service}}
    endpoints = [{"addresses": [f"10.0.0.{host}"]} for host in hosts]
    slice_ = {"metadata": metadata, "addressType": "IPv4", "ports": [{"port": port}], "endpoints": endpoints}
    return json.dumps({"t": time, "kind": "EndpointSlice", "type": verb, "object": slice_})


def test_slices_of_a_recording_tell_what_comes_and_goes_whichever_slice_holds_it() -> None:
    lines = [
        recorded(0.0, "ADDED", "a", [1, 2]),
        recorded(0.1, "ADDED", "b", [3]),
        recorded(5.0, "MODIFIED", "b", [3, 1]),
        recorded(6.0, "MODIFIED", "a", [2]),  # 1 has moved: nothing happened
        recorded(7.0, "ADDED", "c", [1], port=81),  # other ports are another group
        recorded(7.5, "ADDED", "d", [9], service="db"),
        recorded(8.0, "DELETED", "b", [3, 1]),
        recorded(9.0, "MODIFIED", "a", [4], port=81),  # the slice passes to the other group
    ]
    load = read_recording("mine", lines)
    seen = [(one.time, one.service, one.key, one.content is not None) for one in load.changes]
    assert sorted(seen) == [
        (-1.0, "shop/web", "10.0.0.1", True),
        (-1.0, "shop/web", "10.0.0.2", True),
        (-1.0, "shop/web", "10.0.0.3", True),
        (7.0, "shop/web 2", "10.0.0.1", True),
        (7.5, "shop/db", "10.0.0.9", True),
        (8.0, "shop/web", "10.0.0.1", False),
        (8.0, "shop/web", "10.0.0.3", False),
        (9.0, "shop/web", "10.0.0.2", False),
        (9.0, "shop/web 2", "10.0.0.4", True),
    ]
    assert sorted(load.templates) == ["shop/db", "shop/web", "shop/web 2"]
    syncs = run(load, Row(title="balanced").writer(), Settings(batch_period=0.0))
    assert [sync.written.writes for sync in syncs if sync.time >= 0] == [1, 1, 1, 1, 1]


def test_a_slice_that_passes_to_a_service_with_selector_is_gone_from_the_one_without() -> None:
    spec = {"selector": {"app": "web"}, "ports": [{"port": 80}]}
    service = {"metadata": {"name": "web", "namespace": "shop"}, "spec": spec}
    status = {"podIP": "10.0.0.9", "podIPs": [{"ip": "10.0.0.9"}]}
    metadata = {"name": "a", "namespace": "shop", "labels": {"app": "web"}}
    pod = {"metadata": metadata, "spec": {"nodeName": "node"}, "status": status}
    objects = [("Service", service), ("Pod", pod)]
    lines = [json.dumps({"t": 0.0, "kind": kind, "type": "ADDED", "object": one}) for kind, one in objects]
    lines += [recorded(1.0, "ADDED", "b", [1], service="db"), recorded(5.0, "MODIFIED", "b", [1], service="web")]
    seen = [(one.time, one.service, one.key, one.content is not None) for one in read_recording("mine", lines).changes]
    assert seen[1:] == [(1.0, "shop/db", "10.0.0.1", True), (5.0, "shop/db", "10.0.0.1", False)]


def test_domain_names_are_simulated_though_no_endpoints_object_can_hold_them() -> None:
    event = json.loads(recorded(1.0, "ADDED", "a", []))
    event["object"] |= {"addressType": "FQDN", "endpoints": [{"addresses": ["db.example.org"]}]}
    lines = [recorded(0.0, "ADDED", "b", [1]), recorded(0.5, "MODIFIED", "b", [1, 2]), json.dumps(event)]
    load = read_recording("shop", lines)
    for row in baselines(100):
        written = [sync.written for sync in run(load, row.writer(), Settings()) if sync.time >= 0]
        assert sum(one.writes for one in written) == (1 if row.kind == "endpoints" else 2)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_line_ends_where_a_line_of_json_or_a_spreadsheet_ends(tmp_path: Path, end: str) -> None:
    event = json.loads(recorded(1.0, "ADDED", "a", [1]))
    event["object"]["metadata"]["annotations"] = {"note": "one\u2028two\x85three\x0bfour"}
    path = tmp_path / "recording"
    path.write_bytes(end.join([json.dumps(event, ensure_ascii=False), recorded(2.0, "MODIFIED", "a", []), ""]).encode())
    assert [change.content is None for change in TraceFile(str(path)).load().changes] == [False, True]
    path.write_bytes(end.join(["0,web,a\x85b,add", "1,web,a\x85b,ready", ""]).encode())
    assert [change.key for change in TraceFile(str(path)).load().changes] == ["a\x85b"] * 2


@pytest.mark.parametrize("begin", [(0.01, 0.02), (0.0, 0.0)])
def test_what_a_recording_tells_before_the_first_pause_was_there(begin: tuple[float, float]) -> None:
    spec = {"selector": {"app": "web"}, "ports": [{"port": 80}]}
    service = {"metadata": {"name": "web", "namespace": "shop"}, "spec": spec}
    lines = [json.dumps({"t": 0.0, "kind": "Service", "type": "ADDED", "object": service})]
    for number, time in enumerate((*begin, 1.0)):
        metadata = {"name": f"web-{number}", "namespace": "shop", "labels": {"app": "web"}}
        status = {"podIPs": [{"ip": f"10.0.0.{number + 1}"}], "conditions": [{"type": "Ready", "status": "True"}]}
        pod = {"metadata": metadata, "spec": {"nodeName": "n", "containers": []}, "status": status}
        lines.append(json.dumps({"t": time, "kind": "Pod", "type": "ADDED", "object": pod}))
    load = read_recording("mine", lines)
    assert [(one.time, one.key) for one in load.changes] == [(-1.0, "web-0"), (-1.0, "web-1"), (1.0, "web-2")]


def test_a_pod_is_held_against_the_services_that_select_it_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Counter[str]()

    def counted(service: Any, *around: Any) -> epcore.Plan:
        asked[service["metadata"]["name"]] += 1
        return epcore.reconcile(service, *around)

    monkeypatch.setattr("epcore.simulate.trace.reconcile", counted)
    objects: list[tuple[str, Any]] = []
    for name in ("a", "b", "c"):
        spec = {"selector": {"app": name}, "ports": [{"port": 80}]}
        objects.append(("Service", {"metadata": {"name": name, "namespace": "shop"}, "spec": spec}))
        objects.append(("Service", {"metadata": {"name": f"far-{name}", "namespace": "far"}, "spec": spec}))
    for number, app in enumerate("aabb"):
        metadata = {"name": f"pod-{number}", "namespace": "shop", "labels": {"app": app, "tier": "x"}}
        status = {"podIPs": [{"ip": f"10.0.0.{number + 1}"}]}
        objects.append(("Pod", {"metadata": metadata, "spec": {"nodeName": "n"}, "status": status}))
    lines = [json.dumps({"t": 1.0, "kind": kind, "type": "ADDED", "object": one}) for kind, one in objects]
    assert {change.service for change in read_recording("mine", lines).changes} == {"shop/a", "shop/b"}
    assert asked == {"a": 2, "b": 2}


def final(load: Load) -> set[bytes]:
    held: dict[tuple[str, str], bytes | None] = {}
    for change in load.changes:
        held[change.service, change.key] = change.content
    return {content for content in held.values() if content}


def test_a_line_without_end_is_refused_and_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("epcore.simulate.trace.LARGEST_EVENT", 1000)
    bomb = tmp_path / "bomb"
    for text, line in ((b" " * 5000, 1), (b"\n{" + b" " * 5000 + b"}\n", 2), (b"0,web,a,add\n" + b"1" * 5000, 2)):
        bomb.write_bytes(gzip.compress(text))
        with pytest.raises(LoadError, match=f"^{bomb}: line {line}: an event of more than 1,000 letters$"):
            TraceFile(str(bomb)).load()


def test_a_compressed_recording_is_never_wholly_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "recording.jsonl.xz"
    filler = json.dumps({"t": 0, "kind": "Endpoints", "type": "MODIFIED", "object": {"subsets": ["x" * 10**6]}})
    with lzma.open(path, "wt", preset=0) as file:
        for line in [recorded(0.0, "ADDED", "a", [1]), *[filler] * 200]:
            file.write(f"{line}\n")
    script = (
        "import resource, sys; from epcore.simulate import TraceFile;"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss; TraceFile(sys.argv[1]).load();"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    grown = subprocess.run([sys.executable, "-c", script, str(path)], check=True, capture_output=True, text=True).stdout
    assert int(grown) < 60_000  # kilobytes, of 200,000 that the recording has


PACKERS: list[Callable[[bytes], bytes]] = [bytes, gzip.compress, lzma.compress]


@pytest.mark.parametrize("pack", PACKERS, ids=["plain", "gz", "xz"])
def test_a_recording_tells_by_its_pods_what_its_slices_told(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    with lzma.open(EXAMPLES / "rollout.jsonl.xz") as file:
        lines = file.read().splitlines(keepends=True)
    loads = []
    for name, kinds in (("pods", (b'"Service"', b'"Node"', b'"Pod"')), ("slices", (b'"EndpointSlice"',))):
        kept = [line for line in lines if any(b'"kind":' + kind in line.replace(b" ", b"")[:60] for kind in kinds)]
        (tmp_path / name).write_bytes(pack(b"".join(kept)))
        loads.append(TraceFile(str(tmp_path / name)).load())
    by_pods, by_slices = map(final, loads)
    assert len(by_pods) == 600
    assert by_pods == by_slices
    assert list(loads[0].templates) == list(loads[1].templates) == ["shop/checkout"]
