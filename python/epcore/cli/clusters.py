"""``epcore controller``, and ``epcore sync`` where it is about a cluster."""

import asyncio
import logging
import signal
from contextlib import AsyncExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

from cyclopts import Parameter, validators

from epcore.cli.changes import print_changes
from epcore.cli.failure import CommandError
from epcore.cli.options import DIFFERENT, SAME, Count, Maximum, Seconds, read_policy
from epcore.controller.options import ControllerOptions
from epcore.controller.sources import SourceError

# Cyclopts reads the types of options when the command runs.
LogForm = Literal["console", "json"]
LogLevel = Literal["debug", "info", "warning", "error"]

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from epcore.cli.output import Form
    from epcore.controller import Api
    from epcore.controller.folder import Change
    from epcore.controller.sources import Assigned

_NAMESPACE: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")

_log = logging.getLogger(__name__)

Rate = Annotated[float, Parameter(metavar="N", validator=validators.Number(gt=0))]
Workers = Annotated[int, Parameter(metavar="N", validator=validators.Number(gte=1, lte=50))]


@dataclass(frozen=True, kw_only=True)
class Reach:
    """Which cluster, and how fast it may be asked."""

    kubeconfig: str | None = None
    context: str | None = None
    qps: float = 20.0
    burst: int = 30
    timeout: float = 30.0

    def open(self) -> "Api":
        """Make a connection."""
        from epcore.controller import Api  # noqa: PLC0415 - an extra, which only this needs

        return Api(
            kubeconfig=self.kubeconfig, context=self.context, qps=self.qps, burst=self.burst, timeout=self.timeout
        )


@dataclass(frozen=True, kw_only=True)
class Sharing:
    """Which replicas share the Services, and into how many parts these fall."""

    namespace: str
    group: str
    buckets: int


