"""Word that a file has changed, or something in a folder, for as many sources as there are, by one watcher."""

import asyncio
import logging
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary

from watchfiles import watch

from epcore.controller.sources.contents import is_folder
from epcore.controller.sources.threads import in_thread

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from collections.abc import Set as AbstractSet

_PAUSE: Final = 0.1
"""Seconds before the watcher begins anew: sources begin many at a time."""
_PARTING: Final = 0.5
"""Seconds in which a watcher may end."""


class Notices:
    """Wakes who waits for a change.

    It is a help and never the truth: a network's file system sends no word, and the system may have no more watchers to
    give. Whoever waits looks again after a while by itself. One watcher serves all, since a process may have few. What
    asks the file system does so in a thread: where that hangs, nobody is woken.
    """

    def __init__(self) -> None:
        self._waiting: dict[Path, set[asyncio.Event]] = {}
        """By what is waited for."""
        self._folders: dict[Path, Path] = {}
        """By the same, what is to be watched for it."""
        self._watched: frozenset[Path] = frozenset()
        """Folders."""
        self._is_stale = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        # It tells each change, which may be that of the file into which the log goes.
        logging.getLogger("watchfiles").setLevel(logging.WARNING)

    async def wait(self, places: "Mapping[Path, Path]", seconds: float) -> None:
        """Wait until one of these :func:`places`, or something in one of them, has changed, or so many seconds."""
        woken = asyncio.Event()
        for path in places:
            self._waiting.setdefault(path, set()).add(woken)
        self._folders.update(places)
        try:
            if self._task is None or self._task.done():
                self._task = asyncio.create_task(self._follow())
            if not self._watched.issuperset(places.values()):
                self._is_stale.set()
            with suppress(TimeoutError):
                await asyncio.wait_for(woken.wait(), seconds)
        finally:
            for path in places:
                self._waiting[path].discard(woken)

    def close(self) -> None:
        """End the watcher; one that is needed again begins again."""
        self._is_stale.set()
        if self._task is not None:
            self._task.cancel()
        self._watched = frozenset()

    async def _follow(self) -> None:
        try:
            await self._follow_all()
        finally:
            # Nothing of its event loop is kept.
            self._is_stale.set()
            self._task, self._is_stale = None, asyncio.Event()

    async def _follow_all(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_PAUSE)
            self._waiting = {path: waiting for path, waiting in self._waiting.items() if waiting}
            self._folders = {path: self._folders[path] for path in self._waiting}
            self._is_stale = stale = asyncio.Event()
            self._watched = await in_thread(partial(_there, {*self._folders.values()}), "notices")
            if self._watched:
                watching = in_thread(partial(self._tell, stale, loop), "notices")
                try:
                    await asyncio.wait([watching])
                except asyncio.CancelledError:
                    # A thread of the watcher's library must not outlast the interpreter, unless it hangs.
                    stale.set()
                    await asyncio.wait([watching], timeout=_PARTING)
                    raise
                # Where it cannot watch, nobody is woken: they look by themselves. Of the system's errors it makes both.
                with suppress(OSError, RuntimeError):
                    watching.result()
            await stale.wait()

    def _tell(self, stale: asyncio.Event, loop: asyncio.AbstractEventLoop) -> None:
        """Watch until it is stale; called in a thread."""
        watched = watch(*self._watched, stop_event=stale, watch_filter=None, recursive=False, step=20, debounce=200)
        for changes in watched:
            loop.call_soon_threadsafe(self._wake, {Path(name) for _, name in changes})

    def _wake(self, changes: "AbstractSet[Path]") -> None:
        for changed in changes:
            for path, waiting in self._waiting.items():
                if _concerns(changed, path):
                    for woken in waiting:
                        woken.set()


_OF_LOOPS: "Final[WeakKeyDictionary[asyncio.AbstractEventLoop, Notices]]" = WeakKeyDictionary()


def notices_of_loop() -> Notices:
    """Give the one that serves all sources of this event loop."""
    loop = asyncio.get_running_loop()
    if loop not in _OF_LOOPS:
        _OF_LOOPS[loop] = Notices()
    return _OF_LOOPS[loop]


def places(paths: "Iterable[Path]") -> dict[Path, Path]:
    """Tell where to watch for each path: in a folder itself, for a file in its own; what is not there cannot be.

    It asks the file system, which may hang.
    """
    folders = {path: path if is_folder(path) else path.parent for path in paths}
    there = _there({*folders.values()})
    return {path: folder for path, folder in folders.items() if folder in there}


def _there(folders: "Iterable[Path]") -> frozenset[Path]:
    return frozenset(folder for folder in folders if is_folder(folder))


def _concerns(changed: Path, path: Path) -> bool:
    """Tell whether a change is one of a path: of it, in it, or of what a ConfigMap's files link to (``..data``)."""
    return path in (changed, changed.parent) or (changed.name.startswith("..") and changed.parent == path.parent)
