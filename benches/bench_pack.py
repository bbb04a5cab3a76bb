"""``pack`` and ``reconcile``: beside Kubernetes' own packing step and sync, and beside ``orjson`` and dicts."""

from typing import TYPE_CHECKING

import orjson
import pytest

import epcore
import peer
from data import DATABASE, HELD_TEMPLATE, MANAGER, TEMPLATE, cluster, dump, listed, wanted

if TYPE_CHECKING:
    from collections.abc import Callable

    from library import Library
    from race import Race

PYTHON = "orjson + Python, collector off"


def keep(library: "Library", size: int, *, shuffled: bool) -> None:
    """Let the library have what we have."""
    library.ask("keep", list=listed(size), wanted=wanted(size, shuffled=shuffled), controller=dump(MANAGER))


@pytest.mark.parametrize("order", ["in order", "shuffled"])
def bench_pack_handles_without_change(race: "Race", library: "Library", size: int, order: str) -> None:
    shuffled = order == "shuffled"
    keep(library, size, shuffled=shuffled)
    endpoints = epcore.EndpointSet.from_json(wanted(size, shuffled=shuffled))
    slices = epcore.SliceSet.from_json(listed(size))
    objects = orjson.loads(wanted(size, shuffled=shuffled)), orjson.loads(listed(size))["items"]
    plan = race(
        lambda: epcore.pack(endpoints, slices, template=HELD_TEMPLATE),
        {PYTHON: lambda: peer.plan(*objects), "Go": lambda: library.seconds("pack")},
        case=order,
    )
    assert not plan
    assert peer.plan(*objects) == []


@pytest.mark.parametrize("order", ["in order", "shuffled"])
def bench_pack_handles_for_the_first_time(race: "Race", library: "Library", size: int, order: str) -> None:
    """Nothing changed either, but no call has asked these handles yet, and so they know nothing of themselves."""
    shuffled = order == "shuffled"
    keep(library, size, shuffled=shuffled)
    handles: list[tuple[epcore.EndpointSet, epcore.SliceSet]] = []

    def renew() -> None:
        made = epcore.EndpointSet.from_json(wanted(size, shuffled=shuffled)), epcore.SliceSet.from_json(listed(size))
        handles[:] = [made]

    plan = race(
        lambda: epcore.pack(*handles[0], template=HELD_TEMPLATE),
        {"Go": lambda: library.seconds("pack")},
        before=renew,
        case=order,
    )
    assert not plan


@pytest.mark.parametrize("state", ["known", "new"])
@pytest.mark.parametrize("order", ["in order", "shuffled"])
def bench_publish_handles_without_change(race: "Race", library: "Library", size: int, order: str, state: str) -> None:
    """The same for a Service without selector: labels, owner and ports come from the Service, and all is checked."""
    shuffled = order == "shuffled"
    keep(library, size, shuffled=shuffled)
    ours, service = b"publisher.example.com", {**DATABASE, "spec": {**DATABASE["spec"], "clusterIP": "10.96.0.1"}}
    handles: list[tuple[epcore.EndpointSet, epcore.SliceSet]] = []

    def renew() -> None:
        slices = epcore.SliceSet.from_json(listed(size).replace(MANAGER.encode(), ours))
        handles[:] = [(epcore.EndpointSet.from_json(wanted(size, shuffled=shuffled)), slices)]

    renew()
    plan = race(
        lambda: epcore.publish(service, *handles[0], managed_by=ours.decode()),
        {"Go": lambda: library.seconds("pack")},
        before=renew if state == "new" else None,
        case=f"{state}, {order}",
    )
    assert not plan


@pytest.mark.parametrize("case", ["without change", "one percent changed"])
def bench_pack_JSON_to_writes(race: "Race", library: "Library", size: int, case: str) -> None:  # noqa: N802
    """From the bytes of endpoints and slices to the bytes of the writes."""
    keep(library, size, shuffled=True)
    endpoints, slices = wanted(size, shuffled=True), listed(size, changed=case != "without change")
    peers = {PYTHON: lambda: peer.plan(orjson.loads(endpoints), orjson.loads(slices)["items"])}
    if case == "without change":
        peers["Go"] = lambda: library.seconds("pack", decode=b"true")  # type: ignore[assignment,return-value]
    bodies = race(
        lambda: [write.to_json() for write in epcore.pack(endpoints, slices, template=TEMPLATE).writes],
        peers,
        case=case,
    )
    assert len(bodies) == len(peer.plan(orjson.loads(endpoints), orjson.loads(slices)["items"]))


def reconciling(given: dict[str, bytes]) -> "Callable[[], epcore.Plan]":
    """One sync of a Service that needs no write: every Pod and slice is looked at."""
    return lambda: epcore.reconcile(given["service"], given["pods"], given["nodes"], given["slices"], policy="upstream")


def bench_reconcile_from_JSON(race: "Race", library: "Library", size: int) -> None:  # noqa: N802
    library.load(size)
    assert not race(reconciling(cluster(size)), {"Go": lambda: library.seconds("sync", decode=b"true")})


def bench_reconcile_from_JSON_of_whole_Pods(race: "Race", library: "Library", size: int) -> None:  # noqa: N802
    library.load(size, whole=True)
    assert not race(reconciling(cluster(size, whole=True)), {"Go": lambda: library.seconds("sync", decode=b"true")})


def bench_reconcile_from_protobuf(race: "Race", library: "Library", size: int) -> None:
    """From lists in Kubernetes' protobuf, as it writes them itself."""
    plan = race(reconciling(library.encoded(size)), {"Go": lambda: library.seconds("sync", protobuf=b"true")})
    assert not plan
    assert sum(map(len, plan.result())) == size
