"""A real HAProxy and a real Envoy on loopback, kept right by epcore while a recorded rollout is replayed.

Each endpoint of the recording is a tiny HTTP server that answers with its own address. It starts when a slice first
lists it, and ends when the update that takes it away was applied; clients send requests all the time. Proxies do not
retry, so a request that meets a server that is gone fails, and the test with it.
"""

import asyncio
import json
import lzma
import re
import resource
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Protocol, Self, TypeAlias

import epcore
from epcore.proxy import ServicePort, envoy, haproxy, usable
from ports import free_port
from programs import needs, program

Json: TypeAlias = dict[str, Any]

RECORDING = Path(__file__).parent.parent / "examples" / "rollout.jsonl.xz"
PORT = ServicePort("shop", "checkout", "http")
WINDOW = 0.1
"""Seconds of the recording that one update takes in."""
CLIENTS = 4
REQUESTS = 30
"""How many are answered between two updates, at the least."""
PATIENCE = 20.0
"""Seconds for a proxy to come up, or to take an update."""


def batches() -> list[list[Json]]:
    """The slice events of the rollout by windows of time."""
    with lzma.open(RECORDING, "rt") as file:
        events = [json.loads(line) for line in file if "EndpointSlice" in line[:60]]
    found: list[list[Json]] = []
    until = 0.0
    for event in events:
        if event["t"] >= until:
            found.append([])
            until = event["t"] + WINDOW
        found[-1].append({"type": event["type"], "object": event["object"]})
    return found


def on_loopback(text: str) -> str:
    """Say 127.64.0.9 for 10.64.0.9, where what epcore says goes to a proxy: no slice may hold a loopback address."""
    return re.sub(r"\b10\.", "127.", text)


class Server(asyncio.Protocol):
    """One connection to a tiny HTTP server, which answers with its own address."""

    def __init__(self, target: str, connections: set["Server"]) -> None:
        self._answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(target), target.encode())
        self._connections = connections
        self._transport: Any = None
        self._asked = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._connections.discard(self)

    def data_received(self, data: bytes) -> None:
        *requests, self._asked = (self._asked + data).split(b"\r\n\r\n")
        self._transport.write(self._answer * len(requests))

    def cut(self) -> None:
        self._transport.abort()


class Servers:
    """Tiny HTTP servers, one for each address."""

    def __init__(self) -> None:
        self._listening: dict[str, tuple[asyncio.Server, set[Server]]] = {}

    async def open(self, address: str, port: int) -> None:
        target, connections = f"{address}:{port}", set[Server]()
        if target not in self._listening:
            listening = await asyncio.get_running_loop().create_server(
                lambda: Server(target, connections), address, port, reuse_address=True
            )
            self._listening[target] = listening, connections

    def close(self, target: str) -> None:
        """End a server as a kill does: nothing listens, and what is open is cut."""
        listening, connections = self._listening.pop(target)
        listening.close()
        for connection in list(connections):
            connection.cut()

    async def close_all(self) -> None:
        for target in list(self._listening):
            self.close(target)
        await asyncio.sleep(0.01)


class Clients:
    """They ask a proxy all the time, each request on a connection of its own."""

    def __init__(self, port: int) -> None:
        self.answers: list[tuple[float, float, str]] = []
        """When it was asked, when it was answered, and by whom; or what went wrong."""
        self._port = port
        self._tasks: list[asyncio.Task[None]] = []
        self._is_over = False
        self._answered = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(self._ask_on()) for _ in range(CLIENTS)]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._is_over = True
        await asyncio.gather(*self._tasks)
        await asyncio.sleep(0.01)

    async def more(self, count: int) -> None:
        """Wait until so many more requests were answered."""
        until = len(self.answers) + count
        async with asyncio.timeout(PATIENCE):
            while len(self.answers) < until:
                self._answered.clear()
                await self._answered.wait()

    async def _ask_on(self) -> None:
        while not self._is_over:
            begin = time.monotonic()
            said = await self._ask()
            self.answers.append((begin, time.monotonic(), said))
            self._answered.set()

    async def _ask(self) -> str:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
            try:
                writer.write(b"GET / HTTP/1.1\r\nHost: checkout\r\nConnection: close\r\n\r\n")
                answer = await reader.read()
            finally:
                writer.close()
        except (ConnectionResetError, BrokenPipeError) as error:
            # Each call may meet it, that which connects too.
            return f"cut: {error}"
        except OSError as error:
            return f"no answer: {error}"
        if not answer:
            return "cut: no byte was answered"
        head, _, body = answer.partition(b"\r\n\r\n")
        return body.decode() if head.startswith(b"HTTP/1.1 200") else f"refused: {head[:80]!r}"


