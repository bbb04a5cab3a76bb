"""What a packer is told of Services and their endpoints: which have something to write then, and what is refused."""

import json
import threading
from collections.abc import Sequence
from typing import Any

import pytest

import epcore
from packer_parts import MANAGED_BY, SERVICE, Json, made, packer_of


def test_a_service_whose_writes_were_accepted_is_clean_without_being_planned_again() -> None:
    packer = packer_of("10.9.0.1")
    assert packer.dirty == packer.take_news() == [("shop", "db")]
    assert packer.take_news() == [], "it is dirty still, but that is no news"
    (write,) = packer.plan("db", namespace="shop").writes
    packer.answer(write, "accepted", made(write, "db-1", 6))
    assert packer.dirty == packer.take_news() == [], "an answer to what was asked for is no news"
    packer.apply({"type": "ADDED", "object": {**made(write, "db-1", 6), "kind": "EndpointSlice"}})
    assert packer.dirty == [], "the event says what is known"
    assert repr(packer) == "<Packer: 0 dirty, 0 waiting>"
    packer.upsert("db", ["10.9.0.1"], namespace="shop")
    packer.remove("db", ["10.9.0.7"], namespace="shop")
    assert packer.dirty == [], "nothing changed"
    packer.upsert("db", [{"addresses": ["10.9.0.1"], "zone": "a"}], namespace="shop")
    (write,) = packer.plan("db", namespace="shop").writes
    assert (write.verb, write.reasons) == ("update", ["endpoints-updated"])


@pytest.mark.parametrize("tell", ["publish", "upsert"])
@pytest.mark.parametrize("count", [0, 1, 40])
def test_an_endpoint_that_the_api_refuses_is_refused_when_it_is_told(tell: str, count: int) -> None:
    packer = packer_of("10.9.0.1")
    before = packer.plan("db", namespace="shop").to_json()
    others = [f"10.9.1.{number}" for number in range(count)]
    for wrong in ("127.0.0.1", "10.0.0.300"):
        with pytest.raises(epcore.InvalidInputError) as caught:
            getattr(packer, tell)("db", ["10.9.0.1", *others, wrong], namespace="shop")
        assert caught.value.path == f"endpoints[{1 + count}].addresses[0]"
        with pytest.raises(epcore.InvalidInputError) as caught:
            getattr(packer, tell)("db", [wrong], namespace="shop")
        assert caught.value.path == "endpoints[0].addresses[0]"
    assert packer.plan("db", namespace="shop").to_json() == before


@pytest.mark.parametrize("managed_by", ["", "bad value!", "endpointslice-controller.k8s.io"])
def test_a_packer_that_could_publish_nothing_is_none(managed_by: str) -> None:
    with pytest.raises(epcore.InvalidInputError) as caught:
        epcore.Packer(managed_by=managed_by)
    assert caught.value.path == "managed_by"


def test_services_without_selector_and_endpoints_are_left_alone() -> None:
    packer = epcore.Packer(managed_by=MANAGED_BY)
    packer.apply(SERVICE)
    by_hand = made(packer_of("10.9.0.9").plan("db", namespace="shop").writes[0], "db-1", 6)
    packer.apply(by_hand, kind="EndpointSlice")
    assert not packer.plan("db", namespace="shop")
    packer.publish("db", [], namespace="shop")
    assert [write.verb for write in packer.plan("db", namespace="shop").writes] == ["delete"], "none was asked for"


def test_slices_of_a_service_whose_endpoints_are_forgotten_are_left_alone() -> None:
    packer = packer_of("10.9.0.1")
    (create,) = packer.plan("db", namespace="shop").writes
    packer.answer(create, "accepted", made(create, "db-x", 6))
    packer.forget("db", namespace="shop")
    packer.forget("web", namespace="shop")
    assert not packer.plan("db", namespace="shop")
    assert packer.dirty == []
    packer.publish("db", ["10.9.0.2"], namespace="shop")
    assert [write.name for write in packer.plan("db", namespace="shop").writes] == ["db-x"], "they are there still"


