"""A load: the endpoints that Services want, as they come, change and go.

An event says what happened to one endpoint (:class:`Event`); :func:`build_load` makes of events what slices must
hold from then on. What happened before time 0 was there when the simulation began.
"""

import re
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from itertools import count
from json import dumps
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias, get_args
from zlib import crc32

from epcore.errors import EpcoreError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

EventName: TypeAlias = Literal["add", "ready", "unready", "terminate", "remove"]
"""``add``: there with an address, not ready; ``terminate``: leaving, no longer ready, serving as it was."""

Telling: TypeAlias = Literal["nothing", "waiting", "node"]
"""What could tell which endpoints change next; the rest is chance, as names and addresses tell nothing.

``nothing``: of those of a revision that say the same, any; but ready ones that were unready before are told apart.
``waiting``: the same, but of those that are not ready, any that have been so since the same sync. ``node``: of those
of one node with the same past, any.
"""

EVENTS: Final[tuple[EventName, ...]] = get_args(EventName)
NAMESPACE: Final = "simulated"
MANAGER: Final = "endpointslice-controller.k8s.io"
ZONES: Final = ("zone-a", "zone-b", "zone-c")

ADDRESSES_OF_NODE: Final = 1022
MOST_NODES: Final = (1 << 14) - 1

_SERVICE: Final = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
_ANYWHERE: Final = (int(IPv4Address("100.64.0.0")), (1 << 22) - 2)
"""Where endpoints without a node get their addresses: the first, and how many."""


class LoadError(EpcoreError, ValueError):
    """Events that cannot have happened, or a file that tells none."""


class Event(NamedTuple):
    """What happened to one endpoint."""

    time: float
    """Seconds; below 0 before the simulation begins."""
    service: str
    key: str
    """Name of the endpoint: that of its Pod."""
    event: EventName
    node: str = ""


class Change(NamedTuple):
    """What slices must hold from now on."""

    time: float
    service: str
    key: str
    content: bytes | None
    """The endpoint as JSON; ``None``: it is gone."""


@dataclass(frozen=True)
class Load:
    """Changes of the endpoints of some Services, in the order of time."""

    name: str
    templates: dict[str, bytes]
    """For each Service the slice without endpoints, as JSON."""
    changes: list[Change]
    telling: Telling = "node"
    """What :data:`epcore.simulate.BLIND` takes for known: the most, unless one knows how the load comes about."""

    @property
    def seconds(self) -> float:
        """When the last change comes."""
        return self.changes[-1].time if self.changes else 0.0


def build_load(name: str, events: "Iterable[Event]", telling: Telling = "node") -> Load:
    """Make the load of events, which must be in the order of time. Raises :class:`LoadError` as :class:`Endpoints`."""
    endpoints = Endpoints()
    changes = [endpoints.change(event) for event in events]
    templates = {service: template_of(service) for service in sorted({one.service for one in changes})}
    return Load(name, templates, changes, telling)


