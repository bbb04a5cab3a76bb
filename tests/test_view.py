"""`View`: right at every prefix of any stream of events, and what a proxy asks of it."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

import epcore
from epcore.types import DiffKey, FieldMask
from reader_strategies import readable
from reference_diff import diff, fold
from strategies import Json, slice_of

keys = st.sampled_from(["address", "address-port", "target"])
masks = st.sampled_from(["dns", "proxy", "envoy", "all"])


def told(delta: epcore.Delta) -> Json:
    return {
        "added": {change.key for change in delta.added},
        "removed": {change.key for change in delta.removed},
        "updated": {change.key: change.reasons for change in delta.updated},
        "moved": {change.key: (change.slice_before, change.slice_after) for change in delta.moved},
    }


def event(kind: str, slice_: Json) -> Json:
    return {"type": kind, "object": slice_}


class Reader(RuleBasedStateMachine):
    """A view beside a plain dict of slices and the plain diff of the reference."""

    @initialize(key=keys, fields=masks)
    def begin(self, key: DiffKey, fields: FieldMask) -> None:
        self.key, self.fields = key, fields
        self.view = epcore.View(key=key, fields=fields)
        self.slices: dict[str, Json] = {}
        self.last: list[Json] = []
        self.version = 0
        self.history: list[Json] = []

    def versioned(self, slice_: Json) -> Json:
        self.version += 1
        return {**slice_, "metadata": {**slice_["metadata"], "resourceVersion": str(self.version)}}

    def send(self, sent: Json) -> None:
        self.history.append(sent)
        self.view.feed(sent)

    @rule(slices=readable())
    def some_are_there(self, slices: list[Json]) -> None:
        for slice_ in map(self.versioned, slices):
            name = slice_["metadata"]["name"]
            self.send(event("MODIFIED" if name in self.slices else "ADDED", slice_))
            self.slices[name] = slice_

    @rule(data=st.data())
    def one_goes(self, data: st.DataObject) -> None:
        if self.slices:
            name = data.draw(st.sampled_from(sorted(self.slices)))
            self.send(event("DELETED", self.versioned(self.slices.pop(name))))

    @rule(data=st.data())
    def an_old_event_comes_again(self, data: st.DataObject) -> None:
        if self.history:
            self.view.feed(data.draw(st.sampled_from(self.history)))

    @rule(slices=readable())
    def a_list_comes(self, slices: list[Json]) -> None:
        self.slices = {slice_["metadata"]["name"]: slice_ for slice_ in map(self.versioned, slices)}
        self.version += 1
        metadata = {"resourceVersion": str(self.version)}
        self.view.feed_list(json.dumps({"kind": "List", "metadata": metadata, "items": list(self.slices.values())}))

    @rule()
    def a_bookmark_comes(self) -> None:
        self.version += 1
        self.send(event("BOOKMARK", {"kind": "EndpointSlice", "metadata": {"resourceVersion": str(self.version)}}))

    @rule()
    def the_reader_restarts(self) -> None:
        self.view = epcore.View.restore(self.view.snapshot())

    @rule()
    def the_reader_looks(self) -> None:
        now = list(self.slices.values())
        assert told(self.view.checkout()) == diff(self.last, now, self.key, self.fields)
        self.last = now
        assert not self.view.checkout()

    @invariant()
    def it_holds_what_is_there(self) -> None:
        assert [one.name for one in self.view.slices()] == sorted(self.slices)
        wanted = set(fold(list(self.slices.values()), "address-port"))
        found = self.view.endpoints()
        assert len(found) == len(wanted)
        assert {one.address for one in found} == {words.split(" ")[1] for words in wanted}
        assert self.view.resource_version == (str(self.version) if self.version else None)

    def teardown(self) -> None:
        if hasattr(self, "view"):
            self.the_reader_looks()


TestReader = Reader.TestCase
TestReader.settings = settings(max_examples=max(20, settings().max_examples // 2), stateful_step_count=20)


def web(name: str, *addresses: str, **more: Any) -> Json:
    return {**slice_of(name, [{"addresses": [address]} for address in addresses]), **more}


def test_events_come_as_bytes_lines_objects_and_slices() -> None:
    one, two = event("ADDED", web("a", "10.0.0.1")), event("ADDED", web("b", "10.0.0.2"))
    lines = "\n".join(json.dumps(each) for each in (one, two))
    for given_ in (lines, lines.encode(), [one, two], json.dumps([one, two]), [one["object"], two["object"]]):
        view = epcore.View()
        assert [change.address for change in view.apply(given_).added] == ["10.0.0.1", "10.0.0.2"]


def test_an_error_asks_for_a_list() -> None:
    view = epcore.View()
    view.apply(event("ADDED", web("a", "10.0.0.1")))
    status = {"kind": "Status", "code": 410, "message": "too old resource version"}
    assert not view.apply({"type": "ERROR", "object": status})
    assert view.expired
    assert len(view) == 1
    delta = view.replace([web("b", "10.0.0.2")])
    assert (len(delta.added), len(delta.removed), view.expired) == (1, 1, False)


@pytest.mark.parametrize(
    ("bad", "path"),
    [
        ({"type": "CHANGED", "object": web("a")}, "events[0].type"),
        ({"type": "ADDED"}, "events[0].object"),
        ({"type": "ADDED", "object": {"metadata": {}, "addressType": "IPv4"}}, "events[0].object.metadata.name"),
        ({"type": "ADDED", "object": web("a", "127.0.0.1")}, "events[0].object.endpoints[0].addresses[0]"),
        ({"type": "ADDED", "object": {**web("a"), "kind": "Pod"}}, "events[0].object.kind"),
        ([event("ADDED", web("z", "10.0.0.9")), {"type": 7}], "events[1].type"),
        (b'{"type": "ADDED", "object": ' + json.dumps(web("q", "10.0.0.8")).encode() + b'}{"type"', "events[1]"),
        (b"\xff", "events"),
    ],
    ids=["type", "no object", "no name", "address", "kind", "second", "cut", "bytes"],
)
def test_a_bad_event_changes_nothing(bad: Any, path: str) -> None:
    view = epcore.View()
    view.apply(event("ADDED", web("a", "10.0.0.1")))
    before = view.snapshot()
    with pytest.raises(epcore.InvalidInputError) as caught:
        view.apply(bad)
    assert caught.value.path == path
    assert view.snapshot() == before


def test_a_handle_without_a_name_changes_nothing() -> None:
    view = epcore.View()
    slices = epcore.SliceSet.from_objects([web("a", "10.0.0.1"), {"addressType": "IPv4", "endpoints": []}])
    forms: list[tuple[Any, str]] = [
        (slices, "events[1].metadata.name"),
        (slices[1], "events[0].metadata.name"),
        ([{"type": "ADDED", "object": one} for one in slices], "events[1].object.metadata.name"),
        ({"type": "DELETED", "object": slices[1]}, "events[0].object.metadata.name"),
    ]
    for bad, path in forms:
        with pytest.raises(epcore.InvalidInputError) as caught:
            view.feed(bad)
        assert caught.value.path == path
        assert (len(view), view.pending) == (0, False)


def test_a_bad_list_changes_nothing() -> None:
    view = epcore.View()
    view.apply(event("ADDED", web("a", "10.0.0.1")))
    before = view.snapshot()
    for bad, path in (
        ([web("b"), web("b")], "slices[1].metadata.name"),
        ([{"addressType": "IPv4"}], "slices[0].metadata.name"),
        ([web("b", "::1")], "slices[0].endpoints[0].addresses[0]"),
    ):
        with pytest.raises(epcore.InvalidInputError) as caught:
            view.replace(bad)
        assert caught.value.path == path
    assert view.snapshot() == before


def test_every_cut_of_a_snapshot_is_refused() -> None:
    view = epcore.View(key="target", fields="dns", hold=5)
    view.replace([web("a", "10.0.0.1"), web("b", "10.0.0.2")], now=1)
    view.replace([web("b", "10.0.0.3")], now=2)
    view.feed(event("ADDED", web("c", "10.0.0.4")))
    snapshot = view.snapshot()
    assert json.loads(snapshot)["held"]
    for at in range(len(snapshot)):
        with pytest.raises(epcore.InvalidInputError):
            epcore.View.restore(snapshot[:at])
    assert [change.address for change in epcore.View.restore(snapshot).checkout().removed] == ["10.0.0.1", "10.0.0.2"]


def test_a_removal_is_kept_back_until_it_is_due() -> None:
    view = epcore.View(hold=10)
    view.replace([web("a", "10.0.0.1", "10.0.0.2")], now=0)
    assert not view.replace([web("a", "10.0.0.2")], now=100)
    assert view.next_due == 110
    assert not view.checkout(109.9)
    # Back in another slice, and never gone.
    delta = view.apply(event("ADDED", web("b", "10.0.0.1")), now=109.95)
    assert [(change.slice_before, change.slice_after) for change in delta.moved] == [("a", "b")]
    assert len(delta) == 1
    assert epcore.View.next_due.__get__(view) is None
    view.remove("b", "shop", now=120)
    assert [change.address for change in view.checkout(130).removed] == ["10.0.0.1"]


def test_what_is_kept_back_outlives_any_number_of_restarts() -> None:
    view = epcore.View(hold=10)
    view.replace([web("a", "10.0.0.1", "10.0.0.2")], now=0)
    for number, left in enumerate((["10.0.0.2"], [])):
        view.feed(event("MODIFIED", web("a", *left)))
        for _ in range(3):
            view = epcore.View.restore(view.snapshot(), hold=10)
        if number == 0:
            assert not view.checkout(1)
    assert not view.checkout(2)
    assert [change.address for change in view.checkout(20).removed] == ["10.0.0.1", "10.0.0.2"]


@pytest.mark.parametrize("key", ["address", "address-port", "target"])
def test_what_comes_back_after_a_restart_was_never_gone(key: DiffKey) -> None:
    view = epcore.View(key=key, hold=10)
    view.replace([web("a", "10.0.0.1", "10.0.0.2")], now=100)
    view.replace([web("a", "10.0.0.2")], now=101)
    view = epcore.View.restore(view.snapshot(), hold=10)
    assert [one.address for one in view.endpoints()] == ["10.0.0.1", "10.0.0.2"]
    # The clock is another one, too.
    assert not view.replace([web("a", "10.0.0.1", "10.0.0.2")], now=3)
    assert not view.replace([], now=4)
    removed = view.checkout(14).removed
    assert [(change.address, change.slice_before) for change in removed] == [("10.0.0.1", "a"), ("10.0.0.2", "a")]


def test_a_removal_that_will_be_kept_back_is_listed_before_it_is_noticed_too() -> None:
    view = epcore.View(hold=10)
    view.replace([web("a", "10.0.0.1"), web("b", "10.0.0.1", "10.0.0.2")], now=0)

    def listed() -> list[tuple[str, str]]:
        near = view.reachable("web", "http", namespace="shop", node="").endpoints
        assert [one.address for one in near] == [one.address for one in view.endpoints()]
        return [(one.address, one.slice) for one in view.endpoints()]

    view.feed(event("DELETED", web("b", "10.0.0.1", "10.0.0.2")))
    assert listed() == [("10.0.0.1", "a"), ("10.0.0.2", "b")]
    view.feed(event("DELETED", web("a", "10.0.0.1")))
    assert len(view) == 0
    for now in (1, 2):
        assert [address for address, _ in listed()] == ["10.0.0.1", "10.0.0.2"]
        assert view.services() == [("shop", "web")]
        assert not view.checkout(now)
    assert len(view.checkout(11).removed) == 2
    assert not view.endpoints()
    assert not view.services()


def test_a_port_that_goes_while_a_removal_is_kept_back_is_told_after_a_restart() -> None:
    ports = [{"name": name, "port": number} for name, number in (("http", 80), ("metrics", 90))]
    view = epcore.View(key="address", hold=10)
    view.replace([web("a", "10.0.0.1", ports=ports)], now=100)
    assert not view.replace([web("a", "10.0.0.1", ports=ports[:1])], now=101).transitions
    view = epcore.View.restore(view.snapshot(), hold=10)
    assert [one.port_name for one in view.endpoints()] == ["http", "metrics"]
    assert not view.checkout(3)
    gone = view.checkout(13).transitions
    assert [(one.port_name, one.endpoints_before, one.endpoints_after) for one in gone] == [("metrics", 1, 0)]


def test_what_is_kept_back_is_listed_for_its_own_service_alone() -> None:
    def of(service: str, address: str) -> Json:
        one = web(service, address)
        one["metadata"]["labels"] = {"kubernetes.io/service-name": service}
        return one

    services = [("web", "10.0.0.1"), ("web-2", "10.0.0.2"), ("web2", "10.0.0.3")]
    view = epcore.View(hold=10)
    view.replace([of(*one) for one in services], now=0)
    assert not view.replace([], now=1)
    for service, address in services:
        assert [one.address for one in view.endpoints(service)] == [address]


def test_an_address_and_a_domain_name_of_the_same_digits_are_kept_back_each_by_itself() -> None:
    view = epcore.View(hold=10)
    view.replace([web("a", "10.0.0.1"), web("b", "10.0.0.1", addressType="FQDN")], now=0)
    assert not view.replace([], now=1)
    assert [change.slice_before for change in view.checkout(11).removed] == ["a", "b"]


@pytest.mark.parametrize("hold", [0, 10])
def test_a_port_that_is_kept_back_is_the_only_one_that_goes_after_a_restart(hold: int) -> None:
    ports = [{"name": name, "port": number} for name, number in (("http", 80), ("metrics", 90))]
    view = epcore.View(hold=10)
    view.replace([web("a", "10.0.0.1", ports=ports), web("b", "10.0.0.2", ports=[])], now=100)
    assert not view.replace([web("a", "10.0.0.1", ports=ports[:1])], now=101)
    view = epcore.View.restore(view.snapshot(), hold=hold)
    # What no longer is kept back is told next, and once.
    assert view.pending == (hold == 0)
    if hold:
        assert [(one.address, one.port_name) for one in view.endpoints()] == [
            ("10.0.0.2", None),
            ("10.0.0.1", "http"),
            ("10.0.0.1", "metrics"),
        ]
        assert not view.checkout(3)
    removed = view.checkout(3 + hold).removed
    assert [(change.address, change.port_name) for change in removed] == [("10.0.0.1", "metrics"), ("10.0.0.2", None)]
    assert not view.pending
    assert not view.checkout(99)


def test_a_clock_that_goes_back_lets_nothing_go_early() -> None:
    view = epcore.View(hold=10)
    view.replace([web("a", "10.0.0.1")], now=100)
    assert not view.replace([], now=50)
    assert view.next_due == 110
    assert not view.checkout(60)
    assert len(view.checkout(110).removed) == 1


def test_a_removal_may_be_kept_back_for_longer_than_any_clock_runs() -> None:
    view = epcore.View(hold=1.8e19)
    view.replace([web("a", "10.0.0.1")], now=1e18)
    assert not view.replace([], now=1e19)
    assert view.next_due is None


@pytest.mark.parametrize("hold", [-1, float("nan"), float("inf"), 1e300])
def test_a_time_that_is_none_is_refused(hold: float) -> None:
    with pytest.raises(ValueError, match="seconds"):
        epcore.View(hold=hold)
    view = epcore.View()
    view.feed(event("ADDED", web("a", "10.0.0.1")))
    before = view.snapshot()
    calls: list[Callable[[], object]] = [
        lambda: view.checkout(hold),
        lambda: view.apply(event("ADDED", web("b", "10.0.0.2")), now=hold),
        lambda: view.replace([], now=hold),
        lambda: view.remove("a", "shop", now=hold),
    ]
    for call in calls:
        with pytest.raises(ValueError, match="seconds"):
            call()
        assert view.snapshot() == before


def test_a_slice_that_was_removed_stays_away_as_one_that_was_deleted() -> None:
    held = [{"addresses": ["10.0.0.1"]}]
    added = event("ADDED", slice_of("a", held, version=7))
    view = epcore.View()
    view.apply(added)
    assert len(view.remove("a", "shop").removed) == 1
    assert not view.apply(added)
    assert len(view.apply(event("ADDED", slice_of("a", held, version=8))).added) == 1


def test_of_versions_that_are_no_numbers_the_last_one_is_the_newest() -> None:
    view = epcore.View()
    for version, newest in (("abc", "abc"), ("b", "b"), ("5", "5"), ("6", "6"), ("5", "6"), ("x", "x")):
        view.feed({"type": "BOOKMARK", "object": {"kind": "EndpointSlice", "metadata": {"resourceVersion": version}}})
        assert view.resource_version == newest


def test_hints_that_become_complete_are_told() -> None:
    def with_hints(*names: str | None) -> Json:
        hinted: list[Json] = [{"hints": {"forZones": [{"name": name}]}} if name else {} for name in names]
        endpoints: list[Json] = [{"addresses": [f"10.0.0.{at}"], **hints} for at, hints in enumerate(hinted, 1)]
        return slice_of("web-1", endpoints)

    view = epcore.View()
    (first,) = view.replace([with_hints("a", None)]).transitions
    assert (first.hints_complete_before, first.hints_complete_after) == (False, False)
    (second,) = view.replace([with_hints("a", "b")]).transitions
    assert (second.hints_complete_before, second.hints_complete_after) == (False, True)
    assert second.to_dict()["hints_complete_after"] is True
    (third,) = view.replace([with_hints("a", "b", None)]).transitions
    assert (third.ready_before, third.ready_after, third.hints_complete_after) == (2, 3, False)
    assert not view.replace([with_hints("a", "b", None)]).transitions


def test_metadata_alone_is_no_change_but_its_trigger_time_is_told() -> None:
    view = epcore.View()
    view.replace([web("a", "10.0.0.1")])
    again = web("a", "10.0.0.1")
    time = "2026-01-01T00:00:00Z"
    again["metadata"]["annotations"] = {"endpoints.kubernetes.io/last-change-trigger-time": time, "a": "b"}
    delta = view.replace([again])
    assert not delta
    assert delta.trigger_times == [{"namespace": "shop", "service": "web", "time": time}]
    assert view.replace([again]).trigger_times == []


def test_a_trigger_time_is_told_once() -> None:
    def at(second: int, address: str) -> Json:
        one = web("a", address)
        time = f"2026-01-01T00:00:0{second}Z"
        one["metadata"]["annotations"] = {"endpoints.kubernetes.io/last-change-trigger-time": time}
        return one

    view = epcore.View()
    for second, address, is_new in ((1, "10.0.0.1", True), (1, "10.0.0.2", False), (2, "10.0.0.2", True)):
        assert len(view.replace([at(second, address)]).trigger_times) == is_new


def test_an_endpoint_that_is_not_ready_decides_nothing_about_the_hints_of_others() -> None:
    def hinted(address: str, zone: str | None, **conditions: bool) -> Json:
        hints = {"hints": {"forZones": [{"name": zone}], "forNodes": [{"name": zone}]}} if zone else {}
        return {"addresses": [address], "conditions": conditions, **hints}

    def near(*endpoints: Json) -> list[str]:
        view = epcore.View()
        view.replace([slice_of("web-1", list(endpoints))])
        asked = [view.reachable("web", "http", namespace="shop", node=node, zone=zone) for node, zone in ("ab", "ba")]
        return [" ".join(one.address for one in found.endpoints) for found in asked]

    both = [hinted("10.0.0.1", "a"), hinted("10.0.0.2", "b")]
    assert near(*both) == ["10.0.0.1", "10.0.0.2"]
    # One without hints does not keep them from being followed, and one that names us alone is no reason to follow them.
    assert near(*both, hinted("10.0.0.3", None, ready=False)) == ["10.0.0.1", "10.0.0.2"]
    other = [hinted("10.0.0.1", "c"), hinted("10.0.0.2", "c")]
    assert near(*other, hinted("10.0.0.3", "a", ready=False)) == ["10.0.0.1 10.0.0.2"] * 2


def test_flows_to_udp_endpoints_that_serve_no_longer_are_stale() -> None:
    def dns(*endpoints: Json) -> list[Json]:
        return [{**slice_of("dns", list(endpoints)), "ports": [{"name": "dns", "protocol": "UDP", "port": 53}]}]

    view = epcore.View()
    serving = {"addresses": ["10.0.0.1"], "conditions": {"ready": False, "serving": True, "terminating": True}}
    view.replace(dns({"addresses": ["10.0.0.1"]}, {"addresses": ["10.0.0.2"]}))
    assert view.replace(dns(serving, {"addresses": ["10.0.0.2"]})).stale_udp == []
    stopped = {**serving, "conditions": {"ready": False, "serving": False, "terminating": True}}
    assert [change.address for change in view.replace(dns(stopped)).stale_udp] == ["10.0.0.2", "10.0.0.1"]
    assert view.replace([]).stale_udp == []


def test_duplicates_are_explained() -> None:
    ghost = {"addresses": ["10.0.0.1"], "conditions": {"terminating": True}}
    view = epcore.View()
    view.replace([slice_of("a", [ghost]), web("b", "10.0.0.1"), web("c", "10.0.0.3")])
    (found,) = view.explain_duplicates()
    assert [entry.slice for entry in found.entries] == ["b", "a"]
    assert found.reason == "the other is terminating"
    assert view.endpoints("web", "http", namespace="shop")[0].slice == "b"


def test_times_that_are_one_moment_are_no_reason_for_a_duplicate() -> None:
    written = {"a": "2026-01-01T00:00:00Z", "b": "2026-01-01T00:00:00.000Z", "c": "2026-01-01T01:00:00+01:00"}
    slices = [web(name, "10.0.0.1") for name in written]
    for one, time in zip(slices, written.values(), strict=True):
        one["metadata"]["annotations"] = {"endpoints.kubernetes.io/last-change-trigger-time": time}
        one["metadata"]["creationTimestamp"] = time
    view = epcore.View()
    view.replace(slices)
    (found,) = view.explain_duplicates()
    assert [entry.slice for entry in found.entries] == ["a", "b", "c"]
    assert found.reason == "the name of its slice comes first"


def test_an_address_is_found_in_every_service() -> None:
    other = web("db-1", "10.0.0.1")
    other["metadata"]["labels"] = {"kubernetes.io/service-name": "db"}
    view = epcore.View()
    view.replace([web("web-1", "10.0.0.1", "10.0.0.2"), other])
    assert [(one.service, one.name) for one in view.find("10.0.0.1")] == [("db", "db-1"), ("web", "web-1")]
    assert [one.name for one in view.find("::ffff:10.0.0.2")] == ["web-1"]
    assert len(view.find("10.0.0.9")) == 0
    assert view.services() == [("shop", "db"), ("shop", "web")]
    assert [str(one.endpoint.addresses[0]) for one in view.endpoints("db")] == ["10.0.0.1"]
    assert view.endpoints("web", "nope") == []


def test_a_protocol_that_no_port_has_is_refused() -> None:
    with pytest.raises(ValueError, match='protocol must be one of TCP, UDP, SCTP, not "tcp"'):
        epcore.View().reachable("web", "http", namespace="shop", node="", protocol="tcp")


def test_ready_endpoints_on_a_node_are_counted_once() -> None:
    ports = [{"name": "a", "port": 1}, {"name": "b", "port": 2}]
    endpoints: list[Json] = [
        {"addresses": ["10.0.0.1"], "nodeName": "n"},
        {"addresses": ["10.0.0.2"], "nodeName": "n", "conditions": {"ready": False}},
        {"addresses": ["10.0.0.3"], "nodeName": "m"},
    ]
    view = epcore.View()
    view.replace([{**slice_of("a", endpoints), "ports": ports}])
    assert view.local_ready("web", namespace="shop", node="n") == 1
    assert view.local_ready("web", namespace="shop", node="x") == 0


def test_views_are_safe_in_threads() -> None:
    view = epcore.View()
    errors: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for turn in range(50):
                view.apply(event("ADDED", web(f"s-{number}", f"10.0.{number}.{turn}")))
                view.endpoints()
                view.snapshot()
        except BaseException as error:  # noqa: BLE001 - told by the test
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert len(view.endpoints()) == 8


FOLLOWER = """
import sys, pathlib, epcore
state = pathlib.Path(sys.argv[1])
view = epcore.View.restore(state.read_bytes()) if state.exists() else epcore.View()
for line in sys.stdin:
    for change in (delta := view.apply(line)).added:
        print("+", change.address, flush=True)
    for change in delta.removed:
        print("-", change.address, flush=True)
    part = state.with_suffix(".part")
    part.write_bytes(view.snapshot())
    part.replace(state)
    print("saved", flush=True)
