"""Endpoints in files: read in each form, followed while they change, never believed half written."""

import asyncio
import gzip
import json
import lzma
import os
import random
import threading
import time
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from watchfiles import watch
from watchfiles._rust_notify import WatchfilesRustInternalError

from epcore.controller.sources import SourceError
from epcore.controller.sources.contents import LARGEST, State, Whole, is_folder, read_endpoints, state_of
from epcore.controller.sources.document import checked, endpoints_in
from epcore.controller.sources.files import File
from epcore.controller.sources.notices import Notices, places
from epcore.controller.sources.text import source_of
from told_by import Told, told_by


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("a.json", '["10.0.0.1:80"]', ["10.0.0.1:80"]),
        ("a.json", '\ufeff{"endpoints": ["10.0.0.1"]}', ["10.0.0.1"]),
        ("a.json", '{"kind": "List", "items": []}', []),
        ("a.json", '{"address": "10.0.0.1", "port": 1}', [{"address": "10.0.0.1", "port": 1}]),
        ("a", '{"addresses": ["10.0.0.1"]}', [{"addresses": ["10.0.0.1"]}]),
        ("a.jsonl", '"10.0.0.1"\n\n{"address": "10.0.0.2"}\n', ["10.0.0.1", {"address": "10.0.0.2"}]),
        ("a.yaml", "- 10.0.0.1\n---\n- 10.0.0.2\n", ["10.0.0.1", "10.0.0.2"]),
        ("a.yaml", "# none\n[]", []),
        ("a.csv", "10.0.0.1\n\n# x\n[2001:db8::1]:80\n", [{"address": "10.0.0.1"}, {"address": "[2001:db8::1]:80"}]),
        (
            "a.CSV",
            'address,port,zone,ready,port.http\n10.0.0.1,80,"a, b",False,\n10.0.0.2,,,,81',
            [
                {"address": "10.0.0.1", "port": 80, "zone": "a, b", "ready": False},
                {"address": "10.0.0.2", "ports": {"http": 81}},
            ],
        ),
        ("a.csv", "address,zone\n", []),
    ],
)
def test_each_form_is_read(name: str, text: str, expected: object) -> None:
    assert endpoints_in(name, text.encode()) == expected


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.json", "", "a.json: is empty; write []"),
        ("a.yaml", "# only a comment\n", "a.yaml: is empty"),
        ("a.csv", "\n# nothing\n", "a.csv: is empty; write the heading"),
        ("a.json", "null", "expected a list of endpoints"),
        ("a.json", '{"error": "not found"}', "expected a list of endpoints"),
        ("a.json", '{"items": null}', "expected a list of endpoints"),
        ("a.json", '{"kind": "Status", "items": []}', "an object of kind Status"),
        ("a.json", '{"kind": "EndpointSlice", "endpoints": []}', "an object of kind EndpointSlice"),
        ("a.json", '["10.0.0.1", 7]', "endpoints[1]: expected a string or an object, found int"),
        ("a.json", '["10.0.0.1", {"port": 3}]', "endpoints[1]"),
        ("a.json", '["10.0.0.1"', "not JSON"),
        ("a.json", "[NaN]", "NaN is no JSON"),
        ("a.json", "[" * 100_000, "not JSON"),
        ("a.jsonl", '"10.0.0.1"\n"10.0.', "a.jsonl: line 2: not JSON"),
        ("a.yaml", "- a\n- [\n", "not YAML at line 3"),
        ("a.yaml", "- {address: 10.0.0.1, ready: maybe}", "endpoints[0].conditions.ready: expected a boolean"),
        ("a.yaml", "- {1: 2}", "the key 1 is not a string"),
        ("a.yaml", "- !!binary aGk=", "endpoints[0]: bytes is no JSON"),
        ("a.yaml", "- 10.0.0.300", "10.0.0.300"),
        ("a.csv", "addr,port\n", "line 1: 2 cells, where the heading has 1"),
        ("a.csv", "address,color\n", "line 1: 'color' is no column"),
        ("a.csv", "address,zone,zone\n", "two columns 'zone'"),
        ("a.csv", "address,port\n10.0.0.1\n", "line 2: 1 cells, where the heading has 2"),
        ("a.csv", "address,port\n10.0.0.1,x\n", "line 2: port is 'x', not a number"),
        ("a.csv", "address,ready\n10.0.0.1,1\n", "line 2: ready is '1', neither true nor false"),
        ("a.csv", 'address\n"10.0.0.1\n', "not CSV"),
        ("a.csv", "address\n127.0.0.1\n", "127.0.0.1 is a loopback address"),
    ],
)
def test_what_makes_no_sense_is_refused_as_a_whole_and_told(name: str, text: str, said: str) -> None:
    with pytest.raises(SourceError) as error:
        endpoints_in(name, text.encode())
    assert said in str(error.value)
    assert str(error.value).startswith(name)


