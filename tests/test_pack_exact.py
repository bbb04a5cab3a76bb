"""Afterwards each wanted endpoint is there once and as wanted, nothing is lost, and what stayed did not move."""

import copy
from collections import Counter
from typing import Any

from hypothesis import event, given
from hypothesis import strategies as st

import epcore
from pack_model import (
    changed,
    content,
    current,
    dicts,
    distinct,
    endpoints_of,
    held,
    identity,
    planned,
    same_group,
    size,
    unknown,
)
from pack_strategies import Group, cohorts, groups, maxima, named_policies

every_policy = st.one_of(
    named_policies,
    st.just("upstream"),
    st.builds(
        epcore.Policy,
        write=st.sampled_from([0.0, 1.0, 500.0]),
        byte=st.sampled_from([0.0, 0.5]),
        watchers=st.sampled_from([0, 1, 7]),
        slice=st.sampled_from([0.0, 200.0, 2_000.0]),
    ),
)
options = st.fixed_dictionaries(
    {
        "max_endpoints": maxima,
        "policy": every_policy,
        "cohort": cohorts,
        "address_reuse": st.sampled_from(["ordered", "strict"]),
        "replace": st.sampled_from(["safe", "recycle"]),
        "naming": st.sampled_from(["generate", "deterministic"]),
    },
    optional={
        "compaction": st.builds(
            epcore.Compaction,
            epsilon=st.sampled_from([0.0, 0.25, 1.0]),
            max_moves=st.sampled_from([None, 0, 3]),
            order=st.sampled_from(["make-before-break", "break-before-make", "make-break-touch"]),
        ),
        "trigger_time": st.just("2026-02-03T04:05:06Z"),
    },
)


@given(groups(), options)
def test_the_slices_hold_each_wanted_endpoint_once_as_wanted_and_no_other(group: Group, chosen: Any) -> None:
    upstream = chosen["policy"] == "upstream"
    result = dicts(planned(group, **chosen).result())
    wanted = distinct(group.wanted, upstream=upstream)
    assert all(same_group(slice_, group.template) for slice_ in result)
    assert held(result, upstream=upstream) == Counter(dict.fromkeys(wanted, 1))
    before: dict[Any, list[Any]] = {}
    for endpoint in endpoints_of(one for one in current(group.existing) if same_group(one, group.template)):
        before.setdefault(identity(endpoint, upstream=upstream), []).append(endpoint)
    for endpoint in endpoints_of(result):
        choices = wanted[identity(endpoint, upstream=upstream)]
        olds = before.get(identity(endpoint, upstream=upstream), [])
        event("has copies" if len(olds) > 1 else "one copy" if olds else "new")
        assert any(is_as_wanted(endpoint, choice, olds) for choice in choices), (endpoint, choices, olds)


def is_as_wanted(endpoint: Any, wanted: Any, before: list[Any]) -> bool:
    """The wanted content; of a newer API what the wanted endpoint names, else what one of the existing copies has."""
    has = {key: value for key, value in unknown(endpoint).items() if value is not None}
    names = unknown(wanted)
    right = {key: value for key, value in names.items() if value is not None}
    rests = [{key: one for key, one in unknown(old).items() if key not in names and one is not None} for old in before]
    for level in ("targetRef", "hints"):
        if not content(wanted)[level] and not any(name[0] == level for name in names):
            rests = [{key: one for key, one in rest.items() if key[0] != level} for rest in rests]
    return content(endpoint) == content(wanted) and any(has == right | rest for rest in rests or [{}])


@given(groups(named=True), options)
def test_no_slice_is_over_max_unless_kubernetes_would_leave_it_so(group: Group, chosen: Any) -> None:
    plan = planned(group, **chosen)
    most = chosen["max_endpoints"]
    before = {one["metadata"].get("name"): len(one.get("endpoints") or ()) for one in current(group.existing)}
    for writes in range(len(plan) + 1):
        for slice_ in dicts(plan.prefix(writes)):
            count = len(slice_["endpoints"] or ())
            untouched = count <= before.get(slice_["metadata"].get("name"), 0)
            assert count <= most or (untouched and (writes < len(plan) or chosen["policy"] == "upstream"))


@given(groups(named=True), options)
def test_what_stays_keeps_its_slice_and_its_place_in_it(group: Group, chosen: Any) -> None:
    if "compaction" in chosen:
        del chosen["compaction"]
    upstream = chosen["policy"] == "upstream"
    wanted = distinct(group.wanted, upstream=upstream)
    ours = [one for one in current(group.existing) if same_group(one, group.template)]
    copies = held(ours, upstream=upstream)
    plan = planned(group, **chosen)
    after = {one["metadata"]["name"]: one for one in dicts(plan.result()) if one["metadata"].get("name")}
    for slice_ in ours:
        name = slice_["metadata"].get("name")
        if not name:
            continue
        was = [identity(endpoint, upstream=upstream) for endpoint in slice_.get("endpoints") or ()]
        now = [identity(one, upstream=upstream) for one in after.get(name, {}).get("endpoints") or ()]
        stayed = [one for one in now if one in was]
        crowded = sum(one in wanted for one in was) > chosen["max_endpoints"] and not upstream
        survivors = [one for one in was if one in wanted and copies[one] == 1]
        assert crowded or [one for one in stayed if copies[one] == 1] == survivors
        assert crowded or now[: len(stayed)] == stayed
        if crowded and all(copies[one] == 1 for one in was):
            assert now == survivors[: chosen["max_endpoints"]]


