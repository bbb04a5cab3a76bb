"""The commands and their options. Each function reads, asks the engine, prints, and returns the exit code."""

import os
import sys
import traceback
from math import inf
from typing import TYPE_CHECKING, Annotated, Final, Literal, get_args

from cyclopts import App, CycloptsError, Parameter, validators

import epcore
from epcore.cli.clusters import controller
from epcore.cli.failure import CommandError, line_of
from epcore.cli.inputs import STDIN, read_endpoints, read_slices
from epcore.cli.laboratory import advise, simulate
from epcore.cli.manifests import sync
from epcore.cli.options import DIFFERENT, SAME, File, Maximum, Output, read_policy
from epcore.cli.output import Form, help_console, meter, print_data, print_people, refuse_unwritable
from epcore.errors import EpcoreError
from epcore.testing import judge
from epcore.types import AddressReuse, DiffKey, FamilyName, FieldMask, Naming, PolicyName, Replace, Severity

if TYPE_CHECKING:
    from collections.abc import Sequence

TROUBLE: Final = 2
BROKEN_PIPE: Final = 128 + 13

POLICIES: Final[tuple[PolicyName, ...]] = ("dense", "balanced", "lean", "lifecycle")
"""Shown by ``replay`` where none is named; Kubernetes' rule always is."""


WatchOutput = Literal["table", "json", "envoy", "haproxy", "nginx", "prometheus", "hosts", "dns"]

app = App(
    name="epcore",
    version=epcore.__version__,
    help_format="markdown",
    suppress_keyboard_interrupt=False,  # main hears it, and is not ended by an exception of its library
    help="""
    Pack endpoints into Kubernetes EndpointSlices with the least churn, and tell what changed.

    Files are JSON, JSON lines or YAML, plain or compressed (`.gz`, `.xz`); `-` is stdin.
    Exit codes are those of `diff`: 0 nothing to write or the same, 1 something to write or different, 2 trouble.
    """,
)


@app.command
def plan(  # noqa: PLR0913 - the options of epcore.pack
    *,
    endpoints: File,
    existing: File | None = None,
    template: File | None = None,
    max_endpoints: Maximum = 100,
    policy: Annotated[str, Parameter(metavar="POLICY")] = "balanced",
    cohort: Annotated[str, Parameter(metavar="COHORT")] = "auto",
    compact: Annotated[float | None, Parameter(metavar="EPS", validator=validators.Number(gte=0, lt=inf))] = None,
    address_reuse: AddressReuse = "ordered",
    replace: Replace = "safe",
    naming: Naming = "generate",
    readers: Annotated[bool, Parameter(negative="")] = False,
    output: Output = "table",
) -> int:
    """Print the writes that make slices hold the endpoints that should be there, in the order to send them.

    Exit code: 0 nothing to write, 1 something to write, 2 trouble.

    ```console
    epcore plan --endpoints wanted.json --existing slices.yaml
    kubectl get endpointslices -o json | epcore plan --endpoints wanted.json --existing -
    ```

    :param endpoints: File of the endpoints that should be there, or of slices that hold them.
    :param existing: File of the slices that are there. Left out: none.
    :param template: File of one slice without endpoints: metadata, ports and address type of new slices.
        Left out, the existing slices are the pattern.
    :param max_endpoints: Most endpoints in one slice, 1 to 1000.
    :param policy: balanced, dense, lean, lifecycle, upstream, or a share of the maximum such as 0.6: no slice
        fuller than that is written just to add to it.
    :param cohort: Which endpoints belong together: auto, node, zone, revision, a field path such as
        targetRef.namespace, or none.
    :param compact: Allow moves so that slices stay within (1 + this) times the fewest, plus 2. Left out: no endpoint
        moves.
    :param address_reuse: ordered: an address leaves its old target before it comes back, where that costs no write;
        strict: always.
    :param replace: How slices with other ports go: safe (new ones first) or recycle (rewritten in place, as
        Kubernetes does).
    :param naming: generate: the API server names new slices; deterministic: the name follows from the content.
    :param readers: Tell too what kube-proxy, Istio, Cilium and Linkerd would lose on the way, by models of their books.
    :param output: table, json or yaml.
    """
    _read_once(endpoints, existing, template)
    made = epcore.pack(
        read_endpoints(endpoints),
        read_slices(existing) if existing else [],
        template=read_slices(template) if template else None,
        max_endpoints=max_endpoints,
        policy=read_policy(policy),
        cohort=None if cohort == "none" else cohort,
        compaction=None if compact is None else epcore.Compaction(epsilon=compact),
        address_reuse=address_reuse,
        replace=replace,
        naming=naming,
    )
    troubles = judge(made) if readers else None
    if output == "table":
        from epcore.cli.tables import plan_tables, reader_tables  # noqa: PLC0415

        print_people(*plan_tables(made), *(() if troubles is None else reader_tables(troubles)))
    else:
        told = {} if troubles is None else {"readers": [one.to_dict() for one in troubles]}
        print_data({**made.to_dict(), **told}, output)
    return DIFFERENT if made else SAME


