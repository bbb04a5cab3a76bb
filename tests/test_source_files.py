"""Endpoints in files: followed while they change, never believed half written."""

import asyncio
import gzip
import json
import lzma
import os
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from epcore.controller.sources import SourceError
from epcore.controller.sources.contents import LARGEST, Whole, read_endpoints
from file_following import following, replace, run


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
