"""``epcore watch``: follow slices, show what changes, and keep a file right.

:mod:`.sources` bring events, of a cluster or of a log; :mod:`.follow` feeds them to a view; :mod:`.targets` are told
what changed: they show it (:mod:`.lines`), or write it (:mod:`.haproxy` and other proxies).
"""

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from epcore.cli.failure import CommandError
from epcore.cli.inputs import STDIN
from epcore.cli.watch.follow import Follower
from epcore.cli.watch.haproxy import HAProxy
from epcore.cli.watch.lines import Lines
from epcore.cli.watch.selection import Selection
from epcore.cli.watch.sources import Cluster, log
from epcore.cli.watch.targets import File, Target
from epcore.proxy import Locality, dns, envoy, nginx, prometheus
from epcore.proxy.ports import told_apart

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from epcore import View
    from epcore.proxy import ServicePort
    from epcore.types import FamilyName

__all__ = ["Settings", "run_watch"]


@dataclass(frozen=True, slots=True)
class Settings:
    """The options of the command, which tell what they are for."""

    log: str | None
    services: list[str]
    namespace: str | None
    kubeconfig: str | None
    context: str | None
    output: str
    to: str | None
    on_change: str | None
    once: bool
    batch: float
    hold: float
    node: str
    zone: str
    family: "FamilyName"
    options: list[str]
    slots: int
    socket: str | None
    domain: str
    state: str | None


def run_watch(settings: Settings) -> None:
    """Follow slices until the source ends."""
    _check(settings)
    selection = Selection(settings.services, settings.namespace)
    _check_ports(settings.output, selection.named_ports)
    target = _target(settings, selection)
    source = settings.log or "API server"
    follower = Follower(target, source, batch=settings.batch, hold=settings.hold, state=settings.state)
    is_live = settings.log is None or (settings.log == STDIN and not settings.once)
    # The clock of a log starts at zero; and what one look keeps back the next tells, be it kept back for longer.
    follower.catch_up(time.monotonic() if is_live and not settings.once else 0.0)
    if settings.log is not None:
        events = log(settings.log)
        if is_live:
            follower.follow(events)
        else:
            follower.follow_log(events, once=settings.once)
        return
    cluster = Cluster(
        kubeconfig=settings.kubeconfig,
        context=settings.context,
        namespace=settings.namespace,
        services=selection.names,
    )
    follower.follow(cluster.once() if settings.once else cluster.follow(follower.version))


def _check(settings: Settings) -> None:
    """Refuse options that would do nothing."""
    is_shown = settings.output in {"table", "json"}
    wrong = {
        "--to": settings.to is not None and is_shown,
        "--on-change": settings.on_change is not None and settings.to is None,
        "--socket": settings.socket is not None and settings.output != "haproxy",
        "--option": bool(settings.options) and settings.output not in {"haproxy", "nginx"},
        "--kubeconfig": settings.kubeconfig is not None and settings.log is not None,
        "--context": settings.context is not None and settings.log is not None,
    }
    for option, is_wrong in wrong.items():
        if is_wrong:
            what = "without --to" if option == "--on-change" else f"with --output {settings.output}"
            what = "with a log" if option in {"--kubeconfig", "--context"} else what
            raise CommandError(f"{option} does nothing {what}")


def _check_ports(output: str, ports: "Sequence[ServicePort]") -> None:
    """Refuse ports that a proxy could not take, or not tell apart."""
    for port in ports:
        if output == "haproxy" and port.protocol != "TCP":
            text = f"--service {port.namespace}/{port.service}:{port.name}/{port.protocol}"
            raise CommandError(f"{text}: HAProxy passes on no {port.protocol}")
    if output in {"nginx", "envoy"}:
        told_apart(ports)


def _target(settings: Settings, selection: Selection) -> Target:
    if settings.output in {"table", "json"}:
        is_live = settings.log in (None, STDIN)
        return Lines(selection, is_json=settings.output == "json", is_live=is_live)
    if settings.output == "haproxy":
        return HAProxy(
            selection,
            settings.to,
            settings.on_change,
            address=settings.socket,
            block=settings.slots,
            options=settings.options,
            family=settings.family,
        )
    return File(_renderer(settings, selection), settings.to, settings.on_change)


def _renderer(settings: Settings, selection: Selection) -> "Callable[[View], str]":
    at = Locality(settings.node, settings.zone)

    def upstreams(view: "View") -> str:
        ports = selection.named_apart(view)
        return "\n".join(nginx.upstream(view, port, options=settings.options, at=at) for port in ports)

    def services(view: "View") -> list[tuple[str, str]]:
        return selection.names or [service for service in view.services() if selection.has(*service)]

    renderers: dict[str, Callable[[View], str]] = {
        "envoy": lambda view: envoy.eds(view, selection.named_apart(view), at=at),
        "nginx": upstreams,
        "prometheus": lambda view: prometheus.file_sd(view, selection.ports(view)),
        "hosts": lambda view: dns.hosts(view, services(view), domain=settings.domain),
        "dns": lambda view: dns.records(view, services(view), domain=settings.domain),
    }
    return renderers[settings.output]
