"""HAProxy: backends with server slots, kept right through its Runtime API; no reload while the slots suffice.

A slot is a ``server`` line: ``s1``, ``s2``, and so on; which endpoint it serves is decided by :class:`epcore.Slots`.
"""

import math
import socket
from ipaddress import IPv6Address
from typing import TYPE_CHECKING, Final, TypeAlias, get_args

from epcore import Slots
from epcore.errors import EpcoreError
from epcore.proxy.ports import ServicePort, join_address, lines_of
from epcore.types import FamilyName

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from epcore import Delta, SlotChange, View

    Target: TypeAlias = tuple[str, int]

BLOCK: Final = 32
"""Slots come in blocks of so many."""

FREE: Final = ("127.0.0.1", 1)
"""Where a slot without endpoint points to. It is in maintenance."""

_REQUEST: Final = 8_000
"""Bytes of commands in one request; HAProxy takes them into a buffer of 16,384 by default."""

_DONE: Final = ("no need to change", "nothing changed")


class HAProxyError(EpcoreError):
    """HAProxy did not do what it was told."""


class Backend:
    """One backend of HAProxy: the slots of a port, its section of the configuration, and commands for what changes.

    :param name: of the backend; left out, ``NAMESPACE_SERVICE_PORT``.
    :param options: lines that come first in the section, such as ``balance leastconn``.
    :param block: how many slots are added at a time.
    :param servers: what the slots serve now, as :meth:`Runtime.servers` tells; left out, one block is free.

    Raises ``ValueError`` for a port of another protocol than TCP, which HAProxy does not pass on, and for domain names
    as family, which it takes for no address of a server.

    >>> import epcore
    >>> view = epcore.View()
    >>> delta = view.replace({"metadata": {"name": "web-1", "namespace": "shop",
    ...     "labels": {"kubernetes.io/service-name": "web"}}, "addressType": "IPv4",
    ...     "ports": [{"name": "http", "port": 80}], "endpoints": [{"addresses": ["10.0.0.1"]}]})
    >>> backend = Backend(ServicePort("shop", "web", "http"), block=2)
    >>> backend.apply(delta)
    ['set server shop_web_http/s1 addr 10.0.0.1 port 80', 'set server shop_web_http/s1 state ready']
    >>> print(backend.section(), end="")
    backend shop_web_http
        server s1 10.0.0.1:80
        server s2 127.0.0.1:1 disabled
    """

    def __init__(
        self,
        port: ServicePort,
        *,
        name: str | None = None,
        options: "Iterable[str]" = (),
        block: int = BLOCK,
        family: "FamilyName" = "IPv4",
        servers: "Sequence[Target | None] | None" = None,
    ) -> None:
        if block < 1:
            raise ValueError(f"slots come in blocks of 1 or more, not {block}")
        if port.protocol != "TCP":
            raise ValueError(f"{port.joined('/')}: HAProxy passes on no {port.protocol}")
        if family not in get_args(FamilyName):
            raise ValueError(f"family of a backend must be one of {', '.join(get_args(FamilyName))}, not {family!r}")
        self.name = name or port.joined("_")
        self.slots = Slots(
            port.service,
            port.name,
            namespace=port.namespace,
            capacity=block if servers is None else 0,
            protocol=port.protocol,
            family=family,
            servers=servers or (),
        )
        self._options = lines_of(options)
        self._block = block
        self._knows_states = not servers
        """HAProxy said where its slots point to. One may be in maintenance, since the endpoint there has gone."""

    def apply(self, delta: "Delta") -> list[str]:
        """Follow what a view tells, and return the commands that make HAProxy follow."""
        return list(self._commands(self.slots.apply(delta)))

    def replace(self, view: "View") -> list[str]:
        """Follow a view, whatever was told before, and return the commands."""
        return list(self._commands(self.slots.replace(view)))

    @property
    def fits(self) -> bool:
        """HAProxy needs no reload: every endpoint that serves has a slot."""
        return self.slots.fits

    def grow(self) -> None:
        """Add as many blocks of slots as are needed. Then write the section anew and reload HAProxy."""
        missing = len(self.slots.waiting)
        blocks = math.ceil((self.slots.capacity + missing) / self._block)
        self.slots.grow(max(blocks, 1) * self._block)

    def section(self) -> str:
        """Write the section of the configuration, so that a start or a reload begins with what is right.

        A slot that drains is disabled: a HAProxy that has just started has nothing there to finish.
        """
        lines = [f"backend {self.name}", *(f"    {option}" for option in self._options)]
        for number, server in enumerate(self.slots.servers(), 1):
            where = FREE if server is None else (server.address, server.port)
            disabled = "" if server is not None and server.state == "ready" else " disabled"
            lines.append(f"    server s{number} {join_address(*where)}{disabled}")
        return "\n".join([*lines, ""])

    def _commands(self, changes: "Sequence[SlotChange]") -> "Iterator[str]":
        """Yield commands, those that bring servers before those that take some away."""
        if not self._knows_states:
            changed = {change.index for change in changes}
            for index, held in enumerate(self.slots.servers()):
                if held is not None and index not in changed:
                    yield f"set server {self.name}/s{index + 1} state {held.state}"
        for change in sorted(changes, key=lambda change: change.after is None or change.after.state != "ready"):
            server = f"set server {self.name}/s{change.index + 1}"
            before, after = change.before, change.after
            if after is None:
                yield f"{server} state maint"
                continue
            if before is None or (before.address, before.port) != (after.address, after.port):
                yield f"{server} addr {after.address} port {after.port}"
            if before is None or before.state != after.state or not self._knows_states:
                yield f"{server} state {after.state}"
        self._knows_states = True


