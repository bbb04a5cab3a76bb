"""The plan of what changed is the plan of everything: the same bytes, whichever part of the slices it was made from."""

from itertools import chain, combinations, count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import epcore
from packer_parts import MANAGED_BY, SERVICE, Json, made, packer_of, same, write

ADDRESSES = [f"10.9.{number // 10}.{number % 10 + 1}" for number in range(40)]
some_addresses = st.lists(st.sampled_from(ADDRESSES), max_size=8)
changes = st.lists(
    st.tuples(st.sampled_from(["upsert", "remove", "write"]), some_addresses, st.sampled_from([None, "one", "two"])),
    max_size=12,
)


@given(
    st.lists(st.sampled_from(ADDRESSES), unique=True, max_size=30),
    changes,
    st.sampled_from(["balanced", "dense", "lean", "lifecycle", "upstream"]),
    st.sampled_from(["ordered", "strict"]),
    st.sampled_from(["generate", "deterministic"]),
    st.sampled_from([4, 10]),
)
def test_the_plan_of_what_changed_is_the_plan_of_everything(
    begin: list[str],
    steps: list[tuple[str, list[str], str | None]],
    policy: Any,
    reuse: Any,
    naming: Any,
    max_endpoints: int,
) -> None:
    """One group, and every write accepted: most plans are made from a part of the slices."""
    options: Any = {"policy": policy, "max_endpoints": max_endpoints, "naming": naming, "address_reuse": reuse}
    packer = packer_of(*begin, **options)
    wanted: dict[str, Json | str] = dict(zip(begin, begin, strict=True))
    versions = count(11)

    write(packer, "db", versions)
    for verb, addresses, target in steps:
        if verb == "write":
            write(packer, "db", versions)
        elif verb == "remove":
            packer.remove("db", addresses, namespace="shop")
            wanted = {address: endpoint for address, endpoint in wanted.items() if address not in addresses}
        else:
            given: list[Json] = [
                {
                    "addresses": [one],
                    "zone": target,
                    "targetRef": {"kind": "VM", "name": target} if target == "one" else None,
                }
                for one in addresses
            ]
            packer.upsert("db", given, namespace="shop")
            wanted |= dict(zip(addresses, given, strict=True))
        plan = packer.plan("db", namespace="shop")
        slices = packer.slices("db", namespace="shop")
        whole = epcore.publish(SERVICE, list(wanted.values()), slices, managed_by=MANAGED_BY, **options)
        same(plan, whole)


PLACES = [
    f"10.9.0.{number}{rest}" for number in range(1, 25) for rest in ("", "", ":5433", ":5434", ":5432+vm", "+more")
]
"""Addresses, many of them with several sets of ports, or in several endpoints of one."""


def at_place(place: str) -> Json:
    address, _, more = place.partition("+")
    address, _, port = address.partition(":")
    others: dict[str, Json] = {
        "more": {"addresses": [address, "10.9.1.1"]},
        "vm": {"targetRef": {"kind": "VM", "name": "v"}},
    }
    return {"addresses": [address], **({"port": int(port)} if port else {}), **others.get(more, {})}


@given(
    st.lists(st.sampled_from(PLACES), unique=True, min_size=10, max_size=60),
    st.lists(
        st.tuples(st.sampled_from(["upsert", "remove"]), st.lists(st.sampled_from(PLACES), max_size=3), st.booleans()),
        max_size=12,
    ),
    st.sampled_from(["balanced", "dense", "lean"]),
    st.sampled_from([3, 8]),
)
def test_so_it_is_where_an_address_has_several_endpoints_and_sets_of_ports(
    begin: list[str], steps: list[tuple[str, list[str], bool]], policy: Any, max_endpoints: int
) -> None:
    options: Any = {"policy": policy, "max_endpoints": max_endpoints}
    wanted = {place: at_place(place) for place in begin}
    packer = packer_of(*wanted.values(), **options)  # type: ignore[arg-type]
    versions = count(11)
    write(packer, "db", versions)
    for verb, places, is_written in steps:
        given = {place: at_place(place) for place in places}
        if verb == "remove":
            packer.remove("db", list(given.values()), namespace="shop")
            wanted = {place: endpoint for place, endpoint in wanted.items() if place not in given}
        else:
            given = {place: {**endpoint, "zone": "z"} for place, endpoint in given.items()}
            packer.upsert("db", list(given.values()), namespace="shop")
            wanted |= given
        slices = packer.slices("db", namespace="shop")
        whole = epcore.publish(SERVICE, list(wanted.values()), slices, managed_by=MANAGED_BY, **options)
        same(packer.plan("db", namespace="shop"), whole)
        if is_written:
            write(packer, "db", versions)