def test_text_that_is_none_is_refused() -> None:
    with pytest.raises(SourceError, match="not UTF-8 at byte 2"):
        endpoints_in("a.csv", b"10\xff")


def test_a_page_of_aliases_does_not_eat_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("epcore.controller.sources.document._MOST_VALUES", 100_000)
    for steps, complaint in ((6, "more than 100,000 values"), (30, "aliases stand for too much")):
        bomb = "".join(f"x{n}: &x{n} [{', '.join([f'*x{n - 1}'] * 9) if n else '1'}]\n" for n in range(steps))
        with pytest.raises(SourceError, match=complaint):
            endpoints_in("a.yaml", f"address: 10.0.0.1\n{bomb}".encode())


def test_what_was_handed_out_stays_as_it_was() -> None:
    given: Any = {"address": "10.0.0.1", "ports": {"http": 1}}
    made = checked([given], "x")
    given["ports"]["http"] = 2
    assert made == [{"address": "10.0.0.1", "ports": {"http": 1}}]


@given(st.integers(0, 200))
def test_the_beginning_of_a_document_is_never_taken_for_another_set_than_a_shorter_list(cut: int) -> None:
    text = json.dumps([f"10.0.0.{number}" for number in range(1, 15)])
    if cut < len(text):
        with pytest.raises(SourceError):
            endpoints_in("a.json", text[:cut].encode())


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(test, 60))


@asynccontextmanager
async def following(path: Path, **options: Any) -> AsyncIterator[Told]:
    async with told_by(File(path, **{"interval": 0.05, "settle": 0.1, **options})) as told:
        yield told


def replace(path: Path, text: str) -> None:
    beside = path.with_name(f".{path.name}.new")
    beside.write_text(text)
    beside.replace(path)


def test_a_file_is_followed_through_every_way_of_changing_it(tmp_path: Path) -> None:
    file = tmp_path / "db.json"
    file.write_text('["10.0.0.1"]')

    async def test() -> None:
        async with following(file) as told:
            assert await told.found() == ["10.0.0.1"]
            replace(file, '["10.0.0.2"]')
            assert await told.found() == ["10.0.0.2"]
            file.write_text('["10.0.0.3"]')
            assert await told.found() == ["10.0.0.3"]
            file.write_text('[ "10.0.0.3" ]')
            await told.nothing()
            file.write_text("")
            assert "is empty" in await told.failed()
            file.write_text('["10.0.0.3"]')
            assert await told.found() == ["10.0.0.3"], "that it works again is told"
            file.unlink()
            assert await told.failed() == f"{file}: No such file or directory"
            await told.nothing()
            file.write_text('["10.0.0.4"]')
            assert await told.found() == ["10.0.0.4"]
            status = file.stat()
            file.write_text('["10.0.0.5"]')
            os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
            assert await told.found() == ["10.0.0.5"], "of the same size and time as before"

    run(test())


def test_a_file_that_is_not_there_yet_is_waited_for(tmp_path: Path) -> None:
    async def test() -> None:
        async with following(tmp_path / "later" / "db.json") as told:
            assert "No such file" in await told.failed()
            (tmp_path / "later").mkdir()
            (tmp_path / "later" / "db.json").write_text("[]")
            assert await told.found() == []

    run(test())


def publish_config_map(folder: Path, version: int, **files: str) -> None:
    """Do what the kubelet does: a folder of the version, and a link to it that is renamed into place."""
    data = folder / f"..v{version}"
    data.mkdir(parents=True)
    for name, text in files.items():
        (data / name.replace("_", ".")).write_text(text)
        link = folder / name.replace("_", ".")
        if not link.is_symlink():
            link.symlink_to(f"..data/{link.name}")
    (folder / "..data_tmp").symlink_to(data.name)
    (folder / "..data_tmp").replace(folder / "..data")