def template_of(service: str) -> bytes:
    """Make the slice without endpoints, as Kubernetes' controller makes it for a Service with selector."""
    uid = f"{crc32(service.encode()):08x}-0000-4000-8000-000000000000"
    owner = {
        "apiVersion": "v1",
        "blockOwnerDeletion": True,
        "controller": True,
        "kind": "Service",
        "name": service,
        "uid": uid,
    }
    labels = {"endpointslice.kubernetes.io/managed-by": MANAGER, "kubernetes.io/service-name": service}
    metadata = {"generateName": f"{service}-", "namespace": NAMESPACE, "labels": labels, "ownerReferences": [owner]}
    slice_ = {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": metadata}
    ports = [{"name": "http", "protocol": "TCP", "port": 8080}]
    return dumps({**slice_, "addressType": "IPv4", "endpoints": [], "ports": ports}, separators=(",", ":")).encode()


@dataclass(slots=True)
class _Endpoint:
    head: str
    tail: str
    pool: str
    address: int
    ready: bool = False
    terminating: bool = False

    def to_json(self) -> bytes:
        """Write it in the canonical form of the engine, so that bytes can be counted without it."""
        ready, serving = self.ready and not self.terminating, self.ready
        conditions = f'"ready":{ready},"serving":{serving},"terminating":{self.terminating}'.lower()
        return f'{self.head}"conditions":{{{conditions}}},{self.tail}'.encode()


@dataclass(slots=True)
class _Addresses:
    """The addresses of one node, given in turn as a node's plugin does, so that one comes back as late as can be."""

    first: int
    size: int
    turn: "Iterator[int]" = field(default_factory=count)
    taken: set[int] = field(default_factory=set)

    def take(self) -> int:
        if len(self.taken) >= self.size:
            raise LoadError(f"has more than {self.size:,} endpoints at a time on one node")
        number = next(number for turn in self.turn if (number := turn % self.size) not in self.taken)
        self.taken.add(number)
        return self.first + number


class Endpoints:
    """The endpoints of all Services: takes events, and gives what slices must hold.

    Raises :class:`LoadError` for an event that cannot be: of an endpoint that is not there, or is there already, or is
    leaving; of a Service whose name is none; and if time goes back.
    """

    def __init__(self) -> None:
        self._endpoints: dict[tuple[str, str], _Endpoint] = {}
        self._addresses: dict[str, _Addresses] = {"": _Addresses(*_ANYWHERE)}
        self._numbers = count(1)
        self._time = float("-inf")

    def change(self, event: Event) -> Change:
        """Take one event."""
        if not event.time >= self._time:
            raise LoadError(f"time goes back from {self._time:g} to {event.time:g}")
        if event.event not in EVENTS:
            raise LoadError(f"knows no event {event.event!r}, only {', '.join(EVENTS)}")
        content = self._content(event)
        self._time = event.time
        return Change(event.time, event.service, event.key, content)

    def _content(self, event: Event) -> bytes | None:
        place = event.service, event.key
        known = self._endpoints.get(place)
        if event.event == "add":
            if known is not None:
                raise LoadError(f"adds {event.key} to {event.service}, where it is already")
            known = self._endpoints[place] = self._added(event)
            return known.to_json()
        if known is None:
            raise LoadError(f"tells that {event.key} is {event.event} in {event.service}, where it was not added")
        if event.event == "remove":
            pool = self._addresses[known.pool]
            pool.taken.remove(known.address - pool.first)
            del self._endpoints[place]
            return None
        if known.terminating and event.event != "unready":
            raise LoadError(f"tells that {event.key} is {event.event} in {event.service}, though it is leaving")
        if event.event == "terminate":
            known.terminating = True
        else:
            known.ready = event.event == "ready"
        return known.to_json()

    def _added(self, event: Event) -> _Endpoint:
        if not _SERVICE.fullmatch(event.service):
            raise LoadError(f"has a Service {event.service!r}: no name of one (small letters, digits, -)")
        if not event.key:
            raise LoadError("has an empty key")
        if event.node not in self._addresses:
            if len(self._addresses) > MOST_NODES:
                raise LoadError(f"has more than {MOST_NODES:,} nodes")
            first = int(IPv4Address("10.0.0.1")) + (len(self._addresses) - 1) * (ADDRESSES_OF_NODE + 2)
            self._addresses[event.node] = _Addresses(first, ADDRESSES_OF_NODE)
        address = self._addresses[event.node].take()
        uid = f"{next(self._numbers):08x}-0000-4000-8000-000000000000"
        target = f'{{"kind":"Pod","namespace":"{NAMESPACE}","name":{_text(event.key)},"uid":"{uid}"}}'
        place = ""
        if event.node:
            zone = ZONES[(self._addresses[event.node].first // (ADDRESSES_OF_NODE + 2)) % len(ZONES)]
            place = f',"nodeName":{_text(event.node)},"zone":"{zone}"'
        head = f'{{"addresses":["{IPv4Address(address)}"],'
        return _Endpoint(head, f'"targetRef":{target}{place}}}', event.node, address)


def _text(value: str) -> str:
    return dumps(value, ensure_ascii=False)
