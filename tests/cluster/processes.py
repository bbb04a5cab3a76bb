"""Programs that the tests start: with a log, ended at the end, and gone with the tests if these are killed."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

PATIENCE = 60.0
"""Seconds for a program to come up; a busy machine needs some of them."""
# Linux kills the program when its parent ends (`PR_SET_PDEATHSIG`), also if that was killed before the call.
TIED = """
import ctypes, os, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, 9)
if os.getppid() == int(sys.argv[1]):
    os.execv(sys.argv[2], sys.argv[2:])
"""
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Program:
    """One program. Start it from a thread that lives as long: Linux takes the end of the thread for the parent's."""

    command: Sequence[str]
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    running: ClassVar[list["Program"]] = []
    """Those whose logs are shown when a test fails."""

    def __post_init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def name(self) -> str:
        return Path(self.command[0]).name

    @property
    def process(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, f"{self.name} was not started"
        return self._process

    def start(self) -> None:
        tied = [sys.executable, "-I", "-S", "-c", TIED, str(os.getpid())]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*tied, *self.command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env={**os.environ, **self.environment},
            )
        self.running.append(self)

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def stop(self, *, patience: float = 10.0) -> int:
        """Ask it to end, end it if it does not; returns the exit code."""
        if self._process is None:
            return 0
        self.running[:] = [program for program in self.running if program is not self]
        process, self._process = self._process, None
        process.terminate()
        try:
            return process.wait(patience)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()

    def kill(self) -> None:
        """End it as a machine that fails does."""
        self.process.kill()
        self.stop()

    def wait_until(self, is_there: Callable[[], Any], what: str, *, patience: float = PATIENCE) -> None:
        """Wait for something that this program should bring about, and say what it wrote if it does not."""

        def check() -> Any:
            assert self.process.poll() is None, f"{self.name} ended with {self.process.returncode}:\n{self.tail()}"
            return is_there()

        try:
            eventually(check, what, patience=patience, pause=0.02)
        except TimeoutError as error:
            raise AssertionError(f"{error}\n{self.tail()}") from None

    def tail(self, lines: int = 30, width: int = 400) -> str:
        """Read the end of the log."""
        written = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return "\n".join(line[:width] for line in written[-lines:])

    def cpu_seconds(self) -> float:
        """CPU time it has used, of user and system (Linux)."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def memory(self, name: str = "VmRSS") -> int:
        """Bytes it holds; ``VmHWM`` for the most it ever held (Linux)."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:"))

    def pause(self) -> None:
        """Let it stand still, as a machine that is overloaded or swaps does."""
        self.signal(signal.SIGSTOP)

    def resume(self) -> None:
        self.signal(signal.SIGCONT)


def eventually(is_there: Callable[[], Any], what: str, *, patience: float = 30.0, pause: float = 0.05) -> Any:
    """Wait until something is true, and return it; raises ``TimeoutError`` that says ``what`` did not come."""
    until = time.monotonic() + patience
    while True:
        found = is_there()
        if found:
            return found
        if time.monotonic() > until:
            raise TimeoutError(f"{what}: not within {patience} s")
        time.sleep(pause)
