"""How fast things may go: a bucket of tokens, and the queue of Services that are to be looked at."""

import asyncio
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING

from epcore import Batch

if TYPE_CHECKING:
    from collections.abc import Callable

    from epcore.controller.objects import Name


def _now() -> float:
    return asyncio.get_running_loop().time()


class Bucket:
    """So many for each second, and so many at once. Turns come in the order in which they were asked for.

    Source: ``rate.Limiter`` of Go, which ``client-go`` uses for requests and for its work queues.
    """

    def __init__(self, rate: float, burst: int, clock: "Callable[[], float]" = _now) -> None:
        if rate <= 0 or burst < 1:
            raise ValueError(f"a rate of {rate} with {burst} at once lets nothing through")
        self._rate, self._burst, self._clock = rate, burst, clock
        self._tokens = float(burst)
        self._seen: float | None = None

    def reserve(self) -> float:
        """Take a turn; returns the seconds until it comes."""
        self._fill()
        self._tokens -= 1.0
        return max(0.0, -self._tokens / self._rate)

    def take(self) -> bool:
        """Take a turn if there is one now."""
        self._fill()
        is_there = self._tokens >= 1.0
        self._tokens -= is_there
        return is_there

    def _fill(self) -> None:
        now = self._clock()
        passed = 0.0 if self._seen is None else max(0.0, now - self._seen)
        self._seen = now
        self._tokens = min(float(self._burst), self._tokens + passed * self._rate)

    async def wait(self) -> None:
        """Wait for a turn."""
        delay = self.reserve()
        if delay > 0:
            await asyncio.sleep(delay)


class WorkQueue:
    """Services to look at: one never twice at the same time, and the first event of several fixes when.

    One that failed comes again later and later; a success makes up for it. Source: the rate limited work queue of
    ``client-go`` as the EndpointSlice controller sets it up (``NewController``), with its numbers as options.
    """

    def __init__(self, *, base: float, longest: float, bucket: Bucket, clock: "Callable[[], float]" = _now) -> None:
        self._base, self._longest, self._bucket, self._clock = base, longest, bucket, clock
        self._later = Batch()
        self._ready: deque[Name] = deque()
        self._waiting: set[Name] = set()
        """Those in ``_ready``."""
        self._working: set[Name] = set()
        self._again: set[Name] = set()
        """Those that are worked on and must be looked at once more."""
        self._failures: dict[Name, int] = {}
        self._news = asyncio.Event()
        self._closed = False

    def add(self, name: "Name", delay: float = 0.0) -> None:
        """Let a Service be looked at, no later than after so many seconds."""
        self._later.add("/".join(name), self._clock() + delay)
        self._news.set()

    def retry(self, name: "Name", at_least: float = 0.0) -> None:
        """Let a Service that failed be looked at again, not before so many seconds."""
        failures = self._failures.get(name, 0)
        self._failures[name] = failures + 1
        # The exponent is bounded, since no float is as large as it may become.
        wait = min(self._base * 2.0 ** min(failures, 64), self._longest)
        self.add(name, max(wait, self._bucket.reserve(), at_least))

    def forget(self, name: "Name") -> None:
        """Do not hold earlier failures against a Service."""
        self._failures.pop(name, None)

    def failures(self, name: "Name") -> int:
        """Tell how often in a row a Service has failed."""
        return self._failures.get(name, 0)

    async def get(self) -> "Name | None":
        """Wait for a Service that is due, and take it; ``None`` once the queue is closed."""
        while not self._closed:
            self._take_due()
            if self._ready:
                name = self._ready.popleft()
                self._waiting.remove(name)
                self._working.add(name)
                return name
            self._news.clear()
            due = self._later.next()
            wait = None if due is None else max(0.0, due - self._clock())
            # Not `wait_for`, which loses a cancellation that comes together with what it waits for (until Python 3.12).
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._news.wait()
        return None

    def _take_due(self) -> None:
        for key in self._later.take(self._clock()):
            namespace, _, service = key.partition("/")
            name = (namespace, service)
            if name in self._working:
                self._again.add(name)
            elif name not in self._waiting:
                self._waiting.add(name)
                self._ready.append(name)

    def done(self, name: "Name") -> None:
        """Tell that a Service that was taken is not worked on any more."""
        self._working.discard(name)
        if name in self._again:
            self._again.remove(name)
            self._waiting.add(name)
            self._ready.append(name)
            self._news.set()

    def close(self) -> None:
        """Hand out nothing any more."""
        self._closed = True
        self._news.set()

    def __len__(self) -> int:
        """Count those that are due."""
        return len(self._ready) + len(self._again)