def pod_of(number: int, ips: list[str], port: int, *, ready: bool, labelled: bool) -> Json:
    status = (
        {"phase": "Running", "podIP": ips[0], "podIPs": [{"ip": ip} for ip in ips]} if ips else {"phase": "Pending"}
    )
    labels = {"app": "web"} if labelled else {}
    return {
        "kind": "Pod",
        "metadata": {"name": f"web-{number}", "namespace": "shop", "uid": f"u{number}", "labels": labels},
        "spec": {
            "nodeName": f"n{number % 2}",
            "containers": [{"name": "main", "ports": [{"name": "http", "containerPort": port}]}],
        },
        "status": {**status, "conditions": [{"type": "Ready", "status": str(ready)}]},
    }


@st.composite
def changed_pods(draw: st.DrawFn, number: int) -> Json | None:
    """A Pod of a group that most are in, or of another one; `None` if it is gone."""
    if draw(st.integers(0, 4)) == 0:
        return None
    v4, v6 = f"10.9.0.{number + 1}", f"fd00::{number + 1:x}"
    often = [[v4], [v4, v6], [v4, v6], [v6, v4]]
    ips = draw(st.sampled_from([*often, [], ["10.9.0.1"], [v4, f"10.9.1.{number + 1}"]]))
    port = draw(st.sampled_from([8080] * 8 + [8081, 8082]))
    return pod_of(number, ips, port, ready=draw(st.booleans()), labelled=draw(st.integers(0, 9)) > 0)


@given(
    st.lists(st.integers(0, 29), unique=True, max_size=30),
    st.lists(st.lists(st.integers(0, 29).flatmap(lambda n: st.tuples(st.just(n), changed_pods(n))), max_size=4)),
    st.sampled_from([["IPv4"], ["IPv4", "IPv6"]]),
    st.sampled_from(["balanced", "dense", "lean", "upstream"]),
    st.sampled_from([1_500_000, 3_000]),
    st.sampled_from([4, 10]),
    st.booleans(),
)
def test_the_plan_of_the_pods_that_changed_is_the_plan_of_all_pods(
    begin: list[int],
    steps: list[list[tuple[int, Json | None]]],
    families: list[str],
    policy: Any,
    max_bytes: int,
    max_endpoints: int,
    often: bool,  # noqa: FBT001
) -> None:
    options: Any = {"policy": policy, "max_endpoints": max_endpoints, "max_bytes": max_bytes}
    spec = {"selector": {"app": "web"}, "ipFamilies": families, "ports": [{"name": "http", "targetPort": "http"}]}
    service: Json = {"kind": "Service", "metadata": {"name": "web", "namespace": "shop", "uid": "u"}, "spec": spec}
    nodes_: list[Json] = [{"kind": "Node", "metadata": {"name": f"n{number}"}} for number in range(2)]
    packer = epcore.Packer(**options)
    packer.apply(service)
    packer.apply(nodes_)
    pods_: dict[int, Json] = {}
    versions = count(11)

    def put(number: int, pod: Json | None) -> None:
        before = pods_.pop(number, None)
        if pod is not None:
            pods_[number] = pod
            packer.apply({"type": "MODIFIED", "object": pod})
        elif before is not None:
            packer.apply({"type": "DELETED", "object": before})

    def check() -> None:
        plan = packer.plan("web", namespace="shop")
        slices = packer.slices("web", namespace="shop")
        whole = epcore.reconcile(service, list(pods_.values()), nodes_, slices, **options)
        same(plan, whole)

    for number in begin:
        ips = [f"10.9.0.{number + 1}", f"fd00::{number + 1:x}"]
        put(number, pod_of(number, ips, 8080, ready=True, labelled=True))
    write(packer, "web", versions)
    for step in steps:
        for number, pod in step:
            put(number, pod)
        check()
        if often:
            write(packer, "web", versions)
            check()


