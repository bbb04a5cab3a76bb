"""Sources that are looked at again and again."""

import asyncio
import random
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from epcore.controller.sources import Failed, Found, SourceError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from epcore.controller.sources import PublishedEndpoint

_FIRST_RETRY: Final = 1.0
"""Seconds after the first failure; twice as many after each further one."""
_DOUBLINGS: Final = 16
_JITTER: Final = 0.1


@dataclass(frozen=True, slots=True)
class Look:
    """What one look has shown."""

    endpoints: "list[PublishedEndpoint] | None"
    """``None``: it cannot be told yet, as where a file is being written to, and what was told before stands."""
    seconds: float
    """When to look again."""


@dataclass
class Polled(ABC):
    """A source of which each look shows all. Trouble is told once; looks come later and later while it lasts."""

    @abstractmethod
    async def look(self) -> Look:
        """Look once. Raises :class:`SourceError`; any other exception is told too, with its type."""

    @property
    @abstractmethod
    def patience(self) -> float:
        """Most seconds before a source that failed is looked at again."""

    async def wait(self, seconds: float) -> None:
        """Wait until it is time for the next look."""
        await asyncio.sleep(seconds)

    async def close(self) -> None:  # noqa: B027 - most keep nothing
        """Let go of what a look leaves for the next one: nobody follows any more."""

    def retry_after(self, failures: int, error: BaseException) -> float:
        """Seconds before the next look, after so many failures in a row."""
        del error
        longest: float = min(self.patience, _FIRST_RETRY * 2 ** min(failures - 1, _DOUBLINGS))
        return longest * (1 - _JITTER * random.random())  # noqa: S311 - it spreads load

    async def follow(self) -> "AsyncIterator[Found | Failed]":
        """Yield how it is, then again whenever that changes."""
        told: Found | Failed | None = None
        failures = 0
        try:
            while True:
                now: Found | Failed | None
                try:
                    look = await self.look()
                except (Exception, asyncio.CancelledError) as error:
                    if is_cancelled(error):
                        raise
                    failures += 1
                    now, seconds = Failed(told_in_one_line(error)), self.retry_after(failures, error)
                else:
                    failures = 0
                    now, seconds = None if look.endpoints is None else Found(look.endpoints), look.seconds
                if now is not None and now != told:
                    told = now
                    yield now
                await self.wait(seconds)
        finally:
            await self.close()


def is_cancelled(error: BaseException) -> bool:
    """Tell a cancellation of who follows from one that a source's code has made for itself, which is its trouble."""
    task = asyncio.current_task()
    return isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling() > 0


def told_in_one_line(error: BaseException) -> str:
    """Tell an error to people: our own as they are, others with their type."""
    said = " ".join(str(error).split())
    if isinstance(error, SourceError):
        return said
    return f"{type(error).__name__}: {said}" if said else type(error).__name__
