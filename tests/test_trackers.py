"""What a controller remembers between two syncs, beside Kubernetes' own trackers."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import epcore
from kube_strategies import Json
from upstream_peer import Upstream, needs_upstream


def slice_of(uid: str, service: str, generation: int) -> Json:
    metadata = {
        "name": uid,
        "namespace": "shop",
        "uid": uid,
        "generation": generation,
        "labels": {"kubernetes.io/service-name": service},
    }
    return {"metadata": metadata, "addressType": "IPv4", "endpoints": [], "ports": []}


slices = st.builds(slice_of, st.sampled_from("abc"), st.sampled_from(["web", "db"]), st.integers(1, 4))
services = st.sampled_from([{"metadata": {"namespace": "shop", "name": name}} for name in ("web", "db")])
steps = st.one_of(
    st.fixed_dictionaries({"call": st.sampled_from(["update", "update", "expect_deletion"]), "slice": slices}),
    st.fixed_dictionaries({"call": st.sampled_from(["handle_deletion", "should_sync"]), "slice": slices}),
    st.fixed_dictionaries({"call": st.just("is_stale"), "service": services, "slices": st.lists(slices, max_size=3)}),
    st.fixed_dictionaries({"call": st.just("forget"), "service": services}),
)
quiet = settings(suppress_health_check=list(HealthCheck))


def step(tracker: epcore.SliceTracker, given_: Json) -> bool | None:
    call, one = given_["call"], given_.get("slice")
    if one is not None:
        answer: bool | None = getattr(tracker, call)(one)
        return answer
    key = (given_["service"]["metadata"]["namespace"], given_["service"]["metadata"]["name"])
    if call == "forget":
        tracker.forget(*key)
        return None
    return tracker.is_stale(*key, given_["slices"])


@needs_upstream
@quiet
@given(st.lists(steps, max_size=12))
def test_expectations_are_those_of_the_library(upstream: Upstream, given_steps: list[Json]) -> None:
    tracker = epcore.SliceTracker()
    ours = [step(tracker, one) for one in given_steps]
    assert ours == upstream.ask(op="tracker", steps=given_steps)["results"]


times = st.integers(0, 6).map(lambda second: f"2026-01-01T00:00:0{second}Z")


def timed_pod(name: str, since: str | None) -> Json:
    ready = [{"type": "Ready", "status": "True", **({"lastTransitionTime": since} if since else {})}]
    return {"metadata": {"name": name, "namespace": "shop"}, "status": {"conditions": ready}}


syncs = st.builds(
    lambda name, created, pods: {
        "service": {"metadata": {"namespace": "shop", "name": name, "creationTimestamp": created}},
        "pods": [timed_pod(pod, since) for pod, since in pods.items()],
    },
    st.sampled_from(["web", "db"]),
    times,
    st.dictionaries(st.sampled_from("abc"), st.none() | times),
)


@needs_upstream
@quiet
@given(st.lists(syncs, max_size=6))
def test_trigger_times_are_those_of_the_library(upstream: Upstream, given_syncs: list[Json]) -> None:
    tracker = epcore.TriggerTimes()
    ours = [tracker.compute(one["service"], one["pods"]) or "" for one in given_syncs]
    assert ours == upstream.ask(op="triggerTimes", steps=given_syncs)["times"]


labels = st.dictionaries(st.sampled_from(["app", "tier"]), st.sampled_from(["a", "b"]))


@st.composite
def pods(draw: st.DrawFn) -> Json:
    metadata = {"name": "p", "namespace": draw(st.sampled_from(["shop", "shop", "other"])), "labels": draw(labels)}
    metadata["resourceVersion"] = str(draw(st.integers(1, 4)))
    ready = draw(st.sampled_from(["True", "False"]))
    ips = draw(st.sampled_from([[], [{"ip": "10.0.0.1"}], [{"ip": "10.0.0.2"}]]))
    return {"metadata": metadata, "status": {"podIPs": ips, "conditions": [{"type": "Ready", "status": ready}]}}


@st.composite
def pod_events(draw: st.DrawFn) -> tuple[Json | None, Json | None]:
    before, after = draw(st.none() | pods()), draw(pods())
    if before is None:
        return (None, after) if draw(st.booleans()) else (after, None)
    before["metadata"]["namespace"] = after["metadata"]["namespace"]
    return before, after


pairs = [{"app": "a"}, {"app": "b"}, {"tier": "a"}, {"app": "a", "tier": "a"}, {"app": "b", "tier": "a"}]
selectors = st.lists(st.sampled_from(pairs), min_size=1, max_size=5)


@needs_upstream
@quiet
@given(selectors, pod_events())
def test_a_pod_concerns_the_services_that_it_concerns_in_the_library(
    upstream: Upstream, chosen: list[Json], event: tuple[Json | None, Json | None]
) -> None:
    found: list[Json] = [
        {"metadata": {"name": f"s{number}", "namespace": "shop"}, "spec": {"selector": selector}}
        for number, selector in enumerate(chosen)
    ]
    index = epcore.ServiceIndex()
    for service in found:
        index.set({**service, "spec": {"selector": {"app": "old"}}})
        index.set(service)
    before, after = event
    theirs = upstream.ask(op="affected", services=found, before=before, after=after)["services"]
    assert [f"shop/{name}" for name in index.affected(before, after)] == sorted(theirs)
    for service in found:
        index.remove("shop", service["metadata"]["name"])
    assert index.affected(before, after) == []


def test_a_changed_host_name_concerns_the_services_of_the_pod() -> None:
    """The library takes it for a change of labels, and so overlooks it where they stay."""
    index = epcore.ServiceIndex()
    index.set({"metadata": {"name": "web", "namespace": "shop"}, "spec": {"selector": {"app": "a"}}})
    before: Json = {"metadata": {"name": "p", "namespace": "shop", "labels": {"app": "a"}, "resourceVersion": "1"}}
    after = {**before, "metadata": {**before["metadata"], "resourceVersion": "2"}, "spec": {"hostname": "h"}}
    assert index.affected(before, after) == ["web"]


def test_the_first_event_sets_the_time_and_later_ones_ride_along() -> None:
    batch = epcore.Batch()
    batch.add("b", 2.0)
    batch.add("a", 2.0)
    batch.add("b", 5.0)
    batch.add("c", 1.0)
    assert batch.next() == 1.0
    assert batch.take(0.9) == []
    assert batch.take(2.0) == ["c", "a", "b"]
    assert (batch.next(), batch.take(9.0)) == (None, [])
    with pytest.raises(ValueError, match="number"):
        batch.add("a", float("nan"))


def test_bad_input_is_refused() -> None:
    with pytest.raises(epcore.InvalidInputError, match="one slice"):
        epcore.SliceTracker().update([])
    with pytest.raises(epcore.InvalidInputError):
        epcore.SliceTracker().update(b"{")
    with pytest.raises(epcore.InvalidInputError):
        epcore.TriggerTimes().compute({}, [])
    with pytest.raises(epcore.InvalidInputError):
        epcore.ServiceIndex().set({"metadata": {}})
    with pytest.raises(epcore.InvalidInputError, match="one Pod"):
        epcore.ServiceIndex().affected(b"[]", None)
