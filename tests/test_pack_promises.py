"""The promises of ``pack`` through Python. Rust has them over wider groups; the reference has the exact plans."""

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import epcore
from epcore.types import PolicyName
from strategies import TEMPLATE, Json, groups, slice_of

maxima = st.integers(1, 7)
policies = st.sampled_from(["balanced", "dense", "lean", "lifecycle", "upstream"])


def through_an_api_server(slices: epcore.SliceSet) -> list[Json]:
    """Give names, versions and defaults, forget what is empty, order maps otherwise, as an API server may."""
    stored: list[Json] = []
    for index, one in enumerate(copy.deepcopy(slices.to_dicts())):
        given: Json = dict(one)
        metadata = given["metadata"]
        metadata.setdefault("name", f"web-zz{index}")
        metadata |= {"uid": f"u{index}", "resourceVersion": str(1000 + index), "generation": 1, "managedFields": [{}]}
        metadata["labels"] = dict(reversed(metadata["labels"].items()))
        given["endpoints"] = given["endpoints"] or None
        for endpoint in given["endpoints"] or ():
            endpoint.setdefault("conditions", {})
            endpoint.setdefault("deprecatedTopology", [None, {}][index % 2])
        stored.append(dict(reversed(given.items())))
    return stored


@given(groups(), maxima, policies)
def test_packing_what_an_api_server_returns_writes_nothing(
    group: tuple[list[Json], list[Json]], most: int, policy: Any
) -> None:
    wanted, existing = group
    result = epcore.pack(wanted, existing, template=TEMPLATE, max_endpoints=most, policy=policy).result()
    again = epcore.pack(wanted, through_an_api_server(result), template=TEMPLATE, max_endpoints=most, policy=policy)
    assert not again, str(again)


def shuffled(value: Any, random: Any) -> Any:
    if isinstance(value, dict):
        items = [(name, shuffled(inner, random)) for name, inner in value.items()]
        return dict(random.sample(items, len(items)))
    return value


@given(groups(), maxima, policies, st.randoms())
def test_no_byte_depends_on_the_order_of_the_input(
    group: tuple[list[Json], list[Json]], most: int, policy: Any, random: Any
) -> None:
    wanted, existing = group
    plan = epcore.pack(wanted, existing, template=TEMPLATE, max_endpoints=most, policy=policy, naming="deterministic")
    mixed = [[shuffled(one, random) for one in random.sample(many, len(many))] for many in (wanted, existing)]
    again = epcore.pack(*mixed, template=TEMPLATE, max_endpoints=most, policy=policy, naming="deterministic")
    assert again.to_json() == plan.to_json()


def test_fields_of_a_newer_api_survive_where_the_wanted_endpoint_does_not_name_them() -> None:
    old = {"addresses": ["10.0.0.1"], "conditions": {"later": 1}, "targetRef": {"uid": "u", "more": 2}, "weight": 3}
    slice_ = slice_of("web-1", [old, {"addresses": ["10.0.0.2"]}], future=4)
    slice_["spec"] = {"b": [1], "a": None}
    wanted: list[Json] = [{"addresses": ["10.0.0.1"], "nodeName": "n", "targetRef": {"uid": "u"}}]
    (write,) = epcore.pack(wanted, slice_, template=TEMPLATE).writes
    written: Json = dict(write.to_dict())
    assert written["endpoints"] == [{**old, "nodeName": "n"}]
    assert written["spec"] == {"b": [1], "a": None}
    assert written["metadata"]["future"] == 4
    wanted[0] |= {"weight": None, "conditions": {"later": 5}}
    (write,) = epcore.pack(wanted, slice_, template=TEMPLATE).writes
    assert write.to_dict()["endpoints"] == [
        {"addresses": ["10.0.0.1"], "conditions": {"later": 5}, "targetRef": {"uid": "u", "more": 2}, "nodeName": "n"}
    ]


def test_ten_new_endpoints_and_two_slices_with_room_for_five_make_one_slice() -> None:
    slices = [slice_of(f"web-{one}", [{"addresses": [f"10.{one}.0.{n}"]} for n in range(1, 6)]) for one in (1, 2)]
    wanted = [endpoint for one in slices for endpoint in one["endpoints"]]
    wanted += [{"addresses": [f"10.3.0.{n}"]} for n in range(1, 11)]
    stats = epcore.pack(wanted, slices, template=TEMPLATE, max_endpoints=10, policy="upstream").stats
    assert (stats.creates, stats.updates, stats.deletes) == (1, 0, 0)


