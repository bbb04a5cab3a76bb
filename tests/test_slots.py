"""Server slots: an endpoint keeps its slot, no other slot changes than must, and a delta does what a list would do."""

from typing import Any, TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

import epcore

Json: TypeAlias = dict[str, Any]
Target: TypeAlias = tuple[str, int]

READY: Json = {"ready": True, "serving": True, "terminating": False}
LEAVING: Json = {"ready": False, "serving": True, "terminating": True}
IDLE: Json = {"ready": False, "serving": False, "terminating": False}

# One step: what each of eight endpoints is, None if it is not there.
steps = st.lists(st.lists(st.sampled_from([None, READY, READY, LEAVING, IDLE]), min_size=8, max_size=8), max_size=8)


def slices_of(step: list[Json | None], port: int = 80) -> list[Json]:
    """Two slices of the Service, and one of each that is not the backend's."""
    endpoints = [
        {"addresses": [f"10.0.0.{number}"], "conditions": conditions}
        for number, conditions in enumerate(step)
        if conditions is not None
    ]
    ours = [slice_of(f"web-{part}", endpoints[part::2], port=port) for part in (0, 1)]
    other: Json = {"addresses": ["10.9.9.9"]}
    return [
        *ours,
        slice_of("web-port", [other], port_name="admin"),
        slice_of("web-udp", [other], protocol="UDP"),
        slice_of("db-1", [other], service="db"),
        slice_of("web-all-ports", [other], port=None),
        *(slice_of(f"web-of-{port}", [other], port=port) for port in (-1, 0, 65_536)),
        {**slice_of("web-v6", [{"addresses": ["fd00::9"]}]), "addressType": "IPv6"},
    ]


def slice_of(name: str, endpoints: list[Json], *, service: str = "web", port: int | None = 80, **more: str) -> Json:
    ports = [{"name": more.get("port_name", "http"), "protocol": more.get("protocol", "TCP"), "port": port}]
    labels = {"kubernetes.io/service-name": service}
    metadata = {"name": name, "namespace": "shop", "labels": labels}
    return {"metadata": metadata, "addressType": "IPv4", "ports": ports, "endpoints": endpoints}


def slots_of(capacity: int, servers: list[Target | None] | None = None) -> epcore.Slots:
    return epcore.Slots("web", "http", namespace="shop", capacity=capacity, servers=servers or [])


def held(slots: epcore.Slots) -> dict[Target, int]:
    return {(one.address, one.port): index for index, one in enumerate(slots.servers()) if one is not None}


def key_of(one: epcore.PortEndpoint) -> str:
    """What a change of it has for its key."""
    port = "*" if one.port is None else one.port
    return f"{one.namespace}/{one.service} {one.address} {one.port_name} {one.protocol} {port}"


def targets(step: list[Json | None], *kinds: Json) -> set[Target]:
    return {(f"10.0.0.{number}", 80) for number, conditions in enumerate(step) if conditions in kinds}


@given(steps, st.integers(0, 10))
def test_an_endpoint_keeps_its_slot_and_no_other_slot_changes_than_must(given: list[Any], capacity: int) -> None:
    view, slots = epcore.View(), slots_of(capacity)
    for step in given:
        before = held(slots)
        changes = slots.apply(view.replace(slices_of(step)))
        after = held(slots)
        there = targets(step, READY, LEAVING, IDLE)
        lost = before.keys() - after.keys()
        new = after.keys() - before.keys()
        assert all(after[target] == before[target] for target in before.keys() & after.keys())
        assert after.keys() <= there
        # Who was there and lost its slot did not take traffic, and lost it to one that does, where no slot was free.
        evicted = lost & there
        assert not evicted & targets(step, READY)
        assert not evicted or len(after) == capacity
        retargeted = sum(change.action in {"assign", "retarget", "free"} for change in changes)
        assert retargeted == max(len(new), len(lost))


@given(steps, st.integers(0, 10))
def test_who_has_a_slot_and_its_state_follow_from_the_endpoints_alone(given: list[Any], capacity: int) -> None:
    view, slots = epcore.View(), slots_of(capacity)
    for step in given:
        changes = slots.apply(view.replace(slices_of(step)))
        ready, leaving = targets(step, READY), targets(step, LEAVING)
        after = held(slots)
        states = {(one.address, one.port): one.state for one in slots.servers() if one is not None}
        assert len(ready & after.keys()) == min(len(ready), capacity)
        assert len((ready | leaving) & after.keys()) == min(len(ready | leaving), capacity)
        assert set(slots.waiting) == (ready | leaving) - after.keys()
        assert slots.fits == (not slots.waiting)
        for target, state in states.items():
            expected = (
                "ready" if target in ready else "maint" if target not in leaving else "drain" if ready else "ready"
            )
            assert state == expected or capacity == 0
        for change in changes:
            assert change.before != change.after
            assert change.after == slots.servers()[change.index]


@given(steps, st.integers(0, 10))
def test_the_changes_are_what_leads_from_one_state_to_the_next(given: list[Any], capacity: int) -> None:
    view, slots = epcore.View(), slots_of(capacity)
    mirrored = slots.servers()
    for step in given:
        for change in slots.apply(view.replace(slices_of(step))):
            assert mirrored[change.index] == change.before
            mirrored[change.index] = change.after
        assert mirrored == slots.servers()


@given(steps, st.integers(0, 10))
def test_one_that_goes_on_from_what_the_slots_served_needs_no_change_but_those_it_missed(
    given: list[Any], capacity: int
) -> None:
    view, slots = epcore.View(), slots_of(capacity)
    for step in given:
        slots.apply(view.replace(slices_of(step)))
        assert slots.replace(view) == []
        kept = [None if one is None else (one.address, one.port) for one in slots.servers()]
        again = slots_of(capacity, kept)
        assert all(change.action == "state" for change in again.replace(view))
        assert held(again) == held(slots)
        assert again.servers() == slots.servers()
        assert again.waiting == slots.waiting


