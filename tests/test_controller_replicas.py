"""Several controllers that share the Services: each writes its own, and takes over those of one that is gone."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from controller_world import Told, cluster, pod, service, test, until
from epcore.controller import Api, ApiError, Controller, ControllerOptions
from epcore.controller.api import WithheldError
from epcore.controller.membership import Timing
from epcore.controller.replica import Replica
from epcore.controller.sources import Assigned, Failed
from fake_cluster import FakeCluster, Fault, Request

TIMING = Timing(duration=2, period=0.2, guard=0.8)
NAMES = [f"web{number}" for number in range(12)]


class Running:
    """A replica, until it is stopped or killed."""

    def __init__(self, api: Api, for_leases: Api, buckets: int) -> None:
        options = ControllerOptions(retry_base=0.02)
        self.replica = Replica(api, for_leases, options, [], "shop", "epcore", buckets, TIMING)
        self.stop = asyncio.Event()
        self.task = asyncio.create_task(self.replica.run(self.stop))

    def owned(self) -> set[str]:
        return {name for name in NAMES if self.replica.shards.owns("shop", name)}

    async def end(self) -> None:
        self.stop.set()
        await self.task


@asynccontextmanager
async def replica(config: str, buckets: int) -> AsyncIterator[Running]:
    async with (
        Api(kubeconfig=config, qps=1000, burst=1000, timeout=TIMING.guard) as api,
        Api(kubeconfig=config, qps=1000, burst=1000, timeout=TIMING.period) as for_leases,
    ):
        made = Running(api, for_leases, buckets)
        try:
            yield made
        finally:
            made.task.cancel()
            await asyncio.gather(made.task, return_exceptions=True)


def shop() -> FakeCluster:
    server = cluster(*(("services", service(name)) for name in NAMES))
    for name in NAMES:
        server.put("pods", pod(name, 1))
    return server


def all_right(server: FakeCluster, pods: int) -> bool:
    return all(len(server.addresses(name)) == pods for name in NAMES)


def told(replica: Running, metric: str) -> float | None:
    return replica.replica.controller.metrics.registry.get_sample_value(metric)


def counted(replica: Running) -> float:
    return told(replica, "endpoint_slice_controller_num_endpoint_slices") or 0.0


@pytest.mark.parametrize("buckets", [1, 16])
def test_replicas_share_the_services_and_take_over_from_one_that_stops(buckets: int, tmp_path: Path) -> None:
    async def scenario() -> None:
        server = shop()
        async with server.serving(tmp_path) as config, replica(config, buckets) as one, replica(config, buckets) as two:
            await until(lambda: all_right(server, 1) and len(one.owned()) + len(two.owned()) == len(NAMES), 20)
            assert not one.owned() & two.owned()
            if buckets > 1:
                await until(lambda: one.owned() and two.owned(), 20)
            for name in NAMES:
                server.put("pods", pod(name, 2))
            await until(lambda: all_right(server, 2), 20)
            await until(lambda: counted(one) + counted(two) == len(server.objects["endpointslices"]), 20)
            leader, other = (one, two) if one.owned() else (two, one)
            await leader.end()
            assert not counted(leader)
            for name in NAMES:
                server.put("pods", pod(name, 3))
            await until(lambda: all_right(server, 3) and len(other.owned()) == len(NAMES), 20)
            await until(lambda: counted(other) == len(server.objects["endpointslices"]), 20)
            assert told(other, "epcore_controller_buckets") == told(other, "epcore_controller_owned_buckets") == buckets
        versions = Counter(event["object"]["metadata"]["name"] for event in server.history["endpointslices"])
        assert max(versions.values()) == 3, "nothing was written twice"

    test(scenario)


def test_what_a_killed_replica_had_is_taken_after_its_time(tmp_path: Path) -> None:
    async def scenario() -> None:
        server = shop()
        async with server.serving(tmp_path) as config, replica(config, 4) as one:
            await until(lambda: all_right(server, 1), 20)
            async with replica(config, 4) as two:
                one.task.cancel()
                for name in NAMES:
                    server.put("pods", pod(name, 2))
                await until(lambda: all_right(server, 2), 20)
                assert len(two.owned()) == len(NAMES)

    test(scenario)


def test_trouble_of_a_source_is_an_event_of_the_replica_whose_the_service_is(tmp_path: Path) -> None:
    async def scenario() -> None:
        server, source, owned = cluster(("services", service("db", selector=False))), Told(Failed("away")), [False]
        async with server.serving(tmp_path) as config, Api(kubeconfig=config) as api:
            sources = [Assigned("shop", "db", source)]
            controller = Controller(api, ControllerOptions(), sources=sources, owns=lambda *_: owned[0])
            stop = asyncio.Event()
            task = asyncio.create_task(controller.run(stop))
            await until(lambda: controller.is_ready)
            source.news.put_nowait(Failed("still away"))
            await asyncio.sleep(0.2)
            assert not server.objects["events"]
            owned[0] = True
            controller.reconsider()
            await until(lambda: server.objects["events"])
            source.news.put_nowait(Failed("for good"))
            await until(lambda: len(server.objects["events"]) == 2)
            stop.set()
            await task
        assert {event["message"] for event in server.objects["events"].values()} == {"still away", "for good"}

    test(scenario)


@pytest.mark.parametrize("answer", ["junk", (200, {})])
@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_nonsense_in_the_place_of_leases_ends_no_replica(method: str, answer: Fault, tmp_path: Path) -> None:
    async def scenario() -> None:
        server = shop()
        async with server.serving(tmp_path) as config, replica(config, 4) as one:
            await until(lambda: all_right(server, 1) and len(one.owned()) == len(NAMES), 20)
            left = [answer]

            def fault(request: Request) -> Fault | None:
                is_it = request.plural == "leases" and request.method == method
                return left.pop() if is_it and left else None

            server.fault = fault
            await until(lambda: not left or one.task.done())
            for name in NAMES:
                server.put("pods", pod(name, 2))
            await until(lambda: all_right(server, 2), 20)
            assert len(one.owned()) == len(NAMES)
            await one.end()

    test(scenario)


@pytest.mark.parametrize("seconds", ["0.05", "60"])
def test_a_request_that_had_to_wait_is_not_sent_once_the_right_to_it_is_gone(
    seconds: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("epcore.controller.api._BETWEEN_QUESTIONS", 0.02)

    async def scenario() -> None:
        server = FakeCluster()
        async with server.serving(tmp_path) as config, Api(kubeconfig=config, qps=20, burst=1) as api:
            rights = [True]
            server.fault = lambda _: (429, {"Retry-After": seconds})
            asking = asyncio.create_task(api.request("GET", "/api/v1/services", may_send=lambda: rights[0]))
            await until(lambda: server.requests)
            rights[0] = False
            with pytest.raises(WithheldError):
                await asyncio.wait_for(asking, 10)
            assert len(server.requests) == 1
            with pytest.raises(ApiError):
                await api.request("GET", "/api/v1/nothing")

    test(scenario)


def test_a_look_at_what_became_of_a_write_keeps_no_service_from_another_replica(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("epcore.controller.api._BETWEEN_QUESTIONS", 0.02)

    async def scenario() -> None:
        server, owned, looked = shop(), [True], asyncio.Event()

        def fault(request: Request) -> Fault | None:
            if request.plural != "endpointslices" or (request.method == "GET" and not request.name):
                return None
            if request.method == "GET":
                looked.set()
            return 503, {"Retry-After": "60"}

        server.fault = fault
        async with server.serving(tmp_path) as config, Api(kubeconfig=config) as api:
            controller = Controller(api, ControllerOptions(), owns=lambda *_: owned[0])
            stop = asyncio.Event()
            task = asyncio.create_task(controller.run(stop))
            await looked.wait()
            owned[0] = False
            await asyncio.wait_for(controller.finished(lambda *_: True), 10)
            stop.set()
            await task

    test(scenario)