CHANGED_IN_PLACE = st.tuples(
    st.integers(0, 13),
    st.sampled_from([None, None, None, None, 9]),
    st.booleans(),
    st.booleans(),
    st.sampled_from([8080, 8080, 8080, 8081]),
)
"""The number of a Pod, that of the Pod whose address it has, readiness, whether it goes, and its port."""


def sharing_service(sharing: str | None, labels: dict[str, str]) -> Json:
    spec: Json = {
        "selector": {"app": "web"},
        "clusterIP": "10.96.0.1",
        "ports": [{"name": "http", "targetPort": "http"}],
    }
    metadata: Json = {"name": "web", "namespace": "shop", "uid": "u", "labels": labels}
    if sharing == "Auto":
        metadata["annotations"] = {"service.kubernetes.io/topology-mode": sharing}
    elif sharing is not None:
        spec["trafficDistribution"] = sharing
    return {"kind": "Service", "metadata": metadata, "spec": spec}


def node_of(number: int) -> Json:
    labels = {"topology.kubernetes.io/zone": f"z{number}"}
    status = {"conditions": [{"type": "Ready", "status": "True"}], "allocatable": {"cpu": "4"}}
    return {"kind": "Node", "metadata": {"name": f"n{number}", "labels": labels}, "status": status}


@given(
    st.lists(st.lists(CHANGED_IN_PLACE, min_size=1, max_size=2), max_size=12),
    st.sampled_from([None, "PreferSameZone", "PreferSameNode", "Auto"]),
    st.sampled_from([None, "2026-01-02T03:04:05Z"]),
    st.sampled_from([{}, {"tier": "db"}]),
    st.sampled_from(["balanced", "lifecycle"]),
    st.integers(0, 3).map(lambda number: number == 0),
)
def test_the_plan_of_pods_that_changed_in_place_is_the_plan_of_all_pods(
    steps: list[list[tuple[int, int | None, bool, bool, int]]],
    sharing: str | None,
    trigger_time: str | None,
    labels: dict[str, str],
    policy: Any,
    is_deleted: bool,  # noqa: FBT001
) -> None:
    """One or two Pods of many at a time, with hints, labels and times: most plans are made from their endpoints."""
    options: Any = {"policy": policy, "max_endpoints": 4}
    service, nodes = sharing_service(sharing, labels), [node_of(number) for number in range(2)]
    packer = epcore.Packer(**options)
    packer.apply([service, *nodes])
    pods = {n: pod_of(n, [f"10.9.0.{n + 1}"], 8080, ready=True, labelled=True) for n in range(12)}
    for pod in pods.values():
        packer.apply({"type": "ADDED", "object": pod})
    versions = count(11)
    hints = packer.plan("web", namespace="shop").hints
    write(packer, "web", versions)
    if is_deleted:
        service["metadata"]["deletionTimestamp"] = "2026-01-02T03:04:00Z"
        packer.apply(service)
    for step in steps:
        for number, other, ready, goes, port in step:
            address = f"10.9.0.{(number if other is None else other) + 1}"
            pod = pod_of(number, [address], port, ready=ready, labelled=True)
            if goes:
                pod["metadata"]["deletionTimestamp"] = "2026-01-02T03:04:00Z"
            pods[number] = pod
            packer.apply({"type": "MODIFIED", "object": pod})
        time = trigger_time if goes else None
        plan = packer.plan("web", namespace="shop", trigger_time=time)
        slices = packer.slices("web", namespace="shop")
        whole = epcore.reconcile(service, list(pods.values()), nodes, slices, hints=hints, trigger_time=time, **options)
        same(plan, whole)
        assert (plan.hints, plan.events, plan.stats) == (whole.hints, whole.events, whole.stats)
        if step[0][2] or not plan:
            write(packer, "web", versions, time)
            hints = plan.hints


