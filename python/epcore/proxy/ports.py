"""The ports of Services, and the endpoints that a proxy should send traffic to."""

import re
from typing import TYPE_CHECKING, Final, NamedTuple, Self

if TYPE_CHECKING:
    from collections.abc import Iterable

    from epcore import Delta, PortEndpoint, View

PORT_NUMBERS: Final = range(1, 65_536)
"""Those that a proxy takes. The API takes others too, and one of them makes a proxy refuse all that it is told."""

_PROTOCOLS: Final = ("TCP", "UDP", "SCTP")
_TEXT: Final = re.compile(rf"([^/:\s]+)/([^/:\s]+)(?::([^/:\s]*)(?:/({'|'.join(_PROTOCOLS)}))?)?")


class _Port(NamedTuple):
    namespace: str
    service: str
    name: str
    """Name of the port; empty for a port without name, the only one of its Service."""
    protocol: str


class ServicePort(_Port):
    """One port of one Service: what becomes a cluster of Envoy, a backend of HAProxy, an upstream of NGINX.

    Raises ``TypeError`` for what is no text, such as a number for ``name``, and ``ValueError`` for a protocol other
    than TCP, UDP and SCTP: no endpoint would ever be found.
    """

    __slots__ = ()

    def __new__(cls, namespace: str, service: str, name: str = "", protocol: str = "TCP") -> Self:
        """Name a port."""
        for part in (namespace, service, name, protocol):
            if not isinstance(part, str):
                raise TypeError(f"namespace, Service, name and protocol of a port are texts, not {part!r}")
        if protocol not in _PROTOCOLS:
            raise ValueError(f"{protocol!r} is none of {', '.join(_PROTOCOLS)}")
        return super().__new__(cls, namespace, service, name, protocol)

    @classmethod
    def parse(cls, text: str) -> "ServicePort":
        """Read ``NAMESPACE/SERVICE[:PORT[/PROTOCOL]]``, the port by its name. Raises ``ValueError``.

        >>> ServicePort.parse("shop/web:dns/UDP")
        ServicePort(namespace='shop', service='web', name='dns', protocol='UDP')
        """
        found = _TEXT.fullmatch(text)
        if found is None:
            expected = f"NAMESPACE/SERVICE[:PORT[/PROTOCOL]] with one of {', '.join(_PROTOCOLS)}"
            raise ValueError(f"{text!r} is not {expected}")
        return cls(found[1], found[2], found[3] or "", found[4] or "TCP")

    def joined(self, separator: str) -> str:
        """Join namespace, Service and port: a name that differs for different ports, as a separator in them is doubled.

        >>> ServicePort("shop", "web", "http").joined("_")
        'shop_web_http'
        >>> ServicePort("shop", "web_http").joined("_")
        'shop_web__http'
        """
        parts = (self.namespace, self.service, self.name)
        return separator.join(part.replace(separator, separator * 2) for part in parts if part)


def told_apart(ports: "Iterable[ServicePort]") -> list[ServicePort]:
    """Sort ports, each once. Raises ``ValueError`` for two of one name: it has no protocol in it."""
    found = sorted(set(ports))
    names: dict[str, ServicePort] = {}
    for port in found:
        other = names.setdefault(port.joined("/"), port)
        if other != port:
            raise ValueError(
                f"{port.joined('/')}/{port.protocol} would have the same name as its port of {other.protocol}"
            )
    return found


class Locality(NamedTuple):
    """Where the proxy runs: it follows topology hints for this node and zone, as kube-proxy does."""

    node: str = ""
    zone: str = ""


NOWHERE = Locality()


def ports_of(view: "View", protocol: str | None = "TCP") -> list[ServicePort]:
    """List the ports that slices of the view have, whether they have endpoints or not; ``None`` for all protocols."""
    ports = [ServicePort(*port) for port in view.ports()]
    return [port for port in ports if protocol in (None, port.protocol)]


def usable(view: "View", port: ServicePort, at: Locality = NOWHERE) -> "list[PortEndpoint]":
    """List the endpoints that traffic for a port may go to, by number of the port and address.

    Those that are ready, by hints where ``at`` says where we are; if there is none, those that still serve while they
    terminate. Of a Service of two families those of one: IPv4 if it has any, else IPv6.
    """
    found = view.reachable(
        port.service, port.name, namespace=port.namespace, node=at.node, zone=at.zone, protocol=port.protocol
    ).endpoints
    families = {endpoint.address_type for endpoint in found}
    return [endpoint for endpoint in found if endpoint.address_type == min(families)]


def touched(delta: "Delta", ports: "Iterable[ServicePort]") -> list[ServicePort]:
    """Keep the ports of Services of which a delta tells something."""
    changes = (*delta.added, *delta.removed, *delta.updated)
    services = {(change.namespace or "", change.service or "") for change in changes}
    return [port for port in ports if (port.namespace, port.service) in services]


def socket_address(endpoint: "PortEndpoint") -> str:
    """Write address and port as URLs do: an IPv6 address in brackets."""
    return join_address(endpoint.address, endpoint.port or 0)


def join_address(address: str, port: int) -> str:
    """Write address and port as URLs do: an IPv6 address in brackets."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def lines_of(options: "Iterable[str]") -> list[str]:
    """List lines of a section. Raises ``TypeError`` for one text, whose letters would become lines."""
    if isinstance(options, str):
        raise TypeError(f"options are a list of lines, not one text: [{options!r}]")
    return [*options]
