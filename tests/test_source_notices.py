"""Word from the system that files have changed: one watcher for all, and none that keeps anything back."""

import asyncio
import threading
import time
from collections.abc import Coroutine, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from watchfiles import watch
from watchfiles._rust_notify import WatchfilesRustInternalError

from epcore.controller.sources.contents import State, is_folder, state_of
from epcore.controller.sources.files import File
from epcore.controller.sources.notices import Notices, places
from epcore.controller.sources.text import source_of
from file_following import following, replace, run
from told_by import told_by


def run_beside(goes_on: threading.Event, test: Coroutine[Any, Any, None]) -> None:
    """Run a test while something hangs until it goes on, which keeps neither the test nor its end back."""
    began = time.monotonic()
    try:
        run(test)
        assert time.monotonic() - began < 10
    finally:
        goes_on.set()


def test_one_watcher_serves_many_sources_and_word_comes_before_the_next_look(tmp_path: Path) -> None:
    folders = [tmp_path / str(number) for number in range(60)]
    for folder in folders:
        folder.mkdir()
        (folder / "a.json").write_text("[]")

    async def test() -> None:
        notices = Notices()
        everything = [File(folder / "a.json", interval=600, settle=0.05, notices=notices) for folder in folders]
        async with asyncio.TaskGroup() as group:
            for file in everything:
                group.create_task(one(file))
        notices.close()

    async def one(file: File) -> None:
        async with told_by(file) as told:
            assert await told.found() == []
            await asyncio.sleep(1.5)  # until all are watched
            replace(file.path, '["10.0.0.1"]')
            assert await told.found() == ["10.0.0.1"]

    run(test())


def test_a_watcher_that_is_ended_before_it_began_begins_again_when_it_is_needed(tmp_path: Path) -> None:
    async def test() -> None:
        notices = Notices()
        first = asyncio.create_task(notices.wait(places({tmp_path}), 600))
        await asyncio.sleep(0)
        notices.close()
        async with asyncio.timeout(20):
            while not first.done():
                second = asyncio.create_task(notices.wait(places({tmp_path}), 600))
                await asyncio.wait({first, second}, timeout=0.2)
                (tmp_path / "a.json").write_text("[]")
                await asyncio.wait({first, second}, timeout=0.2)
                second.cancel()

    run(test())


def test_files_that_hang_are_told_and_keep_neither_others_back_nor_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    goes_on = threading.Event()

    def hangs(path: Path) -> State:
        if path.name.startswith("hangs"):
            goes_on.wait(20)
        return state_of(path)

    monkeypatch.setattr("epcore.controller.sources.files.state_of", hangs)
    monkeypatch.setattr("epcore.controller.sources.files._HANGING", 0.2)
    # More than the event loop has threads.
    files = [tmp_path / f"hangs-{number}.json" for number in range(40)]

    async def test() -> None:
        async with AsyncExitStack() as stack:
            every = [await stack.enter_async_context(following(file)) for file in files]
            for told in every:
                assert "has not answered in 0.2 seconds" in await told.failed()
            for file in (*files, tmp_path / "other.json"):
                file.write_text("[]")
            assert await (await stack.enter_async_context(following(tmp_path / "other.json"))).found() == []
            assert threading.active_count() < 2 * len(files), "one thread for each"
            goes_on.set()
            assert await every[0].found() == []
            goes_on.clear()
            replace(files[0], '["10.0.0.1"]')
            await asyncio.sleep(0.2)

    run_beside(goes_on, test())


def test_no_watcher_outlasts_the_event_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, ended = threading.Event(), threading.Event()

    def told(*folders: Path, **options: Any) -> Iterator[set[Any]]:
        begun.set()
        yield from watch(*folders, **options)
        ended.set()

    monkeypatch.setattr("epcore.controller.sources.notices.watch", told)
    monkeypatch.setattr("epcore.controller.sources.notices._PARTING", 30.0)
    (tmp_path / "a.json").write_text("[]")

    async def test() -> None:
        async with following(tmp_path / "a.json", interval=600) as file:
            assert await file.found() == []
            assert await asyncio.to_thread(begun.wait, 20)

    run(test())
    assert ended.is_set()


def test_a_folder_that_hangs_when_it_is_to_be_watched_keeps_nothing_else_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    goes_on, hangs = threading.Event(), threading.Event()

    def hanging(path: Path) -> bool:
        if hangs.is_set() and "mount" in path.parts:
            goes_on.wait(20)
        return is_folder(path)

    monkeypatch.setattr("epcore.controller.sources.notices.is_folder", hanging)
    (tmp_path / "mount").mkdir()
    (tmp_path / "mount" / "a.json").write_text("[]")
    (tmp_path / "b.json").write_text("[]")

    async def test() -> None:
        async with following(tmp_path / "mount" / "a.json") as far, following(tmp_path / "b.json") as near:
            assert await far.found() == []
            assert await near.found() == []
            hangs.set()
            replace(tmp_path / "b.json", '["10.0.0.1"]')
            assert await near.found() == ["10.0.0.1"]

    run_beside(goes_on, test())


def test_files_as_people_name_them_share_one_watcher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    watchers, most = 0, 0

    def counted(*folders: Path, **options: Any) -> Iterator[set[Any]]:
        nonlocal watchers, most
        watchers += 1
        most = max(most, watchers)
        try:
            yield from watch(*folders, **options)
        finally:
            watchers -= 1

    monkeypatch.setattr("epcore.controller.sources.notices.watch", counted)
    files = [tmp_path / f"{number}.json" for number in range(3)]

    async def test() -> None:
        async with AsyncExitStack() as stack:
            for file in files:
                file.write_text("[]")
                told = await stack.enter_async_context(told_by(source_of(str(file), {"interval": 600, "settle": 0.05})))
                assert await told.found() == []
            await asyncio.sleep(1)
            replace(files[-1], '["10.0.0.1"]')
            assert await told.found() == ["10.0.0.1"]
        assert most == 1

    run(test())


def test_a_log_beside_the_file_wakes_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = 0
    see = File.look

    async def counted(self: File) -> Any:
        nonlocal looks
        looks += 1
        return await see(self)

    monkeypatch.setattr(File, "look", counted)
    file, log = tmp_path / "a.json", tmp_path / "program.log"
    file.write_text("[]")

    async def test() -> None:
        async with following(file, interval=600) as told:
            assert await told.found() == []
            await asyncio.sleep(0.5)
            before = looks
            for number in range(20):
                log.write_text(f"{number}\n")
                await asyncio.sleep(0.05)
            assert looks == before
            replace(file, '["10.0.0.1"]')
            assert await told.found() == ["10.0.0.1"]

    run(test())


@pytest.mark.parametrize("error", [OSError(24, "limit reached"), WatchfilesRustInternalError("Too many open files")])
def test_without_word_from_the_system_files_are_followed_all_the_same(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = 0

    def refused(*_: object, **__: object) -> None:
        nonlocal asked
        asked += 1
        raise error

    monkeypatch.setattr("epcore.controller.sources.notices.watch", refused)
    file = tmp_path / "a.json"
    file.write_text("[]")

    async def test() -> None:
        async with following(file) as told:
            assert await told.found() == []
            replace(file, '["10.0.0.1"]')
            assert await told.found() == ["10.0.0.1"]
            await asyncio.sleep(0.5)
            assert asked == 1, "the system is not asked again at each look"

    run(test())
