"""A proxy before the API server that fails as networks and overloaded servers do, request by request."""

import asyncio
import json
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import urlsplit

from cluster.control_plane import ControlPlane, free_ports

MOST_HEAD = 1 << 20


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    """With its query."""
    moment: float = 0.0

    @property
    def is_watch(self) -> bool:
        return "watch=" in self.path

    @property
    def writes_slice(self) -> bool:
        return self.method != "GET" and "/endpointslices" in self.path


@dataclass
class Fault:
    """What happens to requests: an answer that no server gave, none at all, or one that comes late.

    :param concerns: which requests.
    :param status: answer with this, and do not pass the request on.
    :param lost: pass the request on and lose the answer: ``cut`` the connection, or let the client wait (``hang``).
    :param delay: seconds before anything is done.
    :param times: how often; ``None`` for ever.
    """

    concerns: Callable[[Request], bool]
    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    lost: str = ""
    delay: float = 0.0
    times: int | None = None
    met: int = 0

    def takes(self, request: Request) -> bool:
        if (self.times is not None and self.met >= self.times) or not self.concerns(request):
            return False
        self.met += 1
        return True


class Proxy:
    """Passes requests on, each on a connection of its own, and does what its faults say; the first that fits counts."""

    def __init__(self, control_plane: ControlPlane) -> None:
        self._upstream = urlsplit(control_plane.server)
        certificate = control_plane.credentials.server("proxy")
        self._serving = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._serving.load_cert_chain(certificate)
        self._asking = ssl.create_default_context(cafile=str(control_plane.credentials.authority))
        [port] = free_ports(1)
        self._port = port
        self.server = f"https://127.0.0.1:{port}"
        self.faults: list[Fault] = []
        self.requests: list[Request] = []
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._ready = threading.Event()
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join()
        self._loop.close()

    def cut(self) -> None:
        """End all connections, as a load balancer does that is restarted."""
        self._loop.call_soon_threadsafe(self._abort)

    def count(self, concerns: Callable[[Request], bool]) -> int:
        return sum(concerns(request) for request in list(self.requests))

    def _abort(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    def _run(self) -> None:
        self._loop.run_until_complete(self._serve())

    async def _serve(self) -> None:
        self._stopped = asyncio.Event()
        server = await asyncio.start_server(self._accept, "127.0.0.1", self._port, ssl=self._serving, limit=MOST_HEAD)
        self._ready.set()
        await self._stopped.wait()
        server.close()
        self._abort()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.add(writer)
        try:
            with suppress(OSError, ssl.SSLError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await self._one(reader, writer)
        finally:
            self._writers.discard(writer)
            self._tasks.discard(task)
            writer.transport.abort() if writer.is_closing() else writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        method, path, _ = head.split(b"\r\n", 1)[0].decode().split(" ")
        request = Request(method, path, time.monotonic())
        self.requests.append(request)
        fault = next((fault for fault in self.faults if fault.takes(request)), Fault(lambda _: True))
        body = await _body(head, reader)
        await asyncio.sleep(fault.delay)
        if fault.status:
            writer.write(_answer(fault.status, fault.headers))
            await writer.drain()
            return
        out_reader, out_writer = await asyncio.open_connection(
            self._upstream.hostname, self._upstream.port, ssl=self._asking
        )
        self._writers.add(out_writer)
        try:
            out_writer.write(_closing(head) + body)
            if fault.lost:
                await out_reader.read(-1)
                if fault.lost == "hang":
                    await reader.read(-1)
                return
            while content := await out_reader.read(1 << 16):
                writer.write(content)
                await writer.drain()
        finally:
            self._writers.discard(out_writer)
            out_writer.close()


async def _body(head: bytes, reader: asyncio.StreamReader) -> bytes:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            return await reader.readexactly(int(value))
        assert name.strip().lower() != b"transfer-encoding", "the proxy of the tests takes bodies of known length"
    return b""


def _closing(head: bytes) -> bytes:
    """Ask the server to end the connection after its answer, by which the end of it is known."""
    lines = [line for line in head.split(b"\r\n") if line and not line.lower().startswith(b"connection:")]
    return b"\r\n".join([*lines, b"Connection: close", b"", b""])


def _answer(status: int, headers: Mapping[str, str]) -> bytes:
    content = json.dumps(
        {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": status, "message": "a fault of the test"}
    ).encode()
    lines = [f"HTTP/1.1 {status} Fault", "Content-Type: application/json", f"Content-Length: {len(content)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join([*lines, "Connection: close", "", ""])).encode() + content
