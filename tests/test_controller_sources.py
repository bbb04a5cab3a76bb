"""Sources of somebody else that break: they are told, and begun anew."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from controller_world import Told, cluster, running, service, test, until
from epcore.controller import Api, Controller, ControllerError, ControllerOptions
from epcore.controller.sources import Assigned, Failed, Found
from epcore.controller.sources.functions import Function


class Broken:
    """A source that breaks, or ends, each time but the last."""

    def __init__(self, *turns: object) -> None:
        self.turns = [*turns]

    async def follow(self) -> AsyncIterator[Found | Failed]:
        turn = self.turns.pop(0) if self.turns else None
        if isinstance(turn, BaseException):
            raise turn
        if isinstance(turn, Found):
            yield turn
        elif turn == "silence":
            await asyncio.sleep(60)


def test_a_source_that_breaks_is_told_and_begun_anew(tmp_path: Path) -> None:
    async def scenario() -> None:
        server = cluster(("services", service("db", selector=False)))
        source = Broken(ZeroDivisionError("oh"), asyncio.CancelledError("off"), Found(["10.9.0.1"]))
        async with running(server, tmp_path, [Assigned("shop", "db", source)]):
            await until(lambda: server.addresses("db") == ["10.9.0.1"])
            await until(lambda: len(server.objects["events"]) == 3)
        said = {event["message"] for event in server.objects["events"].values()}
        assert said == {"ZeroDivisionError: oh", "CancelledError: off", "the source has ended"}

    test(scenario)


@pytest.mark.parametrize(
    ("turn", "complaint"),
    [
        (ZeroDivisionError("oh"), "shop/db: ZeroDivisionError: oh"),
        ("end", "shop/db: its source has ended"),
        (asyncio.CancelledError("off"), "shop/db: CancelledError: off"),
        ("silence", "shop/db: its source told nothing in 0.1 seconds"),
    ],
)
def test_a_single_run_tells_what_is_wrong_with_a_source(turn: object, complaint: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        server = cluster(("services", service("db", selector=False)))
        async with server.serving(tmp_path) as config, Api(kubeconfig=config) as api:
            sources = [Assigned("shop", "db", Broken(turn))]
            with pytest.raises(ControllerError) as raised:
                await Controller(api, ControllerOptions(source_timeout=0.1), sources=sources).run_once()
            assert str(raised.value) == complaint

    test(scenario)


def test_a_single_run_is_done_with_a_source_when_it_ends(tmp_path: Path) -> None:
    class Slow:
        is_followed = False

        async def follow(self) -> AsyncIterator[Found | Failed]:
            assert not self.is_followed
            self.is_followed = True
            try:
                yield Found(["10.9.0.1"])
            finally:
                await asyncio.sleep(0.05)
                self.is_followed = False

    async def scenario() -> None:
        server = cluster(("services", service("db", selector=False)))
        async with server.serving(tmp_path) as config, Api(kubeconfig=config) as api:
            source = Slow()
            controller = Controller(api, ControllerOptions(), sources=[Assigned("shop", "db", source)])
            for _ in range(2):
                assert len(await controller.changes()) == 1
                assert not source.is_followed

    test(scenario)


def test_a_single_run_tells_that_a_selector_is_in_the_way_of_a_source(tmp_path: Path) -> None:
    async def scenario() -> None:
        server = cluster(("services", service("db", labels={}, selector=True)))
        async with server.serving(tmp_path) as config, Api(kubeconfig=config) as api:
            sources = [Assigned("shop", "db", Told(Found(["10.9.0.1"])))]
            with pytest.raises(ControllerError, match="shop/db: has a selector"):
                await Controller(api, ControllerOptions(), sources=sources).changes()

    test(scenario)


def test_a_source_whose_service_is_not_there_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        server = cluster(("services", service("db", selector=False)))
        sources = [Assigned("shop", name, Told(Found(["10.9.0.1"]))) for name in ("db", "bd")]
        async with running(server, tmp_path, sources):
            await until(lambda: server.addresses("db"))

    test(scenario)
    told = [vars(record)["service"] for record in caplog.records if record.message == "a source of no Service"]
    assert told == ["bd"]


def test_a_service_has_no_two_sources() -> None:
    sources = [Assigned("shop", "db", Told()), Assigned("shop", "db", Told())]
    with pytest.raises(ValueError, match="two sources for the Service shop/db"):
        Controller(Api(), ControllerOptions(), sources=sources)


def test_endpoints_that_no_longer_fit_their_service_are_told_and_stay_as_they_are(tmp_path: Path) -> None:
    async def scenario() -> None:
        server = cluster(("services", service("db", selector=False)))
        source = Told(Found([{"address": "10.9.0.1", "ports": {"http": 8080}}]))
        async with running(server, tmp_path, [Assigned("shop", "db", source)]):
            await until(lambda: server.addresses("db") == ["10.9.0.1"])
            renamed = service("db", selector=False)
            renamed["spec"]["ports"][0]["name"] = "sql"
            server.put("services", renamed)
            await until(lambda: server.objects["events"])
            await asyncio.sleep(0.2)
            (event,) = server.objects["events"].values()
            assert event["reason"] == "FailedToUpdateEndpointSlices"
            assert "http" in event["message"]
            assert server.addresses("db") == ["10.9.0.1"]
            assert len(server.writes()) == 1
            source.news.put_nowait(Found([{"address": "10.9.0.1", "ports": {"sql": 8080}}]))
            await until(lambda: server.slices("db")[0]["ports"][0]["name"] == "sql")

    test(scenario)


def test_endpoints_that_do_not_fit_their_service_are_taken_once_it_has_changed(tmp_path: Path) -> None:
    async def scenario() -> None:
        server = cluster(("services", service("db", selector=False)))
        source = Told(Found(["10.9.0.1"]))
        async with running(server, tmp_path, [Assigned("shop", "db", source)]):
            await until(lambda: server.addresses("db") == ["10.9.0.1"])
            source.news.put_nowait(Found([{"address": "10.9.0.2", "ports": {"sql": 8080}}]))
            source.news.put_nowait(Failed("away"))
            await until(lambda: len(server.objects["events"]) == 2)
            assert server.addresses("db") == ["10.9.0.1"]
            renamed = service("db", selector=False)
            renamed["spec"]["ports"][0]["name"] = "sql"
            server.put("services", renamed)
            await until(lambda: server.addresses("db") == ["10.9.0.2"])

    test(scenario)


def test_endpoints_that_do_not_fit_are_told_once_for_each_reason(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def changed(turn: int) -> dict[str, Any]:
        return service("db", selector=False, labels={"turn": str(turn)})

    async def scenario() -> None:
        server = cluster(("services", service("db", selector=False)))
        source = Told(Found(["10.9.0.1"]))
        async with running(server, tmp_path, [Assigned("shop", "db", source)]) as controller:
            await until(lambda: server.addresses("db") == ["10.9.0.1"])
            source.news.put_nowait(Found([{"address": "10.9.0.2", "ports": {"sql": 8080}}]))
            await until(lambda: server.objects["events"])
            for turn in range(3):
                server.put("services", changed(turn))
                await asyncio.sleep(0.05)  # so that each is an event of its own
            source.news.put_nowait(Found([{"address": "10.9.0.2", "ports": {"tls": 8443}}]))
            await until(lambda: len(server.objects["events"]) == 2)
            assert controller.metrics.registry.get_sample_value("epcore_controller_source_failures_total") == 2

    test(scenario)
    assert [vars(record)["reason"] for record in caplog.records if record.message == "about a Service"] == [
        "SourceFailed",
        "SourceFailed",
    ]


def test_endpoints_that_do_not_fit_are_forgotten_once_the_source_tells_others(tmp_path: Path) -> None:
    async def scenario() -> None:
        server = cluster(("services", service("db", selector=False)))
        misfit = Found([{"address": "10.9.0.2", "ports": {"sql": 8080}}])
        source = Told(Found(["10.9.0.1"]))
        async with running(server, tmp_path, [Assigned("shop", "db", source)]):
            await until(lambda: server.addresses("db") == ["10.9.0.1"])
            for news in (misfit, Found([]), misfit, Found(["10.9.0.3"])):
                source.news.put_nowait(news)
            await until(lambda: server.addresses("db") == ["10.9.0.3"])
            renamed = service("db", selector=False)
            renamed["spec"]["ports"][0]["name"] = "sql"
            server.put("services", renamed)
            await until(lambda: server.slices("db")[0]["ports"][0]["name"] == "sql")
            assert server.addresses("db") == ["10.9.0.3"]

    test(scenario)


def test_endpoints_that_come_one_by_one_empty_no_service(tmp_path: Path) -> None:
    class Streams:
        async def follow(self) -> AsyncIterator[Found | Failed]:
            for addresses in (["10.9.0.1"], [], ["10.9.0.2"], []):
                yield Found(iter(addresses))  # type: ignore[arg-type]
            await asyncio.Event().wait()

    async def scenario() -> None:
        server = cluster(("services", service("db", selector=False)))
        async with running(server, tmp_path, [Assigned("shop", "db", Streams())]):
            await until(lambda: server.addresses("db") == ["10.9.0.2"])
            await until(lambda: server.objects["events"])
            assert server.addresses("db") == ["10.9.0.2"]

    test(scenario)


def test_a_source_that_does_not_let_itself_be_cancelled_holds_no_end(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("epcore.controller.controller._PARTING", 0.05)

    async def hosts() -> AsyncIterator[list[str]]:
        yield ["10.9.0.1"]
        while True:
            with suppress(asyncio.CancelledError):
                await asyncio.Event().wait()

    async def scenario() -> None:
        server = cluster(("services", service("db", selector=False)))
        async with running(server, tmp_path, [Assigned("shop", "db", Function(hosts, "python:fleet"))]):
            await until(lambda: server.addresses("db") == ["10.9.0.1"])

    test(scenario)
    assert "the source of shop/db does not end" in caplog.text


@pytest.mark.parametrize("run", [Controller.run_once, Controller.changes])
def test_a_source_that_does_not_let_itself_be_cancelled_holds_no_single_run(
    run: Callable[[Controller], Awaitable[object]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("epcore.controller.controller._PARTING", 0.05)

    class Stubborn:
        async def follow(self) -> AsyncIterator[Found | Failed]:
            while not over.is_set():
                with suppress(asyncio.CancelledError):
                    await over.wait()
            yield Found([])

    over = asyncio.Event()

    async def scenario() -> None:
        server = cluster(("services", service("db", selector=False)), ("services", service("web", selector=False)))
        async with server.serving(tmp_path) as config, Api(kubeconfig=config) as api:
            sources = [Assigned("shop", "db", Stubborn()), Assigned("shop", "web", Told(Found(["10.9.0.1"])))]
            controller = Controller(api, ControllerOptions(source_timeout=0.1), sources=sources)
            with pytest.raises(ControllerError, match=r"shop/db: its source told nothing in 0\.1 seconds") as raised:
                await run(controller)
            assert len(raised.value.changes) == 1
            over.set()
            await asyncio.sleep(0.05)

    test(scenario)
