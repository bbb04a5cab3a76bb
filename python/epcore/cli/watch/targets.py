"""What is done with changes: shown as they come, or a file is kept right."""

import json
import shlex
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from epcore.atomic import replaceable, write_atomically
from epcore.cli.failure import CommandError, visible
from epcore.cli.output import must_be_ascii
from epcore.proxy import haproxy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from epcore import Change, Delta, Transition, View
    from epcore.cli.watch.selection import Selection
    from epcore.proxy import ServicePort
    from epcore.types import FamilyName

_AGAIN: Final = 5.0
"""Seconds until what failed is done again."""
_LAST: Final = 2
"""How often it is done again at the end."""

_LONGEST: Final = 300.0
"""Seconds after which a command is ended: nothing is told while it runs."""

_PAUSE: Final = 0.05
_START: Final = 10.0
"""Seconds that HAProxy has to be there with its new slots after a reload."""


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


class Lines(Target):
    """Prints a line for each change."""

    def __init__(self, selection: "Selection", *, is_json: bool, is_live: bool) -> None:
        self._selection = selection
        self._is_json = is_json
        self._is_live = is_live

    def update(self, view: "View", delta: "Delta", moment: float) -> None:
        """Print what concerns the Services and ports that are followed."""
        del view
        groups = {"added": delta.added, "removed": delta.removed, "updated": delta.updated, "moved": delta.moved}
        chosen = {kind: [one for one in changes if self._is_followed(one)] for kind, changes in groups.items()}
        turns = [one for one in delta.transitions if self._is_followed(one)]
        if self._is_json:
            told: dict[str, object] = {kind: [one.to_dict() for one in changes] for kind, changes in chosen.items()}
            told["transitions"] = [one.to_dict() for one in turns]
            if any(told.values()):
                print(json.dumps({"time": moment, **told}, ensure_ascii=must_be_ascii()), flush=True)
            return
        when = time.strftime("%H:%M:%S", time.localtime(moment)) if self._is_live else f"{moment:8.3f}"
        text = [f"{when} {_SIGNS[kind]} {_change(one)}" for kind, changes in chosen.items() for one in changes]
        text += [f"{when} ! {_turn(one)}" for one in turns]
        if text:
            print("\n".join(map(visible, text)), flush=True)

    def _is_followed(self, one: "Change | Transition") -> bool:
        return self._selection.has_port(one.namespace, one.service, one.port_name, one.protocol)


_SIGNS: Final = {"added": "+", "removed": "-", "updated": "~", "moved": ">"}


def _change(change: "Change") -> str:
    before, after = change.slice_before, change.slice_after
    where = after or before or ""
    if before and after and before != after:
        where = f"{before} -> {after}"
    why = f" ({', '.join(change.reasons)})" if change.reasons else ""
    state = ""
    if change.after is not None:
        conditions = [
            word
            for word, is_so in (
                ("not ready", change.after.ready is False),
                ("not serving", change.after.serving is False),
                ("terminating", change.after.terminating is True),
            )
            if is_so
        ]
        state = f" {', '.join(conditions)}" if conditions else " ready"
    return f"{change.key}{state}{why}  [{where}]"


def _turn(turn: "Transition") -> str:
    port = f"{turn.namespace or ''}/{turn.service or ''} {turn.port_name} {turn.protocol}"
    if bool(turn.ready_before) != bool(turn.ready_after):
        return f"{port}: {turn.ready_after} ready now, {turn.ready_before} before"
    if bool(turn.endpoints_before) != bool(turn.endpoints_after):
        return f"{port}: {turn.endpoints_after} endpoints now, {turn.endpoints_before} before; none is ready"
    return f"{port}: topology hints are {'complete' if turn.hints_complete_after else 'no longer complete'}"


class File(Target):
    """Keeps a file what ``render`` says, and runs a command when it changed. Without path it prints."""

    def __init__(self, render: "Callable[[View], str]", path: str | None, command: str | None) -> None:
        self._render = render
        self._path = None if path is None else Path(path)
        self._command = Command(command) if command else None
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


class Command:
    """What makes a program read its file again, such as ``systemctl reload nginx``."""

    def __init__(self, line: str) -> None:
        self._arguments = shlex.split(line)
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
        if self._failed_at is not None and time.monotonic() - self._failed_at >= _AGAIN:
            self.run()

    def finish(self) -> None:
        """Run it again until it succeeds, if it failed. Raises ``CommandError`` if it never does."""
        for left in reversed(range(_LAST)):
            if self._failed_at is not None:
                time.sleep(_AGAIN)
                self.run(is_last=not left)


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
        self._command = Command(command) if command else None
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
            if time.monotonic() - since >= _AGAIN:
                self.update(view, delta, time.time())
        elif self._command:
            self._command.retry()

    def finish(self) -> None:
        """Ask HAProxy and run the command again, if they failed."""
        for _ in range(_LAST):
            if self._lost is not None:
                time.sleep(_AGAIN)
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


def _read(path: Path) -> str | None:
    try:
        # To read what is no file, such as the other end of a pipe, may take for ever.
        return replaceable(path).read_text("utf-8")
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        return ""
