"""The commands that try ways of writing slices on loads, with their options."""

from typing import Annotated

from cyclopts import Parameter, validators

from epcore.cli.failure import CommandError
from epcore.cli.options import SAME, Count, File, Jobs, Maximum, Output, Seconds, Times
from epcore.cli.output import meter, print_data, print_people, refuse_unwritable


def simulate(  # noqa: PLR0913 - a command line has options
    *loads: File,
    set_: Annotated[list[str] | None, Parameter(name="--set", negative="", metavar="NAME=VALUE")] = None,
    seed: int = 1,
    seeds: Times = 1,
    copies: Times = 1,
    max_endpoints: Maximum = 100,
    policy: Annotated[list[str] | None, Parameter(negative="", metavar="POLICY")] = None,
    batch_period: Seconds = 1.0,
    qps: Annotated[float | None, Parameter(validator=validators.Number(gt=0))] = None,
    burst: Count = 30,
    latency: Seconds = 0.0,
    watchers: Count = 1,
    jobs: Jobs = 1,
    dask: Annotated[str | None, Parameter(metavar="ADDRESS")] = None,
    html: Annotated[str | None, Parameter(metavar="PATH")] = None,
    output: Output = "table",
) -> int:
    """Simulate loads, and compare what each way of writing slices would cost.

    A load is the name of a workload (rolling-update, node-drain, autoscaler, flapping, replacement, node-failure,
    cluster, huge-service), a trace (CSV of `time, service, key, event`), or a recording as of replay. The same seed
    gives the same figures. Exit code: 0 done, 2 trouble.

    ```console
    epcore simulate
    epcore simulate rolling-update --set pods=1000 --set batches=4 --seeds 3 --html report.html
    epcore simulate trace.csv examples/rollout.jsonl.xz --policy dense --batch-period 0 --qps 20
    ```

    :param loads: Workloads and files. Left out: all workloads but huge-service.
    :param set_: A parameter of the workloads that have it, such as `pods=1000`; may be repeated: see docs/simulate.md.
    :param seed: The first seed.
    :param seeds: How many seeds; the table shows the mean.
    :param copies: How many copies of each workload run side by side, each with Services of its own.
    :param max_endpoints: Most endpoints in one slice, 1 to 1000.
    :param policy: A policy to show, as of plan; may be repeated. Left out: all. The control keeps as many slices as the
        first.
    :param batch_period: Seconds for which changes of a Service are collected.
    :param qps: Most writes a second. Left out: no limit.
    :param burst: Writes that may come at once after a pause.
    :param latency: Seconds that one write takes.
    :param watchers: How many watch the slices, one on each node.
    :param jobs: How many processes do the work.
    :param dask: Address of a Dask scheduler, whose workers do the work in place of `--jobs`.
    :param html: Write a report with plots to this file too. It needs no network to be read.
    :param output: table, json or yaml.
    """
    from epcore.cli.simulation import (  # noqa: PLC0415 - the other commands do not wait for it
        NARROWEST,
        policy_rows,
        read_sources,
        simulation_tables,
    )
    from epcore.cli.workers import executor  # noqa: PLC0415
    from epcore.simulate import Plan, Settings, study  # noqa: PLC0415

    refuse_unwritable(html)
    settings = Settings(batch_period=batch_period, qps=qps, burst=burst, latency=latency)
    plan = Plan(
        sources=read_sources(loads, set_ or []),
        rows=policy_rows(policy, max_endpoints),
        settings=settings,
        seeds=range(seed, seed + seeds),
        copies=copies,
    )
    with meter() as progress, executor(jobs, dask) as pool:
        found = study(plan, max_endpoints, watchers, pool, progress.working("simulate"))
    if html:
        from epcore.cli.page import write_page  # noqa: PLC0415 - nobody else waits for it

        write_page(html, found)
    if output == "table":
        print_people(*simulation_tables(found), narrowest=NARROWEST)
    else:
        print_data(found.to_dict(), output)
    return SAME


