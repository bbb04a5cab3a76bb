"""Envoy: endpoint discovery (EDS), whole and incremental, and one resource for each endpoint (LEDS).

The shapes are those of ``envoy.config.endpoint.v3`` and ``envoy.service.discovery.v3`` in protobuf's JSON mapping: as
a file they are what ``path_config_source`` reads; a control plane parses them into its messages.

Names have no protocol: functions that take several ports raise ``ValueError`` for two that differ in nothing else.
Domain names are passed over: Envoy refuses all that it is told together with one, or even ends.
"""

import json
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from epcore.proxy.ports import NOWHERE, PORT_NUMBERS, Locality, ServicePort, told_apart, touched, usable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from epcore import Change, Delta, PortEndpoint, View
    from epcore.types import AddressTypeName

Message: TypeAlias = dict[str, Any]

ASSIGNMENT: Final = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment"
ENDPOINT: Final = "type.googleapis.com/envoy.config.endpoint.v3.LbEndpoint"


def cluster_load_assignment(
    view: "View", port: ServicePort, *, name: str | None = None, draining: bool = False, at: Locality = NOWHERE
) -> Message:
    """Make the assignment of one port: its endpoints by zone.

    :param name: of the cluster; left out, ``NAMESPACE/SERVICE/PORT``.
    :param draining: list endpoints that still serve while they terminate too, as ``DRAINING``: for clusters with
        session persistence, and ``healthy_panic_threshold`` 0 so that Envoy does not fall back to them too early.
    """
    chosen = usable(view, port, at)
    zones: dict[str, list[Message]] = {}
    for endpoint in chosen:
        zones.setdefault(endpoint.endpoint.zone or "", []).append(_lb_endpoint(endpoint, "HEALTHY"))
    if draining:
        known = {(endpoint.address, endpoint.port) for endpoint in chosen}
        for endpoint in _leaving(view, port):
            if (endpoint.address, endpoint.port) not in known:
                zones.setdefault(endpoint.endpoint.zone or "", []).append(_lb_endpoint(endpoint, "DRAINING"))
    endpoints = [{**_locality(zone), "lb_endpoints": zones[zone]} for zone in sorted(zones)]
    return {"@type": ASSIGNMENT, "cluster_name": name or port.joined("/"), "endpoints": endpoints}


def eds(view: "View", ports: "Iterable[ServicePort]", *, draining: bool = False, at: Locality = NOWHERE) -> str:
    """Write a file for ``eds_config: {path_config_source: {path: ...}}``: a ``DiscoveryResponse`` with all ports.

    Its version is a hash of its content. Envoy reads it again when another file is moved to its place.
    """
    resources = [cluster_load_assignment(view, port, draining=draining, at=at) for port in told_apart(ports)]
    response = {"version_info": _version(resources), "resources": resources, "type_url": ASSIGNMENT}
    return json.dumps(response, indent=1, ensure_ascii=False) + "\n"


def delta_eds(
    view: "View",
    delta: "Delta",
    ports: "Iterable[ServicePort]",
    *,
    draining: bool = False,
    at: Locality = NOWHERE,
) -> Message:
    """Make a ``DeltaDiscoveryResponse`` with the assignments of the ports that a delta tells something of.

    A port that has no endpoint any more keeps an empty assignment: to Envoy a resource that was removed is one that it
    goes on using.
    """
    assignments = [
        cluster_load_assignment(view, port, draining=draining, at=at) for port in touched(delta, told_apart(ports))
    ]
    return _delta_response(ASSIGNMENT, {one["cluster_name"]: one for one in assignments}, [])


def leds_assignment(
    view: "View", port: ServicePort, *, authority: str, config: Message, name: str | None = None
) -> Message:
    """Make the assignment of one port whose endpoints are resources of their own, by zone.

    :param authority: of the ``xdstp:`` names.
    :param config: the ``ConfigSource`` that Envoy asks for them, such as ``{"ads": {}, "resource_api_version": "V3"}``.
    """
    zones = {endpoint.endpoint.zone or "" for endpoint in _all(view, port)}
    endpoints = [
        {
            **_locality(zone),
            "leds_cluster_locality_config": {
                "leds_config": config,
                "leds_collection_name": _collection(authority, port, zone) + "*",
            },
        }
        for zone in sorted(zones)
    ]
    return {"@type": ASSIGNMENT, "cluster_name": name or port.joined("/"), "endpoints": endpoints}


