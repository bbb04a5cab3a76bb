"""Which Services are followed."""

import sys
from typing import TYPE_CHECKING

from epcore.cli.failure import CommandError, visible
from epcore.proxy import ServicePort, ports_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from epcore import View


class Selection:
    """Services and ports by name: ``NAMESPACE/SERVICE`` for all ports, ``NAMESPACE/SERVICE:PORT[/PROTOCOL]`` for one.

    A port that is named is there for good; of a Service without port those that were seen once are. None for all.
    """

    def __init__(self, texts: "Sequence[str]", namespace: str | None = None) -> None:
        self._namespace = namespace
        self._ports: set[ServicePort] = set()
        self._services: set[tuple[str, str]] = set()
        self.names: list[tuple[str, str]] = []
        """Namespace and name of each Service that is named."""
        for text in texts:
            given = text if "/" in text.partition(":")[0] or not namespace else f"{namespace}/{text}"
            try:
                port = ServicePort.parse(given)
            except ValueError as error:
                raise CommandError(f"--service {error}") from None
            if port.name.isdecimal():
                raise CommandError(f"--service {text}: PORT is the name of a port, not its number")
            service = (port.namespace, port.service)
            if ":" in text:
                self._ports.add(port)
            else:
                self._services.add(service)
            if service not in self.names:
                self.names.append(service)
        self._named_ports = frozenset(self._ports)
        self._left_out: set[ServicePort] = set()

    @property
    def named_ports(self) -> list[ServicePort]:
        """List the ports that are named themselves, in order."""
        return sorted(self._named_ports)

    def has(self, namespace: str | None, service: str | None) -> bool:
        """Tell whether a Service is followed."""
        if self.names:
            return (namespace or "", service or "") in self.names
        return self._namespace in (None, namespace)

    def has_port(self, namespace: str | None, service: str | None, name: str | None, protocol: str | None) -> bool:
        """Tell whether a port of a Service is followed."""
        port = ServicePort(namespace or "", service or "", name or "", protocol or "TCP")
        is_named = (port.namespace, port.service) in self._services or port in self._ports
        return self.has(namespace, service) and (is_named or not self.names)

    def ports(self, view: "View") -> list[ServicePort]:
        """List the ports that are followed, in order."""
        for port in ports_of(view):
            service = (port.namespace, port.service)
            if service in self._services or (not self.names and self.has(*service)):
                self._ports.add(port)
        return sorted(self._ports)

    def named_apart(self, view: "View") -> list[ServicePort]:
        """List the ports that are followed but for those that a proxy would know by the name of another one.

        One that is named itself stays. Those that are left out are told, and do not keep the others from being served.
        """
        kept: dict[str, ServicePort] = {}
        for port in sorted(self.ports(view), key=lambda port: port not in self._named_ports):
            other = kept.setdefault(port.joined("/"), port)
            if other != port and port not in self._left_out:
                self._left_out.add(port)
                name = visible(port.joined("/"))
                why = f"its port of {other.protocol} has the same name"
                print(f"epcore: {name}/{port.protocol} is left out: {why}", file=sys.stderr)
        return sorted(kept.values())
