"""What a controller counts is what there is, also where it had nothing to write."""

import random
from pathlib import Path

import pytest

from controller_world import pod, running, service, test, until, web
from epcore.controller import Controller
from fake_cluster import FakeCluster

MAXIMUM = 4


def told(controller: Controller) -> dict[str, float | None]:
    registry = controller.metrics.registry
    names = {
        "endpoints": "endpoint_slice_controller_endpoints_desired",
        "slices": "endpoint_slice_controller_num_endpoint_slices",
        "ideal": "endpoint_slice_controller_desired_endpoint_slices",
        "fill": "epcore_controller_fill_ratio",
    }
    return {short: registry.get_sample_value(name) for short, name in names.items()}


def synced(controller: Controller) -> float:
    name = "endpoint_slice_controller_syncs_total"
    return controller.metrics.registry.get_sample_value(name, {"result": "success"}) or 0.0


def there(server: FakeCluster) -> dict[str, float]:
    endpoints, slices = len(server.addresses("web")), len(server.slices("web"))
    ideal = -(-endpoints // MAXIMUM)
    return {"endpoints": endpoints, "slices": slices, "ideal": ideal, "fill": ideal / slices if slices else 1.0}


def test_slices_that_were_right_at_the_start_are_counted(tmp_path: Path) -> None:
    async def scenario() -> None:
        server = web(10)
        async with running(server, tmp_path, max_endpoints=MAXIMUM):
            await until(lambda: len(server.addresses("web")) == 10)
        writes = len(server.requests)
        async with running(server, tmp_path, max_endpoints=MAXIMUM) as controller:
            await until(lambda: told(controller) == {"endpoints": 10, "slices": 3, "ideal": 3, "fill": 1})
            assert {request.method for request in server.requests[writes:]} == {"GET"}

    test(scenario)


@pytest.mark.parametrize("seed", range(3))
def test_sizes_follow_what_there_is(tmp_path: Path, seed: int) -> None:
    async def scenario() -> None:
        server, dice = web(10), random.Random(seed)
        async with running(server, tmp_path, max_endpoints=MAXIMUM) as controller:
            for _ in range(10):
                there_now = {key[1] for key in server.objects["pods"]}
                for number in dice.sample(range(20), 4):
                    if f"web-{number}" in there_now:
                        server.delete("pods", ("shop", f"web-{number}"))
                    else:
                        server.put("pods", pod("web", number))
                pods = len(server.objects["pods"])
                await until(lambda pods=pods: len(server.addresses("web")) == pods)  # type: ignore[misc]
                await until(lambda: told(controller) == there(server))
            server.delete("services", ("shop", "web"))
            await until(lambda: told(controller) == {"endpoints": 0, "slices": 0, "ideal": 0, "fill": 1})

    test(scenario)


@pytest.mark.parametrize("seed", range(3))
def test_sizes_follow_what_there_is_though_others_write_and_writes_fail(tmp_path: Path, seed: int) -> None:
    async def scenario() -> None:
        server, dice = web(10), random.Random(seed)
        server.fault = lambda request: 500 if request.is_write and dice.random() < 0.3 else None
        async with running(server, tmp_path, max_endpoints=MAXIMUM) as controller:
            await until(lambda: len(server.addresses("web")) == 10)
            for number in range(10, 14):
                for name in dice.sample(sorted(server.objects["endpointslices"]), 2):
                    server.delete("endpointslices", name)
                server.put("pods", pod("web", number))
                await until(lambda number=number: len(server.addresses("web")) == number + 1)  # type: ignore[misc]
                await until(lambda: told(controller) == there(server))

    test(scenario)


def test_a_service_that_does_not_ask_any_more_is_not_counted(tmp_path: Path) -> None:
    async def scenario() -> None:
        server = web(10)
        async with running(server, tmp_path) as controller:
            await until(lambda: told(controller)["endpoints"] == 10)
            server.put("services", service("web", labels={}))
            await until(lambda: told(controller) == {"endpoints": 0, "slices": 0, "ideal": 0, "fill": 1})
            assert len(server.addresses("web")) == 10

    test(scenario)


def test_a_service_is_counted_though_it_has_endpoints_too_that_are_not_mirrored(tmp_path: Path) -> None:
    async def scenario() -> None:
        server = web(10)
        async with running(server, tmp_path, max_endpoints=MAXIMUM, mirror=True) as controller:
            await until(lambda: told(controller)["endpoints"] == 10)
            before = synced(controller)
            server.put("endpoints", {"metadata": {"name": "web", "namespace": "shop"}, "subsets": []})
            await until(lambda: synced(controller) > before)
            assert told(controller) == there(server)

    test(scenario)
