"""Plans of large inputs take time in proportion to their size, also where the input is of the worst kind."""

import time
from collections.abc import Callable
from typing import Any

import pytest

import epcore
from pack_strategies import slice_of, template_of

Json = dict[str, Any]
Call = Callable[[], epcore.Plan]


def endpoint(number: int, **more: object) -> Json:
    target = {"namespace": "shop", "name": f"web-{number}"}
    return {"addresses": [f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"], "targetRef": target, **more}


def chunked(count: int, most: int) -> epcore.SliceSet:
    slices = [
        slice_of(f"web-{first:06}", [endpoint(number) for number in range(first, min(first + most, count))])
        for first in range(0, count, most)
    ]
    return epcore.SliceSet.from_objects(slices)


def compacting(count: int) -> Call:
    wanted, existing = [endpoint(number) for number in range(count)], chunked(count, 1)
    return lambda: epcore.pack(wanted, existing, compaction=epcore.Compaction())


def short_of_bytes(count: int) -> Call:
    wanted = [endpoint(number, zone="z" * (number % 60)) for number in range(count)]
    return lambda: epcore.pack(wanted, template=template_of("IPv4"), max_bytes=900, max_endpoints=1_000)


def replacing(count: int) -> Call:
    """The address of each endpoint passes to another target."""
    others = [endpoint(number) | {"targetRef": {"name": f"db-{number}"}} for number in range(count)]
    existing = chunked(count, 2)
    return lambda: epcore.pack(others, existing, max_endpoints=2)


def replacing_all_of_an_address(count: int) -> Call:
    """One address passes from so many targets to as many others."""

    def of(target: str) -> list[Json]:
        return [endpoint(0) | {"targetRef": {"name": f"{target}-{number}"}} for number in range(count // 4)]

    existing = epcore.SliceSet.from_objects([slice_of(f"web-{at:06}", [one]) for at, one in enumerate(of("web"))])
    wanted = of("db")
    return lambda: epcore.pack(wanted, existing, max_endpoints=1)


def looking_ahead(count: int) -> Call:
    """Each endpoint has a slice of its own, with room for one more, and as many come."""
    wanted, existing = [endpoint(number) for number in range(2 * count)], chunked(count, 1)
    return lambda: epcore.pack(wanted, existing, max_endpoints=2, policy="lifecycle")


def sharing_an_address(count: int) -> Call:
    """All ports of one address pass to another target."""
    service = {"metadata": {"name": "web", "namespace": "shop"}, "spec": {"ports": [{"port": 80}]}}

    def published(target: str) -> list[Json]:
        return [{"address": f"10.0.0.1:{port + 1}", "targetRef": {"name": target}} for port in range(count // 4)]

    options: Any = {"managed_by": "sync.example.com", "naming": "deterministic"}
    existing = epcore.publish(service, published("web-1"), **options).result()
    return lambda: epcore.publish(service, published("web-2"), existing, **options)


def mirroring_ports_of_one_name(count: int) -> Call:
    """Endpoints may have one name with many numbers, of which a slice may have one."""
    ports = [{"name": "http", "port": number + 1} for number in range(count)]
    subsets = [{"addresses": [{"ip": "10.0.0.1"}], "ports": ports}]
    metadata: Json = {"name": "web", "namespace": "shop"}
    read = epcore.LegacyEndpoints.from_object({"metadata": metadata, "subsets": subsets})
    return lambda: epcore.mirror({"metadata": metadata, "spec": {}}, read)


@pytest.mark.parametrize(
    "prepare",
    [
        *(compacting, short_of_bytes, replacing, replacing_all_of_an_address, looking_ahead, sharing_an_address),
        mirroring_ports_of_one_name,
    ],
)
def test_four_times_as_much_takes_about_four_times_as_long(prepare: Callable[[int], Call]) -> None:
    """Were it the square it would be sixteen times, and a Service of a million endpoints would take minutes."""

    def seconds(call: Call) -> float:
        begin = time.process_time()
        assert call()
        return time.process_time() - begin

    few, many = (min(seconds(call) for _ in range(3)) for call in map(prepare, (4_000, 16_000)))
    assert many < 9 * few
