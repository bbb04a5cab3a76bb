"""``publish``: a Service without selector, whose endpoints come from outside."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import epcore
from epcore.types import PolicyName
from kube_model import stored
from signals import signalled_after

Json = dict[str, Any]

SQL: Json = {
    "metadata": {"name": "db", "namespace": "shop", "uid": "u-db", "labels": {"team": "storage"}},
    "spec": {"clusterIP": "10.96.0.9", "ports": [{"name": "sql", "port": 5432}]},
}
TWO: Json = {
    **SQL,
    "spec": {"ports": [{"name": "sql", "port": 5432}, {"name": "admin", "port": 80, "targetPort": 8080}]},
}
OWNER = {"apiVersion": "v1", "kind": "Service", "name": "db", "uid": "u-db"}
OURS = "db-sync.example.com"


def published(endpoints: Any, existing: Any = (), service: Json = SQL, **options: Any) -> epcore.Plan:
    return epcore.publish(service, endpoints, existing, managed_by=OURS, **options)


def groups(plan: epcore.Plan) -> dict[tuple[str, tuple[Any, ...]], list[str]]:
    """Addresses by address type and ports."""
    return {
        (one["addressType"], tuple((port["name"], port["port"]) for port in one["ports"] or ())): [
            endpoint["addresses"][0] for endpoint in one["endpoints"] or ()
        ]
        for one in plan.result().to_dicts()
    }


def test_every_form_of_an_address_finds_its_family_and_its_ports() -> None:
    plan = published(
        ["10.0.0.5", "10.0.0.6:5433", "[2001:db8::1]:443", "2001:db8::2", "[2001:db8::3]", "db.example.org:1"]
    )
    assert groups(plan) == {
        ("IPv4", (("sql", 5432),)): ["10.0.0.5"],
        ("IPv4", (("sql", 5433),)): ["10.0.0.6"],
        ("IPv6", (("sql", 443),)): ["2001:db8::1"],
        ("IPv6", (("sql", 5432),)): ["2001:db8::2", "2001:db8::3"],
        ("FQDN", (("sql", 1),)): ["db.example.org"],
    }


def test_a_slice_has_labels_and_owner_of_the_service_and_says_that_its_endpoints_are_ready() -> None:
    (slice_,) = published(["10.0.0.5"]).result().to_dicts()
    assert slice_["metadata"] == {
        "generateName": "db-",
        "namespace": "shop",
        "labels": {
            "team": "storage",
            "kubernetes.io/service-name": "db",
            "endpointslice.kubernetes.io/managed-by": OURS,
        },
        "ownerReferences": [
            {
                "apiVersion": "v1",
                "kind": "Service",
                "name": "db",
                "uid": "u-db",
                "controller": True,
                "blockOwnerDeletion": True,
            }
        ],
    }
    assert slice_["endpoints"] == [{"addresses": ["10.0.0.5"], "conditions": {"ready": True}}]


def test_more_than_an_address_comes_in_the_short_form_and_in_that_of_the_api() -> None:
    more: Json = {"zone": "a", "nodeName": "n", "hostname": "h", "hints": {"forZones": [{"name": "a"}]}}
    short = {"address": "10.0.0.5:5433", "ready": False, "serving": True, **more}
    of_api = {"addresses": ["10.0.0.5"], "port": 5433, "conditions": {"ready": False, "serving": True}, **more}
    results = [published([one]).result().to_json() for one in (short, of_api)]
    assert results[0] == results[1]
    exact = {"addresses": ["10.0.0.5"], "ports": [{"name": "other", "port": 7}], "later": 1}
    (slice_,) = published([exact]).result().to_dicts()
    assert slice_["ports"] == [{"name": "other", "protocol": "TCP", "port": 7}]
    assert slice_["endpoints"] == [{"addresses": ["10.0.0.5"], "later": 1}]


def test_an_address_is_written_as_the_api_takes_it_however_it_is_spelled() -> None:
    """Since 1.36 leading zeros and IPv4-mapped addresses are refused; slices from before stay."""
    before = stored(published(["10.0.0.1", "10.0.0.2"]).result())
    before[0]["endpoints"][0]["addresses"] = ["010.0.0.01"]
    for spelling in ("010.0.0.01", "::ffff:10.0.0.1", "[::ffff:a00:1]", "10.0.0.1"):
        assert not published([spelling, "10.0.0.2"], before)
        (write,) = published([spelling, spelling, "10.0.0.3"], before).writes
        assert [endpoint.addresses for endpoint in write.slice.endpoints] == [["10.0.0.1"], ["10.0.0.3"]]
        assert not epcore.lint(write.to_json())


def test_ports_are_given_by_name_where_the_service_has_several() -> None:
    endpoints = [
        "10.0.0.5",
        {"address": "10.0.0.6", "ports": {"sql": 1, "admin": 2}},
        {"address": "10.0.0.7", "ports": {"sql": 1}},
    ]
    assert groups(published(endpoints, service=TWO)) == {
        ("IPv4", (("sql", 5432), ("admin", 8080))): ["10.0.0.5"],
        ("IPv4", (("sql", 1), ("admin", 2))): ["10.0.0.6"],
        ("IPv4", (("sql", 1),)): ["10.0.0.7"],
    }


@pytest.mark.parametrize("policy", ["balanced", "upstream"])
def test_what_is_no_longer_given_is_removed_and_what_stays_is_not_touched(policy: PolicyName) -> None:
    first = stored(published([f"10.0.0.{n}" for n in range(1, 6)], max_endpoints=2, policy=policy).result())
    plan = published([f"10.0.0.{n}" for n in (1, 2, 4, 5)], first, max_endpoints=2, policy=policy)
    assert [(write.verb, len(write.slice)) for write in plan.writes] == [("update", 1)]
    assert not published([f"10.0.0.{n}" for n in (1, 2, 4, 5)], plan.result(), max_endpoints=2, policy=policy)
    gone = published([], plan.result(), policy=policy)
    assert {write.verb for write in gone.writes} == {"delete"}
    assert len(gone.result()) == 0


def test_slices_of_others_are_left_alone() -> None:
    ours = stored(published(["10.0.0.1"]).result())
    theirs = json.loads(json.dumps(ours))
    theirs[0]["metadata"] |= {"name": "x", "labels": {**theirs[0]["metadata"]["labels"]}}
    theirs[0]["metadata"]["labels"]["endpointslice.kubernetes.io/managed-by"] = "someone.example.com"
    away = json.loads(json.dumps(ours))
    away[0]["metadata"] |= {"name": "y", "namespace": "elsewhere"}
    assert {write.name for write in published([], [*ours, *theirs, *away]).writes} == {ours[0]["metadata"]["name"]}


def test_another_port_is_there_before_the_old_one_goes() -> None:
    before = stored(published(["10.0.0.1:1", "10.0.0.2:1"]).result())
    safe = published(["10.0.0.1:2", "10.0.0.2:2"], before)
    assert [write.verb for write in safe.writes] == ["create", "delete"]
    again = published(["10.0.0.1:2", "10.0.0.2:2"], before, replace="recycle")
    assert [write.verb for write in again.writes] == ["update"]


def test_many_groups_cost_no_more_than_many_endpoints() -> None:
    """Each endpoint has a port of its own. A search through all groups for each would take hours for these."""
    many = [f"10.0.{n >> 8}.{n & 255}:{n + 1}" for n in range(1, 60_000)]
    plan = published(many, naming="deterministic")
    assert plan.stats.creates == 59_999
    assert not published(many, plan.result())


def test_slices_of_many_groups_change_hands_at_no_more_cost() -> None:
    before = published([f"10.0.{n >> 8}.{n & 255}:{n + 1}" for n in range(1, 20_000)], naming="deterministic").result()
    others = [f"10.0.{n >> 8}.{n & 255}:{n + 30_000}" for n in range(1, 20_000)]
    plan = published([*others[::2], *(f"10.1.{n >> 8}.{n & 255}:{n + 1}" for n in range(1, 5_000))], before)
    assert plan.stats.slices_after == 10_000 + 4_999


def end(*_: object) -> None:
    raise TimeoutError


def held(name: str, *addresses: str, note: str | None = None) -> Json:
    """A slice of a Service that says nothing of itself."""
    labels = {
        "endpointslice.kubernetes.io/managed-by": OURS,
        "kubernetes.io/service-name": "db",
        "service.kubernetes.io/headless": "",
    }
    metadata = {"name": name, "namespace": "shop", "labels": labels, **({"annotations": {"n": note}} if note else {})}
    return {
        "metadata": metadata,
        "addressType": "IPv4",
        "ports": [{"name": "sql", "port": 5432, "protocol": "TCP"}],
        "endpoints": [{"addresses": [address]} for address in addresses],
    }


BARE: Json = {"metadata": {"name": "db", "namespace": "shop"}, "spec": {"ports": [{"name": "sql", "port": 5432}]}}
VM = {"targetRef": {"kind": "VM", "name": "v1"}}
LARGE = [{"addresses": [f"10.0.{n // 250}.{n % 250 + 1}"], "x": "y" * 1300} for n in range(1000)]


@pytest.mark.parametrize(
    ("wanted", "existing", "options"),
    [
        ([{"address": "10.0.0.1", **VM}, "10.0.0.2:5433"], [held("a", "10.0.0.1")], {"address_reuse": "strict"}),
        (["10.0.0.1", "10.0.0.2", "10.0.0.3:5433"], [held("a", "10.0.0.9", note="x" * 100)], {"max_bytes": 565}),
        ([*LARGE, "10.1.0.3:5433"], [held("a", "10.9.0.9", note="x" * 200_000)], {"max_endpoints": 1000}),
        (
            ["10.0.0.3", {"address": "10.0.0.6", **VM}, "10.0.0.6", "10.0.0.7", "10.0.0.5:5433"],
            [held("a"), held("b", "10.0.0.1", "10.0.0.5"), held("c", "10.0.0.7", "10.0.0.5"), held("d")],
            {
                "policy": "lifecycle",
                "max_endpoints": 3,
                "replace": "recycle",
                "compaction": epcore.Compaction(epsilon=0.3, order="make-break-touch"),
            },
        ),
    ],
    ids=["strict", "bytes", "many bytes", "touch"],
)
def test_slices_do_not_go_to_and_fro_between_groups(wanted: Any, existing: list[Json], options: Any) -> None:
    with signalled_after(10, end):
        plan = published(wanted, existing, BARE, **options)
    assert sum(map(len, plan.result())) == len(wanted)


def test_an_endpoint_of_a_slice_that_changes_hands_is_removed_once() -> None:
    two = [held("a", "10.0.0.8"), held("b", "10.0.0.9")]
    for wanted in (["10.0.0.1", "10.0.0.2:1"], ["10.0.0.2:1"], ["10.0.0.2:1", "10.0.0.3:2", "10.0.0.4:3"]):
        stats = published(wanted, two, BARE, max_endpoints=1).stats
        assert (stats.endpoints_removed, stats.endpoints_added) == (2, len(wanted))
    other = held("b")
    other["metadata"]["labels"]["z"] = "1"
    stats = published(["10.0.0.3", "10.0.0.7:5433"], [held("a", "10.0.0.7"), other], BARE, max_endpoints=1).stats
    assert stats.endpoints_removed == 1


@pytest.mark.parametrize("reuse", ["ordered", "strict"])
def test_a_slice_that_nobody_may_take_is_not_given_away(reuse: Any) -> None:
    wanted = [{"address": "10.0.0.1", **VM}, "10.0.0.2:5433"]
    plan = published(wanted, [held("a", "10.0.0.1", "10.0.0.2")], BARE, address_reuse=reuse)
    assert "delete" not in [write.verb for write in plan.writes]
    for number in range(len(plan) + 1):
        places = [
            (port["port"], *e["addresses"])
            for one in plan.prefix(number).to_dicts()
            for port in one["ports"] or ()
            for e in one["endpoints"] or ()
        ]
        assert len(places) == len(set(places)), "no address is there twice at a port"


@given(st.integers(1, 20), st.integers(500, 1_000), st.sampled_from(["generate", "deterministic"]))
def test_slices_are_no_larger_than_they_may_be_with_their_time(count: int, max_bytes: int, naming: Any) -> None:
    options: Any = {"max_bytes": max_bytes, "trigger_time": "2026-01-02T03:04:05Z", "naming": naming}
    wanted = [f"10.0.0.{number}" for number in range(1, count + 1)]
    try:
        plan = published(wanted, **options)
    except epcore.LimitError:
        return
    assert max(len(one.to_json()) for one in plan.result()) <= max_bytes
    assert not published(wanted, plan.result(), **options)
    # A time is nothing for slices that need not be written.
    bare = published(wanted, max_bytes=max_bytes, naming=naming).result()
    assert not published(wanted, bare, **options)


addresses = st.sampled_from([*(f"10.0.0.{n}" for n in range(1, 9)), "2001:db8::1", "2001:db8::2", "a.example.org"])
given_ports = st.sampled_from([{}, {"port": 1}, {"ports": {"sql": 2}}, {"ports": [{"name": "x", "port": 3}]}])
many = st.lists(st.builds(lambda address, more: {"address": address, **more}, addresses, given_ports), max_size=12)


@given(
    many,
    many,
    st.integers(1, 4),
    st.sampled_from(["balanced", "lean", "upstream"]),
    st.sampled_from(["safe", "recycle"]),
)
def test_each_endpoint_is_there_once_with_its_ports_and_never_missing_between(
    first: list[Json], second: list[Json], most: int, policy: Any, replace: Any
) -> None:
    options: Any = {"max_endpoints": most, "policy": policy, "replace": replace}

    def held(slices: epcore.SliceSet) -> list[str]:
        found = []
        for one in slices.to_dicts():
            ports = [(port["name"], port["port"]) for port in one["ports"] or ()]
            found += [f"{endpoint['addresses'][0]} {ports}" for endpoint in one["endpoints"] or ()]
        return sorted(found)

    before = stored(published(first, **options).result())
    plan = published(second, before, **options)
    fresh = published(second)
    assert held(plan.result()) == held(fresh.result())
    assert not published(second, stored(plan.result()), **options)
    staying = set(held(plan.prefix(0))) & set(held(plan.result()))
    for writes in range(len(plan) + 1):
        assert staying <= set(held(plan.prefix(writes)))


@pytest.mark.parametrize(
    ("endpoints", "path"),
    [
        (["10.0.0.300"], "endpoints[0].addresses[0]"),
        (["10.0.0.1", "10.0.0.2:0"], "endpoints[1]"),
        (["10.0.0.2:65536"], "endpoints[0]"),
        (["[::1"], "endpoints[0]"),
        (["[2001:db8::1]x"], "endpoints[0]"),
        ([""], "endpoints[0].addresses[0]"),
        (["127.0.0.1"], "endpoints[0].addresses[0]"),
        ([{"address": "10.0.0.1", "Zone": "a"}], "endpoints[0]"),
        ([{"address": "10.0.0.1:1", "port": 2}], "endpoints[0].address"),
        ([{"address": "10.0.0.1", "port": 0}], "endpoints[0].port"),
        ([{"address": "10.0.0.1", "ports": {"x": 1}}], "endpoints[0].ports"),
        ([{"address": "10.0.0.1", "ready": "yes"}], "endpoints[0].conditions.ready"),
        ([{"addresses": []}], "endpoints[0].addresses"),
        ([7], "endpoints[0]"),
    ],
)
def test_bad_endpoints_are_refused_with_their_place(endpoints: Any, path: str) -> None:
    with pytest.raises(epcore.InvalidInputError) as caught:
        published(endpoints)
    assert caught.value.path == path


@pytest.mark.parametrize("address", ["10.0.0.300", "10.0.0.0/24", " 10.0.0.5", "", "db", "a..b"])
def test_what_is_no_address_of_any_kind_is_told_so(address: str) -> None:
    with pytest.raises(epcore.InvalidInputError, match="is neither an IP address nor a domain name"):
        published([{"address": address}])


@pytest.mark.parametrize(
    ("service", "managed_by", "path"),
    [
        ({**SQL, "spec": {"selector": {"a": "b"}}}, OURS, "service.spec.selector"),
        ({**SQL, "spec": {"type": "ExternalName"}}, OURS, "service"),
        (SQL, "", "managed_by"),
        (SQL, "no/slash", "managed_by"),
        (SQL, "endpointslice-controller.k8s.io", "managed_by"),
    ],
)
def test_a_service_that_cannot_be_published_is_refused(service: Json, managed_by: str, path: str) -> None:
    with pytest.raises(epcore.InvalidInputError) as caught:
        epcore.publish(service, ["10.0.0.1"], managed_by=managed_by)
    assert caught.value.path == path


def test_a_named_target_port_needs_a_port_with_each_address() -> None:
    service = {**SQL, "spec": {"ports": [{"name": "sql", "port": 5432, "targetPort": "pg"}]}}
    with pytest.raises(epcore.InvalidInputError, match="only Pods can resolve"):
        published(["10.0.0.1"], service=service)
    assert groups(published(["10.0.0.1:7"], service=service)) == {("IPv4", (("sql", 7),)): ["10.0.0.1"]}


forms = st.one_of(
    st.sampled_from(["10.0.0.1", "10.0.0.1:8080", "10.0.0.300", ""]),
    st.fixed_dictionaries(
        {"addresses": st.sampled_from([["10.0.0.2"], ["10.0.0.2", "10.0.0.3"], [], ["10.0.0.2", 3]])},
        optional={
            "conditions": st.sampled_from([{}, {"ready": False}, {"ready": None, "serving": True}, 7]),
            "zone": st.sampled_from(["a", "", None]),
            "targetRef": st.just({"kind": "VM", "name": "one"}),
            "hints": st.just({"forZones": [{"name": "a"}]}),
            "port": st.sampled_from([8081, None, 0]),
            "x-new": st.just({"b": 1, "a": [2]}),
            "address": st.just("10.0.0.4"),
        },
    ),
    st.fixed_dictionaries({"address": st.just("10.0.0.5")}, optional={"ready": st.booleans(), "zone": st.just("a")}),
)


@given(st.lists(forms, min_size=1, max_size=4))
def test_an_endpoint_is_read_the_same_whatever_forms_stand_before_it(given_: list[Any]) -> None:
    """The quick reader of the API's form is not used after a short form: both must say the same."""

    def found(endpoints: list[Any]) -> Any:
        try:
            slices = published(endpoints).result().to_dicts()
        except epcore.EpcoreError as error:
            return type(error), str(error).partition(": ")[2]
        all_ = [(one["ports"], endpoint) for one in slices for endpoint in one["endpoints"] or ()]
        return [(ports, one) for ports, one in all_ if not one["addresses"][0].startswith("10.250.")]

    shorts = [{"address": f"10.250.0.{number}"} for number in range(len(given_))]
    quick = found(given_)
    assert found([*shorts, *given_]) == quick
    # Each after a short form, and so by the slow reader.
    assert found([one for pair in zip(shorts, given_, strict=True) for one in pair]) == quick