@given(
    st.lists(
        st.tuples(
            st.lists(st.integers(1, 12), min_size=1, max_size=3), st.sampled_from([0, 2_000, 6_000]), st.booleans()
        ),
        max_size=12,
    ),
    st.sampled_from([9_000, 12_000, 20_000, 40_000]),
)
def test_so_it_is_where_endpoints_grow_beyond_the_bytes_of_their_slice(
    steps: list[tuple[list[int], int, bool]], max_bytes: int
) -> None:
    options: Any = {"max_endpoints": 4, "max_bytes": max_bytes}
    wanted: dict[str, Json | str] = {f"10.9.0.{number}": f"10.9.0.{number}" for number in range(1, 9)}
    packer = packer_of(*wanted, **options)
    versions = count(11)
    write(packer, "db", versions)
    for numbers, length, is_written in steps:
        grown: dict[str, Json | str] = {
            address: {"addresses": [address], "note": "n" * length}
            for address in (f"10.9.0.{number}" for number in numbers)
        }
        packer.upsert("db", list(grown.values()), namespace="shop")
        wanted |= grown
        slices = packer.slices("db", namespace="shop")
        whole = epcore.publish(SERVICE, list(wanted.values()), slices, managed_by=MANAGED_BY, **options)
        same(packer.plan("db", namespace="shop"), whole)
        if is_written:
            write(packer, "db", versions)


@pytest.mark.parametrize("always", [None, "2026-01-02T03:04:00Z"])
def test_the_plan_of_several_that_changed_in_place_is_that_of_all_whatever_groups_and_slices_they_are_of(
    always: str | None,
) -> None:
    options: Any = {"max_endpoints": 2, "trigger_time": always}
    wanted: dict[str, Json | str] = {f"10.9.0.{number}": f"10.9.0.{number}" for number in range(1, 8)}
    wanted["10.9.0.8"] = "10.9.0.8:5433"
    packer = packer_of(*wanted.values(), **options)  # type: ignore[arg-type]
    versions = count(11)
    write(packer, "db", versions)
    for turn, some in enumerate(chain.from_iterable(combinations(wanted, size) for size in range(1, 4))):
        for address in some:
            port: Json = {"port": 5433} if address == "10.9.0.8" else {}
            wanted[address] = {"addresses": [address], "zone": f"z{turn}", **port}
        packer.upsert("db", [wanted[address] for address in some], namespace="shop")
        time = [None, "2026-01-02T03:04:05Z", "2026-01-02T03:04:06Z"][turn % 3]
        slices = packer.slices("db", namespace="shop")
        given = {**options, "trigger_time": time or always}
        whole = epcore.publish(SERVICE, list(wanted.values()), slices, managed_by=MANAGED_BY, **given)
        same(packer.plan("db", namespace="shop", trigger_time=time), whole)
        write(packer, "db", versions, time)


def test_two_endpoints_that_grow_at_once_are_in_two_slices_where_one_cannot_hold_both() -> None:
    options: Any = {"max_endpoints": 4, "max_bytes": 12_000}
    wanted: dict[str, Json | str] = {f"10.9.0.{number}": f"10.9.0.{number}" for number in range(1, 5)}
    packer = packer_of(*wanted, **options)
    write(packer, "db", count(11))
    wanted |= {address: {"addresses": [address], "note": "n" * 6_000} for address in list(wanted)[:2]}
    packer.upsert("db", list(wanted.values())[:2], namespace="shop")
    slices = packer.slices("db", namespace="shop")
    whole = epcore.publish(SERVICE, list(wanted.values()), slices, managed_by=MANAGED_BY, **options)
    assert whole.stats.creates == 1
    same(packer.plan("db", namespace="shop"), whole)


def test_what_the_emptiest_slice_cannot_hold_goes_to_the_next_one() -> None:
    """The emptiest one is written anyway, and one beside it is enough."""
    wanted: dict[str, Json | str] = {f"10.9.0.{number}": f"10.9.0.{number}" for number in range(10, 22)}
    packer = packer_of(*wanted, max_endpoints=4)
    versions = count(11)
    write(packer, "db", versions)
    for number in (11, 12, 13, 16, 17):
        packer.remove("db", [wanted.pop(f"10.9.0.{number}")], namespace="shop")
    write(packer, "db", versions)
    news: dict[str, Json | str] = {f"10.9.0.{number}": f"10.9.0.{number}" for number in range(30, 34)}
    news["10.9.0.10"] = {"addresses": ["10.9.0.10"], "zone": "z"}
    packer.upsert("db", list(news.values()), namespace="shop")
    wanted |= news
    slices = packer.slices("db", namespace="shop")
    whole = epcore.publish(SERVICE, list(wanted.values()), slices, managed_by=MANAGED_BY, max_endpoints=4)
    assert [one.verb for one in whole.writes] == ["update", "update"]
    same(packer.plan("db", namespace="shop"), whole)


