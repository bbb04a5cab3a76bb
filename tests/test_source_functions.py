"""Endpoints from code of other people: whatever it does, only whole and right sets come of it."""

import asyncio
import functools
import importlib
import sys
import threading
import time
from collections.abc import AsyncIterator, Coroutine, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from epcore.controller.sources import SourceError
from epcore.controller.sources.functions import Function, provider_of
from told_by import told_by

QUICK: Any = {"interval": 0.05, "timeout": 0.3}


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(test, 60))


def function(call: Any, **options: Any) -> Function:
    return Function(call, "python:x:y", **{**QUICK, **options})


def test_a_function_is_called_again_and_again() -> None:
    endpoints: Any = [{"address": "10.0.0.1", "zone": "a"}]

    async def test() -> None:
        async with told_by(function(lambda: endpoints)) as told:
            assert await told.found() == [{"address": "10.0.0.1", "zone": "a"}]
            await told.nothing()
            endpoints[0]["zone"] = "b"
            assert await told.found() == [{"address": "10.0.0.1", "zone": "b"}], "of the same object"
            endpoints.clear()
            assert await told.found() == []

    run(test())


def test_arguments_and_every_kind_of_callable_are_taken() -> None:
    def plain(port: int) -> tuple[str, ...]:
        return (f"10.0.0.1:{port}",)

    async def asynchronous(port: int) -> list[str]:
        await asyncio.sleep(0)
        return [f"10.0.0.1:{port}"]

    def generator(port: int) -> Iterator[list[str]]:
        yield [f"10.0.0.1:{port}"]
        threading.Event().wait(5)

    async def asynchronous_generator(port: int) -> AsyncIterator[list[str]]:
        yield [f"10.0.0.1:{port}"]
        await asyncio.sleep(60)

    class Callable:
        async def __call__(self, port: int) -> list[str]:
            return [f"10.0.0.1:{port}"]

    async def test() -> None:
        for call in (plain, asynchronous, generator, asynchronous_generator, Callable(), functools.partial(plain)):
            async with told_by(function(call, arguments={"port": 8})) as told:
                assert await told.found() == ["10.0.0.1:8"]

    run(test())


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (None, "expected a list of endpoints, found NoneType"),
        ("10.0.0.1", "expected a list of endpoints, found str"),
        ({"address": "10.0.0.1"}, "expected a list of endpoints, found dict"),
        ([object()], "endpoints[0]: object is no JSON"),
        ([7], "expected a string or an object, found int"),
        (["10.0.0.300"], "10.0.0.300"),
    ],
)
def test_nonsense_is_told_and_changes_nothing(given: object, said: str) -> None:
    async def test() -> None:
        async with told_by(function(lambda: given)) as told:
            message = await told.failed()
            assert message.startswith("python:x:y: ")
            assert said in message
            await told.nothing()

    run(test())


def test_what_it_raises_is_told_with_its_type() -> None:
    def fails() -> None:
        raise KeyError("x")

    def exits() -> None:
        raise SystemExit(3)

    def ends() -> None:
        raise StopIteration("over")

    async def asynchronous() -> None:
        raise OSError(2, "no such thing")

    async def test() -> None:
        expected: dict[Any, str] = {fails: "KeyError: 'x'", exits: "SystemExit: 3", ends: "StopIteration: over"}
        for call, said in {**expected, asynchronous: "no such thing"}.items():
            async with told_by(function(call)) as told:
                assert said in await told.failed()

    run(test())


def test_a_call_that_hangs_is_told_and_no_other_is_begun_beside_it() -> None:
    calls: list[float] = []
    goes_on = threading.Event()

    def hangs() -> list[str]:
        calls.append(time.monotonic())
        if len(calls) > 1:
            goes_on.wait(20)
        return [f"10.0.0.{len(calls)}"]

    async def test() -> None:
        async with told_by(function(hangs)) as told:
            assert await told.found() == ["10.0.0.1"]
            assert await told.failed() == "python:x:y: has not answered in 0.3 seconds"
            await told.nothing(1)
            assert len(calls) == 2
            goes_on.set()
            assert await told.found() == ["10.0.0.2"]

    run(test())


def test_endpoints_that_are_made_when_they_are_asked_for_hang_as_the_call_does() -> None:
    goes_on = threading.Event()

    def hangs(address: str) -> str:
        goes_on.wait(20)
        return address

    async def test() -> None:
        async with told_by(function(lambda: map(hangs, ["10.0.0.1"]))) as told:
            assert await told.failed() == "python:x:y: has not answered in 0.3 seconds"
            goes_on.set()
            assert await told.found() == ["10.0.0.1"]

    run(test())


