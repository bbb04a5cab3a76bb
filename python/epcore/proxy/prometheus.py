"""Prometheus: target groups for ``file_sd_configs``, and for ``http_sd_configs`` where the same text is served."""

import json
from typing import TYPE_CHECKING, Any, TypedDict

from epcore.proxy.ports import PORT_NUMBERS, ServicePort, socket_address

if TYPE_CHECKING:
    from collections.abc import Iterable

    from epcore import PortEndpoint, View


class TargetGroup(TypedDict):
    """Targets that have the same labels."""

    targets: list[str]
    labels: dict[str, str]


def target_groups(view: "View", ports: "Iterable[ServicePort]") -> list[TargetGroup]:
    """List all endpoints of some ports, ready or not, with the labels of ``kubernetes_sd_configs``.

    The labels (``__meta_kubernetes_endpointslice_endpoint_conditions_ready``, ...) are those of its role
    ``endpointslice``, so that relabelling made for it works; all but the name of the slice, since an endpoint that
    moves to another one is the same target. Labels of a Pod are those of its reference.
    """
    groups: dict[str, TargetGroup] = {}
    for port in sorted(set(ports)):
        for endpoint in view.endpoints(port.service, port.name, namespace=port.namespace):
            if endpoint.protocol != port.protocol or endpoint.port not in PORT_NUMBERS:
                continue
            labels = _labels(port, endpoint)
            group = groups.setdefault(json.dumps(labels), {"targets": [], "labels": labels})
            group["targets"].append(socket_address(endpoint))
    return list(groups.values())


def file_sd(view: "View", ports: "Iterable[ServicePort]") -> str:
    """Write the file that ``file_sd_configs`` reads: JSON, to be named ``*.json``."""
    return json.dumps(target_groups(view, ports), indent=1, ensure_ascii=False) + "\n"


def _labels(port: ServicePort, endpoint: "PortEndpoint") -> dict[str, str]:
    facts = endpoint.endpoint
    prefix = "__meta_kubernetes_endpointslice_"
    target: dict[str, Any] = {**(facts.to_dict().get("targetRef") or {})}
    labels = {
        "__meta_kubernetes_namespace": port.namespace,
        "__meta_kubernetes_service_name": port.service,
        f"{prefix}label_kubernetes_io_service_name": port.service,
        f"{prefix}labelpresent_kubernetes_io_service_name": "true",
        f"{prefix}address_type": endpoint.address_type,
        f"{prefix}port": str(endpoint.port),
        f"{prefix}port_name": endpoint.port_name,
        f"{prefix}port_protocol": endpoint.protocol,
        f"{prefix}port_app_protocol": endpoint.app_protocol,
        f"{prefix}endpoint_conditions_ready": _word(endpoint.ready),
        f"{prefix}endpoint_conditions_serving": _word(endpoint.serving),
        f"{prefix}endpoint_conditions_terminating": _word(endpoint.terminating),
        f"{prefix}endpoint_hostname": facts.hostname,
        f"{prefix}endpoint_node_name": facts.node_name,
        f"{prefix}endpoint_zone": facts.zone,
        f"{prefix}address_target_kind": target.get("kind"),
        f"{prefix}address_target_name": target.get("name"),
    }
    if target.get("kind") == "Pod":
        labels["__meta_kubernetes_pod_name"] = target.get("name")
        labels["__meta_kubernetes_pod_uid"] = target.get("uid")
    return {label: value for label, value in labels.items() if value}


def _word(value: bool) -> str:  # noqa: FBT001 - one value, and its word
    return "true" if value else "false"