def test_a_compaction_that_is_half_done_goes_on_with_the_next_change_in_place() -> None:
    options: Any = {"max_endpoints": 4, "compaction": epcore.Compaction(epsilon=0, max_moves=2)}
    wanted: dict[str, Json | str] = {f"10.9.0.{number}": f"10.9.0.{number}" for number in range(1, 25)}
    packer = packer_of(*wanted, **options)
    versions = count(11)

    def carry_out() -> None:
        for one in packer.plan("db", namespace="shop").writes:
            version = next(versions)
            after = None if one.verb == "delete" else made(one, one.name or f"db-{version}", version)
            packer.answer(one, "accepted", after)

    carry_out()
    wanted = dict(list(wanted.items())[::4])
    packer.publish("db", list(wanted.values()), namespace="shop")
    carry_out()
    wanted["10.9.0.21"] = {"addresses": ["10.9.0.21"], "zone": "z"}
    packer.upsert("db", [wanted["10.9.0.21"]], namespace="shop")
    slices = packer.slices("db", namespace="shop")
    whole = epcore.publish(SERVICE, list(wanted.values()), slices, managed_by=MANAGED_BY, **options)
    assert whole.stats.endpoints_moved
    same(packer.plan("db", namespace="shop"), whole)


def test_what_another_writer_added_to_an_endpoint_stays_where_it_changes_in_place() -> None:
    packer = packer_of("10.9.0.1", "10.9.0.2")
    (create,) = packer.plan("db", namespace="shop").writes
    packer.answer(create, "accepted", made(create, "db-1", 6))
    added = made(create, "db-1", 7)
    added["endpoints"][0]["newer"] = 1
    packer.apply(added, kind="EndpointSlice")
    write(packer, "db", count(11))
    packer.upsert("db", [{"addresses": ["10.9.0.1"], "zone": "z"}], namespace="shop")
    (update,) = packer.plan("db", namespace="shop").writes
    changed: Json = {**(update.to_dict()["endpoints"] or [])[0]}
    assert (changed["zone"], changed["newer"]) == ("z", 1)


@pytest.mark.parametrize("is_going", [False, True])
@pytest.mark.parametrize("name", ["db-0", "db-9"])
def test_slices_of_another_writer_or_that_are_going_count_for_no_plan_of_what_changed_in_place(
    name: str,
    is_going: bool,  # noqa: FBT001
) -> None:
    packer = packer_of("10.9.0.1", "10.9.0.2", max_endpoints=4)
    (create,) = packer.plan("db", namespace="shop").writes
    packer.answer(create, "accepted", made(create, "db-5", 6))
    other = made(create, name, 7)
    if is_going:
        other["metadata"]["deletionTimestamp"] = "2026-01-02T03:04:00Z"
    else:
        other["metadata"]["labels"]["endpointslice.kubernetes.io/managed-by"] = "other.example.com"
    other["endpoints"] = [{"addresses": [f"10.9.1.{number}"]} for number in range(1, 5)]
    packer.apply(other, kind="EndpointSlice")
    write(packer, "db", count(11))
    wanted: list[Json | str] = [{"addresses": ["10.9.0.1"], "zone": "z"}, "10.9.0.2"]
    packer.upsert("db", wanted[:1], namespace="shop")
    slices = packer.slices("db", namespace="shop")
    whole = epcore.publish(SERVICE, wanted, slices, managed_by=MANAGED_BY, max_endpoints=4)
    same(packer.plan("db", namespace="shop"), whole)


def test_of_two_pods_that_come_to_one_address_none_is_left_out() -> None:
    service, nodes = sharing_service(None, {}), [node_of(number) for number in range(2)]
    packer = epcore.Packer()
    pods = {number: pod_of(number, [f"10.9.0.{number + 1}"], 8080, ready=True, labelled=True) for number in range(4)}
    packer.apply([service, *nodes, *pods.values()])
    versions = count(11)
    write(packer, "web", versions)
    # The Pod that was there is the last by its name.
    pods |= {number: pod_of(number, ["10.9.0.4"], 8080, ready=False, labelled=True) for number in (3, 10)}
    packer.apply([pods[3], pods[10]])
    slices = packer.slices("web", namespace="shop")
    same(packer.plan("web", namespace="shop"), epcore.reconcile(service, list(pods.values()), nodes, slices))


