"""The API server: objects read and written as bytes, through the official client.

The client logs in, keeps certificates and connections, and hands answers out unread, so that lists and watches go
straight into the engine.
"""

import asyncio
import json
import time
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
from kubernetes.aio import client, config

from epcore.controller.limits import Bucket
from epcore.errors import EpcoreError
from epcore.kubeconfig import has_kubeconfig, is_in_pod

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence

JSON: Final = "application/json"
MERGE_PATCH: Final = "application/merge-patch+json"
PROTOBUF: Final = "application/vnd.kubernetes.protobuf"

_MOST_REPEATS: Final = 10
"""How often a request is sent again that the server asked to be sent later, as in ``client-go``."""
_LONGEST_PAUSE: Final = 60.0
"""Most seconds for which a server is obeyed that asks for time."""
_BETWEEN_QUESTIONS: Final = 1.0
"""Seconds after which a request that waits asks again whether it may be sent at all."""
_BETWEEN_LOGINS: Final = 1.0
"""Seconds in which the credentials are read no second time."""


class Resource(NamedTuple):
    """A kind of object, and where it is kept."""

    kind: str
    base: str
    plural: str
    is_namespaced: bool = True

    def path(self, namespace: str | None = None, name: str | None = None) -> str:
        """Tell where an object is, or all of a namespace, or of the cluster."""
        parts = [self.base]
        if namespace and self.is_namespaced:
            parts += ["namespaces", namespace]
        parts.append(self.plural)
        return "/".join([*parts, name] if name else parts)


SERVICES: Final = Resource("Service", "/api/v1", "services")
PODS: Final = Resource("Pod", "/api/v1", "pods")
NODES: Final = Resource("Node", "/api/v1", "nodes", is_namespaced=False)
ENDPOINTS: Final = Resource("Endpoints", "/api/v1", "endpoints")
SLICES: Final = Resource("EndpointSlice", "/apis/discovery.k8s.io/v1", "endpointslices")
EVENTS: Final = Resource("Event", "/api/v1", "events")


class ApiError(EpcoreError):
    """The API server refused, or could not be reached.

    ``status`` is that of HTTP, 0 where there was no answer; ``body`` is what it said; ``retry_after`` is in seconds.
    """

    def __init__(self, status: int, message: str, body: bytes = b"", retry_after: float | None = None) -> None:
        super().__init__(status, message)
        self.status = status
        self.message = message
        self.body = body
        self.retry_after = retry_after

    def __str__(self) -> str:
        return f"API server: {self.message}"

    @property
    def is_open(self) -> bool:
        """Nobody knows whether what was asked for was done."""
        return self.status == 0 or self.status >= HTTPStatus.INTERNAL_SERVER_ERROR

    @property
    def is_gone(self) -> bool:
        """What was asked for is too old: only a list tells what is there (410)."""
        return self.status == HTTPStatus.GONE


class WithheldError(EpcoreError):
    """A request was not sent, since whoever asked for it has no right to it any more."""


