"""How fast a controller goes: the queue of Services, turns of a bucket, requests to the API server."""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from controller_world import Told, cluster, pod, running, service, test, until
from epcore.controller import Api, ApiError, Controller, ControllerOptions
from epcore.controller.limits import Bucket, WorkQueue
from epcore.controller.sources import Assigned, Failed, Found
from fake_cluster import FakeCluster, Fault, Request


class Clock:
    """Time that the test makes pass."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def queue_of(clock: Clock) -> WorkQueue:
    return WorkQueue(base=1.0, longest=1000.0, bucket=Bucket(10, 100, clock), clock=clock)


async def due(queue: WorkQueue) -> list[tuple[str, str]]:
    """Take all that are due."""
    found: list[tuple[str, str]] = []
    while True:
        try:
            async with asyncio.timeout(0.01):
                name = await queue.get()
        except TimeoutError:
            return found
        assert name is not None
        found.append(name)


A, B = ("shop", "a"), ("shop", "b")


def test_the_first_event_of_several_fixes_when() -> None:
    async def scenario() -> None:
        clock = Clock()
        queue = queue_of(clock)
        queue.add(A, 0.5)
        clock.now += 0.4
        queue.add(A, 0.5)
        queue.add(B)
        assert await due(queue) == [B]
        clock.now += 0.1
        assert await due(queue) == [A]

    test(scenario)


def test_a_service_is_never_handed_out_twice_and_comes_again_after_news() -> None:
    async def scenario() -> None:
        queue = queue_of(Clock())
        queue.add(A)
        assert await due(queue) == [A]
        queue.add(A)
        queue.add(A)
        assert await due(queue) == []
        assert len(queue) == 1
        queue.done(A)
        assert await due(queue) == [A]
        queue.done(A)
        assert await due(queue) == []

    test(scenario)


def test_a_service_that_fails_comes_later_and_later_and_a_success_makes_up_for_it() -> None:
    async def scenario() -> None:
        clock = Clock()
        queue = queue_of(clock)
        for seconds in (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1000, 1000):
            queue.retry(A)
            clock.now += seconds - 0.25
            assert await due(queue) == []
            clock.now += 0.25
            assert await due(queue) == [A]
            queue.done(A)
        assert queue.failures(A) == 12
        queue.forget(A)
        assert queue.failures(A) == 0

    test(scenario)


def test_all_services_together_are_tried_again_no_faster_than_the_bucket_lets_them() -> None:
    async def scenario() -> None:
        clock = Clock()
        queue = queue_of(clock)
        for number in range(150):
            queue.retry(("shop", str(number)))
        clock.now += 1.0
        assert len(await due(queue)) == 100 + 10
        clock.now += 4.0
        assert len(await due(queue)) == 40

    test(scenario)


def test_a_closed_queue_hands_out_nothing_and_wakes_who_waits() -> None:
    async def scenario() -> None:
        queue = queue_of(Clock())
        waiting = asyncio.create_task(queue.get())
        await asyncio.sleep(0)
        queue.add(A, 5)
        queue.close()
        assert await waiting is None

    test(scenario)


def test_a_cancellation_is_heard_though_news_come_with_it() -> None:
    async def scenario() -> None:
        queue = queue_of(Clock())
        queue.add(B, 1000.0)
        waiting = asyncio.create_task(queue.get())
        await asyncio.sleep(0.01)
        queue.add(A, 5.0)
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    test(scenario)


def test_a_bucket_lets_a_burst_through_and_then_its_rate() -> None:
    clock = Clock()
    bucket = Bucket(2, 3, clock)
    assert [bucket.reserve() for _ in range(5)] == [0, 0, 0, 0.5, 1.0]
    clock.now += 10
    assert [bucket.reserve() for _ in range(3)] == [0, 0, 0]
    assert not bucket.take()
    clock.now += 0.5
    assert bucket.take()
    assert not bucket.take(), "what was refused took no turn"
    with pytest.raises(ValueError, match="lets nothing through"):
        Bucket(0, 1)


def test_requests_keep_to_the_rate_that_is_allowed(tmp_path: Path) -> None:
    async def scenario() -> None:
        server = cluster(*(("services", service(f"web{number}")) for number in range(6)))
        async with server.serving(tmp_path) as config, Api(kubeconfig=config, qps=20, burst=4) as api:
            begin = time.monotonic()
            await Controller(api, ControllerOptions()).run_once()
            # Four lists at once, then six writes.
            assert time.monotonic() - begin >= 6 / 20
            assert len(server.requests) == 10

    test(scenario)


def test_the_server_is_given_the_time_that_it_asks_for(tmp_path: Path) -> None:
    async def scenario() -> None:
        server = FakeCluster()
        asked: list[float] = []

        def busy(_: Request) -> tuple[int, dict[str, str]] | None:
            asked.append(time.monotonic())
            return (429, {"Retry-After": "0.3"}) if len(asked) == 1 else None

        server.fault = busy
        async with server.serving(tmp_path) as config, Api(kubeconfig=config) as api:
            await api.request("GET", "/api/v1/services")
            assert asked[1] - asked[0] >= 0.3

    test(scenario)


def test_a_watch_is_not_asked_for_again_before_the_server_allows_it(tmp_path: Path) -> None:
    async def scenario() -> None:
        server = cluster()
        asked: list[float] = []

        def busy(request: Request) -> Fault | None:
            if request.plural != "services" or not request.is_watch or request.method != "GET":
                return None
            asked.append(time.monotonic())
            return (429, {"Retry-After": "0.7"}) if len(asked) == 1 else None

        server.fault = busy
        async with running(server, tmp_path):
            await until(lambda: len(asked) == 2)
        assert asked[1] - asked[0] >= 0.7

    test(scenario)


def test_a_server_that_is_always_busy_is_given_up_at_last(tmp_path: Path) -> None:
    async def scenario() -> None:
        server = FakeCluster()
        server.fault = lambda _: (429, {"Retry-After": "0"})
        async with server.serving(tmp_path) as config, Api(kubeconfig=config, qps=1000, burst=1000) as api:
            with pytest.raises(ApiError, match="fault 429") as raised:
                await api.request("GET", "/api/v1/services")
            assert raised.value.status == 429
            assert len(server.requests) == 11

    test(scenario)


def test_a_request_without_answer_ends_by_its_time_limit(tmp_path: Path) -> None:
    async def scenario() -> None:
        server = FakeCluster()
        server.fault = lambda _: "hang"
        async with server.serving(tmp_path) as config, Api(kubeconfig=config, timeout=0.2) as api:
            with pytest.raises(ApiError) as raised:
                await api.request("GET", "/api/v1/services")
            assert raised.value.is_open

    test(scenario)


def test_a_request_that_is_repeated_with_fresh_credentials_has_no_more_time(tmp_path: Path) -> None:
    """Who shares Services counts on it: after that time nothing that was sent is still under way."""

    async def scenario() -> None:
        server = FakeCluster(slowness=0.8)
        async with server.serving(tmp_path) as config, Api(kubeconfig=config, timeout=1.0) as api:
            server.token = "another"  # noqa: S105 - no secret
            begin = time.monotonic()
            with pytest.raises(ApiError) as raised:
                await api.request("PUT", "/api/v1/namespaces/shop/services/web", body={})
            assert raised.value.is_open
            assert time.monotonic() - begin < 1.4
            assert len(server.requests) == 2

    test(scenario)


def test_changes_of_pods_are_collected_for_the_batch_period(tmp_path: Path) -> None:
    async def scenario() -> None:
        server = cluster(("services", service("web")))
        async with running(server, tmp_path, batch_period=0.4):
            await until(lambda: server.slices("web"))
            for number in range(20):
                server.put("pods", pod("web", number))
                await asyncio.sleep(0.005)
            await until(lambda: len(server.addresses("web")) == 20)
            assert len(server.writes()) == 2, "one placeholder, and one write for twenty Pods"

    test(scenario)


def test_many_services_are_written_at_once_but_no_more_than_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        server = cluster(*(("services", service(f"web{number}")) for number in range(12)))
        writing = most = 0
        answer = server._answer  # noqa: SLF001 - it is made slow

        async def slow(http: Any, request: Request, namespace: str) -> Any:
            nonlocal writing, most
            if request.is_write:
                writing += 1
                most = max(most, writing)
                await asyncio.sleep(0.05)
                writing -= 1
            return await answer(http, request, namespace)

        monkeypatch.setattr(server, "_answer", slow)
        async with running(server, tmp_path, concurrency=4):
            await until(lambda: len(server.slices()) == 12)
        assert most == 4

    test(scenario)


def test_options_that_make_no_sense_are_refused() -> None:
    for wrong in ({"concurrency": 0}, {"concurrency": 51}, {"batch_period": -1.0}, {"page": 0}, {"managed_by": ""}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            ControllerOptions(**wrong)


def test_slices_do_not_wait_behind_all_that_is_to_be_told(tmp_path: Path) -> None:
    async def scenario() -> None:
        names = [f"db{number}" for number in range(40)]
        server = cluster(*(("services", service(name, selector=False)) for name in names))
        sources = {name: Told() for name in names}
        stop = asyncio.Event()
        async with server.serving(tmp_path) as config, Api(kubeconfig=config, qps=50, burst=1) as api:
            assigned = [Assigned("shop", name, source) for name, source in sources.items()]
            controller = Controller(api, ControllerOptions(), sources=assigned)
            task = asyncio.create_task(controller.run(stop))
            await until(lambda: controller.is_ready)
            for source in sources.values():
                source.news.put_nowait(Failed("away"))
            await until(lambda: server.writes("events"))
            sources["db7"].news.put_nowait(Found(["10.9.0.1"]))
            await until(lambda: server.addresses("db7"))
            assert len(server.writes("events")) < 10
            await until(lambda: len(server.objects["events"]) == len(names))
            stop.set()
            await task

    test(scenario)