@pytest.mark.parametrize("is_folder", [True, False])
def test_a_config_map_is_followed_through_its_swaps(tmp_path: Path, is_folder: bool) -> None:  # noqa: FBT001
    folder = tmp_path / "map"
    publish_config_map(folder, 1, a_json='["10.0.0.1"]')

    async def test() -> None:
        async with following(folder if is_folder else folder / "a.json") as told:
            for version in range(2, 8):
                assert await told.found() == [f"10.0.0.{version - 1}"]
                publish_config_map(folder, version, a_json=f'["10.0.0.{version}"]')

    run(test())


def test_a_folder_is_all_its_files_and_one_that_is_broken_stops_all(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("10.0.0.1\n")
    (tmp_path / "b.yaml").write_text("- 10.0.0.2\n")
    (tmp_path / "README.md").write_text("nothing of ours")
    (tmp_path / ".hidden.json").write_text("{")
    (tmp_path / "sub.json").mkdir()

    async def test() -> None:
        async with following(tmp_path) as told:
            assert "sub.json: is neither a file nor a folder" in await told.failed()
            (tmp_path / "sub.json").rmdir()
            assert await told.found() == [{"address": "10.0.0.1"}, "10.0.0.2"]
            (tmp_path / "c.json").write_text("{")
            assert "c.json: not JSON" in await told.failed()
            (tmp_path / "c.json").write_text("[]")
            assert await told.found() == [{"address": "10.0.0.1"}, "10.0.0.2"]
            for file in ("a.csv", "b.yaml", "c.json"):
                (tmp_path / file).unlink()
            while "has no files of endpoints" not in await told.failed():  # as where nothing is mounted
                pass

    run(test())


def test_packed_files_of_a_folder_are_read_too(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("10.0.0.1\n")
    (tmp_path / "b.csv.gz").write_bytes(gzip.compress(b"10.0.0.2\n"))
    (tmp_path / "c.JSON.xz").write_bytes(lzma.compress(b'["10.0.0.3"]'))
    (tmp_path / "d.tar.gz").write_bytes(b"nothing of ours")
    assert read_endpoints(tmp_path) == [{"address": "10.0.0.1"}, {"address": "10.0.0.2"}, "10.0.0.3"]


@pytest.mark.parametrize("ending", ["csv", "yaml", "jsonl"])
def test_a_file_that_is_written_line_by_line_is_read_when_it_is_whole(tmp_path: Path, ending: str) -> None:
    file = tmp_path / f"db.{ending}"
    lines = {"csv": "10.0.0.{}\n", "yaml": "- 10.0.0.{}\n", "jsonl": '"10.0.0.{}"\n'}
    whole = [lines[ending].format(number) for number in range(100, 140)]
    file.write_text("".join(whole[:1]))

    def write() -> None:
        with file.open("w") as opened:
            for line in whole:
                for part in (line[:-2], line[-2:]):  # half an address is one too
                    opened.write(part)
                    opened.flush()
                    threading.Event().wait(0.02)

    async def test() -> None:
        async with following(file, settle=0.4) as told:
            assert len(await told.found()) == 1
            await asyncio.to_thread(write)
            assert len(await told.found()) == len(whole)
            await told.nothing()

    run(test())


def test_a_last_line_without_end_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "db.csv"
    file.write_text("10.0.0.1\n10.0.0.2")

    async def test() -> None:
        async with following(file) as told:
            await told.nothing(0.5)
            with file.open("a") as opened:
                opened.write("22\n")
            assert await told.found() == [{"address": "10.0.0.1"}, {"address": "10.0.0.222"}]
            monkeypatch.setattr("epcore.controller.sources.files._UNENDED", 0.3)
            file.write_text("10.0.0.3")
            assert await told.found() == [{"address": "10.0.0.3"}], "there are files that end so"

    run(test())


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("db.jsonl", '{"address": "10.0.0.1"}\n{"address": "10.0.0.2"}'),
        ("db.yaml", "- {address: 10.0.0.1}\n- {address: 10.0.0.2}"),
        ("db.yaml", "- address: 10.0.0.1\n  ports: {http: 80}"),
        ("db.CSV", "address\n10.0.0.1"),
    ],
)
def test_a_bracket_that_is_closed_in_the_last_line_is_no_end_of_it(name: str, text: str, tmp_path: Path) -> None:
    def is_unended(content: str) -> bool:
        (tmp_path / name).write_text(content)
        return Whole.read(tmp_path / name, LARGEST).is_unended

    assert is_unended(text)
    assert not is_unended(f"{text}\n")


