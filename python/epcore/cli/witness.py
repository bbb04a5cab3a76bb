"""What the recorded Services, Nodes and Pods asked for, at each moment.

A controller that syncs a Service looks at the Pods as they are at that moment. So after a sync the union of the
slices is what some prefix of the recorded Pod events asks for. The witness keeps, for each Service and address type,
the history of these states, each as one number: the sum of a mark for each endpoint. Rules: upstream
``podToEndpoint`` and ``ShouldPodBeInEndpoints``.

A mark covers what the Pods decide: addresses, target, serving, terminating, and the resolved ports. It leaves out
what other things decide: hints, zone, hostname.
"""

from bisect import bisect_left
from collections import defaultdict
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from epcore.cli.catalog import canonical_address

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Port: TypeAlias = tuple[str, str, int, str]
Ports: TypeAlias = tuple[Port, ...]

_MODULUS: Final = 1 << 64


def port_key(ports: "Iterable[Mapping[str, Any]] | None") -> Ports:
    """Name, protocol, number and application protocol of each port, in a fixed order."""
    return tuple(
        sorted(
            (
                port.get("name") or "",
                port.get("protocol") or "TCP",
                port.get("port") or 0,
                port.get("appProtocol") or "",
            )
            for port in ports or ()
        )
    )


def _mark(addresses: tuple[str, ...], target: str, serving: bool, terminating: bool, ports: Ports) -> int:  # noqa: FBT001
    text = repr((addresses, target, serving, terminating, ports)).encode()
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "big")


def mark_of_endpoint(endpoint: "Mapping[str, Any]", ports: Ports) -> int:
    """Return the mark of an endpoint in a slice with these ports."""
    conditions = endpoint.get("conditions") or {}
    return _mark(
        tuple(sorted(map(canonical_address, endpoint.get("addresses", ())))),
        (endpoint.get("targetRef") or {}).get("uid", ""),
        conditions.get("serving") is not False,
        conditions.get("terminating") is True,
        ports,
    )


def total(marks: "Iterable[int]") -> int:
    """Sum marks into the number of a state."""
    return sum(marks) % _MODULUS


@dataclass(slots=True)
class History:
    """The states of one Service and address type, each with the revisions from which on it held."""

    current: int = 0
    latest: int = 0
    begins: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list, {0: [0]}))

    def change(self, difference: int, revision: int) -> None:
        """Note that the state changed by ``difference`` at ``revision``."""
        self.latest = max(self.latest, revision)
        if difference:
            self.current = (self.current + difference) % _MODULUS
            self.begins[self.current].append(self.latest)

    def first(self, state: int, since: int) -> int | None:
        """Return the first revision from ``since`` on at which ``state`` began; ``None`` if it never did."""
        begins = self.begins.get(state, [])
        place = bisect_left(begins, since)
        return begins[place] if place < len(begins) else None


@dataclass(slots=True)
class _Service:
    spec: dict[str, Any]
    marks: dict[tuple[str, str], tuple[tuple[str, int], ...]] = field(default_factory=dict)
    """For each Pod its mark in each address type."""
    histories: dict[str, History] = field(default_factory=lambda: defaultdict(History))


