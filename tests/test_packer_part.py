"""The plan of what changed is the plan of everything: the same bytes, whichever part of the slices it was made from."""

from itertools import count
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

import epcore
from packer_parts import MANAGED_BY, SERVICE, Json, packer_of, same, write

ADDRESSES = [f"10.9.{number // 10}.{number % 10 + 1}" for number in range(40)]
some_addresses = st.lists(st.sampled_from(ADDRESSES), max_size=4)
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


@given(
    st.lists(
        st.tuples(st.integers(0, 11), st.booleans(), st.booleans(), st.sampled_from([8080, 8080, 8080, 8081])),
        max_size=12,
    ),
    st.sampled_from([None, "PreferSameZone", "PreferSameNode"]),
    st.sampled_from([None, "2026-01-02T03:04:05Z"]),
    st.sampled_from([{}, {"tier": "db"}]),
    st.sampled_from(["balanced", "lifecycle"]),
)
def test_the_plan_of_one_pod_that_changed_in_place_is_the_plan_of_all_pods(
    steps: list[tuple[int, bool, bool, int]],
    distribution: str | None,
    trigger_time: str | None,
    labels: dict[str, str],
    policy: Any,
) -> None:
    """One Pod of many at a time, with hints, labels and times: most plans are made from its endpoint alone."""
    spec: Json = {"selector": {"app": "web"}, "ports": [{"name": "http", "targetPort": "http"}]}
    if distribution is not None:
        spec["trafficDistribution"] = distribution
    metadata = {"name": "web", "namespace": "shop", "uid": "u", "labels": labels}
    service: Json = {"kind": "Service", "metadata": metadata, "spec": spec}
    zones = [{"topology.kubernetes.io/zone": f"z{number}"} for number in range(2)]
    nodes: list[Json] = [
        {"kind": "Node", "metadata": {"name": f"n{at}", "labels": zone}} for at, zone in enumerate(zones)
    ]
    packer = epcore.Packer(policy=policy)
    packer.apply([service, *nodes])
    pods = {n: pod_of(n, [f"10.9.0.{n + 1}"], 8080, ready=True, labelled=True) for n in range(12)}
    for pod in pods.values():
        packer.apply({"type": "ADDED", "object": pod})
    versions = count(11)
    write(packer, "web", versions)
    for number, ready, goes, port in steps:
        pod = pod_of(number, [f"10.9.0.{number + 1}"], port, ready=ready, labelled=True)
        if goes:
            pod["metadata"]["deletionTimestamp"] = "2026-01-02T03:04:00Z"
        pods[number] = pod
        packer.apply({"type": "MODIFIED", "object": pod})
        plan = packer.plan("web", namespace="shop", trigger_time=trigger_time)
        slices = packer.slices("web", namespace="shop")
        whole = epcore.reconcile(service, list(pods.values()), nodes, slices, policy=policy, trigger_time=trigger_time)
        same(plan, whole)
        assert plan.hints == whole.hints
        assert plan.stats == whole.stats
        if len(plan) == 1 and ready:
            write(packer, "web", versions)