"""


def test_a_reader_that_was_killed_goes_on_without_losing_a_removal(tmp_path: Path) -> None:
    state = tmp_path / "view.json"

    def follow(lines: list[Json], saved: int) -> list[str]:
        """Run a reader that is killed after it has saved its view so many times."""
        command = [sys.executable, "-c", FOLLOWER, str(state)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as reader:
            assert reader.stdin is not None
            assert reader.stdout is not None
            reader.stdin.write("".join(json.dumps(line) + "\n" for line in lines))
            reader.stdin.flush()
            told_lines: list[str] = []
            while told_lines.count("saved") < saved:
                told_lines.append(reader.stdout.readline().strip())
            os.kill(reader.pid, signal.SIGKILL)
        return told_lines

    first = [event("ADDED", web("a", "10.0.0.1")), event("ADDED", web("b", "10.0.0.2"))]
    assert follow(first, 2) == ["+ 10.0.0.1", "saved", "+ 10.0.0.2", "saved"]
    # While nobody looked, one slice went and another changed: the list tells.
    view = epcore.View.restore(state.read_bytes())
    delta = view.replace([web("b", "10.0.0.3")])
    assert [change.address for change in delta.removed] == ["10.0.0.1", "10.0.0.2"]
    assert follow([event("DELETED", web("a")), event("MODIFIED", web("b", "10.0.0.3"))], 2) == [
        "- 10.0.0.1",
        "saved",
        "+ 10.0.0.3",
        "- 10.0.0.2",
        "saved",
    ]


@given(readable(), readable(), keys, masks)
def test_a_diff_of_two_sets_is_what_a_view_of_one_tells_of_the_other(
    before: list[Json], after: list[Json], key: DiffKey, fields: FieldMask
) -> None:
    view = epcore.View(key=key, fields=fields)
    view.replace(before)
    assert (
        view.replace(after).to_dict() | {"trigger_times": []}
        == epcore.diff(before, after, key=key, fields=fields).to_dict()
    )