class Api:
    """A connection to an API server.

    :param kubeconfig: file to use in place of the usual one.
    :param context: context of it to use.
    :param qps: requests for each second, watches left out; ``burst`` of them at once.
    :param timeout: seconds for one request, with its repeat where credentials were not taken; watches left out.

    Without a kubeconfig, and inside of a Pod, the Pod's account is used; its token is read again each minute. Any
    credentials are read again when the server does not take them. Close it after use (``async with``).
    """

    def __init__(
        self,
        *,
        kubeconfig: str | None = None,
        context: str | None = None,
        qps: float = 20.0,
        burst: int = 30,
        timeout: float = 30.0,
    ) -> None:
        self._kubeconfig, self._context = kubeconfig, context
        self._bucket = Bucket(qps, burst)
        self._timeout = aiohttp.ClientTimeout(total=timeout, sock_connect=min(10.0, timeout))
        self._client: client.ApiClient | None = None
        self._former: client.ApiClient | None = None
        self._login = asyncio.Lock()
        self._logged_in = 0.0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def connect(self) -> None:
        """Read the credentials, so that a mistake in them is told now. Raises :class:`ApiError`."""
        await self._session()

    async def close(self) -> None:
        """End all connections."""
        clients, self._client, self._former = (self._client, self._former), None, None
        for one in clients:
            if one is not None:
                await one.close()  # type: ignore[no-untyped-call]

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: "Sequence[tuple[str, str]]" = (),
        body: "bytes | Mapping[str, Any] | None" = None,
        content_type: str = JSON,
        accept: str = JSON,
        may_send: "Callable[[], bool] | None" = None,
    ) -> bytes:
        """Ask for something, and return the answer. Raises :class:`ApiError`.

        What the server had no time for (429) is sent again when it says so; reading also after its other failures.

        :param may_send: asked each time, when all waiting is over, and now and then while the server asks for a long
            wait. Raises :class:`WithheldError` if it says no.
        """
        repeats = 0
        while True:
            await self._bucket.wait()
            if may_send is not None and not may_send():
                raise WithheldError(f"{method} {path} was not sent")
            try:
                # With the repeat for fresh credentials, too.
                async with asyncio.timeout(self._timeout.total):
                    return await self._once(method, path, query, body, content_type, accept)
            except TimeoutError as error:
                raise _lost(error) from None
            except ApiError as error:
                is_harmless = error.status == HTTPStatus.TOO_MANY_REQUESTS or (method == "GET" and error.is_open)
                if error.retry_after is None or not is_harmless or repeats == _MOST_REPEATS:
                    raise
                repeats += 1
                await _pause(min(error.retry_after, _LONGEST_PAUSE), may_send)

    async def _once(
        self,
        method: str,
        path: str,
        query: "Sequence[tuple[str, str]]",
        body: "bytes | Mapping[str, Any] | None",
        content_type: str,
        accept: str,
    ) -> bytes:
        headers = {"Accept": accept, "Content-Type": content_type}
        response = await self._sent(method, path, query, headers, body, self._timeout)
        try:
            content: bytes = await response.read()
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise _lost(error) from None
        finally:
            response.release()
        return content

    @asynccontextmanager
    async def stream(
        self, path: str, *, query: "Sequence[tuple[str, str]]", accept: str = JSON, silence: float = 90.0
    ) -> "AsyncIterator[aiohttp.ClientResponse]":
        """Open a watch. Raises :class:`ApiError`, as reading from it does; 410 after so many seconds of silence."""
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=10.0, sock_read=silence)
        response = await self._sent("GET", path, query, {"Accept": accept}, None, timeout)
        try:
            yield response
        except TimeoutError:
            # A server that was put back to an older state says nothing to who watches from a later one.
            raise ApiError(HTTPStatus.GONE, f"a watch that says nothing for {silence:g} seconds") from None
        except (aiohttp.ClientError, OSError) as error:
            raise _lost(error) from None
        finally:
            response.close()

    async def _sent(
        self,
        method: str,
        path: str,
        query: "Sequence[tuple[str, str]]",
        headers: "dict[str, str]",
        body: "bytes | Mapping[str, Any] | None",
        limits: aiohttp.ClientTimeout,
    ) -> aiohttp.ClientResponse:
        """Send a request, once more with fresh credentials where they were not taken."""
        for is_last in (False, True):
            session = await self._session()
            try:
                prepared = await session.param_serialize(
                    method, path, query_params=[*query], header_params={**headers}, auth_settings=["BearerToken"]
                )
                answer = await session.call_api(prepared[0], prepared[1], prepared[2], body, _request_timeout=limits)
            except (aiohttp.ClientError, OSError, TimeoutError, RuntimeError) as error:
                # A session that was replaced meanwhile is a RuntimeError.
                raise _lost(error) from None
            response: aiohttp.ClientResponse = answer.response
            if response.status == HTTPStatus.UNAUTHORIZED and not is_last:
                response.release()
                await self._renew(session)
                continue
            if not response.ok:
                raise await _refused(response)
            return response
        raise AssertionError  # the second turn returns or raises

    async def _session(self) -> client.ApiClient:
        if self._client is None:
            async with self._login:
                if self._client is None:
                    self._client = await self._logged_on()
        return self._client

    async def _renew(self, stale: client.ApiClient) -> None:
        """Read the credentials again, unless somebody just did. Raises :class:`ApiError`, also where that hangs."""
        async with self._login:
            if self._client is not stale or time.monotonic() - self._logged_in < _BETWEEN_LOGINS:
                return
            try:
                # A program that logs in may hang, and a watch has no limit of its own.
                async with asyncio.timeout(self._timeout.total):
                    fresh = await self._logged_on()
            except TimeoutError as error:
                raise _lost(error) from None
            # What runs on the one before may go on; it is closed when the next is replaced.
            former, self._former, self._client = self._former, stale, fresh
            if former is not None:
                await former.close()  # type: ignore[no-untyped-call]

    async def _logged_on(self) -> client.ApiClient:
        self._logged_in = time.monotonic()
        place = self._kubeconfig or config.KUBE_CONFIG_DEFAULT_LOCATION
        try:
            session = client.ApiClient(await self._configured())
        except ApiError:
            raise
        except OSError as error:
            raise ApiError(0, f"kubeconfig: {error.filename or place}: {error.strerror or error}") from None
        except config.ConfigException as error:
            raise ApiError(0, f"kubeconfig: {' '.join(str(error).split())}") from None
        except Exception as error:  # noqa: BLE001 - whatever the client stumbles over in what is none, or half of one
            said = f"{type(error).__name__}: {' '.join(str(error).split())}"
            raise ApiError(0, f"kubeconfig: {place} cannot be read: {said}") from None
        session.user_agent = "epcore"
        return session

    async def _configured(self) -> client.Configuration:
        made = client.Configuration()
        if self._kubeconfig is not None:
            # The client takes a file that is not there for an empty one.
            await asyncio.to_thread(_read, self._kubeconfig)
        if self._kubeconfig is None and is_in_pod(config.KUBE_CONFIG_DEFAULT_LOCATION):
            config.load_incluster_config(client_configuration=made)  # type: ignore[no-untyped-call]
        elif self._kubeconfig is None and not has_kubeconfig(config.KUBE_CONFIG_DEFAULT_LOCATION):
            raise ApiError(0, f"there is no kubeconfig at {config.KUBE_CONFIG_DEFAULT_LOCATION}")
        else:
            loading = config.load_kube_config(self._kubeconfig, self._context, made, persist_config=False)  # type: ignore[no-untyped-call]
            await loading
        if not _has_proxy(made.host):
            # Else the client asks the environment for one before each request, in a thread.
            made.client_session_kwargs = {"trust_env": False}
        return made