def test_an_emptied_slice_is_refilled_where_kubernetes_needs_two_writes() -> None:
    many = [{"addresses": [f"10.0.1.{n}"]} for n in range(1, 51)]
    slices = [slice_of("web-1", [{"addresses": ["10.0.0.1"]}]), slice_of("web-2", many)]
    wanted = [{"addresses": ["10.0.0.2"]}, *many]
    ours = epcore.pack(wanted, slices, template=TEMPLATE).stats
    theirs = epcore.pack(wanted, slices, template=TEMPLATE, policy="upstream").stats
    assert (ours.writes, ours.endpoints_resent) == (1, 0)
    assert (theirs.updates, theirs.deletes, theirs.endpoints_resent) == (1, 1, 50)


def test_a_placeholder_becomes_the_first_slice_by_one_update() -> None:
    placeholder = {**slice_of("web-1", []), "ports": None, "endpoints": None}
    names: list[PolicyName] = ["balanced", "upstream"]
    for policy in names:
        (write,) = epcore.pack([{"addresses": ["10.0.0.1"]}], placeholder, template=TEMPLATE, policy=policy).writes
        assert (write.verb, write.name) == ("update", "web-1")


def test_slices_with_other_ports_go_after_the_new_ones_came() -> None:
    old = [slice_of(f"web-{one}", [{"addresses": [f"10.0.0.{one}"]}], port=81) for one in (1, 2)]
    wanted = [{"addresses": ["10.0.0.1"]}, {"addresses": ["10.0.0.2"]}]
    safe = epcore.pack(wanted, old, template=TEMPLATE).writes
    assert [write.verb for write in safe] == ["create", "delete", "delete"]
    again = epcore.pack(wanted, old, template=TEMPLATE, replace="recycle").writes
    assert sorted(write.verb for write in again) == ["delete", "update"]


A, B, C = ({"addresses": [f"10.0.0.{one}"]} for one in (1, 2, 3))
SPREAD = [slice_of(f"web-{one}", [{"addresses": [f"10.0.0.{one}"]}]) for one in range(1, 6)]
MOVED = ["endpoints-moved"]
WHY: dict[str, tuple[list[Json], list[Json], list[list[str]]]] = {
    "added": ([A], [], [["endpoints-added"]]),
    "updated": ([{**A, "zone": "z"}], [slice_of("web-1", [A])], [["endpoints-updated"]]),
    "removed": ([A], [slice_of("web-1", [A, B])], [["endpoints-removed"]]),
    "emptied": ([], [slice_of("web-1", [A])], [["endpoints-removed", "emptied"]]),
    "copies": ([A, B], [slice_of("web-1", [A, B]), slice_of("web-2", [B])], [["duplicates", "emptied"]]),
    "metadata": ([A], [slice_of("web-1", [A], label="y")], [["metadata"]]),
    "other ports": (
        [A],
        [slice_of("web-1", [A], port=81, label="y")],
        [["endpoints-added"], ["endpoints-removed", "replaced"]],
    ),
    "overfull": ([A, B, C], [slice_of("web-1", [A, B, C])], [MOVED, [*MOVED, "overfull"]]),
    "compaction": ([one["endpoints"][0] for one in SPREAD], SPREAD, [MOVED, [*MOVED, "emptied"]]),
}


@pytest.mark.parametrize("case", WHY)
def test_each_write_says_why(case: str) -> None:
    wanted, existing, why = WHY[case]
    compaction = epcore.Compaction(epsilon=0) if existing is SPREAD else None
    plan = epcore.pack(wanted, existing, template=TEMPLATE, max_endpoints=2, compaction=compaction)
    assert [write.reasons for write in plan.writes] == why


def test_an_address_that_changes_its_pod_within_one_slice_takes_two_writes_if_strict() -> None:
    def pod(name: str) -> Json:
        return {"addresses": ["10.0.0.1"], "targetRef": {"kind": "Pod", "name": name}}

    existing = slice_of("web-1", [pod("old"), {"addresses": ["10.0.0.2"]}])
    wanted = [pod("new"), {"addresses": ["10.0.0.2"]}]
    plan = epcore.pack(wanted, existing, template=TEMPLATE)
    assert (len(plan), plan.stats.address_reuse_unordered) == (1, 1)
    plan = epcore.pack(wanted, existing, template=TEMPLATE, address_reuse="strict")
    assert [len(write.slice) for write in plan.writes] == [1, 2]
    assert plan.stats.address_reuse_unordered == 0


