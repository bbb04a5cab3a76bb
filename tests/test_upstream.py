"""Beside Kubernetes' own library (``tests/upstream``): the same writes, the same endpoints, the same errors."""

import json
import lzma
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import epcore
from kube_model import asks_for_topology, canonical, hints_by_zone, reconciled, stored, summary
from kube_strategies import HEADLESS, MANAGED_BY, MANAGER, SERVICE_NAME, Json, cases, pods, services
from legacy_strategies import MIRRORING, endpoints_objects, mirrors
from parts import examples_of
from reader_strategies import readable
from submitted_strategies import submitted
from upstream_peer import Upstream, needs_upstream

EXAMPLES = settings().max_examples
RECORDINGS = Path(__file__).parent.parent / "examples"


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
    """No slice is created for a Service that is being deleted: which endpoints and ports are left out is chance.

    Of all orders in which a small map of Go may be walked it takes only some.
    """
    counts, (endpoints, shapes), *rest = outcome
    return counts, shapes.total() if going else (endpoints, shapes), *rest


@needs_upstream
@pytest.mark.parametrize("part", range(10))
def test_reconcile_does_what_the_library_does(upstream: Upstream, part: int) -> None:
    @examples_of(part)
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


READY = [{"type": "Ready", "status": "True"}]


def in_zones(zones: str, **spec: Any) -> Json:
    """A Service with a Pod in each zone; the node ``0`` says none, and is not ready: else there would be no shares."""
    nodes = [
        {
            "metadata": {
                "name": f"node-{zone}",
                "labels": {"topology.kubernetes.io/zone": zone} if zone != "0" else {},
            },
            "status": {"conditions": READY if zone != "0" else [], "allocatable": {"cpu": "4"}},
        }
        for zone in sorted(set(zones))
    ]
    all_pods = [
        {
            "metadata": {"name": f"web-{number}", "namespace": "shop", "uid": f"u{number}", "labels": {"app": "web"}},
            "spec": {"nodeName": f"node-{zone}", "containers": []},
            "status": {"phase": "Running", "podIPs": [{"ip": "10.0.0.1"}], "conditions": READY},
        }
        for number, zone in enumerate(zones)
    ]
    ports = [{"name": "http", "protocol": "TCP", "port": 80, "targetPort": 80}]
    annotations = {} if spec else {"service.kubernetes.io/topology-mode": "Auto"}
    service = {
        "metadata": {"name": "web", "namespace": "shop", "uid": "u", "labels": {}, "annotations": annotations},
        "spec": {"selector": {"app": "web"}, "clusterIP": "10.96.0.1", "ports": ports, "ipFamilies": ["IPv4"], **spec},
    }
    case: Json = {"service": service, "pods": all_pods, "nodes": nodes, "slices": [], "max": 3, "hints": None}
    return {**case, "triggerTime": "", "controller": MANAGER}


@needs_upstream
def test_endpoints_of_new_slices_are_handed_over_to_other_zones_first(upstream: Upstream) -> None:
    """One of six endpoints is in zone a, and three are to serve it; which of the others go to which slice is chance."""
    case = in_zones("abbbbb")
    held: Json = dict(reconciled({**case, "pods": case["pods"][:1]}).result()[0].to_dict())
    held["metadata"]["name"] = "web-1"
    # The slice that is there is written first, as the address leaves it.
    held["endpoints"] *= 2
    case["slices"] = [held]

    def zones(slices: list[Json]) -> Any:
        return {one["metadata"].get("name") == "web-1": hints_by_zone([one]) for one in slices}

    ours = zones([dict(one) for one in reconciled(case, policy="upstream").result().to_dicts()])
    assert ours[True] == {("IPv4", ("a",)): 1, ("IPv4", ("b",)): 2}
    runs = upstream.ask(op="reconcile", repeat=20, **case)["runs"]
    for run in runs:
        assert zones(canonical(run["slices"])) == ours


def by_name(slices: list[Json]) -> Json:
    return {one["metadata"]["name"]: one["endpoints"] for one in slices}


