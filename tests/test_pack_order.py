"""Safe order: what every reader sees after each write of a plan."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import assume, event, given
from hypothesis import strategies as st

import epcore
from pack_model import (
    MOVING,
    addresses_held,
    canonical,
    current,
    dicts,
    distinct,
    endpoints_of,
    held,
    identity,
    planned,
    same_group,
)
from pack_strategies import Group, Json, cohorts, groups, maxima, named_policies, slice_of

policies = named_policies | st.just("upstream")
options = st.fixed_dictionaries(
    {"max_endpoints": maxima, "policy": policies, "cohort": cohorts, "replace": st.sampled_from(["safe", "recycle"])}
)
orders = st.sampled_from(["make-before-break", "break-before-make", "make-break-touch"])


def ours(slices: list[Json], group: Group) -> list[Json]:
    return [one for one in slices if same_group(one, group.template)]


def prefixes(plan: epcore.Plan, group: Group) -> list[list[Json]]:
    """The slices of the group after each number of writes."""
    return [ours(dicts(plan.prefix(writes)), group) for writes in range(len(plan) + 1)]


@given(groups(), options, st.sampled_from([None, "make-before-break", "make-break-touch"]))
def test_no_survivor_is_missing_after_any_write(group: Group, chosen: Any, order: Any) -> None:
    if order:
        chosen["compaction"] = epcore.Compaction(epsilon=0, order=order)
    upstream = chosen["policy"] == "upstream"
    seen = [held(slices, upstream=upstream) for slices in prefixes(planned(group, **chosen), group)]
    survivors = set(seen[0]) & set(distinct(group.wanted, upstream=upstream))
    assert all(survivors <= set(now) for now in seen)


@given(groups(), options)
def test_no_endpoint_that_may_stay_is_held_more_often_than_before(group: Group, chosen: Any) -> None:
    plan = planned(group, **chosen)
    upstream = chosen["policy"] == "upstream"
    moved = {identity(dict(move.endpoint.to_dict()), upstream=upstream) for move in plan.moves}
    seen = [held(slices, upstream=upstream) for slices in prefixes(plan, group)]
    for now in seen:
        assert all(count <= max(seen[0][one], 1) + (one in moved) for one, count in now.items())


@given(groups(foreign=False), options)
def test_an_address_is_held_more_often_than_before_and_wanted_only_where_that_was_told(
    group: Group, chosen: Any
) -> None:
    plan = planned(group, **chosen)
    assume(not plan.moves)
    wanted = addresses_held(
        [{"endpoints": [one[0] for one in distinct(group.wanted, upstream=chosen["policy"] == "upstream").values()]}]
    )
    seen = [addresses_held(slices) for slices in prefixes(plan, group)]
    crowded = {one for now in seen for one, count in now.items() if count > max(seen[0][one], wanted[one])}
    event(f"unordered {plan.stats.address_reuse_unordered}")
    if not plan.stats.address_reuse_unordered:
        assert not crowded


def leaving_and_coming(plan: epcore.Plan, group: Group, *, upstream: bool) -> list[tuple[int, int]]:
    """For each new endpoint the write by which its addresses have left other targets, and the one it comes by."""
    before = ours(dicts(plan.prefix(0)), group)
    wanted = distinct(group.wanted, upstream=upstream)
    there = set(held(before, upstream=upstream))
    seen = prefixes(plan, group)
    found = []
    for new in wanted.keys() - there:
        addresses = {canonical(one) for one in wanted[new][0]["addresses"]}
        leaving = [
            identity(endpoint, upstream=upstream)
            for endpoint in endpoints_of(before)
            if identity(endpoint, upstream=upstream) not in wanted
            and addresses & {canonical(one) for one in endpoint["addresses"]}
        ]
        if leaving:
            came = next(at for at, now in enumerate(seen) if held(now, upstream=upstream)[new])
            left = max(
                next(at for at, now in enumerate(seen) if not held(now, upstream=upstream)[one]) for one in leaving
            )
            found.append((left, came))
    return found


def has_copies(group: Group) -> bool:
    """True if an endpoint is held more than once."""
    return any(count > 1 for count in held(current(group.existing)).values())


@given(groups(foreign=False), options)
def test_each_address_that_comes_before_it_left_is_counted(group: Group, chosen: Any) -> None:
    plan = planned(group, **chosen)
    pairs = leaving_and_coming(plan, group, upstream=chosen["policy"] == "upstream")
    late, counted = sum(left >= came for left, came in pairs), plan.stats.address_reuse_unordered
    # A second copy that goes counts, too.
    assert late == counted or (late < counted and has_copies(group))


@given(groups(foreign=False), options, st.none() | orders)
def test_strict_reuse_lets_every_address_leave_first(group: Group, chosen: Any, order: Any) -> None:
    if order:
        chosen["compaction"] = epcore.Compaction(epsilon=0, order=order)
    chosen["address_reuse"] = "strict"
    plan = planned(group, **chosen)
    upstream = chosen["policy"] == "upstream"
    assert all(left < came for left, came in leaving_and_coming(plan, group, upstream=upstream))
    assert plan.stats.address_reuse_unordered == 0
    if order != "break-before-make":
        seen = [held(slices, upstream=upstream) for slices in prefixes(plan, group)]
        survivors = set(seen[0]) & set(distinct(group.wanted, upstream=upstream))
        assert all(survivors <= set(now) for now in seen)


@given(groups(named=True), options, st.none() | orders, st.sampled_from(["ordered", "strict"]))
def test_each_write_changes_its_object_and_a_prefix_is_its_writes_applied(
    group: Group, chosen: Any, order: Any, reuse: Any
) -> None:
    if order:
        chosen["compaction"] = epcore.Compaction(epsilon=0.1, order=order)
    plan = planned(group, **chosen, address_reuse=reuse, naming="deterministic")
    now = {one["metadata"]["name"]: one for one in dicts(plan.prefix(0))}
    for at, write in enumerate(plan.writes):
        name = write.name
        assert name
        assert (name in now) == (write.verb != "create")
        if write.verb == "delete":
            assert now.pop(name) == write.to_dict()
        else:
            assert now.get(name) != write.to_dict(), (write, write.reasons)
            now[name] = dict(write.to_dict())
        assert {one["metadata"]["name"]: one for one in dicts(plan.prefix(at + 1))} == now
    assert not any(MOVING in (one["metadata"].get("annotations") or {}) for one in ours(list(now.values()), group))
    assert dicts(plan.result()) == dicts(plan.prefix(len(plan) + 7))


@given(groups(named=True), options)
def test_new_slices_come_before_foreign_ones_go(group: Group, chosen: Any) -> None:
    chosen |= {"replace": "safe", "policy": "balanced"}
    plan = planned(group, **chosen)
    names = {one["metadata"]["name"] for one in current(group.existing) if not same_group(one, group.template)}
    filled = {one["metadata"]["name"] for one in current(group.existing) if one.get("endpoints")}
    verbs = [("foreign" if write.name in names & filled else "ours", write.verb) for write in plan.writes]
    firsts = [at for at, one in enumerate(verbs) if one == ("foreign", "delete")]
    creates = [at for at, (_, verb) in enumerate(verbs) if verb == "create"]
    assert ("foreign", "update") not in verbs
    assert len(firsts) == len(names & filled)
    assert not firsts or not creates or max(creates) < min(firsts)


def test_a_foreign_slice_goes_after_an_endpoint_came_that_had_to_wait_for_its_address() -> None:
    old, new = ({"addresses": ["10.0.0.1"], "targetRef": {"kind": "Pod", "name": name}} for name in ("old", "new"))
    existing = [
        slice_of("web-0", [new], port=81),
        slice_of("web-1", [old]),
        slice_of("web-2", [], labels={"written": "anyway"}),
    ]
    plan = epcore.pack([new], existing, template=slice_of(None, [], metadata={"generateName": "web-"}))
    assert [(write.verb, write.name) for write in plan.writes] == [
        ("delete", "web-1"),
        ("update", "web-2"),
        ("delete", "web-0"),
    ]


@given(groups(foreign=False, named=True), maxima)
def test_make_break_touch_marks_the_destination_until_the_last_write(group: Group, most: int) -> None:
    compaction = epcore.Compaction(epsilon=0, order="make-break-touch")
    plan = planned(group, max_endpoints=most, compaction=compaction, naming="deterministic")
    targets, sources = {move.target for move in plan.moves}, {move.source for move in plan.moves}
    touches = [write for write in plan.writes if "touch" in write.reasons]
    assert Counter(write.name for write in touches) == Counter(targets)
    for touch in touches:
        at = [index for index, write in enumerate(plan.writes) if write.name == touch.name]
        first, last = plan.writes[at[0]], plan.writes[at[-1]]
        assert first.slice.annotations.get(MOVING) == "true"
        assert MOVING not in last.slice.annotations
        assert [one.to_dict() for one in first.slice.endpoints] == [one.to_dict() for one in last.slice.endpoints]
        came_from = {move.source for move in plan.moves if move.target == touch.name}
        breaks = [index for index, write in enumerate(plan.writes) if write.name in came_from and write.name in sources]
        assert at[0] < min(breaks)
        assert max(index for index in breaks if plan.writes[index].name != touch.name) < at[-1]


@given(groups(foreign=False), options, orders, st.data())
def test_a_plan_that_stopped_halfway_is_finished_by_the_next_one(
    group: Group, chosen: Any, order: Any, data: st.DataObject
) -> None:
    compaction = epcore.Compaction(epsilon=0, order=order)
    plan = planned(group, **chosen, compaction=compaction, naming="deterministic")
    half = plan.prefix(data.draw(st.integers(0, len(plan))))
    again = epcore.pack(group.wanted, half, template=group.template, **chosen, compaction=compaction)
    upstream = chosen["policy"] == "upstream"
    result = dicts(again.result())
    assert set(held(result, upstream=upstream)) == set(distinct(group.wanted, upstream=upstream))
    assert not any(MOVING in (one["metadata"].get("annotations") or {}) for one in result)


def test_a_copy_goes_only_when_the_one_that_stays_is_as_it_should_be() -> None:
    """The right one is in an overfull slice, whose name is first; the one that stays says that it is not ready."""
    ready = [{"addresses": [f"10.0.0.{one}"], "conditions": {"ready": True}} for one in (1, 2, 3)]
    stale = {**ready[2], "conditions": {"ready": False}}
    plan = epcore.pack(ready, [slice_of("web-0", ready), slice_of("web-1", [stale])], max_endpoints=2)
    assert len(plan) == 2
    assert all(ready[2] in endpoints_of(dicts(plan.prefix(writes))) for writes in range(3))


@pytest.mark.parametrize(("reuse", "names"), [("ordered", ["web-1", "web-0"]), ("strict", ["web-1", "web-0", "web-1"])])
def test_the_copy_that_takes_traffic_outlasts_an_address_that_comes_back(reuse: Any, names: list[str]) -> None:
    """The copy that is ready is in an overfull slice; the slice of the one that stays takes an address from there."""
    ready = [{"addresses": [f"10.0.0.{one}"], "conditions": {"ready": True}} for one in (1, 2, 3, 4)]
    old, new = ({"addresses": ["10.0.0.9"], "targetRef": {"kind": "Pod", "name": name}} for name in ("old", "new"))
    stale = {**ready[3], "conditions": {"ready": False}}
    existing = [slice_of("web-0", [*ready, old]), slice_of("web-1", [stale])]
    plan = epcore.pack([*ready, new], existing, max_endpoints=3, address_reuse=reuse)
    assert [write.name for write in plan.writes] == names
    assert plan.stats.address_reuse_unordered == (reuse == "ordered")
    seen = [endpoints_of(dicts(plan.prefix(writes))) for writes in range(len(plan) + 1)]
    assert all(ready[3] in now for now in seen)
    if reuse == "strict":
        assert not any(old in now and new in now for now in seen)


def test_a_copy_that_is_wrong_goes_before_another_target_brings_its_address_in() -> None:
    at = {"addresses": ["10.0.0.1"], "conditions": {"ready": True}}
    stays, new = ({**at, "targetRef": {"kind": "Pod", "name": name}} for name in ("stays", "new"))
    existing = [slice_of(f"web-{one}", [{**stays, "zone": f"old-{one}"}]) for one in range(2)]
    plan = epcore.pack([stays, new], existing)
    assert [(write.verb, write.name) for write in plan.writes] == [("delete", "web-1"), ("update", "web-0")]
    assert plan.stats.address_reuse_unordered == 0


def test_a_copy_that_takes_traffic_goes_only_when_the_endpoint_is_where_it_moves_to() -> None:
    """The other one says that it is not ready, and its slice is drained."""
    ready = [{"addresses": [f"10.0.0.{one}"], "conditions": {"ready": True}} for one in range(1, 8)]
    stale = {**ready[3], "conditions": {"ready": False}}
    held = [ready[:4], [stale], *([one] for one in ready[4:])]
    existing = [slice_of(f"web-{number}", some) for number, some in enumerate(held)]
    plan = epcore.pack(ready, existing, max_endpoints=3, compaction=epcore.Compaction(epsilon=0))
    assert [(move.source, move.target) for move in plan.moves] == [("web-1", "web-2")]
    assert all(ready[3] in endpoints_of(dicts(plan.prefix(writes))) for writes in range(len(plan) + 1))


def test_strict_reuse_keeps_what_is_in_order_when_late_endpoints_come_by_a_second_write() -> None:
    """Copies of one endpoint leave slices of a ring, which the second write of another endpoint opens."""

    def at(name: str, *hosts: int, zone: str = "a", ready: bool = True) -> Json:
        addresses = [f"10.0.0.{host}" for host in hosts]
        target = {"targetRef": {"kind": "Pod", "name": name}} if name else {}
        return {"addresses": addresses, "zone": zone, "conditions": {"ready": ready}, **target}

    other, copy, copies = {"app": "y"}, at("p2", 1), [at("p2", 1, zone="c"), at("p2", 1, zone="b")]
    existing = [
        slice_of("web-0", [at("", 3, 1), at("", 3, ready=False)]),
        slice_of("web-1", [copy]),
        slice_of("web-2", [copies[0], at("p2", 1, zone="b"), copies[1]], labels=other),
        slice_of("web-3", [copies[0], at("p3", 3, 2), copy]),
        slice_of("web-4", [copies[0], at("", 3), copies[0]], labels=other),
    ]
    new = [at("p3", 3, 1), at("p1", 3, ready=False), at("p1", 1), at("p4", 1)]
    wanted = [*new, at("p2", 1, zone="b"), at("p3", 3, 2)]
    policy = epcore.Policy(write=0, byte=1, watchers=1, slice=0)
    template = slice_of(None, [], metadata={"generateName": "web-"})
    plan = epcore.pack(wanted, existing, template=template, max_endpoints=2, policy=policy, address_reuse="strict")
    seen = [held(dicts(plan.prefix(writes))) for writes in range(len(plan) + 1)]
    assert any("address-reuse" in write.reasons for write in plan.writes)
    assert all(now[identity(copy)] == 1 for now in seen if now[identity(new[2])])


@pytest.mark.parametrize("others", [[], [{"addresses": ["10.0.0.5"]}]], ids=["new slice", "slice that is there"])
@pytest.mark.parametrize("reuse", ["ordered", "strict"])
def test_an_endpoint_moves_safely_to_a_slice_that_takes_an_address_from_where_it_was(
    reuse: Any, others: list[Json]
) -> None:
    stay = [{"addresses": [f"10.0.0.{one}"]} for one in (1, 2, 3, 4)]
    old, new = ({"addresses": ["10.0.0.9"], "targetRef": {"kind": "Pod", "name": name}} for name in ("old", "new"))
    existing = [slice_of("web-0", [*stay, old]), *([slice_of("web-1", others)] if others else [])]
    template = slice_of(None, [], metadata={"generateName": "web-"})
    plan = epcore.pack([*stay, *others, new], existing, template=template, max_endpoints=3, address_reuse=reuse)
    seen = [endpoints_of(dicts(plan.prefix(writes))) for writes in range(len(plan) + 1)]
    assert all(one in now for now in seen for one in stay)
    assert plan.stats.address_reuse_unordered == (reuse == "ordered")
    if reuse == "strict":
        assert not any(old in now and new in now for now in seen)


def test_the_mark_of_moving_goes_after_the_slice_that_the_endpoint_came_from() -> None:
    existing = [slice_of(f"web-{one}", [{"addresses": [f"10.0.0.{one}"]}]) for one in range(3)]
    compaction = epcore.Compaction(epsilon=0, order="make-break-touch")
    plan = epcore.pack(endpoints_of(existing), existing, max_endpoints=4, compaction=compaction)
    assert [(move.source, move.target) for move in plan.moves] == [("web-0", "web-1")]
    writes = [(write.verb, write.name) for write in plan.writes]
    assert writes == [("update", "web-1"), ("delete", "web-0"), ("update", "web-1")]
    assert "touch" in plan.writes[-1].reasons