@app.command
def diff(
    before: File,
    after: File,
    /,
    *,
    key: DiffKey = "address-port",
    fields: FieldMask = "proxy",
    output: Output = "table",
) -> int:
    """Print what changed for each endpoint between two files of slices, whichever slice holds it.

    Exit code: 0 the same, 1 different, 2 trouble.

    ```console
    epcore diff before.yaml after.yaml
    kubectl get endpointslices -A -o json | epcore diff before.json.gz -
    ```

    :param before: File of the slices before.
    :param after: File of the slices after.
    :param key: What makes two endpoints the same one: address, address-port, or target.
    :param fields: Which fields count as a change: those that dns, a proxy or envoy reads, or all.
    :param output: table, json or yaml.
    """
    _read_once(before, after)
    delta = epcore.diff(read_slices(before), read_slices(after), key=key, fields=fields)
    if output == "table":
        from epcore.cli.tables import delta_tables  # noqa: PLC0415

        print_people(*delta_tables(delta))
    else:
        print_data(delta.to_dict(), output)
    return DIFFERENT if delta else SAME


@app.command
def lint(
    *files: File,
    services: File | None = None,
    pods: File | None = None,
    max_endpoints: Maximum = 100,
    fail_on: Severity = "warning",
    output: Annotated[Literal[Form, "sarif"], Parameter(name=["--output", "-o"])] = "table",
) -> int:
    """Print everything that is wrong with slices: what the API server refuses, and what readers trip over.

    Files are looked at together. Objects of other kinds are passed over. Exit code: 0 nothing as bad as `--fail-on`,
    1 something, 2 trouble.

    ```console
    epcore lint manifests/*.yaml
    kubectl get endpointslices -A -o json | epcore lint - -o sarif > slices.sarif
    epcore lint slices.json --services services.json --pods pods.json
    ```

    :param files: Files of slices.
    :param services: File of all Services that are there: tells slices whose Service is gone or has other ports.
    :param pods: File of all Pods that are there: tells endpoints whose Pod is gone.
    :param max_endpoints: Most endpoints that a slice should hold, 1 to 1000.
    :param fail_on: error (the API server refuses it), warning (readers go wrong) or note: what makes the exit code 1.
    :param output: table, json, yaml or sarif.
    """
    from epcore.cli.linting import lint as lint_files  # noqa: PLC0415 - the other commands do not wait for it
    from epcore.cli.linting import sarif  # noqa: PLC0415

    if not files:
        raise CommandError("lint needs a file: epcore lint FILE...")
    _read_once(*files, services, pods)
    found = lint_files(files, services=services, pods=pods, max_endpoints=max_endpoints)
    if output == "sarif":
        print_data(sarif(found), "json")
    elif output == "table":
        from epcore.cli.tables import finding_tables  # noqa: PLC0415

        print_people(*finding_tables(found))
    else:
        print_data([one.to_dict() for one in found], output)
    severities = get_args(Severity)
    worst = severities[: severities.index(fail_on) + 1]
    return DIFFERENT if any(one.finding.severity in worst for one in found) else SAME


