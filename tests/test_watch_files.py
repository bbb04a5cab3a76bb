"""`epcore watch --to`: the file is whole and right at each moment, and the command is run."""

import errno
import io
import json
import os
import random
import shlex
import subprocess
import sys
import time
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from epcore.cli import main
from epcore.cli.watch import command as commands
from watching import PATIENCE, added, addresses, save, send, slice_of, until, watching

ROUNDS = 8
ACCESS = "system.posix_acl_access"


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log, target = save(tmp_path / "log", [added(slice_of("web-1", 1))]), tmp_path / "no" / "web.conf"
    assert main(["watch", log, "-o", "nginx", "--to", str(target)]) == 2
    assert capsys.readouterr().err == f"epcore: {target}: No such file or directory\n"


# An owner may also be one that is not known where we run, as in a container of its own users.
@pytest.mark.parametrize("refusal", [errno.EPERM, errno.EINVAL])
@pytest.mark.parametrize("may", [{"owner", "group"}, {"group"}, set()], ids=["both", "group", "none"])
def test_whoever_could_read_a_file_can_read_the_one_in_its_place(
    may: set[str], refusal: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[tuple[int, int]] = []

    def chown(_: int, owner: int, group: int) -> None:
        if not may >= ({"group"} if owner == -1 else {"owner", "group"}):
            raise OSError(refusal, "refused")
        given.append((owner, group))

    monkeypatch.setattr(os, "fchown", chown)
    log, target = save(tmp_path / "log", [added(slice_of("web-1", 1))]), tmp_path / "web.conf"
    target.write_text("")
    target.chmod(0o640)
    status = target.stat()
    assert main(["watch", log, "-o", "nginx", "--to", str(target)]) == 0
    owners = {"both": status.st_uid, "group": -1}
    kind = "both" if "owner" in may else "group"
    assert given == ([(owners[kind], status.st_gid)] if may else [])
    assert target.stat().st_mode & 0o777 == 0o640
    assert addresses(target) == ["10.0.0.1"]


@pytest.mark.skipif(not hasattr(os, "setxattr"), reason="access control lists are those of Linux")
def test_whoever_a_file_was_opened_to_by_name_can_read_the_one_in_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, target = save(tmp_path / "log", [added(slice_of("web-1", 1))]), tmp_path / "web.conf"
    target.write_text("")
    held, given = {(target, ACCESS): b"user:nginx:r--"}, {}
    monkeypatch.setattr(os, "getxattr", lambda path, name: held[path, name])
    monkeypatch.setattr(
        os, "setxattr", lambda handle, name, value: given.update({(os.fstat(handle).st_ino, name): value})
    )
    assert main(["watch", log, "-o", "nginx", "--to", str(target)]) == 0
    assert given == {(target.stat().st_ino, ACCESS): b"user:nginx:r--"}


@pytest.mark.parametrize("option", ["--to", "--state"])
def test_a_disk_that_is_full_is_told_with_the_file(
    option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    log, target = save(tmp_path / "log", [added(slice_of("web-1", 1))]), tmp_path / "file"
    assert main(["watch", log, "-o", "nginx", option, str(target)]) == 2
    assert capsys.readouterr().err == f"epcore: {target}: No space left on device\n"
    assert [path.name for path in tmp_path.iterdir()] == ["log"]


def test_a_command_that_fails_is_told_and_run_again(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "AGAIN", 0.0)
    flag = tmp_path / "flag"
    command = commands.Command(f"test -e '{flag}'")
    assert not command.run()
    assert "test: exit code 1; trying again" in capfd.readouterr().err
    command.retry()
    flag.touch()
    command.retry()
    capfd.readouterr()
    flag.unlink()
    command.retry()
    assert capfd.readouterr().err == "", "it is run again until it succeeded, and not after that"
    assert not commands.Command(str(tmp_path / "missing")).run()
    assert "No such file" in capfd.readouterr().err


def test_a_command_that_does_not_end_is_ended_and_run_again(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "_LONGEST", 0.2)
    monkeypatch.setattr(commands, "AGAIN", 0.0)
    hangs = tmp_path / "hangs"
    hangs.touch()
    command = commands.Command(f"sh -c 'test ! -e {shlex.quote(str(hangs))} || exec sleep 60'")
    assert not command.run()
    assert capfd.readouterr().err == "epcore: sh: has not ended in 0.2 seconds; trying again\n"
    hangs.unlink()
    monkeypatch.setattr(commands, "_LONGEST", PATIENCE)
    command.retry()
    assert capfd.readouterr().err == ""
    command.finish()


@pytest.mark.parametrize("is_there", [True, False])
@pytest.mark.parametrize("option", ["--to", "--state"])
def test_a_link_stays_and_the_file_behind_it_is_written(tmp_path: Path, option: str, *, is_there: bool) -> None:
    (tmp_path / "config").mkdir()
    file, link = tmp_path / "config" / "file", tmp_path / "link"
    link.symlink_to("config/file")
    log = save(tmp_path / "log.jsonl", [added(slice_of("web-1", 1))])
    options = ["-o", "nginx", option, str(link), *([] if option == "--to" else ["--to", str(tmp_path / "web.conf")])]
    if is_there:
        assert main(["watch", log, *options]) == 0
        file.chmod(0o640)
        log = save(tmp_path / "log.jsonl", [added(slice_of("web-1", 1, 2))])
    assert main(["watch", log, *options]) == 0
    assert link.is_symlink()
    assert "10.0.0.1" in file.read_text()
    assert file.stat().st_mode & 0o777 == (0o640 if is_there else 0o644)
    assert sorted(path.name for path in file.parent.iterdir()) == ["file"]


@pytest.mark.parametrize("option", ["--to", "--state"])
def test_what_is_no_file_is_refused_and_stays(tmp_path: Path, option: str) -> None:
    log = save(tmp_path / "log.jsonl", [added(slice_of("web-1", 1))])
    pipe, folder = tmp_path / "pipe", tmp_path / "folder"
    os.mkfifo(pipe)
    folder.mkdir()
    for path in ("/proc/self/fd/1", str(pipe), str(folder)):
        with watching(log, "-o", "nginx", option, path) as process:
            out, err = process.communicate(timeout=PATIENCE)
        assert (process.returncode, out) == (2, "")
        assert path in err
        assert "is no regular file, and cannot be replaced" in err
    assert pipe.is_fifo()
    assert not list(folder.iterdir())


@pytest.mark.parametrize("how", ["log", "once", "stdin"])
@pytest.mark.parametrize(("failures", "runs", "code"), [(0, 1, 0), (1, 2, 0), (2, 3, 0), (3, 3, 2)])
def test_a_command_that_fails_at_the_end_is_run_twice_more_and_then_is_trouble(
    how: str,
    failures: int,
    runs: int,
    code: int,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(commands, "AGAIN", 0.1)
    command = tmp_path / "reload"
    command.write_text(f"#!/bin/sh\ncd {shlex.quote(str(tmp_path))}\necho >>runs\ntest $(wc -l <runs) -gt {failures}\n")
    command.chmod(0o755)
    log = save(tmp_path / "log.jsonl", [added(slice_of("web-1", 1))])
    if how == "stdin":
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(Path(log).read_bytes()))))
    options = ["-o", "nginx", "--to", str(tmp_path / "web.conf"), "--on-change", shlex.quote(str(command))]
    options += ["--once"] if how == "once" else []
    assert main(["watch", "-" if how == "stdin" else log, *options]) == code
    assert len((tmp_path / "runs").read_text().splitlines()) == runs
    assert addresses(tmp_path / "web.conf") == ["10.0.0.1"]
    *again, last = [*capfd.readouterr().err.splitlines(), ""][: failures + 1]
    assert all(line == f"epcore: {command}: exit code 1; trying again" for line in again[:2])
    assert last == "" if code == 0 else again[2] == f"epcore: {command}: exit code 1"