def test_the_third_write_of_make_break_touch_changes_the_object_and_leaves_no_trace() -> None:
    spread = [slice_of(f"web-{one}", [{"addresses": [f"10.0.0.{one}"]}]) for one in range(1, 7)]
    wanted = [{"addresses": [f"10.0.0.{one}"]} for one in range(1, 7)]
    compaction = epcore.Compaction(epsilon=0, order="make-break-touch")
    plan = epcore.pack(wanted, spread, template=TEMPLATE, max_endpoints=6, compaction=compaction)
    touched = [write for write in plan.writes if "touch" in write.reasons]
    assert touched
    assert len(plan.result()) == 3
    for write in touched:
        first = next(one for one in plan.writes if one.name == write.name)
        assert first.slice.annotations == {"epcore/moving": "true"}
        assert write.slice.annotations == {}
    half = plan.prefix(1)
    assert epcore.pack(wanted, half, template=TEMPLATE, max_endpoints=6).result()[0].annotations == {}


def test_what_takes_moves_is_marked_from_its_first_write_though_an_address_is_to_leave_it_before_it_is_back() -> None:
    pods = [{"addresses": [f"10.0.0.{one}"], "targetRef": {"kind": "Pod", "name": f"p-{one}"}} for one in range(1, 8)]
    held = [pods[:1], pods[1:4], *([pod] for pod in pods[4:])]
    again = {**pods[3], "targetRef": {"kind": "Pod", "name": "p-new"}}
    plan = epcore.pack(
        [pods[0], pods[2], again, *pods[5:]],
        [slice_of(f"web-{number}", endpoints) for number, endpoints in enumerate(held)],
        template=TEMPLATE,
        max_endpoints=4,
        address_reuse="strict",
        compaction=epcore.Compaction(epsilon=0, order="make-break-touch"),
    )
    first, last = (write for write in plan.writes if write.name == "web-1")
    assert (first.slice.annotations, last.slice.annotations) == ({"epcore/moving": "true"}, {})
    assert (len(first.slice), last.reasons) == (2, ["touch", "address-reuse"])


