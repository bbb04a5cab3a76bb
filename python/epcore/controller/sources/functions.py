"""Endpoints from Python code of other people: a function, or a generator, plain or asynchronous."""

import asyncio
import importlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from typing import Any, Final, TypeAlias

from epcore.controller.sources import SourceError
from epcore.controller.sources.document import checked
from epcore.controller.sources.polled import Look, Polled, told_in_one_line
from epcore.controller.sources.threads import OneCall, in_thread

GROUP: Final = "epcore.sources"
"""Entry points by which packages offer sources."""

Provider: TypeAlias = Callable[..., object]

_OVER: Final = object()


@dataclass
class Function(Polled):
    """A callable, called every ``interval`` seconds, or one that makes a generator, each item of which is a whole set.

    Code that is not asynchronous runs in a thread of its own. A call that takes longer than ``timeout`` seconds, with
    what it leaves for later as ``map`` does, is trouble, and no other is made before it ends; a generator may take as
    long as it likes. One that ends, or fails, is begun again after a while. What wants to end the program has failed.

    :param name: for people.
    :param arguments: by name, for each call.
    """

    call: Provider
    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    interval: float = 30.0
    timeout: float = 30.0
    _items: "Generator[object] | AsyncGenerator[object] | None" = field(default=None, init=False)
    _call: OneCall[Any] = field(default_factory=OneCall, init=False)

    @property
    def patience(self) -> float:
        """Call no less often than when all is well."""
        return self.interval

    async def look(self) -> Look:
        """Call it, or wait for the next item."""
        try:
            return await self._next()
        except SourceError:
            raise
        except (Exception, SystemExit) as error:
            raise SourceError(f"{self.name}: {told_in_one_line(error)}") from error

    async def _next(self) -> Look:
        if self._items is None:
            made = await self._called()
            if isinstance(made, Look):
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
        return await in_thread(lambda: self._drawn(item, 0.0), self.name)

    async def _called(self) -> "Look | Generator[object] | AsyncGenerator[object]":
        """Call it, or go on waiting for the call that has not ended yet."""
        made = await self._call.result(self._made, self.name, self.timeout)
        if isinstance(made, Awaitable):
            made = await self._awaited(made)
        if isinstance(made, Look | Generator | AsyncGenerator):
            return made
        drawn: Look = await self._call.result(lambda: self._drawn(made, self.interval), self.name, self.timeout)
        return drawn

    async def _awaited(self, made: Awaitable[object]) -> object:
        try:
            # Not `wait_for`, which may lose a cancellation (until Python 3.12).
            async with asyncio.timeout(self.timeout):
                return await made
        except TimeoutError:
            raise SourceError(f"{self.name}: has not answered in {self.timeout:g} seconds") from None

    def _made(self) -> object:
        made = self.call(**self.arguments)
        is_to_come = isinstance(made, Awaitable | Generator | AsyncGenerator)
        return made if is_to_come else self._drawn(made, self.interval)

    def _drawn(self, given: object, seconds: float) -> Look:
        """Look at each endpoint, which may take its time: they may be made only when they are asked for."""
        if isinstance(given, str | bytes | Mapping) or not isinstance(given, Iterable):
            raise SourceError(f"{self.name}: expected a list of endpoints, found {type(given).__name__}")
        return Look(checked(given, self.name), seconds)

    async def _item(self, items: "Generator[object] | AsyncGenerator[object]") -> object:
        if isinstance(items, AsyncGenerator):
            return await anext(items, _OVER)
        return await in_thread(lambda: next(items, _OVER), self.name)

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
