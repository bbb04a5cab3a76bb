"""The ports of Services, and the endpoints that a proxy should send traffic to."""

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from epcore import Delta, PortEndpoint, View


class ServicePort(NamedTuple):
    """One port of one Service: what becomes a cluster of Envoy, a backend of HAProxy, an upstream of NGINX."""

    namespace: str
    service: str
    name: str = ""
    """Name of the port; empty for a port without name, the only one of its Service."""
    protocol: str = "TCP"

    @classmethod
    def parse(cls, text: str) -> "ServicePort":
        """Read ``NAMESPACE/SERVICE[:PORT[/PROTOCOL]]``. Raises ``ValueError``.

        >>> ServicePort.parse("shop/web:dns/UDP")
        ServicePort(namespace='shop', service='web', name='dns', protocol='UDP')
        """
        namespace, slash, rest = text.partition("/")
        service, _, port = rest.partition(":")
        name, has_protocol, protocol = port.partition("/")
        if not (slash and namespace and service) or (has_protocol and not protocol):
            raise ValueError(f"{text!r} is not NAMESPACE/SERVICE[:PORT[/PROTOCOL]]")
        return cls(namespace, service, name, protocol or "TCP")

    def joined(self, separator: str) -> str:
        """Join namespace, Service and port: a name that differs for different ports.

        >>> ServicePort("shop", "web", "http").joined("_")
        'shop_web_http'
        """
        return separator.join(part for part in (self.namespace, self.service, self.name) if part)


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