def leds(view: "View", ports: "Iterable[ServicePort]", *, authority: str) -> Message:
    """Make a ``DeltaDiscoveryResponse`` with every endpoint of some ports, for a proxy that has just connected."""
    resources = {
        _collection(authority, port, endpoint.endpoint.zone) + _name(endpoint.address, endpoint.port or 0): {
            "@type": ENDPOINT,
            **_lb_endpoint(endpoint, _health(endpoint)),
        }
        for port in told_apart(ports)
        for endpoint in _all(view, port)
    }
    return _delta_response(ENDPOINT, resources, [])


def delta_leds(delta: "Delta", *, authority: str, ports: "Iterable[ServicePort] | None" = None) -> Message:
    """Make a ``DeltaDiscoveryResponse`` with exactly the endpoints that a delta tells something of.

    The delta must be one of a view with key ``address-port``. An endpoint that changed its zone leaves one collection
    and is in another; :func:`leds_assignment` must be sent where a port has a new zone.

    :param ports: tell of these only. Left out, of all: no Service may have two of one name then, of TCP and of UDP.
    """
    chosen = None if ports is None else set(told_apart(ports))
    resources: dict[str, Message] = {}
    removed: list[str] = []
    for change in (*delta.added, *delta.updated, *delta.removed):
        port = ServicePort(
            change.namespace or "", change.service or "", change.port_name or "", change.protocol or "TCP"
        )
        if chosen is not None and port not in chosen:
            continue
        before, after = (_resource(change, port, authority, is_after=is_after) for is_after in (False, True))
        if before and (not after or before[0] != after[0]):
            removed.append(before[0])
        if after:
            resources[after[0]] = after[1]
    return _delta_response(ENDPOINT, resources, removed)


def _resource(change: "Change", port: ServicePort, authority: str, *, is_after: bool) -> tuple[str, Message] | None:
    """Return name and content of the endpoint on one side of a change, if it is there and Envoy can be told of it."""
    endpoint = change.after if is_after else change.before
    if endpoint is None or change.port is None or not _is_told(change.address_type, change.port):
        return None
    ready = endpoint.ready is not False
    leaving = bool(endpoint.terminating) and endpoint.serving is not False
    health = "HEALTHY" if ready else "DRAINING" if leaving else "UNHEALTHY"
    name = _collection(authority, port, endpoint.zone) + _name(change.address, change.port)
    return name, {"@type": ENDPOINT, **_placed(change.address, change.port, health)}


def _all(view: "View", port: ServicePort) -> "list[PortEndpoint]":
    """List the endpoints of a port that Envoy can be told of."""
    return [
        endpoint
        for endpoint in view.endpoints(port.service, port.name, namespace=port.namespace)
        if endpoint.protocol == port.protocol and _is_told(endpoint.address_type, endpoint.port)
    ]


def _is_told(address_type: "AddressTypeName", port: int | None) -> bool:
    """Tell whether Envoy can be told of an endpoint: one with a number of a port, and with no domain name."""
    return port in PORT_NUMBERS and address_type != "FQDN"


def _leaving(view: "View", port: ServicePort) -> "list[PortEndpoint]":
    return [endpoint for endpoint in _all(view, port) if _health(endpoint) == "DRAINING"]


def _health(endpoint: "PortEndpoint") -> str:
    if endpoint.ready:
        return "HEALTHY"
    return "DRAINING" if endpoint.serving and endpoint.terminating else "UNHEALTHY"


def _lb_endpoint(endpoint: "PortEndpoint", health: str) -> Message:
    return _placed(endpoint.address, endpoint.port or 0, health)


def _placed(address: str, port: int, health: str) -> Message:
    place = {"socket_address": {"address": address, "port_value": port}}
    return {"endpoint": {"address": place}, "health_status": health}


def _locality(zone: str) -> Message:
    return {"locality": {"zone": zone}} if zone else {}


def _collection(authority: str, port: ServicePort, zone: str | None) -> str:
    """Name a collection, to which the name of an endpoint is added, or ``*``."""
    return f"xdstp://{authority}/envoy.config.endpoint.v3.LbEndpoint/{port.joined('/')}/{zone or '-'}/"


def _name(address: str, port: int) -> str:
    return f"{address.replace(':', '-')}_{port}"


def _delta_response(kind: str, resources: dict[str, Message], removed: list[str]) -> Message:
    named = [
        {"name": name, "version": _version(resource), "resource": resource}
        for name, resource in sorted(resources.items())
    ]
    gone = sorted(set(removed) - resources.keys())
    response = {"resources": named, "type_url": kind, "removed_resources": gone}
    return {"system_version_info": _version(response), **response}


def _version(content: object) -> str:
    return blake2b(json.dumps(content, sort_keys=True).encode(), digest_size=8).hexdigest()