def controller(  # noqa: PLR0913 - a controller has options
    *,
    config: Path | None = None,
    endpoints: Annotated[list[str] | None, Parameter(negative="", metavar="NAMESPACE/NAME=SOURCE")] = None,
    allow_empty: Annotated[bool, Parameter(negative="")] = False,
    kubeconfig: Annotated[str | None, Parameter(metavar="PATH")] = None,
    context: str | None = None,
    namespace: Annotated[str | None, Parameter(name=["--namespace", "-n"])] = None,
    managed_by: str = "epcore",
    reconciler: Annotated[str | None, Parameter(metavar="NAME")] = None,
    with_selector: Annotated[bool, Parameter(negative="")] = False,
    mirror: Annotated[bool, Parameter(negative="")] = False,
    max_endpoints: Maximum = 100,
    policy: Annotated[str, Parameter(metavar="POLICY")] = "balanced",
    batch_period: Seconds = 0.0,
    concurrent_service_syncs: Workers = 5,
    trigger_time: bool = True,
    kube_api_qps: Rate = 20.0,
    kube_api_burst: Count = 30,
    retry_base: Seconds = 1.0,
    retry_longest: Seconds = 1000.0,
    retries: Annotated[int, Parameter(metavar="N", validator=validators.Number(gte=0))] = 15,
    leader_elect: Annotated[bool, Parameter(negative="")] = False,
    shards: Annotated[int | None, Parameter(metavar="N", validator=validators.Number(gte=1, lte=1024))] = None,
    lease_namespace: str | None = None,
    lease_name: str = "epcore",
    metrics_address: Annotated[str, Parameter(metavar="HOST:PORT")] = "127.0.0.1:8080",
    log_format: LogForm = "console",
    log_level: LogLevel = "info",
) -> int:
    """Keep the EndpointSlices of a cluster right, until it is told to stop.

    Slices are made for Services without selector from the sources that --config and --endpoints name, for Services with
    selector that ask for it from their Pods, and with --mirror of Endpoints that somebody wrote. Only slices with our
    label managed-by are ever touched. `/metrics`, `/healthz` and `/readyz` are served at --metrics-address.

    SIGTERM and SIGINT stop it once the plans that are being written are ended.

    Exit code: 0 stopped, 2 trouble.

    ```console
    epcore controller --config sources.yaml
    epcore controller --endpoints shop/db=srv:_sql._tcp.example.org --policy lifecycle --log-format json
    ```

    :param config: File of Services and the sources of their endpoints.
    :param endpoints: A Service without selector, and its source: a file or folder, `dns:NAME`, `srv:NAME`, `https://...`
        or `python:MODULE:FUNCTION`. May be repeated.
    :param allow_empty: Let the sources of --endpoints take the last endpoint of a Service away.
    :param kubeconfig: File to use in place of the usual one; inside of a Pod its account is used.
    :param context: Context of the kubeconfig to use.
    :param namespace: Look at this one alone. Left out: all.
    :param managed_by: Value of the label endpointslice.kubernetes.io/managed-by of slices that are ours.
    :param reconciler: The same for Services with selector; endpointslice-controller.k8s.io takes the slices of
        Kubernetes' own controller over, which must be off. Left out: as --managed-by.
    :param with_selector: All Services with selector, not only those with the label `epcore.dev/reconcile: "true"`.
    :param mirror: Make slices of Endpoints of Services that have neither selector nor source, where Kubernetes'
        mirroring controller is off.
    :param max_endpoints: Most endpoints in one slice, 1 to 1000.
    :param policy: balanced, dense, lean, lifecycle, upstream, or a share of the maximum such as 0.6.
    :param batch_period: Seconds for which changes are collected; the first fixes the time.
    :param concurrent_service_syncs: Services that are written at the same time, 1 to 50.
    :param trigger_time: Tell in an annotation of written slices when that happened which led to the write.
    :param kube_api_qps: Requests a second, watches left out.
    :param kube_api_burst: Requests at once.
    :param retry_base: Seconds until a Service that failed is tried again; doubled each time.
    :param retry_longest: Most seconds between two tries.
    :param retries: Tries after which a failing Service waits for news.
    :param leader_elect: Let one of several replicas work, and another when it ends.
    :param shards: Share the Services among replicas, in so many parts: some times as many as there are replicas.
    :param lease_namespace: Namespace of the Leases by which replicas agree. Left out: that of the Pod, else default.
    :param lease_name: Name of the group of replicas, which begins the names of its Leases.
    :param metrics_address: Where to serve; HOST may be left out for all addresses; `none` serves nothing.
    :param log_format: console or json.
    :param log_level: debug, info, warning or error.
    """
    options = options_of(
        managed_by=managed_by,
        controller=reconciler,
        namespace=namespace,
        with_selector=with_selector,
        mirror=mirror,
        max_endpoints=max_endpoints,
        policy=read_policy(policy),
        batch_period=batch_period,
        concurrency=concurrent_service_syncs,
        trigger_time=trigger_time,
        retry_base=retry_base,
        retry_longest=retry_longest,
        retries=retries,
    )
    sources = read_sources(config, endpoints or [], allow_empty=allow_empty)
    reach = Reach(kubeconfig=kubeconfig, context=context, qps=kube_api_qps, burst=kube_api_burst)
    address = None if metrics_address == "none" else _address(metrics_address)
    sharing = None
    if leader_elect or shards is not None:
        sharing = Sharing(namespace=lease_namespace or _own_namespace(), group=lease_name, buckets=shards or 1)
    run_controller(reach, options, sources, sharing, address=address, log_format=log_format, log_level=log_level)
    return SAME


def sync_cluster(
    reach: Reach, options: ControllerOptions, sources: "Sequence[Assigned]", output: "Form", *, dry_run: bool
) -> int:
    """Write what a cluster needs once, or show it."""
    with _extra():
        from epcore.controller import Controller, ControllerError  # noqa: PLC0415 - an extra, which only this needs
        from epcore.controller.logs import configure_logs  # noqa: PLC0415

    async def once() -> "list[Change]":
        async with reach.open() as api:
            await api.connect()
            configure_logs("console", "error")
            controller = Controller(api, options, sources=sources)
            return await (controller.changes() if dry_run else controller.run_once())

    try:
        changes = asyncio.run(once())
    except ControllerError as error:
        print_changes(error.changes, output, dry_run=dry_run)
        raise
    print_changes(changes, output, dry_run=dry_run)
    return DIFFERENT if dry_run and changes else SAME


