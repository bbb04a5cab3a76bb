"""`epcore simulate --jobs`: what ends the command ends its workers, at any moment and without noise.

Workers have the pipes of the command, so that its output ends when the last of them has.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

EPCORE = [sys.executable, "-m", "epcore"]
INTERRUPTED = 128 + signal.SIGINT

INTERRUPTED_AS_IT_SPAWNS = """
import os, time
from multiprocessing import util

spawn = util.spawnv_passfds


def spawn_and_interrupt(path, arguments, passed):
    process = spawn(path, arguments, passed)
    if "spawn_main" in str(arguments):
        os.kill(os.getpid(), 2)
        time.sleep(0.1)
    return process


util.spawnv_passfds = spawn_and_interrupt
"""


@contextmanager
def simulating(load: Path | str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """Simulate with two workers, in a group of processes of its own, as a shell starts a command."""
    with subprocess.Popen(
        [*EPCORE, "simulate", str(load), "--jobs", "2"],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def where_workers_begin(tmp_path: Path, line: str) -> str:
    """Let each worker do something before it does anything else: a path of modules."""
    begin = f"import os, sys\nif 'spawn_main' in ' '.join(sys.orig_argv):\n    {line}\n"
    (tmp_path / "sitecustomize.py").write_text(begin, encoding="utf-8")
    return path_with(tmp_path)


def path_with(folder: Path) -> str:
    return os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])


def chunks_of(terminal: int) -> Iterator[bytes]:
    """Read until nobody has the other end any more."""
    with suppress(OSError):
        while chunk := os.read(terminal, 1 << 16):
            yield chunk


def test_ctrl_c_is_quiet_while_workers_begin(tmp_path: Path) -> None:
    modules = where_workers_begin(tmp_path, "os.killpg(0, 2)")
    with simulating("flapping", PYTHONPATH=modules) as process:
        out, error = process.communicate(timeout=60)
    assert (process.returncode, out, error) == (INTERRUPTED, "", "")


def test_ctrl_c_is_quiet_while_workers_are_made_and_progress_is_shown(tmp_path: Path) -> None:
    """What draws the progress on a terminal is a thread, which Ctrl-C may come by."""
    (tmp_path / "sitecustomize.py").write_text(INTERRUPTED_AS_IT_SPAWNS, encoding="utf-8")
    terminal, stderr = os.openpty()
    with subprocess.Popen(
        [*EPCORE, "simulate", "flapping", "--jobs", "2"],
        env={**os.environ, "PYTHONPATH": path_with(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=stderr,
    ) as process:
        os.close(stderr)
        said = b"".join(chunks_of(terminal))
        out, _ = process.communicate(timeout=60)
    os.close(terminal)
    assert (process.returncode, out) == (INTERRUPTED, b"")
    assert b"Traceback" not in said


def test_ctrl_c_is_quiet_while_the_command_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted:
        def __getattr__(self, name: str) -> object:
            raise KeyboardInterrupt

    monkeypatch.setitem(sys.modules, "epcore.cli.app", Interrupted())
    from epcore.cli import main  # noqa: PLC0415

    assert main([]) == INTERRUPTED


@pytest.mark.parametrize("whom", ["all", "the command"])
def test_ctrl_c_ends_the_work(tmp_path: Path, whom: str) -> None:
    os.mkfifo(tmp_path / "load")
    with simulating(tmp_path / "load") as process, (tmp_path / "load").open("wb"):  # open once a worker reads it
        (os.killpg if whom == "all" else os.kill)(process.pid, signal.SIGINT)
        out, error = process.communicate(timeout=60)
    assert (process.returncode, out, error) == (INTERRUPTED, "", "")


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_no_worker_outlives_a_command_that_is_killed(tmp_path: Path, how: signal.Signals) -> None:
    os.mkfifo(tmp_path / "load")
    with simulating(tmp_path / "load") as process, (tmp_path / "load").open("wb"):
        process.send_signal(how)
        _, error = process.communicate(timeout=60)
    assert process.returncode == -how
    assert "Traceback" not in error


def test_a_worker_that_is_killed_is_one_clear_line(tmp_path: Path) -> None:
    modules = where_workers_begin(tmp_path, "os._exit(1)")
    with simulating("flapping", PYTHONPATH=modules) as process:
        out, error = process.communicate(timeout=60)
    assert (process.returncode, out) == (2, "")
    assert error.startswith("epcore: --jobs 2: a worker was killed")
    assert error.count("\n") == 1
