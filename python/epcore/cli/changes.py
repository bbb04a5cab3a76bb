"""Changes of slices, shown: as a diff of manifests, or as lists for programs."""

import difflib
from typing import TYPE_CHECKING, Final

from rich.text import Text

from epcore.cli.output import Form, print_data, print_people
from epcore.manifest import to_yaml

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from epcore.controller.folder import Change

_COLORS: Final = {"+": "green", "-": "red", "@": "cyan"}


def print_changes(changes: "Sequence[Change]", output: Form, *, dry_run: bool) -> None:
    """Print what was written, or would be, with the difference to what is there."""
    if output == "table":
        print_people(*_shown(changes, dry_run=dry_run))
    else:
        print_data([_told(change) for change in changes], output)


def _shown(changes: "Sequence[Change]", *, dry_run: bool) -> "Iterator[Text]":
    for change in changes:
        heading = f"{change.verb} {'/'.join(part for part in change.name if part)}: {', '.join(change.reasons)}"
        yield Text(heading, style="bold")
        if dry_run:
            yield from _diff(change)
    writes = "1 write" if len(changes) == 1 else f"{len(changes)} writes"
    yield Text(f"{writes} to do" if dry_run and changes else f"{writes} done" if changes else "nothing to write")


def _diff(change: "Change") -> "Iterator[Text]":
    """Show what changes in the manifest of a slice."""
    before, after = ("" if item is None else to_yaml(item) for item in (change.before, change.after))
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="")
    for line in list(lines)[2:]:  # the names of the files are told already
        yield Text(f"  {line}", style=_COLORS.get(line[:1], ""))


def _told(change: "Change") -> dict[str, object]:
    namespace, name = change.name
    return {
        "verb": change.verb,
        "namespace": namespace,
        "name": name,
        "reasons": list(change.reasons),
        "object": change.after,
    }
