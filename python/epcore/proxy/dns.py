"""Names for endpoints: a hosts file, and DNS records after the Kubernetes DNS specification for headless Services."""

from typing import TYPE_CHECKING, Final

from epcore.proxy.ports import PORT_NUMBERS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from epcore import PortEndpoint, View
    from epcore.proxy.ports import ServicePort

DOMAIN: Final = "cluster.local"
TTL: Final = 5
"""Seconds, as CoreDNS answers for Kubernetes."""


def hosts(view: "View", services: "Iterable[tuple[str, str]]", *, domain: str = DOMAIN) -> str:
    """Write lines of ``/etc/hosts`` for the ready endpoints of some Services (namespace and name).

    >>> import epcore
    >>> view = epcore.View()
    >>> _ = view.replace({"metadata": {"name": "db-1", "namespace": "shop",
    ...     "labels": {"kubernetes.io/service-name": "db"}}, "addressType": "IPv4", "ports": [{"port": 5432}],
    ...     "endpoints": [{"addresses": ["10.0.0.1"], "hostname": "primary"}]})
    >>> print(hosts(view, [("shop", "db")]), end="")
    10.0.0.1 db.shop.svc.cluster.local db.shop.svc db.shop primary.db.shop.svc.cluster.local
    """
    lines = []
    for namespace, service in sorted(set(services)):
        short = f"{service}.{namespace}"
        for address, hostnames in _addresses(view, namespace, service):
            names = [f"{short}.svc.{domain}", f"{short}.svc", short]
            names += (f"{hostname}.{short}.svc.{domain}" for hostname in hostnames)
            lines.append(f"{address} {' '.join(names)}\n")
    return "".join(lines)


def records(view: "View", services: "Iterable[tuple[str, str]]", *, domain: str = DOMAIN, ttl: int = TTL) -> str:
    """Write records of a zone file: A and AAAA for Service and endpoint, SRV for each named port.

    An endpoint without hostname is called by its address with dashes. Source of the names: the specification of
    Kubernetes' DNS-based service discovery, section 2.4.
    """
    found: set[tuple[str, str, str]] = set()
    for namespace, service in services:
        zone = f"{service}.{namespace}.svc.{domain}."
        for endpoint in _ready(view, namespace, service):
            kind = "AAAA" if ":" in endpoint.address else "A"
            name = f"{endpoint.endpoint.hostname or _dashed(endpoint.address)}.{zone}"
            found |= {(zone, kind, endpoint.address), (name, kind, endpoint.address)}
            if endpoint.port_name and endpoint.port in PORT_NUMBERS:
                of = f"_{endpoint.port_name}._{(endpoint.protocol or 'TCP').lower()}.{zone}"
                found.add((of, "SRV", f"0 100 {endpoint.port} {name}"))
    return "".join(f"{name} {ttl} IN {kind} {value}\n" for name, kind, value in sorted(found))


def services_of(ports: "Iterable[ServicePort]") -> list[tuple[str, str]]:
    """List namespace and name of the Services of some ports."""
    return sorted({(port.namespace, port.service) for port in ports})


def _ready(view: "View", namespace: str, service: str) -> "Iterator[PortEndpoint]":
    """Yield what is ready and has an IP address."""
    for endpoint in view.endpoints(service, namespace=namespace):
        if endpoint.ready and endpoint.address_type != "FQDN":
            yield endpoint


def _addresses(view: "View", namespace: str, service: str) -> "list[tuple[str, list[str]]]":
    """List each address once, with the hostnames that it goes by, in the order of the view."""
    found: dict[str, set[str]] = {}
    for endpoint in _ready(view, namespace, service):
        hostname = endpoint.endpoint.hostname
        found.setdefault(endpoint.address, set()).update([hostname] if hostname else [])
    return [(address, sorted(hostnames)) for address, hostnames in found.items()]


def _dashed(address: str) -> str:
    return address.replace(".", "-").replace(":", "-")