@app.command
def replay(
    *recordings: File,
    max_endpoints: Maximum | None = None,
    policy: Annotated[list[str] | None, Parameter(negative="", metavar="POLICY")] = None,
    html: Annotated[str | None, Parameter(metavar="PATH")] = None,
    output: Output = "table",
) -> int:
    """Replay recordings of a real controller, and compare what each way of packing would have written.

    A recording is JSON lines `{"t", "kind", "type", "object"}`, in the order in which watches saw the events. After
    each step the slices of each row must hold exactly what was wanted. Exit code: 0 done, 2 trouble, also if they do
    not.

    ```console
    epcore replay examples/rollout.jsonl.xz --html replay.html
    epcore replay examples/*.jsonl.xz --policy balanced --policy 0.6 -o json
    ```

    :param recordings: Files of recordings.
    :param max_endpoints: Most endpoints in one slice. Left out: 100, or as many as a recorded slice held.
    :param policy: A policy to show, as of plan; may be repeated. Left out: dense, balanced, lean and
        lifecycle.
    :param html: Write a report with charts to this file too. It needs no network to be read.
    :param output: table, json or yaml.
    """
    from epcore.cli.recording import read_recording  # noqa: PLC0415 - the other commands do not wait for it
    from epcore.cli.replay import replay as run_replay  # noqa: PLC0415
    from epcore.cli.summary import summarise  # noqa: PLC0415
    from epcore.cli.tables import NARROWEST, replay_tables  # noqa: PLC0415

    if not recordings:
        raise CommandError("replay needs a recording: epcore replay FILE...")
    _read_once(*recordings)
    refuse_unwritable(html)
    policies = {name: read_policy(name) for name in policy or POLICIES}
    with meter() as progress:
        replays = [
            run_replay(
                read_recording(name, progress.reading(name)),
                policies,
                max_endpoints,
                progress.working(f"replay {name}"),
            )
            for name in recordings
        ]
    summary = summarise(replays)
    if html:
        from epcore.cli.report import write_report  # noqa: PLC0415

        write_report(html, replays, summary)
    if output == "table":
        print_people(*replay_tables(replays, summary), narrowest=NARROWEST)
    else:
        print_data({"recordings": [one.to_dict() for one in replays], "summary": summary.to_dict()}, output)
    return SAME


