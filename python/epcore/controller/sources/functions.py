"""Endpoints from Python code of other people: a function, or a generator, plain or asynchronous."""

import asyncio
import importlib
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from typing import Any, Final, TypeAlias

from epcore.controller.sources import SourceError
from epcore.controller.sources.document import checked
from epcore.controller.sources.polled import Look, Polled, told_in_one_line

GROUP: Final = "epcore.sources"
"""Entry points by which packages offer sources."""

Provider: TypeAlias = Callable[..., object]

_OVER: Final = object()


@dataclass
class Function(Polled):
    """A callable, called every ``interval`` seconds, or one that makes a generator, each item of which is a whole set.

    Code that is not asynchronous runs in a thread of its own. A call that takes longer than ``timeout`` seconds is
    trouble, and no other is made before it ends; a generator may take as long as it likes. One that ends, or fails, is
    begun again after a while.

    :param name: for people.
    :param arguments: by name, for each call.
    """

    call: Provider
    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    interval: float = 30.0
    timeout: float = 30.0
    _items: "Generator[object] | AsyncGenerator[object] | None" = field(default=None, init=False)
    _under_way: "asyncio.Future[object] | None" = field(default=None, init=False)

    @property
    def patience(self) -> float:
        """Call no less often than when all is well."""
        return self.interval

    async def look(self) -> Look:
        """Call it, or wait for the next item."""
        try:
            given = await self._next()
        except SourceError:
            raise
        except Exception as error:
            raise SourceError(f"{self.name}: {told_in_one_line(error)}") from error
        if isinstance(given, str | bytes | Mapping) or not isinstance(given, Iterable):
            raise SourceError(f"{self.name}: expected a list of endpoints, found {type(given).__name__}")
        endpoints = await asyncio.to_thread(checked, given, self.name)
        return Look(endpoints, 0.0 if self._items is not None else self.interval)

    async def _next(self) -> object:
        if self._items is None:
            made = await self._called()
            if not isinstance(made, Generator | AsyncGenerator):
                return made
            self._items = made
        try:
            item = await self._item(self._items)
        except BaseException:
            await self.close()
            raise
        if item is _OVER:
            await self.close()
            raise SourceError(f"{self.name}: the generator has ended; it begins again")
        return item

    async def _called(self) -> object:
        """Call it, or go on waiting for the call that has not ended yet."""
        if self._under_way is None:
            self._under_way = _in_thread(lambda: self.call(**self.arguments), self.name)
        done, _ = await asyncio.wait([self._under_way], timeout=self.timeout)
        if not done:
            raise SourceError(f"{self.name}: has not answered in {self.timeout:g} seconds")
        under_way, self._under_way = self._under_way, None
        made = under_way.result()
        if not isinstance(made, Awaitable):
            return made
        try:
            # Not `wait_for`, which may lose a cancellation (until Python 3.12).
            async with asyncio.timeout(self.timeout):
                return await made
        except TimeoutError:
            raise SourceError(f"{self.name}: has not answered in {self.timeout:g} seconds") from None

    async def _item(self, items: "Generator[object] | AsyncGenerator[object]") -> object:
        if isinstance(items, AsyncGenerator):
            return await anext(items, _OVER)
        return await _in_thread(lambda: next(items, _OVER), self.name)

    async def close(self) -> None:
        """End a generator, as far as it lets itself be ended: one that waits in its thread does not."""
        items, self._items = self._items, None
        with suppress(Exception):
            if isinstance(items, AsyncGenerator):
                await items.aclose()
            elif items is not None:
                items.close()


def provider_of(text: str) -> Provider:
    """Find a callable: ``module:function``, or the name of an entry point. Raises :class:`SourceError`."""
    module, colon, attribute = text.partition(":")
    if not colon:
        return _offered(text)
    try:
        found: object = importlib.import_module(module)
        for part in attribute.split("."):
            found = getattr(found, part)
    except Exception as error:
        raise SourceError(f"python:{text}: {told_in_one_line(error)}") from error
    if not callable(found):
        raise SourceError(f"python:{text}: is not callable")
    return found


def _offered(name: str) -> Provider:
    offered = entry_points(group=GROUP, name=name)
    if len(offered) != 1:
        known = ", ".join(sorted({entry.name for entry in entry_points(group=GROUP)})) or "none"
        said = "several packages offer it" if offered else f"no package offers it (there are: {known})"
        raise SourceError(f"python:{name}: {said}; entry points of the group {GROUP}, or module:function")
    try:
        found = next(iter(offered)).load()
    except Exception as error:
        raise SourceError(f"python:{name}: {told_in_one_line(error)}") from error
    if not callable(found):
        raise SourceError(f"python:{name}: is not callable")
    return found  # type: ignore[no-any-return]


def _in_thread(call: Callable[[], object], name: str) -> "asyncio.Future[object]":
    """Call in a thread that nothing waits for: neither other sources nor the end of the program."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[object] = loop.create_future()

    def settle(result: object, error: BaseException | None) -> None:
        if future.cancelled():
            return
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)

    def run() -> None:
        result: object = None
        failure: BaseException | None = None
        try:
            result = call()
        except StopIteration as error:  # which no future takes
            failure = RuntimeError(f"StopIteration: {error}")
        except BaseException as error:  # noqa: BLE001 - told by who waits
            failure = error if isinstance(error, Exception) else RuntimeError(told_in_one_line(error))
        # The loop may be over already.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(settle, result, failure)

    threading.Thread(target=run, name=name, daemon=True).start()
    return future
