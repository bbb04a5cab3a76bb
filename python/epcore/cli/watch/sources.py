"""Where events come from: a log of watch events, or the API server of a cluster."""

import json
import random
import time
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from epcore import SliceSet
from epcore.cli.failure import CommandError
from epcore.cli.inputs import lines
from epcore.kubeconfig import is_in_pod
from epcore.recorded import LARGEST_EVENT, seconds_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

PAGE: Final = 500
"""Slices in one answer to a list, as kubectl asks."""

_LONGEST_WATCH: Final = 280
"""Seconds after which the API server is asked to end a watch, so that one that hangs is noticed."""

_CONNECT: Final = 10
"""Seconds for a connection to be made."""
_SILENCE: Final = 70
"""Seconds without a byte of a list, on which the API server itself works for 60 at most."""

_LONGEST_WAIT: Final = 30.0
_DOUBLINGS: Final = 16
_SHORT: Final = 1.0
_SERVICE_LABEL: Final = "kubernetes.io/service-name"


@dataclass(frozen=True, slots=True)
class Listed:
    """All slices that are there."""

    slices: list[Any]
    resource_version: str


@dataclass(frozen=True, slots=True)
class Told:
    """One watch event, as JSON."""

    event: bytes
    where: str
    """For people: where it was read."""
    time: float | None = None
    """Seconds on the clock of a recording."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """The source cannot be read for now and tries again."""

    message: str


def log(name: str) -> "Iterator[Told]":
    """Yield the events of a log: watch events as JSON lines or as kubectl prints them, or a recording.

    Events of other kinds are passed over. Raises ``CommandError`` with file and line for anything else.
    """
    for number, text in _documents(name):
        where = f"{name}: line {number}"
        try:
            event = json.loads(text)
        except (ValueError, RecursionError):
            raise CommandError(f"{where}: not JSON; a log is watch events, one after the other") from None
        item = event.get("object", event) if isinstance(event, dict) else None
        if not isinstance(item, dict):
            raise CommandError(f"{where}: no watch event: it has no object")
        kind = (event.get("kind") if "object" in event else None) or item.get("kind") or "EndpointSlice"
        if not isinstance(kind, str) or kind in {"EndpointSlice", "Status"}:
            yield Told(text, where, _seconds_of(event, where))


def _seconds_of(event: "dict[str, Any]", where: str) -> float | None:
    seconds = event.get("t")
    try:
        return seconds_of(seconds) if isinstance(seconds, int | float) else None
    except ValueError as error:
        raise CommandError(f"{where}: {error}") from None


def _documents(name: str) -> "Iterator[tuple[int, bytes]]":
    """Yield JSON documents with the line that they begin in: one a line, or indented and closed by ``}`` alone."""
    parts: list[bytes] = []
    begin = size = 0
    for number, line in enumerate(lines(name, longest=LARGEST_EVENT + 1), start=1):
        if not parts and line.isspace():
            continue
        begin = begin if parts else number
        parts.append(line)
        size += len(line)
        if size > LARGEST_EVENT:
            raise CommandError(f"{name}: line {begin}: an event of more than {LARGEST_EVENT:,} bytes")
        is_whole = line.startswith(b"}") if len(parts) > 1 else line.strip() != b"{"
        if is_whole:
            yield begin, b"".join(parts)
            parts, size = [], 0
    if parts:
        yield begin, b"".join(parts)


class Cluster:
    """The slices of a cluster, through the official client: its kubeconfig or, inside of a Pod, its account.

    :param services: namespace and name of the Services to follow; none for all.
    """

    def __init__(
        self,
        *,
        kubeconfig: str | None,
        context: str | None,
        namespace: str | None,
        services: "Sequence[tuple[str, str]]",
        wait: "Callable[[float], None]" = time.sleep,
    ) -> None:
        self._kubeconfig, self._context = kubeconfig, context
        namespaces = {namespace} if namespace else {of for of, _ in services}
        self._options: dict[str, Any] = {"_preload_content": False}
        if len(namespaces) == 1:
            self._options["namespace"] = namespaces.pop()
        if services:
            names = ",".join(sorted({name for _, name in services}))
            self._options["label_selector"] = f"{_SERVICE_LABEL} in ({names})"
        self._wait = wait
        self._list: Callable[..., Any]  # its answer is of urllib3, unread
        self._log_in()

    def _log_in(self) -> None:
        """Read the credentials, which may be others by now. Raises ``CommandError``."""
        try:
            from kubernetes import client, config  # noqa: PLC0415 - an extra, which only this needs
        except ModuleNotFoundError:
            message = "a cluster is read with the kubernetes client: pip install '.[cli,kubernetes]' from a checkout"
            raise CommandError(message) from None
        places = config.KUBE_CONFIG_DEFAULT_LOCATION
        in_pod = self._kubeconfig is None and is_in_pod(places)
        where = "account of the Pod" if in_pod else f"kubeconfig {self._kubeconfig or places}"
        try:
            if in_pod:
                config.load_incluster_config()  # type: ignore[no-untyped-call]
            else:
                config.load_kube_config(self._kubeconfig, self._context)  # type: ignore[no-untyped-call]
        except (config.ConfigException, OSError) as error:
            raise CommandError(f"{where}: {' '.join(str(error).split())}") from None
        except Exception as error:  # noqa: BLE001 - whatever the client stumbles over in what is none, or half of one
            said = f"{type(error).__name__}: {' '.join(str(error).split())}"
            raise CommandError(f"{where}: cannot be read: {said}") from None
        api = client.DiscoveryV1Api(client.ApiClient())
        is_one = "namespace" in self._options
        self._list = api.list_namespaced_endpoint_slice if is_one else api.list_endpoint_slice_for_all_namespaces

    def listed(self) -> Listed:
        """List all slices, page by page."""
        slices: list[Any] = []
        following = None
        while True:
            place: dict[str, Any] = {"_continue": following} if following else {}
            answer = self._list(limit=PAGE, _request_timeout=(_CONNECT, _SILENCE), **place, **self._options)
            page = answer.read()
            version, following = _place_of(page)
            slices.extend(SliceSet.from_json(page))
            if not following:
                return Listed(slices, version)

    def watched(self, version: str) -> "Iterator[bytes]":
        """Watch from a version until the API server ends it."""
        answer = self._list(
            watch=True,
            resource_version=version,
            allow_watch_bookmarks=True,
            timeout_seconds=_LONGEST_WATCH,
            _request_timeout=(_CONNECT, _LONGEST_WATCH + 20),
            **self._options,
        )
        try:
            yield from split_lines(answer.stream(decode_content=False))
        finally:
            answer.close()
            answer.release_conn()

    def once(self) -> "Iterator[Listed]":
        """Yield a list. Raises ``CommandError`` where there is none to be had."""
        try:
            yield self.listed()
        except Exception as error:  # noqa: BLE001 - of three libraries; told in one line
            raise _as_command_error(error) from None

    def follow(self, version: "Callable[[], str | None]") -> "Iterator[Listed | Told | Trouble]":
        """Yield a list, then events; a list again where the watch has lost its place. Never ends.

        :param version: tells, of what was yielded so far, the version to go on from, or ``None`` for a list.
        """
        failures = 0
        must_list = was_there = False
        while True:
            begin, is_well = time.monotonic(), False
            try:
                if must_list or version() is None:
                    yield self.listed()
                    is_well, must_list = True, False
                for event in self.watched(version() or ""):
                    yield Told(event, "watch")
                    is_well = True
                is_well = True
            except Exception as error:  # noqa: BLE001 - of three libraries
                self._bear(error, was_there=was_there or is_well)
                must_list = must_list or getattr(error, "status", None) == HTTPStatus.GONE
                yield Trouble(f"API server: {_told(error)}; trying again")
            was_there = was_there or is_well
            # A watch that ends at once is trouble too, though nobody says so. Trouble itself may take its time.
            failures = 0 if is_well and time.monotonic() - begin > _SHORT else failures + 1
            if failures:
                self._wait(_pause(failures))

    def _bear(self, error: Exception, *, was_there: bool) -> None:
        """Log in anew where that may help. Raises ``CommandError`` for what will not pass."""
        status = getattr(error, "status", None)
        if was_there and status == HTTPStatus.UNAUTHORIZED:
            # What cannot be read now may be half written, and is read again when it is refused again.
            with suppress(CommandError):
                self._log_in()
        elif not _is_passing(error, status):
            raise _as_command_error(error) from None


def _pause(failures: int) -> float:
    """Seconds to wait after so many failures in a row."""
    longest = min(_LONGEST_WAIT, 0.25 * 2.0 ** min(failures, _DOUBLINGS))
    return longest * random.uniform(0.5, 1.0)  # noqa: S311 - no secret


def _place_of(page: bytes) -> tuple[str, str | None]:
    """Tell the version of a list and where its next page begins. Raises ``CommandError`` for what is no list."""
    try:
        metadata = json.loads(page)["metadata"]
        version, following = metadata["resourceVersion"], metadata.get("continue")
    except (ValueError, LookupError, TypeError, RecursionError):
        version = following = None
    if not version:
        # Every list has one. What has none is not for us, and to take it for an empty list would empty files.
        raise CommandError("API server: an answer that is no list: it has no resourceVersion")
    return version, following


def split_lines(chunks: "Iterator[bytes]") -> "Iterator[bytes]":
    """Cut a stream into its lines. Raises ``CommandError`` for one without end."""
    rest: list[bytes] = []
    size = 0
    for chunk in chunks:
        *whole, last = chunk.split(b"\n")
        for line in whole:
            rest.append(line)
            yield b"".join(rest)
            rest, size = [], 0
        rest.append(last)
        size += len(last)
        if size > LARGEST_EVENT:
            raise CommandError(f"API server: an event of more than {LARGEST_EVENT:,} bytes")


def _is_passing(error: Exception, status: object) -> bool:
    """Tell whether it may be better later: no connection, too many requests, trouble of the server."""
    from urllib3.exceptions import HTTPError  # noqa: PLC0415 - comes with the client

    if isinstance(status, int) and status:
        passing = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.GONE, HTTPStatus.TOO_MANY_REQUESTS}
        return status in passing or status >= HTTPStatus.INTERNAL_SERVER_ERROR
    return isinstance(error, HTTPError | OSError)


def _as_command_error(error: Exception) -> CommandError:
    return error if isinstance(error, CommandError) else CommandError(f"API server: {_told(error)}")


def _told(error: Exception) -> str:
    status, reason = getattr(error, "status", None), getattr(error, "reason", None)
    return f"{status} {reason}" if status else " ".join(str(error).split())
