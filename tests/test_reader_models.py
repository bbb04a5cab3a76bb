"""Models of readers say what was measured with the readers themselves, and no plan of ours makes one of them go wrong.

The table is that of kube-proxy 1.37.2's bookkeeping, CoreDNS, Prometheus 0.316, Istio, Cilium 1.20.2 and Linkerd, the
real code of each fed with slice events.
"""

import json
import lzma
from collections import Counter
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import epcore
from epcore.testing import READERS, FirstWins, FlatSet, Reader, SliceState, SliceUnion, Windowed, judge, judge_events
from kube_model import reconciled
from kube_strategies import cases
from strategies import Json

Step: TypeAlias = tuple[str, list[str] | None]
"""A slice and what it lists afterwards, ``None`` if it is deleted. A = ``10.0.0.1/pod-1``."""

SAFE: list[str] = []
GAP, LOST = ["gap"], ["lost"]


def state(name: str, held: list[str], *, service: str = "web", port: int = 80) -> SliceState:
    """An endpoint is ``NUMBER`` or ``NUMBER/POD``, with ``!`` if it terminates, is not ready, and serves."""
    endpoints: list[Json] = []
    for text in held:
        number, _, pod = text.rstrip("!").partition("/")
        leaving = text.endswith("!")
        endpoints.append(
            {
                "addresses": [f"10.0.0.{number}"],
                "conditions": {"ready": not leaving, "serving": True, "terminating": leaving},
                "targetRef": {"kind": "Pod", "namespace": "shop", "name": f"pod-{pod or number}"},
            }
        )
    labels = {"kubernetes.io/service-name": service}
    metadata = {"name": name, "namespace": "shop", "labels": labels}
    slice_ = {"metadata": metadata, "addressType": "IPv4", "ports": [{"port": port}], "endpoints": endpoints}
    return SliceState.of(epcore.SliceSet.from_objects(slice_)[0])


def outcomes(begin: list[SliceState], *writes: SliceState | str) -> dict[type[Reader], list[str]]:
    """What each reader makes of writes; a name stands for a deletion."""
    states = {one.name: one for one in begin}
    events: list[tuple[SliceState | None, SliceState | None]] = []
    for write in writes:
        if isinstance(write, str):
            events.append((states.pop(("shop", write)), None))
        else:
            events.append((states.get(write.name), write))
            states[write.name] = write
    return {reader: sorted({trouble.kind for trouble in judge_events(begin, events, [reader])}) for reader in READERS}


A, B = state("a", ["1", "2"]), state("b", ["3"])
A_WITHOUT, B_WITH = state("a", ["2"]), state("b", ["3", "1"])


@pytest.mark.parametrize(
    ("writes", "union", "first", "windowed", "flat"),
    [
        pytest.param([A_WITHOUT, B_WITH], GAP, GAP, GAP, GAP, id="remove from A, add to B"),
        pytest.param([B_WITH, A_WITHOUT], SAFE, SAFE, LOST, LOST, id="add to B, remove from A"),
        pytest.param([state("c", ["1", "2"]), "a"], SAFE, SAFE, LOST, LOST, id="create C with all of A, delete A"),
        pytest.param([state("b", ["3", "1", "2"]), state("a", [])], SAFE, SAFE, LOST, LOST, id="merge, then empty A"),
        pytest.param([state("b", ["3", "1", "2"]), "a"], SAFE, SAFE, LOST, LOST, id="merge, then delete A"),
        pytest.param([B_WITH, A_WITHOUT, B_WITH], SAFE, SAFE, GAP, GAP, id="add to B, remove from A, write B again"),
        pytest.param([B_WITH, A_WITHOUT, A_WITHOUT], SAFE, SAFE, LOST, LOST, id="a write to the source does not heal"),
    ],
)
def test_a_move_of_a_live_endpoint_looks_as_measured(
    writes: list[SliceState | str], union: list[str], first: list[str], windowed: list[str], flat: list[str]
) -> None:
    expected = {SliceUnion: union, FirstWins: first, Windowed: windowed, FlatSet: flat}
    assert outcomes([A, B], *writes) == expected


def test_a_pod_address_reused_within_one_write_is_lost_by_linkerd_alone() -> None:
    reused = outcomes([A], state("a", ["1/other", "2"]))
    assert reused == {SliceUnion: [], FirstWins: [], Windowed: [], FlatSet: ["lost"]}


def test_an_address_reused_in_another_slice_before_the_old_holder_left_is_lost_by_cilium_and_linkerd() -> None:
    reused = outcomes([A, B], state("b", ["3", "1/other"]), A_WITHOUT)
    assert reused[Windowed] == ["lost"]
    assert "lost" in reused[FlatSet]
    assert reused[SliceUnion] == reused[FirstWins] == ["wrong"], "they show the old one for a while"


