"""Endpoints from an HTTP server that has them as JSON."""

import asyncio
import ssl
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Final

import aiohttp
from yarl import URL

from epcore.controller.sources import SourceError
from epcore.controller.sources.document import endpoints_in
from epcore.controller.sources.polled import Look, Polled
from epcore.controller.sources.threads import OneCall

if TYPE_CHECKING:
    from epcore.controller.sources import PublishedEndpoint

_REDIRECTS: Final = 5
_CHUNK: Final = 1 << 16
_VALIDATORS: Final = {"ETag": "If-None-Match", "Last-Modified": "If-Modified-Since"}
"""What a server says of a document, and how it is asked whether that still holds."""
_LONGEST_TOKEN: Final = 1 << 16


class _BusyError(SourceError):
    """The server asks for patience."""

    def __init__(self, message: str, seconds: float) -> None:
        super().__init__(message)
        self.seconds = seconds


@dataclass
class Document(Polled):
    """A JSON document, as a file would have it.

    Certificates are always checked. A document that has not changed is not sent again, if the server has ``ETag`` or
    ``Last-Modified``. A document that is gone (404) is trouble and not an empty one.

    :param interval: seconds between two looks.
    :param timeout: seconds for all of one look, redirects included, and as many to read its files.
    :param largest: most bytes of the document, without its compression.
    :param ca_file: certificates of the authorities that are trusted, in place of the system's; read for each look.
    :param token_file: a bearer token, read for each look, so that it may be renewed; never sent unencrypted, or to
        another server than that of the URL.
    """

    url: str
    interval: float = 30.0
    timeout: float = 10.0
    largest: int = 16 << 20
    ca_file: Path | None = None
    token_file: Path | None = None
    _known: "list[PublishedEndpoint] | None" = field(default=None, init=False)
    _validators: dict[str, str] = field(default_factory=dict, init=False)
    _reading: "OneCall[_Secrets]" = field(default_factory=OneCall, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        url = self._origin = URL(self.url)
        if url.scheme not in {"http", "https"} or not url.host:
            raise SourceError(f"{self.url}: no URL of HTTP")
        if url.user is not None or url.password is not None:
            raise SourceError(f"{url.with_user(None)}: a password in a URL is seen by many; use a file with a token")
        if self.token_file is not None and url.scheme != "https":
            raise SourceError(f"{self.url}: a token is sent by https alone")

    @property
    def patience(self) -> float:
        """Look no less often than when all is well."""
        return self.interval

    def retry_after(self, failures: int, error: BaseException) -> float:
        """Wait as long as the server asks for, within reason."""
        if isinstance(error, _BusyError):
            return min(max(error.seconds, 1.0), 10 * self.interval)
        return super().retry_after(failures, error)

    async def look(self) -> Look:
        """Ask for the document."""
        secrets = await self._secrets()
        try:
            async with asyncio.timeout(self.timeout), aiohttp.ClientSession(auto_decompress=True) as session:
                content, validators = await self._fetched(session, secrets)
        except TimeoutError:
            raise SourceError(f"{self.url}: not done in {self.timeout:g} seconds") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            said = " ".join(str(error).split()) or type(error).__name__
            raise SourceError(f"{self.url}: {said}") from None
        if content is not None:
            # Only what made sense is left out the next time.
            self._validators = {}
            self._known = await asyncio.to_thread(endpoints_in, self._name, content)
            self._validators = validators
        return Look(self._known, self.interval)

    async def close(self) -> None:
        """Leave files that cannot be read to themselves."""
        self._reading.forget()

    @property
    def _name(self) -> str:
        """The URL, in a form that says that it is JSON whatever its path ends with."""
        return f"{self.url}#.json"

    async def _fetched(
        self, session: aiohttp.ClientSession, secrets: "_Secrets"
    ) -> tuple[bytes | None, dict[str, str]]:
        """Follow redirects to the document: its content, ``None`` if it has not changed, and what tells that."""
        url = self._origin
        for _ in range(_REDIRECTS + 1):
            headers = self._headers(url, secrets.token)
            async with session.get(url, headers=headers, ssl=secrets.trust, allow_redirects=False) as answer:
                if answer.status not in {301, 302, 303, 307, 308}:
                    return await self._content(answer)
                url = self._redirected(url, answer.headers.get("Location", ""))
        raise SourceError(f"{self.url}: more than {_REDIRECTS} redirects")

    def _redirected(self, url: URL, location: str) -> URL:
        following = url.join(URL(location))
        if not location or following.scheme not in {"http", "https"} or not following.host:
            raise SourceError(f"{self.url}: redirected to {location!r}, which is no URL of HTTP")
        if url.scheme == "https" and following.scheme != "https":
            raise SourceError(f"{self.url}: redirected from https to {following.scheme}")
        return following

    def _headers(self, url: URL, token: str) -> dict[str, str]:
        headers = {"Accept": "application/json", "Accept-Encoding": "gzip, deflate", **self._validators}
        if token and url.origin() == self._origin.origin():
            headers["Authorization"] = f"Bearer {token}"
        return headers

    async def _secrets(self) -> "_Secrets":
        """Read the files, in a thread: the file system that they are on may hang."""
        files = [str(file) for file in (self.token_file, self.ca_file) if file is not None]
        if not files:
            return _Secrets()
        return await self._reading.result(self._read, " and ".join(files), self.timeout)

    def _read(self) -> "_Secrets":
        return _Secrets(
            "" if self.token_file is None else _token(self.token_file),
            True if self.ca_file is None else _trust(self.ca_file),
        )

    async def _content(self, answer: aiohttp.ClientResponse) -> tuple[bytes | None, dict[str, str]]:
        if answer.status == HTTPStatus.NOT_MODIFIED and self._validators:
            return None, self._validators
        if answer.status != HTTPStatus.OK:
            message = f"{self.url}: {answer.status} {answer.reason}"
            seconds = _seconds_of(answer.headers.get("Retry-After"))
            raise SourceError(message) if seconds is None else _BusyError(message, seconds)
        content = bytearray()
        async for chunk in answer.content.iter_chunked(_CHUNK):
            content += chunk
            if len(content) > self.largest:
                raise SourceError(f"{self.url}: more than {self.largest:,} bytes")
        found = {ask: answer.headers[tell] for tell, ask in _VALIDATORS.items() if tell in answer.headers}
        return bytes(content), found


@dataclass(frozen=True, slots=True)
class _Secrets:
    """What the files of a document say."""

    token: str = ""
    trust: ssl.SSLContext | bool = True


def _trust(path: Path) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=path)
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror or error}") from None


def _token(path: Path) -> str:
    try:
        with path.open(encoding="ascii") as file:
            token = file.read(_LONGEST_TOKEN).strip()
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SourceError(f"{path}: is no token") from None
    if not token or not token.isprintable() or " " in token:
        raise SourceError(f"{path}: is no token")
    return token


def _seconds_of(retry_after: str | None) -> float | None:
    """Read ``Retry-After``: seconds, or a date."""
    if retry_after is None:
        return None
    if retry_after.isascii() and retry_after.isdigit():
        return float(retry_after)
    try:
        moment = parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - datetime.now(UTC).timestamp()