def run_controller(
    reach: Reach,
    options: ControllerOptions,
    sources: "Sequence[Assigned]",
    sharing: Sharing | None = None,
    *,
    address: tuple[str | None, int] | None,
    log_format: LogForm = "console",
    log_level: LogLevel = "info",
) -> None:
    """Run a controller until a signal stops it."""
    with _extra():
        from epcore.controller import Controller  # noqa: PLC0415 - an extra, which only this needs
        from epcore.controller.health import serving  # noqa: PLC0415
        from epcore.controller.logs import configure_logs  # noqa: PLC0415
        from epcore.controller.replica import TIMING, Replica  # noqa: PLC0415

    async def run() -> None:
        async with AsyncExitStack() as stack:
            patient = reach if sharing is None else replace(reach, timeout=TIMING.guard)
            api = await stack.enter_async_context(patient.open())
            await api.connect()
            configure_logs(log_format, log_level)
            stop = asyncio.Event()
            _stops_by_signals(stop)
            if sharing is None:
                controller = Controller(api, options, sources=sources)
                work = controller.run
            else:
                for_leases = await stack.enter_async_context(replace(reach, qps=50.0, burst=50, timeout=3.0).open())
                replica = Replica(api, for_leases, options, sources, sharing.namespace, sharing.group, sharing.buckets)
                controller, work = replica.controller, replica.run
            if address is not None:
                registry = controller.metrics.registry
                port = await stack.enter_async_context(serving(*address, registry, lambda: controller.is_ready))
                _log.info("serving", extra={"host": address[0], "port": port})
            await work(stop)

    asyncio.run(run())


def read_sources(config: Path | None, endpoints: "Sequence[str]", *, allow_empty: bool) -> "list[Assigned]":
    """Read sources from the file and the texts that the command line names."""
    with _extra():
        from epcore.controller.sources.config import read_config  # noqa: PLC0415 - with their libraries
        from epcore.controller.sources.text import assigned_of  # noqa: PLC0415

        made = [] if config is None else read_config(config)
        for text in endpoints:
            try:
                made.append(assigned_of(text, may_empty=allow_empty))
            except SourceError as error:
                raise CommandError(f"--endpoints {error}") from None
    names = [(one.namespace, one.service) for one in made]
    for name in names:
        if names.count(name) > 1:
            raise CommandError(f"two sources for {'/'.join(name)}")
    return made


@contextmanager
def _extra() -> "Iterator[None]":
    """Tell which extra brings a library that is missing."""
    try:
        yield
    except ModuleNotFoundError as error:
        library = (error.name or "epcore").partition(".")[0]
        if library == "epcore":
            raise
        raise CommandError(f"a cluster needs {library}: pip install '.[cli,controller]' from a checkout") from None


def options_of(**given: object) -> ControllerOptions:
    """Make options, and tell what is wrong with them."""
    try:
        return ControllerOptions(**given)  # type: ignore[arg-type] # by the names of the fields
    except ValueError as error:
        raise CommandError(str(error)) from None


def _own_namespace() -> str:
    """Tell the namespace of the Pod that this runs in."""
    try:
        return _NAMESPACE.read_text().strip() or "default"
    except OSError:
        return "default"


def _address(text: str) -> tuple[str | None, int]:
    """Read where to serve; without a host on all addresses of both families, which ``::`` is not for asyncio."""
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65535:  # noqa: PLR2004 - the largest port
        raise CommandError(f"--metrics-address {text}: not HOST:PORT")
    return host.strip("[]") or None, int(port)


def _stops_by_signals(stop: asyncio.Event) -> None:
    """Let SIGTERM and SIGINT stop; the next of either ends at once, as if nobody had asked."""
    loop, numbers = asyncio.get_running_loop(), (signal.SIGTERM, signal.SIGINT)

    def heard() -> None:
        stop.set()
        for number in numbers:
            loop.remove_signal_handler(number)

    with suppress(NotImplementedError):
        for number in numbers:
            loop.add_signal_handler(number, heard)
