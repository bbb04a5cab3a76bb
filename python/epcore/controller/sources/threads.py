"""Code that may hang, called in threads that nothing waits for: neither other sources nor the end of the program."""

import asyncio
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Generic, TypeVar

from epcore.controller.sources import SourceError
from epcore.controller.sources.polled import told_in_one_line

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class OneCall(Generic[T]):
    """One call at a time: while one has not ended, it is waited for again and no other is begun beside it."""

    def __init__(self) -> None:
        self._under_way: asyncio.Future[T] | None = None

    async def result(self, call: "Callable[[], T]", name: str, timeout: float) -> T:  # noqa: ASYNC109 - it goes on
        """Call, or go on waiting. Raises :class:`SourceError` after so many seconds, and what the call raises."""
        if self._under_way is None:
            self._under_way = in_thread(call, name)
        done, _ = await asyncio.wait([self._under_way], timeout=timeout)
        if not done:
            raise SourceError(f"{name}: has not answered in {timeout:g} seconds")
        under_way, self._under_way = self._under_way, None
        return under_way.result()

    @property
    def is_under_way(self) -> bool:
        """Whether a call has not ended, or nobody has asked for its result."""
        return self._under_way is not None

    def forget(self) -> None:
        """Leave a call that has not ended to itself."""
        self._under_way = None


def in_thread(call: "Callable[[], T]", name: str) -> "asyncio.Future[T]":
    """Call in a thread of its own."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def give(result: T) -> None:
        if not future.cancelled():
            future.set_result(result)

    def fail(error: Exception) -> None:
        if not future.cancelled():
            future.set_exception(error)

    def run() -> None:
        # The loop may be over already.
        with suppress(RuntimeError):
            try:
                result = call()
            except StopIteration as error:  # which no future takes
                loop.call_soon_threadsafe(fail, RuntimeError(f"StopIteration: {error}"))
            except BaseException as error:  # noqa: BLE001 - told by who waits
                failure = error if isinstance(error, Exception) else RuntimeError(told_in_one_line(error))
                loop.call_soon_threadsafe(fail, failure)
            else:
                loop.call_soon_threadsafe(give, result)

    threading.Thread(target=run, name=name, daemon=True).start()
    return future