class Runtime:
    """HAProxy's Runtime API, for which its configuration says ``stats socket ... level admin``.

    :param address: path of the Unix socket, or ``HOST:PORT``.
    :param timeout: seconds to wait for each answer.
    """

    def __init__(self, address: str, *, timeout: float = 5.0) -> None:
        self._address = address
        self._timeout = timeout

    def send(self, commands: "Iterable[str]") -> None:
        """Send commands in order. Raises ``HAProxyError`` where one was not carried out."""
        for request in _batches(commands):
            for line in self._ask(request).splitlines():
                if line and " changed from " not in line and not line.startswith(_DONE):
                    raise HAProxyError(f"HAProxy refused one of {request!r}: {line}")

    def servers(self, backend: str) -> "list[Target | None]":
        """Read what each slot serves, for :class:`Backend` to go on with; nothing for a backend that is not there."""
        answer = self._ask(f"show servers state {backend}").splitlines()
        if not answer or "find backend" in answer[0]:
            return []
        heading = next((line.lstrip("# ").split() for line in answer if line.startswith("# be_id")), None)
        if heading is None:
            raise HAProxyError(f"HAProxy says {answer[0]!r} where the state of {backend} was asked for")
        servers: dict[str, Target | None] = {}
        for line in answer:
            fields = dict(zip(heading, line.split(), strict=False))
            if fields.get("be_name") == backend:
                where = (_canonical(fields["srv_addr"]), int(fields["srv_port"]))
                servers[fields["srv_name"]] = None if where == FREE else where
        slots = [f"s{number}" for number in range(1, len(servers) + 1)]
        if set(slots) != set(servers):
            raise HAProxyError(f"backend {backend} has servers that are no slots: {', '.join(sorted(servers))}")
        return [servers[slot] for slot in slots]

    def _ask(self, request: str) -> str:
        try:
            with self._connection() as connection:
                connection.sendall(f"{request}\n".encode())
                answer = b"".join(iter(lambda: connection.recv(65_536), b""))
        except OSError as error:
            raise HAProxyError(f"{self._address}: {error.strerror or error}") from error
        text = answer.decode("utf-8", "replace")
        if text.splitlines().count("") < request.count(";") + 1:
            # Each answer ends with an empty line. Whoever goes away before leaves the rest undone.
            raise HAProxyError(f"{self._address}: HAProxy has gone before it answered all of {request!r}")
        return text

    def _connection(self) -> socket.socket:
        host, colon, port = self._address.rpartition(":")
        if colon and port.isdecimal():
            return socket.create_connection((host.strip("[]"), int(port)), self._timeout)
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(self._timeout)
        try:
            connection.connect(self._address)
        except OSError:
            connection.close()
            raise
        return connection


def _canonical(address: str) -> str:
    """Write an address as the engine does; HAProxy shows ``::102:304`` as ``::1.2.3.4``."""
    return str(IPv6Address(address)) if ":" in address else address


def _batches(commands: "Iterable[str]") -> "Iterator[str]":
    """Join commands into requests that fit into HAProxy's buffer."""
    batch: list[str] = []
    size = 0
    for command in commands:
        if batch and size + len(command) > _REQUEST:
            yield ";".join(batch)
            batch, size = [], 0
        batch.append(command)
        size += len(command) + 1
    if batch:
        yield ";".join(batch)