def test_slices_that_were_left_alone_hold_no_more_than_what_is_told_once_something_is() -> None:
    packer = packer_of("10.9.0.1", "10.9.0.2")
    (create,) = packer.plan("db", namespace="shop").writes
    packer.answer(create, "accepted", made(create, "db-x", 6))
    packer.forget("db", namespace="shop")
    packer.upsert("db", [], namespace="shop")
    assert not packer.plan("db", namespace="shop"), "nothing was told"
    packer.upsert("db", [{"addresses": ["10.9.0.1"], "zone": "z"}], namespace="shop")
    (write,) = packer.plan("db", namespace="shop").writes
    assert [endpoint.addresses for endpoint in write.slice.endpoints] == [["10.9.0.1"]]


@pytest.mark.parametrize("tell", ["publish", "upsert"])
@pytest.mark.parametrize("other", [{}, {"y": 1}])
def test_a_null_that_is_told_later_takes_a_field_away(tell: str, other: Json) -> None:
    endpoint = {"addresses": ["10.9.0.1"], **other}
    held = epcore.publish(SERVICE, [{**endpoint, "x": 1}], managed_by=MANAGED_BY, naming="deterministic").result()
    packer = packer_of()
    packer.publish("db", [endpoint], namespace="shop")
    packer.replace(held, kind="EndpointSlice")
    assert not packer.plan("db", namespace="shop")
    getattr(packer, tell)("db", [{**endpoint, "x": None}], namespace="shop")
    (write,) = packer.plan("db", namespace="shop").writes
    (only,) = write.to_dict()["endpoints"] or []
    assert "x" not in only


def test_a_name_that_follows_from_the_content_is_not_that_of_another_writers_slice() -> None:
    first = epcore.publish(SERVICE, ["10.9.0.1"], managed_by="one.example.com", naming="deterministic").result()
    second = epcore.publish(SERVICE, ["10.9.0.1"], first, managed_by="two.example.com", naming="deterministic")
    assert [write.verb for write in second.writes] == ["create"]
    assert second.writes[0].name != first[0].name


@pytest.mark.parametrize(
    ("given", "kind", "path"),
    [
        (b'{"type": "ADDED", "object": {"metadata": {"name": "x"}}}', None, "events[0].object.kind"),
        (b'{"type": "ADDED", "object": {"kind": "Secret"}}', None, "events[0].object.kind"),
        (b'{"type": "ADDED", "object": {"kind": "PodList"}}', None, "events[0].object.kind"),
        (b'{"type": "ERROR", "object": {"kind": "Status", "code": 410}}', None, "events[0].object"),
        (b'{"type": "CHANGED", "object": {"kind": "Pod"}}', None, "events[0].type"),
        (b'{"type": "ADDED", "object": {"metadata": {}}}', "Pod", "events[0].object.metadata.name"),
        (b'{"type": "ADDED", "object": {"kind": "Node", "metadata": {"name": 7}}}', None, "events[0].object.metadata"),
        (json.dumps(SERVICE).encode() + b"{", None, "events[1]"),
    ],
)
def test_what_is_wrong_in_an_event_is_told_with_its_place_and_nothing_changes(
    given: bytes, kind: Any, path: str
) -> None:
    packer = packer_of("10.9.0.1")
    before = packer.plan("db", namespace="shop").to_json()
    with pytest.raises(epcore.InvalidInputError) as error:
        packer.apply(given, kind=kind)
    assert error.value.path.startswith(path)
    assert packer.plan("db", namespace="shop").to_json() == before
    assert packer.resource_version("Service") == "5"