@given(steps, st.integers(0, 10))
def test_after_a_reload_with_more_slots_all_fit_and_none_moved(given: list[Any], capacity: int) -> None:
    view, slots = epcore.View(), slots_of(capacity)
    for step in given:
        slots.apply(view.replace(slices_of(step)))
    before = held(slots)
    slots.grow(capacity + len(slots.waiting))
    assert slots.fits
    assert before.items() <= held(slots).items()
    assert slots.replace(view) == []


@given(steps)
def test_a_view_that_keeps_removals_back_lists_what_its_deltas_add_up_to(given: list[Any]) -> None:
    view, slots = epcore.View(hold=1.5), slots_of(8)
    told: dict[str, epcore.Endpoint] = {}
    for now, step in enumerate([*given, [], [], []]):
        delta = view.replace(slices_of(step) if step else [], now=now)
        for change in delta.removed:
            del told[change.key]
        told |= {change.key: change.after for change in (*delta.added, *delta.updated) if change.after}
        listed = {key_of(one): one for one in view.endpoints()}
        assert {key: one.endpoint for key, one in listed.items()} == told
        services = sorted({(one.namespace or "", one.service or "") for one in listed.values()})
        assert set(services) <= set(view.services())
        assert [one.address for of, name in services for one in view.endpoints(name, namespace=of)] == [
            one.address for one in view.endpoints()
        ]
        slots.apply(delta)
        assert not slots.replace(view)
    assert not told


def test_what_is_back_before_it_was_told_is_listed_once_as_it_is() -> None:
    view = epcore.View(hold=10)
    view.replace([slice_of("a", [{"addresses": ["10.0.0.1"]}])], now=0)
    view.replace([], now=1)
    assert view.services() == [("shop", "web")]
    view.feed_list([slice_of("b", [{"addresses": ["10.0.0.1"], "conditions": IDLE}])])
    assert [(one.address, one.ready, one.slice) for one in view.endpoints("web")] == [("10.0.0.1", False, "b")]


def test_a_server_whose_port_changes_is_retargeted() -> None:
    view, slots = epcore.View(), slots_of(2)
    slots.apply(view.replace(slices_of([READY])))
    (change,) = slots.apply(view.replace(slices_of([READY], port=81)))
    assert (change.index, change.action) == (0, "retarget")
    assert change.before is not None
    assert change.after is not None
    assert (change.before.port, change.after.port, change.after.address) == (80, 81, "10.0.0.0")


def test_what_is_wrong_is_refused_and_nothing_changes() -> None:
    view, slots = epcore.View(), slots_of(2)
    slots.apply(view.replace(slices_of([READY])))
    servers = slots.servers()
    by_address = epcore.diff([], slices_of([READY, READY]), key="address")
    with pytest.raises(epcore.InvalidInputError, match="address-port"):
        slots.apply(by_address)
    without_serving = epcore.diff([], slices_of([READY, READY]), fields="dns")
    with pytest.raises(epcore.InvalidInputError, match="proxy or wider"):
        slots.apply(without_serving)
    with pytest.raises(epcore.InvalidInputError, match="already"):
        slots.grow(1)
    with pytest.raises(epcore.InvalidInputError, match="negative"):
        slots.grow(-1)
    for huge in (1_000_001, 1 << 70):
        with pytest.raises(epcore.LimitError, match="too many slots"):
            slots.grow(huge)
    with pytest.raises(ValueError, match="family"):
        epcore.Slots("web", "http", namespace="shop", family="IPv5")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="protocol must be one of TCP, UDP, SCTP"):
        epcore.Slots("web", "http", namespace="shop", protocol="tcp")
    assert slots.servers() == servers
    assert repr(slots) == '<Slots of shop/web "http": 1 of 2 used, 0 waiting>'
    assert repr(servers[0]) == "<Server 10.0.0.0:80 ready>"


def test_of_slots_that_serve_the_same_the_first_goes_on_and_the_others_are_told_not_to() -> None:
    slots = slots_of(3, [("10.0.0.1", 80), None, ("10.0.0.1", 80)])
    assert list(held(slots).values()) == [0]
    view = epcore.View()
    view.replace(slices_of([None, READY]))
    assert [(change.index, change.action) for change in slots.replace(view)] == [(2, "free")]
    assert slots.replace(view) == []
    # One that is wanted elsewhere takes it over.
    slots = slots_of(0, [("10.0.0.1", 80), ("10.0.0.1", 80)])
    view.replace(slices_of([None, READY, READY]))
    (change,) = slots.replace(view)
    assert (change.index, change.action, change.before) == (1, "retarget", slots.servers()[0])


def test_a_slot_that_served_the_same_as_another_is_told_once_what_it_is_to_serve() -> None:
    view, slots = epcore.View(), epcore.Slots("web", "http", namespace="shop", servers=[("10.0.0.0", 80)] * 2)
    assert not slots.apply(view.replace(slices_of([READY])))
    (change,) = slots.apply(view.replace(slices_of([READY, READY])))
    assert (change.index, change.action) == (1, "retarget")
    assert not slots.replace(view)


def test_a_server_is_known_however_its_address_is_spelled() -> None:
    slots = epcore.Slots("web", "http", namespace="shop", family="IPv6", servers=[("2001:DB8:0::1", 80)])
    view = epcore.View()
    view.replace([{**slice_of("web-v6", [{"addresses": ["2001:db8::1"]}]), "addressType": "IPv6"}])
    assert slots.replace(view) == []