def test_an_address_whose_old_holder_leaves_by_an_earlier_write_is_right_everywhere() -> None:
    assert not any(outcomes([A, B], A_WITHOUT, state("b", ["3", "1/other"])).values())
    assert not any(outcomes([A], A_WITHOUT, state("a", ["2", "1/other"])).values())


def test_a_slice_whose_service_changes_in_place_leaves_stale_endpoints_everywhere() -> None:
    changed = outcomes([A], state("a", ["1", "2"], service="other"))
    assert all(found == ["stale"] for found in changed.values())
    assert not any(outcomes([A], "a", state("c", ["1", "2"], service="other")).values())


def test_a_port_changed_in_place_is_not_told_by_linkerd() -> None:
    changed = outcomes([A], state("a", ["1", "2"], port=81))
    assert changed == {SliceUnion: [], FirstWins: [], Windowed: [], FlatSet: ["lost", "stale"]}


def test_an_address_changed_for_one_target_stays_beside_the_new_one_in_linkerd() -> None:
    changed = outcomes([A], state("a", ["4/1", "2"]))
    assert changed == {SliceUnion: [], FirstWins: [], Windowed: [], FlatSet: ["stale"]}


def test_a_terminating_ghost_hides_the_live_pod_in_istio_and_takes_it_along_in_cilium() -> None:
    ghost, live = state("a", ["1/old!"]), state("b", ["1"])
    assert outcomes([ghost], live)[FirstWins] == ["lost"]
    assert outcomes([ghost], live)[SliceUnion] == []
    assert outcomes([ghost], live, "a")[Windowed] == ["lost"]


def test_cilium_takes_events_of_one_window_together_and_loses_nothing() -> None:
    reader = Windowed()
    for one in (A, B):
        reader.see(None, one)
    reader.see_together([(B, B_WITH), (A, A_WITHOUT)])
    assert {key.address for key in reader.held()} == {"10.0.0.1", "10.0.0.2", "10.0.0.3"}


@pytest.mark.parametrize("reader", READERS)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.none() | st.sets(st.integers(1, 3))), max_size=12))
def test_without_duplicates_and_moves_every_reader_is_right_at_every_event(
    reader: type[Reader], steps: list[tuple[str, set[int] | None]]
) -> None:
    """Each slice has addresses of its own, and each pod its address for good."""
    events: list[tuple[SliceState | None, SliceState | None]] = []
    states: dict[str, SliceState] = {}
    for name, numbers in steps:
        before = states.pop(name, None)
        if numbers is not None:
            states[name] = state(name, [str("abc".index(name) * 10 + number) for number in sorted(numbers)])
        events.append((before, states.get(name)))
    assert judge_events([], events, [reader]) == []


policies = st.sampled_from(["balanced", "dense", "lean", "lifecycle", "upstream"])


@st.composite
def packings(draw: st.DrawFn) -> tuple[list[Json], list[Json]]:
    """Slices that hold each address once, and what is wanted: pods come, go, change, and take over addresses."""
    numbers = draw(st.lists(st.integers(1, 30), unique=True, max_size=16))
    slices = []
    for index in range(3):
        held = [pod_of(number) for number in numbers[index::3]]
        labels = {"kubernetes.io/service-name": "web"}
        metadata = {"name": f"web-{index}", "namespace": "shop", "labels": labels}
        slices.append({"metadata": metadata, "addressType": "IPv4", "ports": [{"port": 80}], "endpoints": held})
    wanted = []
    for number in range(1, 31):
        kind = draw(st.sampled_from(["same", "same", "same", "gone", "leaving", "reused"]))
        if kind == "gone" or (number not in numbers and kind != "same"):
            continue
        if number in numbers or draw(st.booleans()):
            wanted.append(pod_of(number, reused=kind == "reused", leaving=kind == "leaving"))
    return slices, draw(st.permutations(wanted))


def pod_of(number: int, *, reused: bool = False, leaving: bool = False) -> Json:
    name = f"pod-{number}{'x' if reused else ''}"
    return {
        "addresses": [f"10.0.0.{number}"],
        "conditions": {"ready": not leaving, "serving": True, "terminating": leaving},
        "targetRef": {"kind": "Pod", "namespace": "shop", "name": name, "uid": name},
    }


@given(packings(), policies, st.integers(1, 8))
def test_no_reader_goes_wrong_with_a_plan_in_which_addresses_are_reused_strictly(
    packing: tuple[list[Json], list[Json]], policy: Any, most: int
) -> None:
    slices, wanted = packing
    assume(all(len(one["endpoints"]) <= most for one in slices))
    plan = epcore.pack(wanted, slices, max_endpoints=most, policy=policy, address_reuse="strict")
    assert [str(one) for one in judge(plan)] == []


