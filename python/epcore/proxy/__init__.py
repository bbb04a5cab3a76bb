"""What a view holds, in the words of proxies: Envoy, HAProxy, NGINX, Prometheus, hosts files and DNS.

Each module turns a :class:`epcore.View` into the text that its program reads. The text is the same, byte by byte, for
as long as nothing changed that the program would do otherwise: whatever the order of slices and endpoints, and however
often they were written. Nothing here needs more than Python.

Which endpoints a port has is :func:`usable`: those that are ready or, if none is, those that still serve while they
terminate.
"""

from epcore.proxy import dns, envoy, haproxy, nginx, prometheus
from epcore.proxy.ports import Locality, ServicePort, ports_of, touched, usable

__all__ = [
    "Locality",
    "ServicePort",
    "dns",
    "envoy",
    "haproxy",
    "nginx",
    "ports_of",
    "prometheus",
    "touched",
    "usable",
]