class Proxy(Protocol):
    port: int

    async def update(self, view: epcore.View, delta: epcore.Delta) -> None:
        """Return when the proxy has taken the update."""

    async def restart(self, view: epcore.View) -> None:
        """Go on as a process that was killed does: with nothing but a list, and what the proxy says that it serves."""


async def replay(proxy: Proxy, steps: list[list[Json]]) -> tuple[int, list[str]]:
    """Replay a recording through a view into a proxy under load; tells the requests and what was wrong.

    In the middle the view is lost, and with it a step; a new one begins with a list.
    """
    view, truth, servers, clients = epcore.View(), epcore.View(), Servers(), Clients(proxy.port)
    states: list[tuple[float, float, frozenset[str]]] = []
    async with AsyncExitStack() as stack:
        stack.push_async_callback(servers.close_all)
        for number, step in enumerate(steps):
            happened = truth.apply(step)
            for change in happened.added:
                if change.port_name == PORT.name:
                    await servers.open(on_loopback(change.address), change.port or 0)
            begin = time.monotonic()
            if number == len(steps) // 2:
                view = epcore.View()
                view.replace(truth.slices())
                await proxy.restart(view)
            else:
                await proxy.update(view, view.apply(step))
            states.append((begin, time.monotonic(), reachable(view)))
            for change in happened.removed:
                if change.port_name == PORT.name:
                    servers.close(on_loopback(f"{change.address}:{change.port}"))
            if number == 0:
                await stack.enter_async_context(clients)
            await clients.more(REQUESTS)
    return len(clients.answers), wrong(clients, states)


def reachable(view: epcore.View) -> frozenset[str]:
    return frozenset(on_loopback(f"{one.address}:{one.port}") for one in usable(view, PORT))


def wrong(clients: Clients, states: list[tuple[float, float, frozenset[str]]]) -> list[str]:
    """Requests that failed while a server was there, or went where none of the states in force sent them.

    A state is in force from the moment when its update began until the next one was applied.
    """
    found = []
    first = 0
    ends = [done for _, done, _ in states[1:]] + [float("inf")]
    for begin, end, said in sorted(clients.answers):
        while ends[first] < begin:
            first += 1
        index, allowed = first, set[str]()
        is_empty = False
        while index < len(states) and states[index][0] <= end:
            allowed |= states[index][2]
            is_empty |= not states[index][2]
            index += 1
        if said not in allowed and not (is_empty and said.startswith("refused")):
            found.append(f"{begin:.3f} to {end:.3f}: {said}")
    return found


