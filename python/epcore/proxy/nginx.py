"""NGINX: ``upstream`` blocks, to be included in its ``http`` or ``stream`` block."""

from typing import TYPE_CHECKING, Final

from epcore.proxy.ports import NOWHERE, Locality, ServicePort, lines_of, socket_address, usable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from epcore import View

NOBODY: Final = "127.0.0.1:1 down"
"""NGINX refuses an upstream without servers; with this one it answers 502."""


def upstream(
    view: "View",
    port: ServicePort,
    *,
    name: str | None = None,
    options: "Iterable[str]" = (),
    at: Locality = NOWHERE,
) -> str:
    """Write the block of one port.

    :param name: what ``proxy_pass`` calls it; left out, ``NAMESPACE_SERVICE_PORT``.
    :param options: lines such as ``least_conn`` that come first, without semicolon.

    >>> import epcore
    >>> view = epcore.View()
    >>> _ = view.replace({"metadata": {"name": "web-1", "labels": {"kubernetes.io/service-name": "web"}},
    ...     "addressType": "IPv4", "ports": [{"port": 80}], "endpoints": [{"addresses": ["10.0.0.1"]}]})
    >>> print(upstream(view, ServicePort("", "web"), options=["least_conn"]), end="")
    upstream web {
        least_conn;
        server 10.0.0.1:80;
    }
    """
    servers = [socket_address(endpoint) for endpoint in usable(view, port, at)] or [NOBODY]
    lines = [*lines_of(options), *(f"server {server}" for server in servers)]
    return "\n".join([f"upstream {name or port.joined('_')} {{", *(f"    {line};" for line in lines), "}", ""])
