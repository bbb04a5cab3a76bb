"""``epcore sync``: the slices of a folder of manifests, shown as a diff or written."""

import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import Parameter

from epcore.cli.changes import print_changes
from epcore.cli.clusters import Reach, options_of, read_sources, run_controller, sync_cluster
from epcore.cli.failure import CommandError, line_of
from epcore.cli.inputs import STDIN
from epcore.cli.options import DIFFERENT, SAME, Maximum, Output, Pause, read_policy
from epcore.controller.folder import Folder
from epcore.controller.sources import SourceError
from epcore.controller.sources.contents import read_endpoints, state_of
from epcore.controller.sources.text import has_kind
from epcore.controller.sync import Sync, SyncOptions
from epcore.errors import EpcoreError
from epcore.types import FamilyName

if TYPE_CHECKING:
    from epcore.cli.output import Form
    from epcore.controller.objects import Name
    from epcore.controller.sync import Endpoints

_SETTLE: Final = 0.25
"""Seconds without a change after which a folder that is watched is read."""
_RESTLESS: Final = 30.0
"""Seconds after which one that keeps changing is trouble."""


def sync(  # noqa: PLR0913 - the options of a run
    *,
    folder: Annotated[Path | None, Parameter(name="--dir")] = None,
    dry_run: Annotated[bool, Parameter(negative="")] = False,
    watch: Annotated[bool, Parameter(negative="")] = False,
    interval: Pause | None = None,
    kubeconfig: Annotated[str | None, Parameter(metavar="PATH")] = None,
    context: str | None = None,
    namespace: Annotated[str | None, Parameter(name=["--namespace", "-n"])] = None,
    managed_by: str = "epcore",
    with_selector: Annotated[bool, Parameter(negative="")] = False,
    mirror: Annotated[bool, Parameter(negative="")] = False,
    family: list[FamilyName] | None = None,
    config: Path | None = None,
    endpoints: Annotated[list[str] | None, Parameter(metavar="SERVICE=SOURCE")] = None,
    allow_empty: Annotated[bool, Parameter(negative="")] = False,
    max_endpoints: Maximum = 100,
    policy: Annotated[str, Parameter(metavar="POLICY")] = "balanced",
    output: Output = "table",
) -> int:
    """Write the EndpointSlices that a cluster needs, once; or those of a folder of manifests, to try and keep in Git.

    Slices of Services without selector are made of the endpoints that --endpoints and --config name, those of Services
    with selector that ask for it of their Pods. With --dir that is a folder of manifests: new slices come into
    `endpointslices/NAMESPACE/`; a changed one stays where it is. All other documents stay as they are, byte for byte.

    Exit code: 0 done or nothing to write, 1 something to write (with --dry-run), 2 trouble.

    ```console
    epcore sync --endpoints shop/db=db.yaml --dry-run
    epcore sync --dir manifests --endpoints shop/db=db.yaml --dry-run
    epcore sync --dir manifests --watch
    ```

    :param folder: Folder of YAML or JSON manifests; hidden files and folders are left out. Left out: the cluster.
    :param dry_run: Show what would be written, as a diff; write nothing.
    :param watch: Go on whenever something has changed, and changes no more for a moment, until interrupted.
    :param interval: Seconds between two looks at the folder, with --watch. Left out: 1.
    :param kubeconfig: File to use in place of the usual one, for a cluster.
    :param context: Context of the kubeconfig to use.
    :param namespace: Look at this one of the cluster alone. Left out: all.
    :param managed_by: Value of the label endpointslice.kubernetes.io/managed-by of slices that are ours; no other is
        ever touched.
    :param with_selector: Services with selector too that do not ask for it by the label `epcore.dev/reconcile: "true"`.
    :param mirror: Make slices of Endpoints of Services of the cluster that have neither selector nor source.
    :param family: Address type of Services with selector of a folder that do not say `ipFamilies`; may be repeated.
        Left out: IPv4.
    :param config: File of Services and the sources of their endpoints, for a cluster.
    :param endpoints: NAMESPACE/NAME of a Service without selector (NAME where the manifest has no namespace), and the
        source of its endpoints, as of controller; for a folder a file. May be repeated.
    :param allow_empty: Let such a source take the last endpoint of a Service away.
    :param max_endpoints: Most endpoints in one slice, 1 to 1000.
    :param policy: balanced, dense, lean, lifecycle, upstream, or a share of the maximum such as 0.6.
    :param output: table, json or yaml.
    """
    _refuse("without --watch", {"--interval": None if watch else interval})
    if folder is None:
        _refuse("without --dir", {"--interval": interval, "--family": family})
        options = options_of(
            managed_by=managed_by,
            namespace=namespace,
            with_selector=with_selector,
            mirror=mirror,
            max_endpoints=max_endpoints,
            policy=read_policy(policy),
        )
        reach = Reach(kubeconfig=kubeconfig, context=context)
        sources = read_sources(config, endpoints or [], allow_empty=allow_empty)
        if not watch:
            return sync_cluster(reach, options, sources, output, dry_run=dry_run)
        _refuse("with --watch of a cluster", {"--dry-run": dry_run or None})
        run_controller(reach, options, sources, address=None)
        return SAME
    given = {"--kubeconfig": kubeconfig, "--context": context, "--namespace": namespace, "--config": config}
    _refuse("with --dir", {**given, "--mirror": mirror or None})
    made = SyncOptions(
        managed_by=managed_by,
        with_selector=with_selector,
        families=tuple(family or ("IPv4",)),
        max_endpoints=max_endpoints,
        policy=read_policy(policy),
    )
    files = dict(_source(one) for one in endpoints or [])
    syncing = Syncing(
        Sync(Folder(folder), made), files, allow_empty, dry_run, output, 1.0 if interval is None else interval
    )
    if watch:
        syncing.follow()
    return DIFFERENT if syncing.once() and dry_run else SAME