@given(packings(), policies, st.integers(1, 8))
def test_with_addresses_reused_where_it_costs_no_write_no_more_go_wrong_than_the_plan_tells(
    packing: tuple[list[Json], list[Json]], policy: Any, most: int
) -> None:
    slices, wanted = packing
    assume(all(len(one["endpoints"]) <= most for one in slices))
    plan = epcore.pack(wanted, slices, max_endpoints=most, policy=policy)
    assert len({one.key for one in judge(plan)}) <= plan.stats.address_reuse_unordered


@given(packings(), policies)
def test_an_overfull_slice_is_split_and_who_moves_is_told(packing: tuple[list[Json], list[Json]], policy: Any) -> None:
    """The one plan without compaction that moves live endpoints: the API refuses the slice as it is."""
    slices, wanted = packing
    plan = epcore.pack(wanted, slices, max_endpoints=2, policy=policy, address_reuse="strict")
    moved = {move.endpoint.addresses[0] for move in plan.moves}
    assert {one.key.address for one in judge(plan)} <= moved
    assert judge(plan, [SliceUnion, FirstWins]) == []


@given(packings(), st.sampled_from(["make-before-break", "break-before-make", "make-break-touch"]))
def test_moves_that_were_asked_for_hurt_whom_the_order_says(packing: tuple[list[Json], list[Json]], order: Any) -> None:
    slices, wanted = packing
    wanted = [one for one in wanted if not one["targetRef"]["name"].endswith("x")]
    compaction = epcore.Compaction(epsilon=0.0, order=order)
    plan = epcore.pack(wanted, slices, max_endpoints=16, compaction=compaction, address_reuse="strict")
    moved = {move.endpoint.addresses[0] for move in plan.moves}
    found = judge(plan)
    assert {one.key.address for one in found} <= moved
    if order != "break-before-make":
        assert not {one.reader for one in found} & {"SliceUnion", "FirstWins"}
    if order == "make-break-touch":
        assert {one.kind for one in found} <= {"gap"}


def places(slices: epcore.SliceSet) -> dict[tuple[str, str], list[tuple[str | None, object]]]:
    """Where each address is: slices, and their ports."""
    found: dict[tuple[str, str], list[tuple[str | None, object]]] = {}
    for slice_ in slices:
        for endpoint in slice_.endpoints:
            place = slice_.name, slice_.to_dict().get("ports")
            found.setdefault((slice_.address_type, endpoint.addresses[0]), []).append(place)
    return found


@given(cases(), st.sampled_from(["balanced", "dense", "lean", "lifecycle"]))
def test_a_plan_of_reconcile_in_which_every_address_keeps_its_slice_is_right_for_every_reader(
    case: Json, policy: Any
) -> None:
    """An endpoint whose ports change has to go to another slice, and an address of several Pods is nobody's.

    A Pod whose address changes stays twice with Linkerd, whatever is written. Kubernetes' rule orders nothing.
    """
    plan = reconciled(case, policy=policy, replace="safe", address_reuse="strict")
    before, after = places(plan.prefix(0)), places(plan.result())
    moved = {address for address in before.keys() & after.keys() if before[address] != after[address]}
    shared = {address for side in (before, after) for address, where in side.items() if len(where) > 1}
    owners = {
        (endpoint.target_name, endpoint.addresses[0])
        for slices in (plan.prefix(0), plan.result())
        for slice_ in slices
        for endpoint in slice_.endpoints
    }
    counts = Counter(target for target, _ in owners)
    excused = {address for _, address in moved | shared} | {one for target, one in owners if counts[target] > 1}
    found = [one for one in judge(plan) if one.key.address not in excused]
    assert not found, [str(one) for one in found]


@pytest.mark.parametrize("name", ["rollout", "scale"])
def test_what_the_real_controller_wrote_is_right_for_every_reader(name: str) -> None:
    states: dict[tuple[str, str], SliceState] = {}
    events: list[tuple[SliceState | None, SliceState | None]] = []
    with lzma.open(Path(__file__).parent.parent / "examples" / f"{name}.jsonl.xz") as file:
        recorded = [json.loads(line) for line in file]
    for event in recorded:
        if event["object"].get("kind", event.get("kind")) == "EndpointSlice":
            seen = SliceState.of(epcore.SliceSet.from_objects(event["object"])[0])
            before = states.pop(seen.name, None)
            if event["type"] != "DELETED":
                states[seen.name] = seen
            events.append((before, states.get(seen.name)))
    assert len(events) > 400
    assert judge_events([], events) == []
