"""A file of endpoints, or a folder of such files, followed while they change and never believed half written."""

import asyncio
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from epcore.controller.sources import SourceError
from epcore.controller.sources.contents import LARGEST, State, Whole, state_of
from epcore.controller.sources.notices import Notices, notices_of_loop, places
from epcore.controller.sources.polled import Look, Polled
from epcore.controller.sources.threads import OneCall

if TYPE_CHECKING:
    from epcore.controller.sources import PublishedEndpoint

_UNENDED: Final = 5.0
"""Seconds for which a last line without end is taken for one that is being written."""
_RESTLESS: Final = 30.0
"""Seconds after which a file that keeps changing is trouble."""
_HANGING: Final = 60.0
"""The same for a look that does not end, as where a network's file system hangs."""


@dataclass
class File(Polled):
    """A file or a folder.

    Whoever writes should put a new file in the place of the old one (``mv``, a ConfigMap): that is whole whenever it is
    seen. A file that is written in place is read when nothing of it has changed for ``settle`` seconds, and later if
    its last line has no end.

    :param interval: seconds between two looks where the system tells of no change by itself.
    :param largest: most bytes of one file.
    :param notices: shared by sources, so that one watcher serves them all; left out, by all of the event loop.
    """

    path: Path
    interval: float = 1.0
    settle: float = 0.25
    largest: int = LARGEST
    notices: Notices | None = None
    _seen: State | None = field(default=None, init=False)
    _seen_at: float = field(default=0.0, init=False)
    _restless_since: float = field(default=0.0, init=False)
    _places: dict[Path, Path] = field(default_factory=dict, init=False)
    """Where it is, by its name and by its links, and where word of each comes from."""
    _call: OneCall[Look] = field(default_factory=OneCall, init=False)
    _known: "tuple[State, list[PublishedEndpoint] | SourceError] | None" = field(default=None, init=False)

    @property
    def patience(self) -> float:
        """Look as often as ever: it is cheap."""
        return self.interval

    async def look(self) -> Look:
        """See whether anything changed, and read it once it rests."""
        return await self._call.result(self._looked, str(self.path), _HANGING)

    async def close(self) -> None:
        """Leave a look that hangs to itself."""
        self._call.forget()

    def _looked(self) -> Look:
        self._places = places({self.path.absolute(), self.path.resolve()})
        state = state_of(self.path)
        if self._known is None or self._known[0] != state:
            now = time.monotonic()
            if state != self._seen:
                self._restless_since = self._restless_since or now
                self._seen, self._seen_at = state, now
            if (rest := now - self._seen_at) < self.settle:
                return self._unsettled(now, self.settle - rest)
            whole = self._whole(state)
            if whole is None or (whole.is_unended and rest < _UNENDED):
                return self._unsettled(now, self.settle)
            self._restless_since = 0.0
            self._known = state, _outcome(whole)
        known = self._known[1]
        if isinstance(known, SourceError):
            raise known
        return Look(known, self.interval)

    async def wait(self, seconds: float) -> None:
        """Wait, or until something happens to it or to what it links to."""
        if self._call.is_under_way:
            # It hangs, and whoever asks for its links would hang with it.
            await asyncio.sleep(seconds)
            return
        notices = notices_of_loop() if self.notices is None else self.notices
        await notices.wait(self._places, seconds)

    def _whole(self, state: State) -> Whole | None:
        """Read it; ``None`` if it is not any more as it was."""
        try:
            whole = Whole.read(self.path, self.largest)
        except SourceError:
            if state_of(self.path) == state:
                raise
            return None
        return whole if whole.state == state else None

    def _unsettled(self, now: float, seconds: float) -> Look:
        if now - self._restless_since > _RESTLESS:
            raise SourceError(f"{self.path}: has been changing for more than {_RESTLESS:g} seconds")
        return Look(None, seconds)


def _outcome(whole: Whole) -> "list[PublishedEndpoint] | SourceError":
    try:
        return whole.endpoints()
    except SourceError as error:
        return error
