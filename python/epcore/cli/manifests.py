"""``epcore sync``: the slices of a folder of manifests, shown as a diff or written."""

import difflib
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import Parameter
from rich.text import Text

from epcore.cli.failure import CommandError
from epcore.cli.inputs import STDIN
from epcore.cli.options import DIFFERENT, SAME, Maximum, Output, Seconds, read_policy
from epcore.cli.output import Form, print_data, print_people
from epcore.controller.folder import Folder
from epcore.controller.sources.contents import read_endpoints
from epcore.controller.sync import Sync, SyncOptions
from epcore.errors import EpcoreError
from epcore.manifest import to_yaml
from epcore.types import FamilyName

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from epcore.controller.folder import Change, Name
    from epcore.controller.sync import Endpoints

_COLORS: Final = {"+": "green", "-": "red", "@": "cyan"}


def sync(  # noqa: PLR0913 - the options of a run
    *,
    folder: Annotated[Path, Parameter(name="--dir")],
    dry_run: Annotated[bool, Parameter(negative="")] = False,
    watch: Annotated[bool, Parameter(negative="")] = False,
    interval: Seconds = 1.0,
    managed_by: str = "epcore",
    with_selector: Annotated[bool, Parameter(negative="")] = False,
    family: list[FamilyName] | None = None,
    endpoints: Annotated[list[str] | None, Parameter(metavar="SERVICE=FILE")] = None,
    allow_empty: Annotated[bool, Parameter(negative="")] = False,
    max_endpoints: Maximum = 100,
    policy: Annotated[str, Parameter(metavar="POLICY")] = "balanced",
    output: Output = "table",
) -> int:
    """Write the EndpointSlices of a folder of manifests, so that all can be tried, and kept in Git, without a cluster.

    Slices of Services without selector are made of the endpoints that --endpoints gives, those of Services with
    selector of the Pods in the folder. New slices come into `endpointslices/NAMESPACE/`; a changed one stays where it
    is. All other documents stay as they are, byte for byte.

    Exit code: 0 done or nothing to write, 1 something to write (with --dry-run), 2 trouble.

    ```console
    epcore sync --dir manifests --endpoints shop/db=db.yaml --dry-run
    epcore sync --dir manifests --watch
    ```

    :param folder: Folder of YAML or JSON manifests; hidden files and folders are left out.
    :param dry_run: Show what would be written, as a diff; write nothing.
    :param watch: Go on whenever a file changes, until interrupted.
    :param interval: Seconds between two looks at the folder, with --watch.
    :param managed_by: Value of the label endpointslice.kubernetes.io/managed-by of slices that are ours; no other is
        ever touched.
    :param with_selector: Services with selector too that do not ask for it by the label `epcore.dev/reconcile: "true"`.
    :param family: Address type of Services with selector that do not say `ipFamilies`; may be repeated. Left out: IPv4.
    :param endpoints: NAMESPACE/NAME of a Service without selector (NAME where the manifest has no namespace), and the
        file of its endpoints: a list of addresses, with or without port, or of endpoints. May be repeated.
    :param allow_empty: Let such a file take the last endpoint of a Service away.
    :param max_endpoints: Most endpoints in one slice, 1 to 1000.
    :param policy: balanced, dense, lean, lifecycle, upstream, or a share of the maximum such as 0.6.
    :param output: table, json or yaml.
    """
    options = SyncOptions(
        managed_by=managed_by,
        with_selector=with_selector,
        families=tuple(family or ("IPv4",)),
        max_endpoints=max_endpoints,
        policy=read_policy(policy),
    )
    sources = dict(_source(one) for one in endpoints or [])
    syncing = Syncing(Sync(Folder(folder), options), sources, allow_empty, dry_run, output, interval)
    if watch:
        syncing.follow()
    return DIFFERENT if syncing.once() and dry_run else SAME


@dataclass(frozen=True)
class Syncing:
    """One run of the command."""

    sync: "Sync"
    sources: "dict[Name, str]"
    """Files of the endpoints of Services without selector."""
    allow_empty: bool
    dry_run: bool
    output: Form
    interval: float
    """Seconds between two looks at the folder."""

    def once(self, *, tells_nothing: bool = True) -> bool:
        """Write, or show what would be written, even if it is nothing. True if it was something."""
        self.sync.endpoints = {name: self._endpoints(file) for name, file in self.sources.items()}
        changes = self.sync.changes() if self.dry_run else self.sync.run()
        if not changes and not tells_nothing:
            return False
        if self.output == "table":
            print_people(*self._shown(changes))
        else:
            print_data([_told(change) for change in changes], self.output)
        return bool(changes)

    def follow(self) -> None:
        """Do so whenever the folder changes, until interrupted. Trouble is told once, and tried again."""
        seen: object = None
        trouble = ""
        while True:
            try:
                # Taken before the folder is read: what changes meanwhile, also by our own writes, is looked at again.
                signature = self._signature()
                if trouble or signature != seen:
                    self.once(tells_nothing=seen is None)
                    seen, trouble = signature, ""
            except (EpcoreError, OSError, ValueError) as error:
                said = " ".join(str(error).split())
                if said != trouble:
                    print(f"epcore: {said}", file=sys.stderr, flush=True)
                trouble = said
            sys.stdout.flush()
            time.sleep(self.interval)

    def _endpoints(self, file: str) -> "Endpoints":
        items = read_endpoints(Path(file))
        if not items and not self.allow_empty:
            raise CommandError(f"{file}: no endpoints, and --allow-empty is not given")
        return items

    def _signature(self) -> object:
        times = []
        for file in self.sources.values():
            with suppress(OSError):
                status = Path(file).stat()
                times.append((file, status.st_mtime_ns, status.st_size, status.st_ino))
        return self.sync.folder.signature(), times

    def _shown(self, changes: "Sequence[Change]") -> "Iterator[Text]":
        for change in changes:
            heading = f"{change.verb} {'/'.join(part for part in change.name if part)}: {', '.join(change.reasons)}"
            yield Text(heading, style="bold")
            if self.dry_run:
                yield from _diff(change)
        writes = "1 write" if len(changes) == 1 else f"{len(changes)} writes"
        yield Text(
            f"{writes} to do" if self.dry_run and changes else f"{writes} done" if changes else "nothing to write"
        )


def _source(text: str) -> "tuple[Name, str]":
    service, equals, file = text.partition("=")
    namespace, _, name = service.rpartition("/")
    if not equals or not name or not file or "/" in namespace:
        raise CommandError(f"--endpoints {text}: not NAMESPACE/NAME=FILE")
    if file == STDIN:
        raise CommandError(f"--endpoints {text}: stdin cannot be read again")
    return (namespace, name), file


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