@pytest.mark.parametrize("around", [{"apiVersion": "v1", "kind": "List"}, {}])
def test_a_list_of_kubectl_tells_its_kind_by_its_objects(around: Json) -> None:
    packer = epcore.Packer(managed_by=MANAGED_BY)
    listed = {**around, "items": [{**SERVICE, "kind": "Service"}], "metadata": {"resourceVersion": ""}}
    for given in (json.dumps(listed), listed):
        packer.replace(given)
        packer.publish("db", ["10.9.0.1"], namespace="shop")
        assert packer.dirty == [("shop", "db")]


def test_what_is_wrong_in_a_list_or_an_answer_is_refused() -> None:
    packer = packer_of("10.9.0.1")
    (write,) = packer.plan("db", namespace="shop").writes
    with pytest.raises(epcore.InvalidInputError, match="nothing tells of which kind"):
        packer.replace([])
    with pytest.raises(epcore.InvalidInputError, match="a second Service"):
        packer.replace([SERVICE, SERVICE], kind="Service")
    with pytest.raises(epcore.InvalidInputError, match="kind"):
        packer.replace([SERVICE], kind="Pod")
    with pytest.raises(ValueError, match="kind must be one of"):
        packer.replace([], kind="Secret")  # type: ignore[arg-type]
    elsewhere = made(write, "db-x", 6)
    elsewhere["metadata"]["namespace"] = "other"
    for answer, field in ((made(write, "", 6), "name"), (elsewhere, "namespace")):
        with pytest.raises(epcore.InvalidInputError, match="not that of the slice that was written") as caught:
            packer.answer(write, "accepted", answer)
        assert caught.value.path == f"object.metadata.{field}"
    with pytest.raises(ValueError, match="outcome must be one of"):
        packer.answer(write, "lost")  # type: ignore[arg-type]
    with pytest.raises(epcore.LimitError):
        epcore.Packer(max_endpoints=0)
    assert packer.dirty == [("shop", "db")]
    packer.apply({"type": "ERROR", "object": {"kind": "Status"}}, kind="Pod")
    assert [packer.expired(kind) for kind in ("Pod", "Node")] == [True, False]
    packer.replace(b'{"kind": "PodList", "metadata": {"resourceVersion": "77"}, "items": []}')
    assert (packer.expired("Pod"), packer.resource_version("Pod")) == (False, "77")


def test_only_the_services_that_an_event_concerns_are_dirty() -> None:
    packer = epcore.Packer()
    services_: list[Json] = [
        {"metadata": {"name": f"s{number}", "namespace": "shop"}, "spec": {"selector": {"app": f"a{number}"}}}
        for number in range(1000)
    ]
    packer.replace(services_, kind="Service")
    for namespace, name in packer.dirty:
        for write in packer.plan(name, namespace=namespace).writes:
            packer.answer(write, "accepted", made(write, f"{name}-1", 1))
    assert packer.dirty == []
    metadata = {"name": "p", "namespace": "shop", "labels": {"app": "a7"}, "uid": "u"}
    status = {"podIP": "10.0.0.7", "conditions": [{"type": "Ready", "status": "True"}]}
    pod: Json = {"kind": "Pod", "metadata": metadata, "spec": {"nodeName": "n"}, "status": status}
    packer.apply({"type": "ADDED", "object": pod})
    assert packer.dirty == [("shop", "s7")]
    assert packer.plan("s7", namespace="shop").errors, "its Node is not there"
    packer.apply({"kind": "Node", "metadata": {"name": "n"}})
    assert packer.dirty == [("shop", "s7")]
    for write in packer.plan("s7", namespace="shop").writes:
        packer.answer(write, "accepted", made(write, write.name or "s7-2", 2))
    assert packer.dirty == []
    packer.apply({"type": "MODIFIED", "object": {**pod, "metadata": {**metadata, "labels": {"app": "a8"}}}})
    assert packer.dirty == [("shop", "s7"), ("shop", "s8")], "the selector of one lost it, that of the other found it"