def _refuse(when: str, options: "dict[str, object]") -> None:
    """Refuse options that would be without effect."""
    for name, value in options.items():
        if value is not None:
            raise CommandError(f"{name} has no meaning {when}")


@dataclass(frozen=True)
class Syncing:
    """One run of the command."""

    sync: "Sync"
    sources: "dict[Name, str]"
    """Files of the endpoints of Services without selector."""
    allow_empty: bool
    dry_run: bool
    output: "Form"
    interval: float
    """Seconds between two looks at the folder."""
    _warned: list[str] = field(default_factory=list)
    """What was left out at the last look, and is not told again while it goes on."""

    def once(self, *, tells_nothing: bool = True) -> bool:
        """Write, or show what would be written, even if it is nothing. True if it was something."""
        self.sync.endpoints = {name: self._endpoints(file) for name, file in self.sources.items()}
        changes = self.sync.changes() if self.dry_run else self.sync.run()
        self._warn()
        if not changes and not tells_nothing:
            return False
        print_changes(changes, self.output, dry_run=self.dry_run)
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
                    signature = self._rested(signature)
                    self.once(tells_nothing=seen is None)
                    seen, trouble = signature, ""
            except (EpcoreError, OSError, ValueError) as error:
                said = line_of(error)
                if said != trouble:
                    print(f"epcore: {said}", file=sys.stderr, flush=True)
                trouble = said
            sys.stdout.flush()
            time.sleep(self.interval)

    def _rested(self, signature: object) -> object:
        """Wait until nothing changes any more: half of what is checked out, or copied, would be taken for all."""
        for _ in range(round(_RESTLESS / _SETTLE)):
            time.sleep(_SETTLE)
            before, signature = signature, self._signature()
            if signature == before:
                return signature
        raise CommandError(f"{self.sync.folder.path}: has been changing for more than {_RESTLESS:g} seconds")

    def _warn(self) -> None:
        for error in self.sync.errors:
            if error not in self._warned:
                print(f"epcore: warning: {error}", file=sys.stderr, flush=True)
        self._warned[:] = self.sync.errors

    def _endpoints(self, file: str) -> "Endpoints":
        items = read_endpoints(Path(file))
        if not items and not self.allow_empty:
            raise CommandError(f"{file}: no endpoints, and --allow-empty is not given")
        return items

    def _signature(self) -> object:
        states = []
        for file in self.sources.values():
            with suppress(SourceError):
                states.append(state_of(Path(file)))
        return self.sync.folder.signature(), states


def _source(text: str) -> "tuple[Name, str]":
    service, equals, file = text.partition("=")
    namespace, _, name = service.rpartition("/")
    if not equals or not name or not file or "/" in namespace:
        raise CommandError(f"--endpoints {text}: not NAMESPACE/NAME=FILE")
    if file == STDIN:
        raise CommandError(f"--endpoints {text}: stdin cannot be read again")
    if has_kind(file) and not Path(file).exists():
        raise CommandError(f"--endpoints {text}: with --dir endpoints come from files alone, each named by its path")
    return (namespace, name), file
