"""Who is told of changes, and the file that is kept right."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING

from epcore.atomic import replaceable, write_atomically
from epcore.cli.watch.command import Command

if TYPE_CHECKING:
    from collections.abc import Callable

    from epcore import Delta, View


class Target(ABC):
    """Somebody who wants to know."""

    @abstractmethod
    def update(self, view: "View", delta: "Delta", moment: float) -> object:
        """Take what changed. The first delta is everything.

        :param moment: seconds since the epoch, or of a recording.
        """

    def retry(self) -> None:  # noqa: B027 - most have nothing to do again
        """Do again what failed."""

    def finish(self) -> None:  # noqa: B027 - as above
        """Do again what failed, the last times that it can be. Raises ``CommandError`` if it goes on failing."""


class File(Target):
    """Keeps a file what ``render`` says, and runs a command when it changed. Without path it prints."""

    def __init__(self, render: "Callable[[View], str]", path: str | None, command: str | None) -> None:
        self._render = render
        self._path = None if path is None else Path(path)
        self._command = None if command is None else Command(command)
        self._text = None if self._path is None else _read(self._path)

    def update(self, view: "View", delta: "Delta", moment: float) -> bool:
        """Write the file, if it says something else now, and tell whether it does."""
        del delta, moment
        text = self._render(view)
        if text == self._text:
            return False
        if self._path is None:
            print(text, end="", flush=True)
        else:
            write_atomically(self._path, text)
        self._text = text
        if self._command:
            self._command.run()
        return True

    def retry(self) -> None:
        """Run the command again, if it failed some time ago."""
        if self._command:
            self._command.retry()

    def finish(self) -> None:
        """Run the command again, if it failed."""
        if self._command:
            self._command.finish()


def _read(path: Path) -> str | None:
    try:
        # To read what is no file, such as the other end of a pipe, may take for ever.
        return replaceable(path).read_text("utf-8")
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        return ""