def test_threads_may_feed_and_ask_at_once() -> None:
    packer = packer_of()
    failures: list[BaseException] = []

    def feed(part: int) -> None:
        try:
            for number in range(50):
                packer.upsert("db", [f"10.{part}.0.{number + 1}"], namespace="shop")
                packer.plan("db", namespace="shop")
        except BaseException as error:  # noqa: BLE001 - told by the test
            failures.append(error)

    threads = [threading.Thread(target=feed, args=(part,)) for part in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert packer.plan("db", namespace="shop").stats.endpoints_added == 200


HTTP = [{"name": "http", "protocol": "TCP", "containerPort": 8080}]


def pod_of_web(name: str, version: int, ip: str, *, ready: bool = True, ports: Sequence[Json] = ()) -> Json:
    return {
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": "shop",
            "uid": f"u-{name}",
            "labels": {"app": "web"},
            "resourceVersion": str(version),
        },
        "spec": {"nodeName": "node-0", "containers": [{"name": "main", "ports": [*ports]}]},
        "status": {
            "phase": "Running",
            "podIP": ip,
            "podIPs": [{"ip": ip}],
            "conditions": [{"type": "Ready", "status": str(ready)}],
        },
    }


def carried_out(packer: epcore.Packer, most: int | None = None) -> list[tuple[str, str | None]]:
    writes = packer.plan("web", namespace="shop").writes[:most]
    for number, write in enumerate(writes):
        packer.answer(
            write, "accepted", None if write.verb == "delete" else made(write, write.name or f"web-{number}", 6)
        )
    return [(write.verb, write.name) for write in writes]


def service_of_web(*families: str, cluster_ip: str = "10.96.0.1") -> Json:
    spec = {
        "selector": {"app": "web"},
        "clusterIP": cluster_ip,
        "ipFamilies": [*families],
        "ports": [{"name": "http", "protocol": "TCP", "port": 80, "targetPort": "http"}],
    }
    return {"kind": "Service", "metadata": {"name": "web", "namespace": "shop", "uid": "u-web"}, "spec": spec}


def test_an_empty_slice_goes_with_the_last_pod_that_wants_it_whatever_else_changes() -> None:
    """A Pod without address of the family still asks for a slice of its ports, which none of its addresses leads to."""
    packer = epcore.Packer()
    packer.apply([service_of_web("IPv4"), {"kind": "Node", "metadata": {"name": "node-0"}}])
    packer.apply(pod_of_web("six", 1, "fd00::1"))
    assert carried_out(packer) == [("create", None)], "a placeholder without ports"
    packer.apply({"type": "ADDED", "object": pod_of_web("four", 2, "10.0.0.1", ports=HTTP)})
    (write,) = packer.plan("web", namespace="shop").writes
    packer.answer(write, "accepted", made(write, "web-9", 7))
    packer.apply(
        [
            {"type": "DELETED", "object": pod_of_web("six", 3, "fd00::1")},
            {"type": "MODIFIED", "object": pod_of_web("four", 4, "10.0.0.1", ready=False, ports=HTTP)},
        ]
    )
    assert carried_out(packer) == [("update", "web-9"), ("delete", "web-0")]


def test_a_plan_that_is_half_done_is_finished_though_what_is_left_holds_no_endpoint() -> None:
    packer = epcore.Packer()
    packer.apply([service_of_web("IPv4", "IPv6"), {"kind": "Node", "metadata": {"name": "node-0"}}])
    assert carried_out(packer) == [("create", None), ("create", None)], "two placeholders"
    packer.apply(service_of_web("IPv4", "IPv6", cluster_ip="None"))
    assert carried_out(packer) == [], "their labels are not compared"
    packer.apply(pod_of_web("four", 2, "10.0.0.1"))
    assert carried_out(packer, 1) == [("update", "web-0")]
    assert carried_out(packer) == [("update", "web-1")], "it is the slice of a group, whose labels are"
