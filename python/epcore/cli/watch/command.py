"""The command that is run when a file has changed."""

import shlex
import subprocess
import sys
import time
from typing import Final

from epcore.cli.failure import CommandError

AGAIN: Final = 5.0
"""Seconds until what failed is done again."""
LAST: Final = 2
"""How often it is done again at the end."""

_LONGEST: Final = 300.0
"""Seconds after which a command is ended: nothing is told while it runs."""


class Command:
    """What makes a program read its file again, such as ``systemctl reload nginx``."""

    def __init__(self, line: str) -> None:
        try:
            self._arguments = shlex.split(line)
        except ValueError as error:
            raise CommandError(f"--on-change {line}: {error}") from None
        self._failed_at: float | None = None
        if not self._arguments:
            raise CommandError("--on-change needs a command")

    def run(self, *, is_last: bool = False) -> bool:
        """Run it. Trouble is told, and it is run again some time later. Raises ``CommandError`` if it is not."""
        try:
            done = subprocess.run(  # noqa: S603 - the user's own
                self._arguments, stdin=subprocess.DEVNULL, check=False, timeout=_LONGEST
            )
            trouble = f"exit code {done.returncode}" if done.returncode else ""
        except subprocess.TimeoutExpired:
            trouble = f"has not ended in {_LONGEST:g} seconds"
        except OSError as error:
            trouble = error.strerror or str(error)
        self._failed_at = time.monotonic() if trouble else None
        if trouble and is_last:
            raise CommandError(f"{self._arguments[0]}: {trouble}")
        if trouble:
            print(f"epcore: {self._arguments[0]}: {trouble}; trying again", file=sys.stderr)
        return not trouble

    def retry(self) -> None:
        """Run it again, if it failed some time ago."""
        if self._failed_at is not None and time.monotonic() - self._failed_at >= AGAIN:
            self.run()

    def finish(self) -> None:
        """Run it again until it succeeds, if it failed. Raises ``CommandError`` if it never does."""
        for left in reversed(range(LAST)):
            if self._failed_at is not None:
                time.sleep(AGAIN)
                self.run(is_last=not left)