@needs_upstream
@pytest.mark.parametrize("spec", [{}, {"trafficDistribution": "PreferSameZone"}], ids=["annotation", "distribution"])
def test_where_an_endpoint_has_no_zone_slices_are_written_for_nothing_as_by_the_library_alone(
    upstream: Upstream, spec: Json
) -> None:
    """With the annotation ``Auto``, not with ``trafficDistribution``: there each endpoint is looked at by itself."""
    case = in_zones("abab0a", **spec)
    case["slices"] = stored(reconciled(case, policy="upstream").result())
    plan = reconciled(case, policy="upstream")
    (run,) = upstream.ask(op="reconcile", repeat=5, **case)["runs"]
    assert len(plan) == len(run["writes"]) == (0 if spec else 2)
    assert by_name(stored(plan.result())) == by_name(canonical(run["slices"])) == by_name(canonical(case["slices"]))
    assert not reconciled(case)


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


@needs_upstream
def test_subsets_are_repacked_as_the_library_does(upstream: Upstream) -> None:
    @settings(max_examples=EXAMPLES * 10, suppress_health_check=list(HealthCheck))
    @given(endpoints_objects(strange=True))
    def agrees(endpoints: Json) -> None:
        answer = upstream.ask(op="repack", subsets=endpoints["subsets"])
        ours = epcore.LegacyEndpoints.from_object(endpoints).repack()
        assert ours.to_dict()["subsets"] == answer["subsets"], endpoints
        assert ours.repack() == ours

    agrees()


TRIGGER = "endpoints.kubernetes.io/last-change-trigger-time"


@needs_upstream
def test_endpoints_are_built_as_the_controller_does(upstream: Upstream) -> None:
    @settings(max_examples=EXAMPLES * 10, suppress_health_check=list(HealthCheck))
    @given(services(), st.lists(st.integers(0, 9), max_size=8, unique=True).flatmap(several_pods), st.data())
    def agrees(service: Json, found: list[Json], data: st.DataObject) -> None:
        # With this label on the Service the library writes at every sync.
        service["metadata"]["labels"].pop(HEADLESS, None)
        first = written(upstream, service, found, None)
        assert first is not None
        changed = data.draw(st.sampled_from([found, found[1:], list(reversed(found))]))
        for existing in (
            first,
            {**first, "subsets": list(reversed(first.get("subsets", [])))},
            data.draw(endpoints_objects()),
        ):
            name = {"name": "web", "namespace": "shop", "resourceVersion": "9"}
            there = {**existing, "metadata": {**existing["metadata"], **name}}
            written(upstream, service, changed, there)

    agrees()


