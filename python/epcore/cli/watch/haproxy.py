"""A HAProxy that runs, and its file."""

import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from epcore.cli.failure import CommandError
from epcore.cli.watch.command import AGAIN, LAST, Command
from epcore.cli.watch.targets import File, Target
from epcore.proxy import haproxy

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from epcore import Delta, View
    from epcore.cli.watch.selection import Selection
    from epcore.proxy import ServicePort
    from epcore.types import FamilyName

_PAUSE: Final = 0.05
_START: Final = 10.0
"""Seconds that HAProxy has to be there with its new slots after a reload."""


class HAProxy(Target):
    """Keeps a running HAProxy right through its Runtime API, and its file for the next start; reloads where it must."""

    def __init__(
        self,
        selection: "Selection",
        path: str | None,
        command: str | None,
        *,
        address: str | None,
        block: int,
        options: "Sequence[str]",
        family: "FamilyName",
    ) -> None:
        self._selection = selection
        self._runtime = haproxy.Runtime(address) if address else None
        self._block, self._options, self._family = block, options, family
        self._backends: dict[ServicePort, haproxy.Backend] = {}
        self._drafts: dict[ServicePort, haproxy.Backend] = {}
        """For the next start of a HAProxy that does not say what is in its slots."""
        self._file = File(self._sections, path, None)
        self._command = None if command is None else Command(command)
        self._lost: tuple[View, Delta, float] | None = None

    def update(self, view: "View", delta: "Delta", moment: float) -> None:
        """Tell HAProxy; write the file; reload if there are new backends or too few slots.

        A HAProxy that does not answer is asked later what it serves, and then told the difference. It may not be there,
        and begin with the file.
        """
        self._lost = None
        try:
            must_reload = self._tell(view, delta)
            self._drafts.clear()
            is_new = self._file.update(view, delta, moment)
            if must_reload or (is_new and self._runtime is None):
                self._reload()
        except haproxy.HAProxyError as error:
            print(f"epcore: {error}; trying again", file=sys.stderr)
            self._lost = view, delta, time.monotonic()
            self._draft(view)
            self._file.update(view, delta, moment)

    def retry(self) -> None:
        """Do again what failed some time ago."""
        if self._lost is not None:
            view, delta, since = self._lost
            if time.monotonic() - since >= AGAIN:
                self.update(view, delta, time.time())
        elif self._command:
            self._command.retry()

    def finish(self) -> None:
        """Ask HAProxy and run the command again, if they failed."""
        for _ in range(LAST):
            if self._lost is not None:
                time.sleep(AGAIN)
                self.retry()
        if self._lost is not None:
            raise CommandError("HAProxy was told nothing")
        if self._command:
            self._command.finish()

    def _tell(self, view: "View", delta: "Delta") -> bool:
        """Send what changes within the slots that are there; tell whether HAProxy needs more of them."""
        commands: list[str] = []
        for port in self._selection.ports(view):
            if port in self._backends:
                commands += self._backends[port].apply(delta)
                continue
            servers = self._runtime.servers(port.joined("_")) if self._runtime else []
            self._backends[port] = self._backend(port, servers)
            commands += self._backends[port].replace(view)
        if self._runtime:
            self._runtime.send(commands)
        return _grown(self._backends.values())

    def _draft(self, view: "View") -> None:
        """Let a HAProxy that does not answer begin with what is right, in the slots that were known last."""
        self._drafts.update(self._backends)
        self._backends.clear()
        for port in self._selection.ports(view):
            self._drafts.setdefault(port, self._backend(port, [])).replace(view)
        _grown(self._drafts.values())

    def _backend(self, port: "ServicePort", servers: "Sequence[tuple[str, int] | None]") -> haproxy.Backend:
        return haproxy.Backend(port, options=self._options, block=self._block, family=self._family, servers=servers)

    def _reload(self) -> None:
        """Reload, and wait until HAProxy is there with as many slots as the file has. Raises ``HAProxyError``."""
        if self._command is None:
            if self._runtime is not None:
                print("epcore: HAProxy must be reloaded: its slots do not suffice (no --on-change)", file=sys.stderr)
            return
        if not self._command.run() or self._runtime is None:
            return
        until = time.monotonic() + _START
        for backend in self._backends.values():
            while not self._has(self._runtime, backend):
                if time.monotonic() > until:
                    message = f"HAProxy has not {backend.slots.capacity} slots in {backend.name} after its reload"
                    raise haproxy.HAProxyError(message)
                time.sleep(_PAUSE)

    def _has(self, runtime: haproxy.Runtime, backend: haproxy.Backend) -> bool:
        with suppress(haproxy.HAProxyError):
            return len(runtime.servers(backend.name)) == backend.slots.capacity
        return False

    def _sections(self, view: "View") -> str:
        del view
        backends = self._drafts or self._backends
        return "\n".join(backends[port].section() for port in sorted(backends))


def _grown(backends: "Iterable[haproxy.Backend]") -> bool:
    """Give those more slots that have too few; tell whether there were any."""
    small = [one for one in backends if not (one.fits and one.slots.capacity)]
    for backend in small:
        backend.grow()
    return bool(small)
