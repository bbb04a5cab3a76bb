"""Follows a source in a test: what it tells, in order, and that it tells nothing."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from epcore.controller.sources import Failed, Found, Source


class Told:
    """What a source has told and nobody has looked at yet."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[Found | Failed] = asyncio.Queue()

    async def collect(self, source: Source) -> None:
        async for told in source.follow():
            self._queue.put_nowait(told)

    async def found(self) -> list[Any]:
        """Wait for endpoints, which must come next."""
        told = await asyncio.wait_for(self._queue.get(), 20)
        assert isinstance(told, Found), told
        return told.endpoints

    async def failed(self) -> str:
        """Wait for trouble, which must come next."""
        told = await asyncio.wait_for(self._queue.get(), 20)
        assert isinstance(told, Failed), told
        return told.message

    async def nothing(self, seconds: float = 0.3) -> None:
        """Make sure that nothing is told for a while."""
        await asyncio.sleep(seconds)
        assert self._queue.empty(), self._queue.get_nowait()


@asynccontextmanager
async def told_by(source: Source) -> AsyncIterator[Told]:
    """Follow a source until the block ends."""
    told = Told()
    task = asyncio.create_task(told.collect(source))
    try:
        yield told
        assert not task.done(), "a source never ends by itself"
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