def test_an_endpoint_that_changes_its_ports_comes_before_it_goes_also_where_an_address_is_used_again() -> None:
    """Where both cannot be, the address that passes to another target in the other group comes before it leaves."""
    service = {"metadata": {"name": "web", "namespace": "shop"}, "spec": {"ports": [{"port": 80}]}}
    options: Any = {"managed_by": "sync.example.com", "naming": "deterministic", "max_endpoints": 3}

    def at(port: int, *numbers: int) -> list[str]:
        return [f"10.0.0.{number}:{port}" for number in numbers]

    made: Any = epcore.publish(service, [*at(80, 2, 6), *at(81, 3, 4, 5)], **options).result().to_dicts()
    empty = {**made[1], "metadata": {**made[1]["metadata"], "name": "web-empty"}, "endpoints": []}
    passed = {"address": "10.0.0.5:81", "targetRef": {"name": "db"}}
    plan = epcore.publish(service, [*at(80, 6, 5), *at(81, 3, 4, 1, 2), passed], [*made, empty], **options)
    assert len(plan) == 3
    for writes in range(len(plan) + 1):
        slices: Any = plan.prefix(writes).to_dicts()
        held = [one for slice_ in slices for one in slice_["endpoints"] or ()]
        assert {"10.0.0.2", "10.0.0.5"} <= {one["addresses"][0] for one in held if "targetRef" not in one}


def test_targets_of_one_address_come_to_their_new_ports_before_they_go_however_many_they_are() -> None:
    count = 100

    def at(step: int) -> list[Json]:
        stays = [{"address": f"10.0.1.{one}:{one}"} for one in range(1, count + 1)]
        passes = [
            {"address": f"10.0.0.1:{one + step}", "targetRef": {"name": f"t{one}"}} for one in range(1, count + 1)
        ]
        return [*stays, *passes]

    plan = published(at(1), published(at(0), naming="deterministic").result(), naming="deterministic")
    assert len(plan) == count + 1
    for writes in range(len(plan) + 1):
        slices: Any = plan.prefix(writes).to_dicts()
        targets = {one["targetRef"]["name"] for held in slices for one in held["endpoints"] if "targetRef" in one}
        assert len(targets) == count