@contextmanager
def running(*command: str, folder: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A program that is ended by its own id."""
    with (folder / f"{Path(command[0]).name}.log").open("ab") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


async def until(is_done: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not await asyncio.to_thread(is_done):  # noqa: ASYNC110 - a program of others sets no event
            await asyncio.sleep(0.005)


class HAProxy:
    """A HAProxy with one backend, that epcore's commands keep right."""

    def __init__(self, folder: Path, slots: int) -> None:
        self.folder = folder
        self.port = free_port()
        self.backend = haproxy.Backend(PORT, block=slots, options=["balance roundrobin"])
        self.runtime = haproxy.Runtime(str(folder / "socket"))
        self.reloads = 0
        self.commands = 0

    def write(self) -> None:
        """Write the configuration: no retries, and idle connections to servers are used again by whoever comes."""
        (self.folder / "haproxy.cfg").write_text(f"""
global
    stats socket {self.folder}/socket level admin expose-fd listeners
    hard-stop-after 5s
defaults
    mode http
    retries 0
    http-reuse always
    timeout connect 2s
    timeout client 5s
    timeout server 5s
frontend main
    bind 127.0.0.1:{self.port}
    default_backend {self.backend.name}
{on_loopback(self.backend.section())}""")

    async def update(self, view: epcore.View, delta: epcore.Delta) -> None:
        await self.send(self.backend.apply(delta))
        assert self.backend.fits, view

    async def send(self, commands: list[str]) -> None:
        self.commands += len(commands)
        await asyncio.to_thread(self.runtime.send, [on_loopback(command) for command in commands])

    async def restart(self, view: epcore.View) -> None:
        slots = await asyncio.to_thread(self.runtime.servers, self.backend.name)
        servers = [slot and (slot[0].replace("127.", "10."), slot[1]) for slot in slots]
        kept = [server and (server.address, server.port) for server in self.backend.slots.servers()]
        self.backend = haproxy.Backend(PORT, servers=servers)
        await self.send(self.backend.replace(view))
        # Nobody who is still there changed the slot.
        held = [server and (server.address, server.port) for server in self.backend.slots.servers()]
        there = {(one.address, one.port) for one in view.endpoints(PORT.service, PORT.name)}
        assert all(now == was for now, was in zip(held, kept, strict=True) if was in there)

    def serves(self) -> bool:
        """HAProxy says that its slots are ours."""
        slots = [server and (on_loopback(server.address), server.port) for server in self.backend.slots.servers()]
        try:
            # What is in a slot that was freed does not matter: it is in maintenance.
            return all(
                mine in (None, theirs)
                for mine, theirs in zip(slots, self.runtime.servers(self.backend.name), strict=True)
            )
        except (epcore.EpcoreError, ValueError):
            return False


@asynccontextmanager
async def many_files() -> AsyncIterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@needs("haproxy")
def test_haproxy_follows_a_rollout_without_reload_and_without_a_failed_request(tmp_path: Path) -> None:
    proxy = HAProxy(tmp_path, slots=768)
    proxy.write()

    async def main() -> tuple[int, list[str]]:
        async with many_files():
            with running(program("haproxy"), "-db", "-f", "haproxy.cfg", folder=tmp_path):
                await until(proxy.serves)
                told = await replay(proxy, batches())
                await until(proxy.serves)
                return told

    requests, failures = asyncio.run(main())
    assert failures == []
    assert requests > 2000
    assert proxy.commands > 1200, "600 servers came, were told to drain, and went"
    log = (tmp_path / "haproxy.log").read_text()
    assert not re.search("alert|Reload", log, re.IGNORECASE), log


class Envoy:
    """An Envoy whose cluster is the file that epcore writes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port, self.admin = free_port(), free_port()
        self.cluster = PORT.joined("/")
        self.updates = 0
        self.text = ""

    def write(self) -> None:
        self.save(envoy.eds(epcore.View(), [PORT]))
        address = {"socket_address": {"address": "127.0.0.1", "port_value": self.port}}
        admin = {"socket_address": {"address": "127.0.0.1", "port_value": self.admin}}
        eds = {"path_config_source": {"path": str(self.folder / "eds.json")}, "resource_api_version": "V3"}
        cluster = {
            "name": self.cluster,
            "type": "EDS",
            "connect_timeout": "2s",
            "eds_cluster_config": {"service_name": self.cluster, "eds_config": eds},
        }
        routes = {
            "virtual_hosts": [
                {
                    "name": "all",
                    "domains": ["*"],
                    "routes": [{"match": {"prefix": "/"}, "route": {"cluster": self.cluster}}],
                }
            ]
        }
        http = "type.googleapis.com/envoy.extensions.filters"
        manager = {
            "@type": f"{http}.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": "main",
            "route_config": routes,
            "http_filters": [{"name": "router", "typed_config": {"@type": f"{http}.http.router.v3.Router"}}],
        }
        listener = {
            "name": "main",
            "address": address,
            "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
        }
        config = {
            "node": {"id": "epcore", "cluster": "epcore"},
            "admin": {"address": admin},
            "static_resources": {"listeners": [listener], "clusters": [cluster]},
        }
        (self.folder / "envoy.json").write_text(json.dumps(config))

    def save(self, text: str) -> None:
        """Envoy reads the file again when another is moved to its place."""
        if text != self.text:
            self.updates += 1
            self.text = text
            (self.folder / "eds.new").write_text(text)
            (self.folder / "eds.new").replace(self.folder / "eds.json")

    async def update(self, view: epcore.View, delta: epcore.Delta) -> None:
        del delta
        await self.restart(view)

    async def restart(self, view: epcore.View) -> None:
        self.save(on_loopback(envoy.eds(view, [PORT])))
        wanted = reachable(view)
        await until(lambda: self.hosts() == wanted)

    def ask(self, path: str) -> str:
        with socket.create_connection(("127.0.0.1", self.admin), 5) as connection:
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            answer = b"".join(iter(lambda: connection.recv(1 << 20), b""))
        return answer.decode().partition("\r\n\r\n")[2]

    def hosts(self) -> frozenset[str]:
        """The servers that Envoy says it has."""
        return frozenset(
            re.findall(rf"^{self.cluster}::([\d.:]+)::health_flags::healthy", self.ask("/clusters"), re.MULTILINE)
        )

    def is_up(self) -> bool:
        try:
            return "LIVE" in self.ask("/ready")
        except OSError:
            return False


@needs("envoy")
def test_envoy_follows_a_rollout_without_a_failed_request(tmp_path: Path) -> None:
    proxy = Envoy(tmp_path)
    proxy.write()
    command = (
        program("envoy"),
        "-c",
        "envoy.json",
        "--concurrency",
        "1",
        "--log-level",
        "error",
        "--disable-hot-restart",
    )

    async def main() -> tuple[int, list[str]]:
        async with many_files():
            with running(*command, folder=tmp_path):
                await until(proxy.is_up)
                return await replay(proxy, batches())

    requests, failures = asyncio.run(main())
    assert failures == []
    assert requests > 2000
    assert proxy.updates > 50


@needs("haproxy")
def test_haproxy_is_reloaded_only_where_slots_do_not_suffice(tmp_path: Path) -> None:
    """A reload of HAProxy itself may cut connections that it has just accepted, which is why there are slots."""
    proxy = HAProxy(tmp_path, slots=8)
    view, servers = epcore.View(), Servers()
    counts = [3, 8, 9, 16, 15, 16, 40, 2]

    def slice_of(count: int) -> Json:
        return {
            "metadata": {"name": "a", "namespace": "shop", "labels": {"kubernetes.io/service-name": "checkout"}},
            "addressType": "IPv4",
            "ports": [{"name": "http", "port": 8080}],
            "endpoints": [{"addresses": [f"10.64.9.{number}"]} for number in range(1, count + 1)],
        }

    async def main() -> tuple[int, list[str]]:
        states: list[tuple[float, float, frozenset[str]]] = []
        async with many_files(), AsyncExitStack() as stack:
            stack.push_async_callback(servers.close_all)
            proxy.write()
            process = stack.enter_context(running(program("haproxy"), "-db", "-f", "haproxy.cfg", folder=tmp_path))
            await until(proxy.serves)
            clients = Clients(proxy.port)
            for number, count in enumerate(counts):
                for last in range(1, count + 1):
                    await servers.open(f"127.64.9.{last}", 8080)
                begin = time.monotonic()
                await proxy.send(proxy.backend.apply(view.replace(slice_of(count))))
                if not proxy.backend.fits:
                    proxy.backend.grow()
                    proxy.write()
                    proxy.reloads += 1
                    command = (program("haproxy"), "-db", "-f", "haproxy.cfg", "-x", "socket", "-sf", str(process.pid))
                    process = stack.enter_context(running(*command, folder=tmp_path))
                    await until(proxy.serves)
                states.append((begin, time.monotonic(), reachable(view)))
                if number == 0:
                    await stack.enter_async_context(clients)
                await clients.more(REQUESTS)
        return len(clients.answers), wrong(clients, states)

    requests, failures = asyncio.run(main())
    cut = [failure for failure in failures if ": cut: " in failure]
    assert failures == cut
    assert len(cut) <= proxy.reloads * CLIENTS
    assert requests >= REQUESTS * len(counts)
    assert proxy.reloads == 2
    assert proxy.backend.slots.capacity == 40