@pytest.mark.parametrize("policy", ["balanced", epcore.Policy(write=5, byte=0.01, slice=3)])
def test_prices_and_names_find_the_cheapest_of_all_choices(policy: Any) -> None:
    counts = [7, 2, 5, 9, 4, 10, 1, 6]
    items = [[(f"{at}-{n}", 1, 100, None) for n in range(count)] for at, count in enumerate(counts)]
    for overflow in range(1, 41):
        wanted = [one for many in items for one in many] + [(f"new-{n}", 1, 100, None) for n in range(overflow)]
        found = epcore.assign(wanted, items, max_items=10, policy=policy)
        new = len(found.containers) - len(counts)
        chosen = [at for at in found.written if at < len(counts)]

        def price(chosen: list[int], new: int) -> float:
            sent = 100 * sum(counts[at] for at in chosen)
            writes = len(chosen) + new
            if policy == "balanced":
                return 1e9 * writes + sent + new * 0.75 * 10 * 100
            return 5 * writes + 0.01 * sent + 3 * new

        best = min(
            price(some, -(-max(0, overflow - sum(10 - counts[at] for at in some)) // 10))
            for some in ([at for at in range(8) if mask >> at & 1] for mask in range(256))
        )
        assert price(chosen, new) == pytest.approx(best)
        assert sorted(one for many in found.containers for one in many) == sorted(one[0] for one in wanted)


def test_dense_lets_a_slice_that_lost_everything_go_where_others_that_are_written_have_room() -> None:
    """Two slices lost everything and one lost one endpoint; a clean one would take a write more."""
    items = [[(f"{at}-{n}", 1, 100, None) for n in range(count)] for at, count in enumerate([3, 7, 4, 6])]
    for new in range(60):
        wanted = [*items[0], *items[1][1:], *((f"new-{n}", 1, 100, None) for n in range(new))]
        found = epcore.assign(wanted, items, max_items=10, policy="dense")
        kept = sum(bool(found.containers[at]) for at in (2, 3))
        assert kept == min(2, -(-max(0, new - 4) // 10))
        assert len(found.written) == 3 + max(0, -(-(new - 24) // 10)) == found.write_floor
        assert sorted(one for many in found.containers for one in many) == sorted(one[0] for one in wanted)


@pytest.mark.parametrize("prices", [{"slice": 50}, {"slice": 3}, {"slice": 3, "byte": 0.01}, {"slice": 0}])
def test_by_prices_a_slice_that_lost_everything_is_filled_again_only_where_nothing_is_cheaper(
    prices: dict[str, float],
) -> None:
    """Two slices lost everything and one lost one endpoint; what is new goes there, into clean slices, or new ones."""
    price = {"write": 5, "byte": 0, "watchers": 1, **prices}
    clean = [3, 8]
    items = [[(f"{at}-{n}", 1, 100, None) for n in range(count)] for at, count in enumerate([*clean, 7, 4, 6])]
    for new in range(1, 60):
        wanted = [one for many in (*items[:2], items[2][1:]) for one in many]
        wanted += [(f"new-{n}", 1, 100, None) for n in range(new)]
        found = epcore.assign(wanted, items, max_items=10, policy=epcore.Policy(**price))  # type: ignore[arg-type]

        def cost(chosen: list[int], kept: int, made: int) -> float:
            sent = 100 * sum(clean[at] for at in chosen)
            return price["write"] * (len(chosen) + made) + price["byte"] * sent + price["slice"] * (kept + made)

        best = min(
            cost(some, kept, max(0, -(-(new - 4 - 10 * kept - sum(10 - clean[at] for at in some)) // 10)))
            for some in ([], [0], [1], [0, 1])
            for kept in range(3)
        )
        chosen = [at for at in found.written if at < len(clean)]
        kept = sum(bool(found.containers[at]) for at in (3, 4))
        assert cost(chosen, kept, len(found.containers) - len(items)) == pytest.approx(best)
        assert sorted(one for many in found.containers for one in many) == sorted(one[0] for one in wanted)


def test_a_plan_as_json_says_what_its_parts_say() -> None:
    plan = epcore.pack([{"addresses": ["10.0.0.1"]}], template=TEMPLATE, trigger_time="2026-01-01T00:00:00Z")
    told = json.loads(plan.to_json())
    assert told == plan.to_dict()
    assert told["stats"] == plan.stats.to_dict()
    assert told["writes"][0]["object"] == plan.writes[0].to_dict()
    assert told["stats"]["bytes"] == len(plan.writes[0].to_json())
    assert plan.writes[0].slice.annotations == {
        "endpoints.kubernetes.io/last-change-trigger-time": "2026-01-01T00:00:00Z"
    }


def test_a_null_in_a_wanted_endpoint_takes_the_field_away() -> None:
    existing = slice_of("web-1", [{"addresses": ["10.0.0.1"], "x": 1}])
    (write,) = epcore.pack([{"addresses": ["10.0.0.1"], "x": None}], existing, template=TEMPLATE).writes
    assert write.to_dict()["endpoints"] == [{"addresses": ["10.0.0.1"]}]
    both: list[Json] = [{"addresses": ["10.0.0.1"], "x": None, "z": 1}, {"addresses": ["10.0.0.1"], "z": 1}]
    plans = [epcore.pack(many, existing, template=TEMPLATE).to_json() for many in (both, both[::-1])]
    assert plans[0] == plans[1]


def test_prices_do_not_depend_on_which_endpoints_come_first() -> None:
    small: list[Json] = [{"addresses": [f"10.0.0.{n + 1}"]} for n in range(100)]
    big: list[Json] = [{"addresses": [f"10.0.1.{n + 1}"], "x": "y" * 3000} for n in range(100)]
    keep: list[Json] = [{"addresses": [f"10.0.2.{n + 1}"]} for n in range(50)]
    policy = epcore.Policy(write=1, byte=1e-3, slice=20)
    plans = [
        epcore.pack(many, slice_of("web-1", keep), template=TEMPLATE, policy=policy, max_endpoints=250, max_bytes=10**8)
        for many in ([*small, *big, *keep], [*big, *small, *keep])
    ]
    assert plans[0].to_json() == plans[1].to_json()


def test_a_slice_whose_newest_version_is_being_deleted_takes_nothing_and_keeps_its_name() -> None:
    wanted: list[Json] = [{"addresses": ["10.0.0.1"]}, {"addresses": ["10.0.0.2"]}]
    gone = slice_of("web-1", wanted[:1], version=9, deletionTimestamp="2026-01-01T00:00:00Z")
    plan = epcore.pack(wanted, [slice_of("web-1", wanted[:1]), gone], template=TEMPLATE)
    assert [write.verb for write in plan.writes] == ["create"]
    (first,) = epcore.pack(wanted, template=TEMPLATE, naming="deterministic").writes
    gone["metadata"]["name"] = first.name
    (second,) = epcore.pack(wanted, gone, template=TEMPLATE, naming="deterministic").writes
    assert second.name != first.name


def test_a_copy_outside_an_overfull_slice_is_the_one_to_keep() -> None:
    three = [{"addresses": [f"10.0.0.{n}"]} for n in (1, 2, 3)]
    slices = [slice_of("web-1", three), slice_of("web-2", three[2:])]
    plan = epcore.pack(three, slices, template=TEMPLATE, max_endpoints=2)
    assert [write.name for write in plan.writes] == ["web-1"]
    assert (plan.stats.write_floor, plan.stats.endpoints_moved) == (1, 0)


def test_a_slice_that_is_created_and_written_again_has_a_name() -> None:
    three = [{"addresses": [f"10.0.0.{n}"]} for n in (1, 2, 3)]
    touch = epcore.Compaction(order="make-break-touch")
    plan = epcore.pack(three, slice_of("web-1", three), template=TEMPLATE, max_endpoints=2, compaction=touch)
    assert [write.verb for write in plan.writes] == ["create", "update", "update"]
    assert plan.writes[0].name == plan.writes[2].name is not None


def test_hints_of_a_newer_api_stay() -> None:
    def hinted(**more: object) -> list[Json]:
        return [{"addresses": ["10.0.0.1"], "hints": {"forZones": [{"name": "a"}], **more}}]

    assert not epcore.pack(hinted(), slice_of("web-1", hinted(later=1)), template=TEMPLATE)
    (write,) = epcore.pack(hinted(later=None), slice_of("web-1", hinted(later=1)), template=TEMPLATE).writes
    assert write.to_dict()["endpoints"] == hinted()


@pytest.mark.parametrize(
    ("held", "more", "most"),
    [
        ([{"addresses": [f"10.0.0.{n}"], "x": "y" * 2000} for n in (1, 2, 3)], {}, 5000),
        ([{"addresses": [f"10.0.0.{n}"]} for n in (1, 2, 3)], {"spec": "y" * 4900}, 5400),
    ],
)
def test_fields_of_a_newer_api_count_as_bytes(held: list[Json], more: Json, most: int) -> None:
    wanted: list[Json] = [{"addresses": [f"10.0.0.{n}"]} for n in (1, 2, 3, 4)]
    given = {**slice_of("web-1", held), **more}
    plan = epcore.pack(wanted, given, template=TEMPLATE, max_bytes=most)
    assert plan
    assert all(len(one.to_json()) <= most for one in plan.result())


def test_what_the_api_server_adds_makes_no_slice_too_large() -> None:
    """Slices are full by bytes, and have uid, version and managed fields when they come back."""
    wanted: list[Json] = [{"addresses": [f"10.0.0.{n}"], "zone": "a" * 40} for n in range(1, 101)]
    plan = epcore.pack(wanted, template=TEMPLATE, max_bytes=2000)
    added = {
        "uid": "1f6a1a3e-6a5c-4b0e-8a59-fd7b1c0c4f5e",
        "resourceVersion": "123456",
        "creationTimestamp": "2026-01-01T00:00:00Z",
        "generation": 1,
        "managedFields": [{"manager": "epcore", "operation": "Update", "fieldsV1": {"f:endpoints": {}}}] * 5,
    }
    there: list[Json] = [dict(one) for one in plan.result().to_dicts()]
    for number, one in enumerate(there):
        one["metadata"] |= {"name": f"web-{number}", **added}
    assert len(there) > 1
    assert not epcore.pack(wanted, there, template=TEMPLATE, max_bytes=2000)


def test_where_bytes_are_short_no_survivor_is_missing_after_any_write() -> None:
    for most in range(900, 1700, 7):
        sizes = [600, 600, 50, 300, 900, 300]
        wanted = [{"addresses": [f"10.0.0.{n}"], "x": "y" * (size // 2)} for n, size in enumerate(sizes, 1)]
        plan = epcore.pack(wanted, [slice_of("a", wanted[:2]), slice_of("b", wanted[2:])], max_bytes=most)
        for writes in range(len(plan) + 1):
            held = {endpoint.addresses[0] for one in plan.prefix(writes) for endpoint in one.endpoints}
            assert len(held) == 6
        assert all(move.source != move.target for move in plan.moves)