@app.command
def watch(  # noqa: PLR0913 - a command line has options
    log: File | None = None,
    /,
    *,
    service: Annotated[list[str] | None, Parameter(negative="", metavar="SERVICE")] = None,
    namespace: Annotated[str | None, Parameter(name=["--namespace", "-n"])] = None,
    kubeconfig: Annotated[str | None, Parameter(metavar="PATH")] = None,
    context: str | None = None,
    output: Annotated[WatchOutput, Parameter(name=["--output", "-o"])] = "table",
    to: Annotated[str | None, Parameter(metavar="PATH")] = None,
    on_change: Annotated[str | None, Parameter(metavar="COMMAND")] = None,
    once: Annotated[bool, Parameter(negative="")] = False,
    batch: Annotated[float, Parameter(metavar="SECONDS", validator=validators.Number(gte=0))] = 0.1,
    hold: Annotated[float, Parameter(metavar="SECONDS", validator=validators.Number(gte=0))] = 0.0,
    node: str = "",
    zone: str = "",
    family: FamilyName = "IPv4",
    option: Annotated[list[str] | None, Parameter(negative="", metavar="LINE", allow_leading_hyphen=True)] = None,
    slots: Annotated[int, Parameter(metavar="N", validator=validators.Number(gte=1, lte=1_000_000))] = 32,
    socket: Annotated[str | None, Parameter(metavar="ADDRESS")] = None,
    domain: str = "cluster.local",
    state: Annotated[str | None, Parameter(metavar="PATH")] = None,
) -> int:
    """Follow slices, and show what changes for each endpoint, or keep the file of a proxy right.

    Reads the cluster of the kubeconfig (with the extra `kubernetes`), or a log of watch events. A file is written only
    when it has to say something else, and at once. Exit code: 0 the log has ended, 2 trouble.

    ```console
    epcore watch --service shop/web
    epcore watch --service shop/web:http -o nginx --to /etc/nginx/conf.d/web.conf --on-change "nginx -s reload"
    epcore watch --service shop/web:http -o haproxy --to web.cfg --socket /run/haproxy.sock --on-change "./reload"
    kubectl get endpointslices --watch --output-watch-events -o json | epcore watch -
    epcore watch examples/rollout.jsonl.xz
    ```

    :param log: File of watch events, or of a recording; `-` is stdin, followed as it grows. Left out, the cluster.
    :param service: A Service to follow, NAMESPACE/NAME, or one port of it, NAMESPACE/NAME:PORT or
        NAMESPACE/NAME:PORT/PROTOCOL: the name of the port, and TCP (left out), UDP or SCTP. That one is there for good;
        hosts and dns tell the whole Service. May be repeated. Left out: all.
    :param namespace: Only this one; also for Services named without.
    :param kubeconfig: File to use in place of the usual one.
    :param context: Context of the kubeconfig to use.
    :param output: table or json (a line for each change), envoy (EDS), haproxy, nginx, prometheus (file_sd), hosts or
        dns.
    :param to: File to keep right. Left out: print.
    :param on_change: Command to run when the file has changed; for haproxy with --socket only when slots do not
        suffice. Its words are split as a shell does, but no shell runs it: no pipes, no variables. Where it fails, or
        has not ended in 300 seconds, it is run again every 5 seconds; with --once, or when the log has ended, twice
        more, and the exit code is 2 then.
    :param once: End with the first list, or tell of a log only what is there in the end.
    :param batch: Seconds for which changes are collected; events of a file are told one by one.
    :param hold: Seconds for which a removal is kept back: what comes back in time was never gone.
    :param node: Name of the node that the proxy runs on, to follow topology hints.
    :param zone: Zone that the proxy runs in, to follow topology hints.
    :param family: Family of the addresses for haproxy; the others take IPv4 where a Service has it.
    :param option: A line for each backend (haproxy) or upstream (nginx), such as `balance leastconn`; may be repeated.
    :param slots: Server slots of a backend come in blocks of so many (haproxy).
    :param socket: Path or HOST:PORT of HAProxy's Runtime API, with level admin.
    :param domain: Domain of the cluster, for hosts and dns.
    :param state: File that keeps what was told, so that a restart tells what changed in between.
    """
    from epcore.cli.watch import Settings, run_watch  # noqa: PLC0415 - the other commands do not wait for it

    run_watch(
        Settings(
            log=log,
            services=service or [],
            namespace=namespace,
            kubeconfig=kubeconfig,
            context=context,
            output=output,
            to=to,
            on_change=on_change,
            once=once,
            batch=batch,
            hold=hold,
            node=node,
            zone=zone,
            family=family,
            options=option or [],
            slots=slots,
            socket=socket,
            domain=domain,
            state=state,
        )
    )
    return SAME


app.command(simulate)
app.command(advise)
app.command(sync)
app.command(controller)


def run(arguments: "Sequence[str]") -> int:
    """Run one command. Raises nothing but ``KeyboardInterrupt``: trouble is one line on stderr."""
    try:
        code = app(
            arguments, console=help_console(), exit_on_error=False, print_error=False, result_action="return_value"
        )
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # so that the flush at exit is quiet too
        return BROKEN_PIPE
    except (CycloptsError, EpcoreError, OSError, ValueError) as error:
        print(f"epcore: {line_of(error)}", file=sys.stderr)
        return TROUBLE
    except Exception:  # noqa: BLE001 - a fault of ours must not look like "different"
        traceback.print_exc()
        return TROUBLE
    return code if isinstance(code, int) else SAME


def _read_once(*names: str | None) -> None:
    if names.count(STDIN) > 1:
        raise CommandError("stdin (-) can be read once only")