@pytest.mark.parametrize("name", ["db.json", "db.yaml"])
def test_where_brackets_are_around_all_there_need_be_no_end_of_the_line(name: str, tmp_path: Path) -> None:
    for text in ('["10.0.0.1"]', ' {"endpoints": ["10.0.0.1"]} '):
        (tmp_path / name).write_text(text)
        assert not Whole.read(tmp_path / name, LARGEST).is_unended


def test_a_file_that_never_rests_is_trouble(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("epcore.controller.sources.files._RESTLESS", 0.5)
    file = tmp_path / "db.csv"
    file.write_text("10.0.0.1\n")

    async def write() -> None:
        while True:
            with file.open("a") as opened:
                opened.write("10.0.0.1\n")
            await asyncio.sleep(0.02)

    async def test() -> None:
        writing = asyncio.create_task(write())
        async with following(file) as told:
            assert "has been changing for more than 0.5 seconds" in await told.failed()
            writing.cancel()
            await told.found()

    run(test())


def test_readers_see_only_whole_sets_whatever_replaces_them(tmp_path: Path) -> None:
    file = tmp_path / "db.csv"
    chance = random.Random(5)

    def text(size: int) -> str:
        return "address,zone\n" + "".join(f"10.0.{size}.{number + 1},z{size}\n" for number in range(size))

    async def test() -> None:
        seen: list[int] = []
        replace(file, text(1))
        async with following(file, settle=0.02) as told:
            for _ in range(30):
                size = chance.randrange(1, 200)
                replace(file, text(size))
                await asyncio.sleep(chance.random() * 0.05)
            replace(file, text(200))
            while 200 not in seen:
                found = await told.found()
                assert {one["zone"] for one in found} == {f"z{len(found)}"}
                seen.append(len(found))

    run(test())


def test_what_is_no_file_or_too_large_is_told(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo.json"
    os.mkfifo(fifo)
    with pytest.raises(SourceError, match="is neither a file nor a folder"):
        read_endpoints(fifo)
    loop = tmp_path / "loop.json"
    loop.symlink_to(loop)
    with pytest.raises(SourceError, match=r"loop\.json: "):
        read_endpoints(loop)
    large = tmp_path / "large.json"
    large.write_text(json.dumps(["10.0.0.1"] * 1_000))
    with pytest.raises(SourceError, match="more than 1,000 bytes"):
        read_endpoints(large, 1_000)
    packed = tmp_path / "packed.json.gz"
    packed.write_bytes(gzip.compress(b" " * 10_000_000 + b"[]"))
    assert packed.stat().st_size < 20_000
    with pytest.raises(SourceError, match="more than 20,000 bytes"):
        read_endpoints(packed, 20_000)
    assert read_endpoints(packed) == []
    packed.write_bytes(packed.read_bytes()[:-20])
    with pytest.raises(SourceError, match=r"packed\.json\.gz: "):
        read_endpoints(packed)


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

    began = time.monotonic()
    try:
        run(test())
        assert time.monotonic() - began < 10
    finally:
        goes_on.set()


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

    began = time.monotonic()
    try:
        run(test())
        assert time.monotonic() - began < 10
    finally:
        goes_on.set()


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


@contextmanager
def as_nobody(folder: Path) -> Iterator[None]:
    """Let nobody look into a folder; the superuser can look into every one."""
    is_superuser = os.geteuid() == 0
    folder.chmod(0)
    if is_superuser:
        os.seteuid(65534)
    try:
        yield
    finally:
        if is_superuser:
            os.seteuid(0)
        folder.chmod(0o755)


def test_a_file_in_a_folder_that_may_not_be_looked_into_is_told_and_waited_for(tmp_path: Path) -> None:
    file = tmp_path / "hosts" / "db.csv"
    file.parent.mkdir()
    file.write_text("10.0.0.1\n")

    async def test() -> None:
        async with following(file) as told:
            assert await told.found() == [{"address": "10.0.0.1"}]
            with as_nobody(file.parent):
                assert await told.failed() == f"{file}: Permission denied"
                await told.nothing()
            assert await told.found() == [{"address": "10.0.0.1"}]

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