def advise(  # noqa: PLR0913 - a command line has options
    *loads: File,
    set_: Annotated[list[str] | None, Parameter(name="--set", negative="", metavar="NAME=VALUE")] = None,
    seed: int = 1,
    seeds: Times = 1,
    copies: Times = 1,
    max_endpoints: Annotated[list[Maximum] | None, Parameter(negative="", metavar="N")] = None,
    batch_period: Annotated[list[Seconds] | None, Parameter(negative="", metavar="SECONDS")] = None,
    policy: Annotated[list[str] | None, Parameter(negative="", metavar="POLICY")] = None,
    most_delay: Seconds = 1.0,
    qps: Annotated[float | None, Parameter(validator=validators.Number(gt=0))] = None,
    burst: Count = 30,
    latency: Seconds = 0.0,
    watchers: Count = 1,
    jobs: Jobs = 1,
    dask: Annotated[str | None, Parameter(metavar="ADDRESS")] = None,
    all_: Annotated[bool, Parameter(name="--all", negative="")] = False,
    output: Output = "table",
) -> int:
    """Tell which maximum, batch period and policy would have cost what under loads: writes, bytes and delay.

    Tries Kubernetes' rule and the engine's policies with each maximum and batch period, and shows those that no other
    beats, beside today's: Kubernetes' rule with 100 endpoints and no batches. Exit code: 0 done, 2 trouble.

    ```console
    epcore advise examples/rollout.jsonl.xz --watchers 500
    epcore advise autoscaler --set most=2000 --max-endpoints 100 --max-endpoints 250 --most-delay 3
    ```

    :param loads: Workloads and files, as of simulate. Several count together.
    :param set_: A parameter of the workloads that have it, such as `pods=1000`; may be repeated.
    :param seed: The first seed.
    :param seeds: How many seeds.
    :param copies: How many copies of each workload run side by side.
    :param max_endpoints: Most endpoints in one slice; may be repeated. Left out: 50, 100, 200 and 500.
    :param batch_period: Seconds for which changes are collected; may be repeated. Left out: 0, 0.5, 1 and 5.
    :param policy: A policy, as of plan; may be repeated. Left out: all.
    :param most_delay: Seconds within which 99 of 100 changes must be known.
    :param qps: Most writes a second. Left out: no limit.
    :param burst: Writes that may come at once after a pause.
    :param latency: Seconds that one write takes.
    :param watchers: How many watch the slices, one on each node.
    :param jobs: How many processes do the work.
    :param dask: Address of a Dask scheduler, whose workers do the work in place of `--jobs`.
    :param all_: Show all that was tried, a row each.
    :param output: table, json or yaml.
    """
    from epcore.cli.simulation import (  # noqa: PLC0415 - the other commands do not wait for it
        NARROWEST,
        advice_tables,
        policy_rows,
        read_sources,
    )
    from epcore.cli.workers import executor  # noqa: PLC0415
    from epcore.simulate import Plan, Settings  # noqa: PLC0415
    from epcore.simulate.advice import PERIODS, SIZES  # noqa: PLC0415
    from epcore.simulate.advice import advise as find_advice  # noqa: PLC0415

    if not loads:
        raise CommandError("advise needs a load: epcore advise LOAD...")
    plan = Plan(
        sources=read_sources(loads, set_ or []),
        rows=policy_rows(policy, max_endpoints=100),
        settings=Settings(qps=qps, burst=burst, latency=latency),
        seeds=range(seed, seed + seeds),
        copies=copies,
    )
    with meter() as progress, executor(jobs, dask) as pool:
        advice = find_advice(
            plan,
            sizes=max_endpoints or SIZES,
            periods=batch_period or PERIODS,
            most_delay=most_delay,
            watchers=watchers,
            executor=pool,
            progress=progress.working("advise"),
        )
    if output == "table":
        print_people(*advice_tables(advice, everything=all_), narrowest=NARROWEST)
    else:
        print_data(advice.to_dict(), output)
    return SAME