def test_what_a_service_that_is_being_deleted_gets_no_slice_for_is_counted_whatever_changed() -> None:
    service, nodes = sharing_service(None, {}), [node_of(number) for number in range(2)]
    service["metadata"]["deletionTimestamp"] = "2026-01-02T03:04:00Z"
    packer = epcore.Packer(max_endpoints=2)
    pods = [pod_of(number, [f"10.9.0.{number + 1}"], 8080, ready=True, labelled=True) for number in range(3)]
    held = epcore.reconcile(sharing_service(None, {}), pods[:2], nodes, naming="deterministic").result()
    packer.replace(held, kind="EndpointSlice")
    packer.apply([service, *nodes, *pods])
    assert not packer.plan("web", namespace="shop")
    pods[0] = pod_of(0, ["10.9.0.1"], 8080, ready=False, labelled=True)
    packer.apply(pods[0])
    whole = epcore.reconcile(service, pods, nodes, held, max_endpoints=2)
    assert whole.stats.endpoints_added == 1
    same(packer.plan("web", namespace="shop"), whole)


def test_of_two_endpoints_with_the_same_addresses_the_preferred_one_is_published_whichever_changed() -> None:
    one: Json = {"addresses": ["10.9.0.1", "10.9.0.2"], "conditions": {"ready": False}}
    other: Json = {"addresses": ["10.9.0.2", "10.9.0.1"], "conditions": {"ready": True}}
    packer = epcore.Packer(managed_by=MANAGED_BY)
    packer.apply(SERVICE)
    packer.publish("db", [one, other], namespace="shop")
    write(packer, "db", count(11))
    other["conditions"] = one["conditions"]
    packer.upsert("db", [other], namespace="shop")
    (update,) = packer.plan("db", namespace="shop").writes
    assert [endpoint.addresses for endpoint in update.slice.endpoints] == [one["addresses"]]


def test_a_trigger_time_that_is_none_is_refused_however_little_changed() -> None:
    packer = packer_of("10.9.0.1")
    write(packer, "db", count(11))
    packer.upsert("db", [{"addresses": ["10.9.0.1"], "zone": "z"}], namespace="shop")
    with pytest.raises(epcore.InvalidInputError, match="soon"):
        packer.plan("db", namespace="shop", trigger_time="soon")


def test_what_was_shared_by_cpu_in_a_family_that_is_gone_is_told_to_the_next_plan_whatever_changed() -> None:
    service, nodes = sharing_service("Auto", {}), [node_of(number) for number in range(2)]
    service["spec"]["ipFamilies"] = ["IPv4", "IPv6"]
    packer = epcore.Packer()
    packer.apply([service, *nodes])
    for n in range(12):
        packer.apply(pod_of(n, [f"10.9.0.{n + 1}", f"fd00::{n + 1:x}"], 8080, ready=True, labelled=True))
    write(packer, "web", count(11))
    six = [one for one in packer.slices("web", namespace="shop").to_dicts() if one["addressType"] == "IPv6"]
    packer.apply([{"type": "DELETED", "object": {**one, "kind": "EndpointSlice"}} for one in six])
    service["spec"]["ipFamilies"] = ["IPv4"]
    del service["metadata"]["annotations"]
    packer.apply(service)
    pods = [pod_of(n, [f"10.9.0.{n + 1}"], 8080, ready=True, labelled=True) for n in range(12)]
    packer.apply(pods)
    for _ in range(2):
        hints = packer.plan("web", namespace="shop").hints
        write(packer, "web", count(21))
    pods[0] = pod_of(0, ["10.9.0.1"], 8080, ready=False, labelled=True)
    packer.apply(pods[0])
    slices = packer.slices("web", namespace="shop")
    whole = epcore.reconcile(service, pods, nodes, slices, hints=hints)
    plan = packer.plan("web", namespace="shop")
    same(plan, whole)
    assert plan.hints == whole.hints
    assert hints is not None