async def _pause(seconds: float, may_send: "Callable[[], bool] | None") -> None:
    """Wait, but no longer than there is a right to send what waits: somebody may wait for it to be given up."""
    clock = asyncio.get_running_loop().time
    ends = clock() + seconds
    while (left := ends - clock()) > 0 and (may_send is None or may_send()):  # noqa: ASYNC110 - that right tells nobody
        await asyncio.sleep(min(left, _BETWEEN_QUESTIONS))


def _has_proxy(host: str) -> bool:
    """Tell whether the environment names a proxy for a server."""
    url = urlsplit(host)
    return url.scheme in getproxies() and not proxy_bypass(url.hostname or "")


def _read(path: str) -> None:
    with Path(path).open("rb") as file:
        file.read(1)


async def _refused(response: aiohttp.ClientResponse) -> ApiError:
    try:
        body = await response.read()
    except (aiohttp.ClientError, OSError, TimeoutError):
        body = b""
    finally:
        response.release()
    try:
        message = json.loads(body)["message"]
    except (ValueError, TypeError, KeyError, RecursionError):
        message = f"{response.status} {response.reason}"
    try:
        retry_after: float | None = float(response.headers["Retry-After"])
    except (KeyError, ValueError):
        retry_after = 1.0 if response.status == HTTPStatus.TOO_MANY_REQUESTS else None
    return ApiError(response.status, str(message), body, retry_after)


def _lost(error: Exception) -> ApiError:
    return ApiError(0, " ".join(str(error).split()) or type(error).__name__)
