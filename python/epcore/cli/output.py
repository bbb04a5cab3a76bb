"""What a command prints: tables for people, JSON or YAML for programs."""

import codecs
import os
import sys
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, Literal, TypeAlias

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from epcore.cli.failure import CommandError, visible
from epcore.cli.interrupt import no_interrupt
from epcore.manifest import to_json, to_yaml

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from rich.console import RenderableType

Form: TypeAlias = Literal["table", "json", "yaml"]

_WIDE: Final = 500
"""Columns where nobody looks: a table in a pipe is never folded."""
_NARROW: Final = 8
"""Columns below which no text is folded. Figures are not folded at all: a part of one is another one."""
_BETWEEN: Final = 2
_NARROWEST: Final = 20
"""Columns below which no help is folded."""


class _HelpConsole(Console):
    def on_broken_pipe(self) -> None:
        """Leave it to whoever runs the command: its library would end the process by itself, with exit code 1."""
        raise BrokenPipeError


def help_console() -> Console:
    """Give the one that help is printed on: its library never ends where there is hardly a column."""
    console = _HelpConsole()
    console.width = max(console.width, _NARROWEST)
    return console


def print_data(value: object, form: Form) -> None:
    """Print for programs."""
    if form == "yaml":
        sys.stdout.write(to_yaml(value, is_ascii=must_be_ascii()))
    else:
        print(to_json(value, is_ascii=must_be_ascii()))


def must_be_ascii() -> bool:
    """Tell whether other letters must be escaped: JSON and YAML are UTF-8, and what we print may be encoded as else."""
    return codecs.lookup(sys.stdout.encoding or "utf-8").name != "utf-8"


def print_people(*parts: "RenderableType", narrowest: int = 0) -> None:
    """Print for people, folded to the width of the terminal, but never below ``narrowest`` and what tables need.

    Colors appear on a terminal only, and not if ``NO_COLOR`` is set.
    """
    on_terminal = sys.stdout.isatty()
    text = StringIO()
    console = Console(file=text, force_terminal=on_terminal, highlight=False)
    needed = [part.min_width or 0 for part in parts if isinstance(part, Table)]
    console.width = max(console.width, narrowest, *needed) if on_terminal else _WIDE
    for part in parts:
        console.print(part)
    encoding = sys.stdout.encoding or "utf-8"
    shown = "\n".join(line.rstrip() for line in text.getvalue().splitlines()) + "\n"
    sys.stdout.write(shown.encode(encoding, "replace").decode(encoding))  # not every encoding has lines and dashes


def table(headings: "Mapping[str, bool]", rows: "Sequence[Sequence[object]]", title: str | None = None) -> Table:
    """Make a table. ``headings`` tells for each column whether it holds figures; ``None`` shows as a dash."""
    shown = None if title is None else Text(visible(title))
    made = Table(box=box.SIMPLE, title=shown, title_justify="left", title_style="bold", show_edge=False)
    made.padding = (0, 1, 0, 0)
    for heading, is_figure in headings.items():
        made.add_column(heading, justify="right" if is_figure else "left", overflow="fold", no_wrap=is_figure)
    shown_rows = [[_shown(cell) for cell in row] for row in rows]
    for row in shown_rows:
        made.add_row(*map(Text, row))  # as text: brackets are no markup
    columns = zip(headings.items(), *shown_rows, strict=True)
    made.min_width = sum(_needed([heading, *cells], is_figure=is_figure) for (heading, is_figure), *cells in columns)
    return made


def _needed(texts: "Sequence[str]", *, is_figure: bool) -> int:
    """Tell how wide a column must be."""
    width = max(cell_len(line) for text in texts for line in text.split("\n"))
    return (width if is_figure else min(width, _NARROW)) + _BETWEEN


def _shown(cell: object) -> str:
    if cell is None:
        return "–"  # noqa: RUF001 - a dash, as in printed tables
    return f"{cell:,}" if isinstance(cell, int) else visible(str(cell))


def refuse_unwritable(path: str | None) -> None:
    """Tell before the work, not after it, that a file cannot be written. Raises ``CommandError``."""
    if path is None:
        return
    place = Path(path)
    reason = "Is a directory" if place.is_dir() else "No such directory" if not place.parent.is_dir() else None
    if reason is None and not os.access(place if place.exists() else place.parent, os.W_OK):
        reason = "Permission denied"
    if reason:
        raise CommandError(f"{path}: {reason}")


class Meter:
    """Shows on stderr how far long work has come; silent where nobody looks."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def reading(self, name: str) -> "Callable[[IO[bytes], int | None], IO[bytes]]":
        """Return what wraps a file so that reading it is shown."""

        def wrapped(file: IO[bytes], size: int | None) -> IO[bytes]:
            if size is None:  # nobody knows how far it is to the end
                return file
            return self._progress.wrap_file(file, size, description=f"read {name}")  # type: ignore[arg-type]

        return wrapped

    def working(self, name: str) -> "Callable[[int, int], None]":
        """Return what is called with how many of how many steps are done."""
        task = self._progress.add_task(name, total=None)
        return lambda done, of: self._progress.update(task, completed=done, total=of)


@contextmanager
def meter() -> "Iterator[Meter]":
    """Show progress while the block runs, and nothing after it."""
    columns = TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn()
    console = Console(stderr=True)
    progress = Progress(*columns, console=console, transient=True, disable=not sys.stderr.isatty())
    with no_interrupt():  # its thread would take Ctrl-C where others put it off
        progress.start()
    try:
        yield Meter(progress)
    finally:
        with no_interrupt():  # or a second Ctrl-C would leave the terminal without its cursor
            progress.stop()