@needs_upstream
@pytest.mark.parametrize(
    ("ready", "others"),
    [(1000, 0), (1001, 0), (1200, 300), (900, 300), (1000, 7), (0, 1300), (700, 299), (333, 1777)],
)
def test_too_many_addresses_are_left_out_as_the_controller_does(upstream: Upstream, ready: int, others: int) -> None:
    ports = [{"name": "a", "port": 1, "targetPort": "a", "protocol": "TCP"}]
    ports.append({"name": "b", "port": 2, "targetPort": "b", "protocol": "TCP"})
    labels = {"app": "web"}
    spec = {"selector": labels, "ports": ports, "ipFamilies": ["IPv4"]}
    service: Json = {"metadata": {"name": "web", "namespace": "shop"}, "spec": spec}
    found: list[Json] = []
    for number in range(ready + others):
        # Three sets of ports, so that there are several subsets.
        listens = [{"name": name, "containerPort": 8000 + number % 3} for name in ("a", "b")[: 1 + number % 2]]
        condition = {"type": "Ready", "status": str(number < ready)}
        status = {"podIPs": [{"ip": f"10.0.{number // 256}.{number % 256}"}], "conditions": [condition]}
        metadata = {"name": f"web-{number}", "namespace": "shop", "uid": f"u{number}", "labels": labels}
        containers = [{"name": "c", "ports": [{**port, "protocol": "TCP"} for port in listens]}]
        found.append({"metadata": metadata, "spec": {"nodeName": "n", "containers": containers}, "status": status})
    made = written(upstream, service, found, None)
    assert made is not None
    assert len(made["subsets"]) > 1
    there = {**made, "metadata": {**made["metadata"], "resourceVersion": "1"}}
    written(upstream, service, found, there)
    written(upstream, service, found[: len(found) // 3], there)


def several_pods(numbers: list[int]) -> st.SearchStrategy[list[Json]]:
    return st.tuples(*(pods(number).map(on_a_node) for number in numbers)).map(list)


def on_a_node(pod: Json) -> Json:
    """The library writes a name that is empty for a Pod that has an address but no node."""
    return {**pod, "spec": {**pod["spec"], "nodeName": pod["spec"]["nodeName"] or "node-9"}}


def written(upstream: Upstream, service: Json, found: list[Json], existing: Json | None) -> Json | None:
    """Build as the controller does, and compare."""
    answer = upstream.ask(op="endpoints", service=service, pods=found, existing=existing)
    theirs = answer["object"]
    trigger = theirs["metadata"].get("annotations", {}).get(TRIGGER) if theirs else None
    plan = epcore.build_endpoints(service, found, existing, trigger_time=trigger)
    assert plan.verb == answer["verb"], (service, found, existing)
    if not theirs:
        return None
    assert plan.object is not None
    ours = plan.object.to_dict()
    assert ours.get("subsets") == (theirs.get("subsets") or [])
    assert ours["metadata"] == {"namespace": "shop", **theirs["metadata"]}
    return ours


def mirror_of(case: Json, **options: Any) -> epcore.Plan:
    return epcore.mirror(case["service"], case["endpoints"], case["slices"], **options)


@needs_upstream
@pytest.mark.parametrize("part", range(4))
def test_mirror_does_what_the_controller_does(upstream: Upstream, part: int) -> None:
    @examples_of(part)
    @settings(max_examples=EXAMPLES * 5, suppress_health_check=list(HealthCheck))
    @given(mirrors())
    def agrees(case: Json) -> None:
        # Slices of the library with one name of a port twice are refused by the API server; ours are two.
        repacked = epcore.LegacyEndpoints.from_object(case["endpoints"] or {"metadata": {"name": "db"}}).repack()
        for subset in repacked.to_dict()["subsets"]:
            assume(len({port.get("name") for port in subset.get("ports", [])}) == len(subset.get("ports", [])))
        plan = mirror_of(case, policy="upstream", max_endpoints=case["max"])
        going = "deletionTimestamp" in (case["endpoints"] or {"metadata": {}})["metadata"]
        ours = mirror_outcome(plan.result().to_dicts(), [write.verb for write in plan.writes], plan.events, going=going)
        theirs = []
        for _ in range(40):
            answer = upstream.ask(op="mirror", namespace="shop", name="db", **case)
            if answer["errors"]:
                continue  # A slice was recycled for another family: see DESIGN.md.
            events = [{"reason": event.split()[1]} for event in answer["events"]]
            verbs = [write["verb"] for write in answer["writes"]]
            ours_alone = [one for one in canonical(answer["slices"]) if is_mirrored(one)]
            theirs.append(mirror_outcome(ours_alone, verbs, events, going=going))
            if ours == theirs[-1]:
                return
        assert not theirs, f"part {part}: {plan}"

    agrees()


def is_mirrored(slice_: Json) -> bool:
    labels = slice_["metadata"]["labels"]
    return bool(labels.get(SERVICE_NAME) == "db" and labels.get(MANAGED_BY) == MIRRORING)


def mirror_outcome(slices: Any, verbs: list[str], events: Any, *, going: bool) -> Any:
    """Which of the slices are made is chance if the Endpoints are being deleted."""
    contents = None if going else summary([dict(one) for one in slices], shared_zones=False)
    return sorted(verbs), contents, sorted(event["reason"] for event in events)


NODES, ZONES = ["n", "m", "x"], ["z", "y", ""]


def is_ambiguous(slices: list[Json]) -> bool:
    """kube-proxy's winner among entries for one endpoint is chance, unless just one of them is not terminating."""
    said: dict[Any, set[str]] = {}
    for slice_ in slices:
        for endpoint in slice_["endpoints"]:
            conditions = endpoint.get("conditions", {})
            for port in slice_["ports"]:
                words = [
                    slice_["metadata"]["labels"][SERVICE_NAME],
                    port["name"],
                    port.get("port"),
                    endpoint["addresses"][0],
                ]
                kept = [conditions, endpoint.get("nodeName"), endpoint.get("hints")]
                said.setdefault((*words, conditions.get("terminating", False)), set()).add(repr(kept))
    return any(len(texts) > 1 for texts in said.values())


def reaches_the_same(view: epcore.View, answer: Json, node: str, zone: str, services: list[str]) -> None:
    """Compare every question of a proxy with kube-proxy's answers."""
    ports = {(one["service"], one["port"], one["protocol"]): one for one in answer["ports"]}
    for service, port, protocol in [*ports, (services[0], "gone", "TCP")]:
        theirs = ports.get((service, port, protocol), {"all": [], "cluster": [], "local": []})
        asked: Any = {"namespace": "shop", "node": node, "zone": zone, "protocol": protocol}
        for policy in ("Cluster", "Local"):
            reached = view.reachable(service, port, policy=policy, **asked)
            assert sorted(f"{one.address}:{one.port}" for one in reached.endpoints) == theirs[policy.lower()]
        everything = [one for one in view.endpoints(service, port) if one.port]
        assert sorted(f"{one.address}:{one.port}" for one in everything) == theirs["all"]
    for service in services:
        expected = answer["localReady"].get(f"shop/{service}", 0)
        assert view.local_ready(service, namespace="shop", node=node) == expected


@needs_upstream
def test_a_view_reaches_what_kube_proxy_reaches(upstream: Upstream) -> None:
    @settings(max_examples=EXAMPLES * 10, suppress_health_check=list(HealthCheck))
    @given(st.lists(readable(), min_size=1, max_size=3), st.sampled_from(NODES), st.sampled_from(ZONES))
    def agrees(states: list[list[Json]], node: str, zone: str) -> None:
        view, events = epcore.View(), []
        held: dict[str, Json] = {}
        for state in states:
            for slice_ in state:
                del slice_["metadata"]["resourceVersion"]  # it is the same in all of them
                # kube-proxy keeps what a slice held for a Service that its label no longer names.
                slice_["metadata"]["labels"][SERVICE_NAME] = "db" if slice_["metadata"]["name"] == "web-3" else "web"
            now = {one["metadata"]["name"]: one for one in canonical(state)}
            present = [{"type": "MODIFIED", "object": one} for one in now.values()]
            gone = [{"type": "DELETED", "object": held[name]} for name in held.keys() - now.keys()]
            events += present + gone
            view.apply(present + gone)
            held = now
        assume(not is_ambiguous(list(held.values())))
        answer = upstream.ask(op="proxy", events=events, node=node, zone=zone)
        reaches_the_same(view, answer, node, zone, ["web", "db"])

    agrees()


@needs_upstream
@pytest.mark.parametrize("name", ["rollout", "scale"])
def test_on_a_recording_a_view_reaches_what_kube_proxy_reaches(upstream: Upstream, name: str) -> None:
    """After each of eight parts of the recording, for a node that has endpoints and one that has none."""
    with lzma.open(RECORDINGS / f"{name}.jsonl.xz") as file:
        recorded = [json.loads(line) for line in file]
    events = [{"type": one["type"], "object": one["object"]} for one in recorded if one["kind"] == "EndpointSlice"]
    nodes = {one["nodeName"]: one["zone"] for event in events for one in event["object"].get("endpoints") or ()}
    view = epcore.View()
    part = -(-len(events) // 8)
    for begin in range(0, len(events), part):
        view.apply(events[begin : begin + part])
        node, zone = sorted(nodes.items())[begin % len(nodes)]
        for name_, where in ((node, zone), ("elsewhere", "")):
            answer = upstream.ask(op="proxy", events=events[: begin + part], node=name_, zone=where)
            assert answer["ports"] or not view.endpoints("checkout")
            reaches_the_same(view, answer, name_, where, ["checkout"])
