"""Word that something in a folder has changed, for as many sources as there are, by one watcher."""

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from watchfiles import awatch

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

_PAUSE: Final = 0.1
"""Seconds before the watcher begins anew: sources begin many at a time."""


class Notices:
    """Wakes who waits for a change in a folder.

    It is a help and never the truth: a network's file system sends no word, and the system may have no more watchers to
    give. Whoever waits looks again after a while by itself. One watcher serves all, since a process may have few.
    """

    def __init__(self) -> None:
        self._waiting: dict[Path, set[asyncio.Event]] = {}
        self._watched: frozenset[Path] = frozenset()
        self._is_stale = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def wait(self, folders: "AbstractSet[Path]", seconds: float) -> None:
        """Wait until something in one of these folders has changed, or so many seconds."""
        woken = asyncio.Event()
        for folder in folders:
            self._waiting.setdefault(folder, set()).add(woken)
        try:
            if self._task is None or self._task.done():
                self._task = asyncio.create_task(self._follow())
            if any(folder.is_dir() for folder in folders - self._watched):
                self._is_stale.set()
            # Not `wait_for`, which loses a cancellation that comes together with what it waits for (until Python 3.12).
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await woken.wait()
        finally:
            for folder in folders:
                self._waiting[folder].discard(woken)

    def close(self) -> None:
        """End the watcher; one that is needed again begins again."""
        self._is_stale.set()
        if self._task is not None:
            self._task.cancel()
        self._watched = frozenset()

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(_PAUSE)
            self._waiting = {folder: waiting for folder, waiting in self._waiting.items() if waiting}
            self._watched = frozenset(folder for folder in self._waiting if folder.is_dir())
            self._is_stale = stale = asyncio.Event()
            if self._watched:
                # Where it cannot watch, nobody is woken: they look by themselves.
                with suppress(OSError):
                    await self._tell(stale)
            await stale.wait()

    async def _tell(self, stale: asyncio.Event) -> None:
        watch = awatch(*self._watched, stop_event=stale, watch_filter=None, recursive=False, step=20, debounce=200)
        async for changes in watch:
            for folder in {Path(name).parent for _, name in changes}:
                for woken in self._waiting.get(folder, ()):
                    woken.set()