@given(groups(named=True), options)
def test_a_survivor_is_sent_as_it_was_where_nothing_of_it_changed(group: Group, chosen: Any) -> None:
    upstream = chosen["policy"] == "upstream"
    wanted = distinct(group.wanted, upstream=upstream)
    plan = planned(group, **chosen)
    canonical = dicts(epcore.SliceSet.from_objects(current(group.existing)))
    before = {one["metadata"]["name"]: one for one in canonical if same_group(one, group.template)}
    for write in plan.writes:
        old = before.get(write.name or "")
        if write.verb != "update" or old is None:
            continue
        new: Any = write.to_dict()
        olds: dict[Any, list[Any]] = {}
        for endpoint in old.get("endpoints") or ():
            olds.setdefault(identity(endpoint, upstream=upstream), []).append(endpoint)
        for endpoint in new["endpoints"]:
            key = identity(endpoint, upstream=upstream)
            if key in olds and len(olds[key]) == 1 == len(wanted[key]) and not changed(olds[key][0], wanted[key][0]):
                assert endpoint == olds[key][0]
        # The rest of the object: labels are the template's, one annotation may go and one may come.
        assert {key: one for key, one in new.items() if key not in ("metadata", "endpoints")} == {
            key: one for key, one in old.items() if key not in ("metadata", "endpoints")
        }
        rest = [
            {key: one for key, one in slice_["metadata"].items() if key not in ("labels", "annotations")}
            for slice_ in (old, new)
        ]
        assert rest[0] == rest[1]
        assert new["metadata"]["labels"] == group.template["metadata"]["labels"]
        kept = {key: one for key, one in old["metadata"].get("annotations", {}).items() if key == "other"}
        assert kept.items() <= new["metadata"].get("annotations", {}).items()


@given(groups(), options)
def test_new_slices_are_made_like_the_template(group: Group, chosen: Any) -> None:
    writes = planned(group, **chosen).writes
    names = [write.name for write in writes]
    for write in writes:
        if write.verb != "create":
            continue
        new: Any = write.to_dict()
        metadata = dict(new["metadata"])
        annotations = {key: one for key, one in metadata.pop("annotations", {}).items() if key != "epcore/moving"}
        assert set(annotations) <= {"endpoints.kubernetes.io/last-change-trigger-time"}
        assert metadata.pop("name", None) == write.name
        # What is written again has a name to be known by.
        is_written_again = write.name is not None and names.count(write.name) > 1
        assert (write.name is None) == (chosen["naming"] == "generate" and not is_written_again)
        assert metadata == group.template["metadata"]
        assert new["ports"] == group.template["ports"]
        assert len(new["endpoints"]) > 0


@given(groups(), options)
def test_the_counts_of_a_plan_are_what_its_writes_say(group: Group, chosen: Any) -> None:
    upstream = chosen["policy"] == "upstream"
    plan = planned(group, **chosen)
    stats, verbs = plan.stats, Counter(write.verb for write in plan.writes)
    assert (stats.creates, stats.updates, stats.deletes) == (verbs["create"], verbs["update"], verbs["delete"])
    assert stats.writes == len(plan) == len(plan.writes)
    assert stats.bytes == sum(len(write.to_json()) for write in plan.writes)
    assert all(len(write.to_json()) == size(dict(write.to_dict())) for write in plan.writes)
    assert stats.slices_before == len(current(group.existing)) == len(plan.prefix(0))
    assert stats.slices_after == len(plan.result())
    wanted = distinct(group.wanted, upstream=upstream)
    assert stats.slices_ideal == -(-len(wanted) // chosen["max_endpoints"])
    ours = [one for one in current(group.existing) if same_group(one, group.template)]
    here = held(ours, upstream=upstream)
    assert stats.endpoints_added == sum(one not in here for one in wanted)
    gone = sum(count for one, count in here.items() if one not in wanted)
    foreign = [one for one in current(group.existing) if not same_group(one, group.template)]
    assert stats.endpoints_removed == gone + len(endpoints_of(foreign))
    assert stats.endpoints_moved == len(plan.moves)
    assert stats.write_floor <= stats.writes or "compaction" in chosen


@given(groups(), options)
def test_inputs_are_as_they_were(group: Group, chosen: Any) -> None:
    before = copy.deepcopy(group)
    planned(group, **chosen)
    assert group == before