class Witness:
    """Takes the events of Services, Nodes and Pods in order, and keeps the histories."""

    def __init__(self) -> None:
        self._services: dict[tuple[str, str], _Service] = {}
        self._neighbours: dict[str, list[_Service]] = defaultdict(list)
        """The same by namespace, since each Pod is held against those of its own."""
        self._pods: dict[tuple[str, str], dict[str, Any]] = {}
        """Of each Pod, by namespace and name, what its endpoints are made of."""
        self._nodes: set[str] = set()
        self._nodes_are_recorded = False

    def families(self, namespace: str, service: str) -> "Sequence[str]":
        """Return the address families of a Service, the first one first; empty if it was not recorded."""
        known = self._services.get((namespace, service))
        return known.spec.get("ipFamilies") or () if known else ()

    def history(self, namespace: str, service: str, address_type: str) -> History | None:
        """Return the history of a Service; ``None`` where no recorded Pod ever was one of its endpoints."""
        known = self._services.get((namespace, service))
        return known.histories.get(address_type) if known else None

    def add(self, kind: str, item: dict[str, Any], *, deleted: bool) -> None:
        """Take one event."""
        revision = revision_of(item)
        if kind == "Pod":
            self._add_pod(item, revision, deleted=deleted)
        elif kind == "Service":
            self._add_service(item, revision, deleted=deleted)
        elif kind == "Node":
            self._add_node(item["metadata"]["name"], revision, deleted=deleted)

    def _add_pod(self, pod: dict[str, Any], revision: int, *, deleted: bool) -> None:
        key = pod["metadata"].get("namespace", ""), pod["metadata"]["name"]
        self._pods[key] = {} if deleted else _reduced(pod)
        for service in self._neighbours[key[0]]:
            self._look(service, key, revision)

    def _add_service(self, item: dict[str, Any], revision: int, *, deleted: bool) -> None:
        key = item["metadata"].get("namespace", ""), item["metadata"]["name"]
        if key not in self._services:
            self._services[key] = _Service({})
            self._neighbours[key[0]].append(self._services[key])
        service = self._services[key]
        service.spec = {} if deleted else item.get("spec", {})
        for pod in self._pods:
            if pod[0] == key[0]:
                self._look(service, pod, revision)

    def _add_node(self, name: str, revision: int, *, deleted: bool) -> None:
        self._nodes_are_recorded = True
        if deleted != (name in self._nodes):
            return
        self._nodes.symmetric_difference_update({name})
        for key, pod in self._pods.items():
            if pod.get("node") == name:
                for service in self._neighbours[key[0]]:
                    self._look(service, key, revision)

    def _look(self, service: _Service, key: tuple[str, str], revision: int) -> None:
        """Bring what one Pod adds to one Service up to date."""
        before = service.marks.get(key, ())
        after = self._marks(service.spec, self._pods[key])
        if before == after:
            return
        service.marks[key] = after
        for address_type in sorted({name for name, _ in before + after}):
            difference = dict(after).get(address_type, 0) - dict(before).get(address_type, 0)
            service.histories[address_type].change(difference, revision)

    def _marks(self, spec: dict[str, Any], pod: dict[str, Any]) -> tuple[tuple[str, int], ...]:
        selector = spec.get("selector")
        if not selector or not pod or not selector.items() <= pod["labels"].items():
            return ()
        if self._nodes_are_recorded and pod["node"] not in self._nodes and not spec.get("publishNotReadyAddresses"):
            return ()
        ports = _resolved(spec.get("ports") or (), pod["ports"])
        return tuple(
            (name, _mark(addresses, pod["uid"], pod["serving"], pod["terminating"], ports))
            for name, addresses in pod["addresses"]
            if name in (spec.get("ipFamilies") or (name,))
        )


def revision_of(item: "Mapping[str, Any]") -> int:
    """``resourceVersion``, which the API server orders by; 0 where it is no number."""
    text = str(item["metadata"].get("resourceVersion", ""))
    return int(text) if text.isdecimal() else 0


def _reduced(pod: dict[str, Any]) -> dict[str, Any]:
    """Keep of a Pod what its endpoints are made of; nothing if it makes none."""
    metadata, spec, status = pod["metadata"], pod.get("spec", {}), pod.get("status", {})
    addresses = [part["ip"] for part in status.get("podIPs") or ()] or [status["podIP"]] if status.get("podIP") else []
    if status.get("phase") in {"Failed", "Succeeded"} or not addresses:
        return {}
    families: dict[str, list[str]] = {}
    for address in addresses:
        families.setdefault("IPv6" if ":" in address else "IPv4", []).append(canonical_address(address))
    sidecars = [part for part in spec.get("initContainers") or () if part.get("restartPolicy") == "Always"]
    return {
        "uid": metadata.get("uid", ""),
        "labels": metadata.get("labels") or {},
        "node": spec.get("nodeName", ""),
        "addresses": sorted((name, tuple(sorted(found))) for name, found in families.items()),
        "serving": any(c["type"] == "Ready" and c["status"] == "True" for c in status.get("conditions") or ()),
        "terminating": bool(metadata.get("deletionTimestamp")),
        "ports": [port for part in [*(spec.get("containers") or ()), *sidecars] for port in part.get("ports") or ()],
    }


def _resolved(service_ports: "Iterable[Mapping[str, Any]]", container_ports: "Sequence[Mapping[str, Any]]") -> Ports:
    """Resolve the target ports of a Service against a Pod, leaving out what is not found (upstream ``FindPort``)."""
    found = []
    for port in service_ports:
        target, protocol = port.get("targetPort") or port.get("port"), port.get("protocol") or "TCP"
        if isinstance(target, str):
            target = next(
                (
                    candidate["containerPort"]
                    for candidate in container_ports
                    if candidate.get("name") == target and (candidate.get("protocol") or "TCP") == protocol
                ),
                None,
            )
        if target is not None:
            found.append({**port, "port": target, "protocol": protocol})
    return port_key(found)
