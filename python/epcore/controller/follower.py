"""One kind of objects, followed: a list, then events, and a list again where the watch has lost its place."""

import asyncio
import json
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from epcore.controller.api import ApiError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from epcore.controller.api import Api, Resource

LARGEST: Final = 16 << 20
"""Bytes of one event. An object has at most 3 MB."""
_LONGEST_WAIT: Final = 30.0
_FIRST_WAIT: Final = 0.25
_SHORT: Final = 1.0
"""A watch that lives no longer, in seconds, is trouble too, though nobody says so."""


class Pages(NamedTuple):
    """A list: its pages as the server sent them, and its version."""

    pages: list[bytes]
    version: str


class Hearer(Protocol):
    """Whoever wants to know what there is of a kind."""

    def listed(self, pages: Pages) -> None:
        """Take a list for all that there is."""

    def told(self, events: bytes) -> None:
        """Take in events, one a line."""

    def troubled(self, error: ApiError) -> None:
        """Hear of trouble; it is tried again."""


@dataclass
class Follower:
    """Follows one kind for a hearer.

    :param selector: only objects with labels that match.
    :param life: seconds after which the server is to end a watch; a new one goes on from there.
    :param silence: seconds without a byte, bookmarks too, after which a watch is taken for dead, and listed anew.
    """

    api: "Api"
    resource: "Resource"
    hearer: Hearer
    namespace: str | None = None
    selector: str = ""
    page: int = 500
    life: int = 240
    silence: float = 90.0
    _version: str = ""
    _last: bytes = field(default=b"", repr=False)
    """The last event, which has the version to go on from."""

    async def run(self) -> None:
        """List and watch until cancelled."""
        failures = 0
        clock = asyncio.get_running_loop().time
        while True:
            began, pause = clock(), 0.0
            try:
                if self._last:
                    self._version, self._last = _version_of(self._last), b""
                if not self._version:
                    pages = await self.listed()
                    self.hearer.listed(pages)
                    self._version = pages.version
                await self._watch()
            except ApiError as error:
                if error.is_gone:
                    self._version, self._last = "", b""
                pause = error.retry_after or 0.0
                self.hearer.troubled(error)
            except Exception as error:  # noqa: BLE001 - whatever was sent, the next list may be better
                self._version, self._last = "", b""
                self.hearer.troubled(ApiError(0, f"what it sent cannot be taken: {type(error).__name__}: {error}"))
            # A watch that goes on for a while makes up for earlier trouble.
            failures = 0 if clock() - began > _SHORT else failures + 1
            if failures:
                wait = min(_LONGEST_WAIT, _FIRST_WAIT * 2.0 ** (min(failures, 16) - 1))
                pause = max(pause, wait * random.uniform(0.5, 1.0))  # noqa: S311 - no secret
            await asyncio.sleep(min(pause, _LONGEST_WAIT))

    async def listed(self) -> Pages:
        """List everything, page by page; in one answer where the place in the list was lost. Raises ``ApiError``."""
        try:
            return await self._listed(self.page)
        except ApiError as error:
            if not error.is_gone:
                raise
            return await self._listed(0)

    async def _listed(self, limit: int) -> Pages:
        pages: list[bytes] = []
        following = ""
        while True:
            query = [*self._query()]
            if limit:
                query.append(("limit", str(limit)))
            if following:
                query.append(("continue", following))
            page = await self.api.request("GET", self.resource.path(self.namespace), query=query)
            pages.append(page)
            metadata = _metadata_of(page)
            version = str(metadata.get("resourceVersion") or "")
            if not version:
                # Every list has one. What has none is not for us, and to take it for an empty list would empty slices.
                raise ApiError(0, "an answer that is no list: it has no resourceVersion")
            following = str(metadata.get("continue") or "")
            if not following:
                return Pages(pages, version)

    async def _watch(self) -> None:
        query = [
            *self._query(),
            ("watch", "true"),
            ("resourceVersion", self._version),
            ("allowWatchBookmarks", "true"),
            ("timeoutSeconds", str(self.life)),
        ]
        path, clock = self.resource.path(self.namespace), asyncio.get_running_loop().time
        async with self.api.stream(path, query=query, silence=self.silence) as response:
            began = clock()
            async for events in whole_lines(response.content.iter_any()):
                _raise_error(events)
                self.hearer.told(events)
                self._last = events
        if not self._last and clock() - began <= _SHORT:
            # As `client-go` has it: it may be somebody between who knows no watches, for ever.
            raise ApiError(0, "a watch that ended at once and told nothing")

    def _query(self) -> "list[tuple[str, str]]":
        return [("labelSelector", self.selector)] if self.selector else []


async def whole_lines(chunks: "AsyncIterator[bytes]") -> "AsyncIterator[bytes]":
    """Yield what comes as whole lines, as many as there are. Raises ``ApiError`` for a line that does not end."""
    rest = bytearray()
    async for chunk in chunks:
        end = chunk.rfind(b"\n") + 1
        if end:
            yield bytes(rest) + chunk[:end]
            rest.clear()
        rest += chunk[end:]
        if len(rest) > LARGEST:
            raise ApiError(0, f"an event of more than {LARGEST:,} bytes")
    if rest:
        raise ApiError(0, "a watch that ended in the middle of an event")


def _raise_error(events: bytes) -> None:
    """Raise what the server says by an event: 410 where it does not know the version any more."""
    if b'"ERROR"' not in events:
        return
    for line in events.splitlines():
        event = json.loads(line)
        if event.get("type") == "ERROR":
            status = event.get("object") or {}
            # Whatever it is, the watch has ended and may have lost events.
            raise ApiError(410, str(status.get("message") or status.get("reason") or "the watch has ended"), line)


def _metadata_of(page: bytes) -> "dict[str, object]":
    """Read the metadata of a list, and its items only where they come first."""
    head, found, _ = page.partition(b'"items"')
    if found:
        try:
            metadata = json.loads(head + b'"items":null}').get("metadata")
            if metadata:
                return dict(metadata)
        except ValueError:
            pass  # the word was part of something else
    try:
        return dict(json.loads(page).get("metadata") or {})
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise ApiError(0, f"a list that cannot be read: {error}") from None


def _version_of(events: bytes) -> str:
    """Read the version of the last event that was taken; ``""`` if there is none."""
    lines = events.splitlines()
    return str(json.loads(lines[-1])["object"]["metadata"]["resourceVersion"]) if lines else ""