def test_an_asynchronous_call_that_hangs_is_told() -> None:
    async def hangs() -> None:
        await asyncio.sleep(60)

    async def test() -> None:
        async with told_by(function(hangs)) as told:
            assert "has not answered in 0.3 seconds" in await told.failed()

    run(test())


def test_what_an_asynchronous_call_leaves_for_later_hangs_as_the_call_does() -> None:
    goes_on = threading.Event()

    def hangs(address: str) -> str:
        goes_on.wait(60)
        return address

    async def hosts() -> Iterable[str]:
        return map(hangs, ["10.0.0.1"])

    async def test() -> None:
        async with told_by(function(hosts)) as told:
            assert await told.failed() == "python:x:y: has not answered in 0.3 seconds"
            goes_on.set()
            assert await told.found() == ["10.0.0.1"]

    run(test())


@pytest.mark.parametrize(
    ("error", "said"), [(asyncio.CancelledError(), "CancelledError"), (SystemExit(3), "python:x:y: SystemExit: 3")]
)
def test_a_call_that_cancels_itself_or_wants_to_end_the_program_is_told(error: BaseException, said: str) -> None:
    turns = [error]

    async def hosts() -> list[str]:
        if turns:
            raise turns.pop()
        return ["10.0.0.1"]

    async def test() -> None:
        async with told_by(function(hosts)) as told:
            assert await told.failed() == said
            assert await told.found() == ["10.0.0.1"]

    run(test())


def test_a_generator_is_followed_and_begun_again_when_it_ends_or_fails() -> None:
    begun = 0

    def generator() -> Iterator[list[str]]:
        nonlocal begun
        begun += 1
        yield [f"10.0.{begun}.1"]
        time.sleep(0.5)  # longer than the time-out of a call
        yield [f"10.0.{begun}.2"]
        if begun == 1:
            raise OSError(5, "lost")

    async def test() -> None:
        async with told_by(function(generator)) as told:
            assert await told.found() == ["10.0.1.1"]
            assert await told.found() == ["10.0.1.2"]
            assert "lost" in await told.failed()
            assert await told.found() == ["10.0.2.1"]
            assert await told.found() == ["10.0.2.2"]
            assert "the generator has ended" in await told.failed()

    run(test())


@pytest.mark.parametrize("step", ["the item", "the check", "the wait"])
def test_an_asynchronous_generator_is_closed_when_nobody_follows_it_any_more(
    step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = asyncio.Event()

    async def generator() -> AsyncIterator[list[str]]:
        try:
            while True:
                yield ["10.0.0.1"]
                await asyncio.sleep(0.01 if step != "the item" else 60)
        finally:
            closed.set()

    async def test() -> None:
        source, is_there = function(generator), asyncio.Event()

        async def forever(*_given: object) -> Any:
            is_there.set()
            await asyncio.Event().wait()

        async with told_by(source) as told:
            assert await told.found() == ["10.0.0.1"]
            if step == "the check":
                monkeypatch.setattr("epcore.controller.sources.functions.in_thread", forever)
            elif step == "the wait":
                monkeypatch.setattr(source, "wait", forever)
            if step != "the item":
                await asyncio.wait_for(is_there.wait(), 20)
            assert not closed.is_set()
        assert closed.is_set()

    run(test())


def test_code_is_found_by_module_and_by_entry_point(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "fleet.py").write_text(
        "class Fleet:\n    @staticmethod\n    def hosts():\n        return []\nnumber = 1\n"
    )
    (tmp_path / "broken.py").write_text("import nothing_that_is_there\n")
    package = tmp_path / "fleet-1.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: fleet\nVersion: 1\n")
    (package / "entry_points.txt").write_text(
        "[epcore.sources]\nfleet = fleet:Fleet.hosts\nbroken = broken:x\nnumber = fleet:number\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    assert provider_of("fleet:Fleet.hosts")() == []
    assert provider_of("fleet")() == []
    for text, said in [
        ("fleet:Fleet.guests", "AttributeError"),
        ("fleet:number", "is not callable"),
        ("number", "is not callable"),
        ("broken:x", "ModuleNotFoundError: No module named 'nothing_that_is_there'"),
        ("broken", "ModuleNotFoundError"),
        ("fleet2", "no package offers it (there are: broken, fleet, number)"),
        (":", "ValueError"),
    ]:
        with pytest.raises(SourceError) as error:
            provider_of(text)
        assert said in str(error.value), text
        assert str(error.value).startswith(f"python:{text}: ")
    sys.modules.pop("fleet", None)