def test_a_file_keeps_its_mode_and_is_not_touched_where_nothing_changed(tmp_path: Path) -> None:
    log = save(tmp_path / "log.jsonl", [added(slice_of("web-1", 1))])
    target = tmp_path / "web.conf"
    target.write_text("")
    target.chmod(0o640)
    arguments = [
        "watch",
        log,
        "-o",
        "nginx",
        "--to",
        str(target),
        "--on-change",
        shlex.join(["touch", str(tmp_path / "told")]),
    ]
    assert main(arguments) == 0
    assert target.stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "told").exists()
    (tmp_path / "told").unlink()
    before = target.stat()
    assert main(arguments) == 0
    after = target.stat()
    # It may have been read.
    assert (after.st_ino, after.st_mtime_ns, after.st_ctime_ns) == (
        before.st_ino,
        before.st_mtime_ns,
        before.st_ctime_ns,
    )
    assert not (tmp_path / "told").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log.jsonl", "web.conf"]


def test_a_kill_at_any_moment_leaves_a_whole_file_and_no_removal_is_lost(tmp_path: Path) -> None:
    """Killed again and again while events come: each new process goes on from the state, and all is right at last."""
    target, state = tmp_path / "targets.json", tmp_path / "state"
    told = tmp_path / "told"
    chance = random.Random(7)
    held: set[int] = set()
    known: set[str] = set()
    for round_ in range(ROUNDS):
        arguments = ["-", "-o", "json", "--state", str(state), "--batch", "0"]
        also = ["-", "-o", "prometheus", "--to", str(target), "--batch", "0"]
        with told.open("a") as out, watching(*also) as process:
            shown = subprocess.Popen(
                [sys.executable, "-m", "epcore", "watch", *arguments], stdin=-1, stdout=out, text=True
            )
            try:
                assert shown.stdin is not None
                for _ in range(40):
                    held = held ^ {chance.randint(1, 200)}
                    send(process, added(slice_of("web-1", *sorted(held))))
                    send(shown, added(slice_of("web-1", *sorted(held))))
                    time.sleep(chance.random() / 100)
                if round_ == 9:
                    until(partial(has_targets, target, held), process)
                    shown.stdin.close()
                    assert shown.wait(PATIENCE) == 0
                else:
                    time.sleep(chance.random())
            finally:
                shown.kill()
                shown.wait()
                if shown.stdin is not None:
                    with suppress(BrokenPipeError):
                        shown.stdin.close()
        assert not target.exists() or read_targets(target) <= set(range(1, 201)), "never half a file"
    for line in told.read_text().splitlines():
        if not line.endswith("}"):
            continue  # the kill came in the middle of a line
        delta = json.loads(line)
        known |= {one["address"] for one in delta["added"]}
        known -= {one["address"] for one in delta["removed"]}
    assert known == {f"10.0.0.{number}" for number in held}


def read_targets(path: Path) -> set[int]:
    targets = [target for group in json.loads(path.read_text()) for target in group["targets"]]
    return {int(target.partition(":")[0].rpartition(".")[2]) for target in targets}


def has_targets(path: Path, numbers: set[int]) -> bool:
    return path.exists() and read_targets(path) == numbers
