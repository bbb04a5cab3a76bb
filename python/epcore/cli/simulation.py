"""What ``epcore simulate`` does: finds the loads and the rows, runs them, prints the tables."""

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_args

from rich.text import Text

from epcore.cli.failure import CommandError
from epcore.cli.inputs import STDIN
from epcore.cli.options import read_policy
from epcore.cli.output import table
from epcore.simulate import KUBERNETES, WORKLOADS, Row, TraceFile, Workload, compare
from epcore.simulate.outcome import SUMMARY
from epcore.types import PolicyName

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import RenderableType

    from epcore.simulate import Advice, Choice, Outcome, Source, Study

COLUMNS: Final = {
    "max": "max_endpoints",
    "writes": "writes",
    "write\nfloor": "write_floor",
    "bytes to\none watcher": "bytes",
    "endpoints\nsent again": "endpoints_resent",
    "moved\nendpoints": "endpoints_moved",
    "slices on\naverage": "slices_mean",
    "slices\nat most": "slices_most",
    "fill": "fill",
    "delay, s\non average": "delay_mean",
    "delay, s\n99 of 100": "delay_99",
}
SUMMARY_COLUMNS: Final = dict(
    zip(("writes", "bytes to\none watcher", "endpoints\nsent again", "slices on\naverage"), SUMMARY, strict=True)
)
NARROWEST: Final = 130
"""Columns that the table needs."""


def read_sources(loads: "Sequence[str]", settings: "Sequence[str]") -> "list[Source]":
    """Find out what each load is, and give workloads their parameters."""
    names = loads or [name for name in WORKLOADS if name != "huge-service"]
    parameters = dict(_parameter(text) for text in settings)
    sources: list[Source] = []
    unused = set(parameters)
    for name in dict.fromkeys(names):
        kind = WORKLOADS.get(name)
        if name == STDIN:
            raise CommandError("stdin (-) can be read once only, and a load is read wherever it is simulated")
        if kind is None and not Path(name).exists():
            raise CommandError(f"{name}: neither a file nor one of {', '.join(WORKLOADS)}")
        known = {field.name for field in fields(kind)} if kind else set()
        unused -= known
        chosen = {key: value for key, value in parameters.items() if key in known}
        sources.append(_workload(kind, chosen) if kind else TraceFile(name))
    if unused:
        raise CommandError(f"--set {min(unused)}: no load that was asked for has this parameter")
    if len({source.name for source in sources}) < len(sources):
        raise CommandError("two files have the same name: give them others, so that they can be told apart")
    return sources


def _parameter(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise CommandError(f"--set {text}: not NAME=VALUE")
    return name.strip().replace("-", "_"), value


def _workload(kind: type[Workload], parameters: dict[str, str]) -> Workload:
    values: dict[str, Any] = {}
    for name, text in parameters.items():
        default = getattr(kind, name)
        try:
            numbers = [type(default[0] if isinstance(default, tuple) else default)(part) for part in text.split("/")]
        except ValueError:
            raise CommandError(f"--set {name}={text}: not a number as {default!r} is") from None
        values[name] = tuple(numbers) if isinstance(default, tuple) else numbers[0]
    try:
        return kind(**values)
    except ValueError as error:
        raise CommandError(f"--set: {error}") from None


def policy_rows(policies: "Sequence[str] | None", max_endpoints: int) -> list[Row]:
    """Make a row of each policy; left out, all that the engine has besides Kubernetes' own."""
    names = policies or ["balanced", *(name for name in get_args(PolicyName) if name not in ("upstream", "balanced"))]
    return [
        Row(title=f"epcore {name}", policy=read_policy(name), max_endpoints=max_endpoints)
        for name in dict.fromkeys(names)
    ]


def simulation_tables(found: "Study") -> "Iterator[RenderableType]":
    """Show one table for each load, and the means if there are several loads or seeds."""
    plan = found.plan
    for source in plan.sources:
        outcomes = [one for one in found.outcomes if one.load == source.name]
        titles = dict.fromkeys(one.row.title for one in outcomes)
        rows = [(title, *mean_cells(found, [one for one in outcomes if one.row.title == title])) for title in titles]
        seeds = {one.seed for one in outcomes}
        title = f"{source.name}, mean of {len(seeds)} seeds" if len(seeds) > 1 else source.name
        yield table({"row": False} | dict.fromkeys(columns(found), True), rows, title=title)
        yield Text(note(found, outcomes[0]) + "\n", style="dim")
    if len(plan.runs()) > 1:
        means = compare(found.outcomes, KUBERNETES)
        yield table(
            {"": False} | dict.fromkeys(SUMMARY_COLUMNS, True),
            [(title, *(_share(row[field]) for field in SUMMARY_COLUMNS.values())) for title, row in means.items()],
            title=f"{KUBERNETES} = 1, geometric mean over {len(plan.runs())} loads and seeds",
        )


def columns(found: "Study") -> dict[str, str]:
    """Give the headings of the table, and the fields below them; several watchers have a column of their own."""
    return COLUMNS | ({f"bytes to\n{found.watchers:,} watchers": "bytes_to_all"} if found.watchers > 1 else {})


def mean_cells(found: "Study", outcomes: "Sequence[Outcome]") -> "list[int | str | None]":
    """Take the mean over seeds, as a table shows it."""
    figures = [found.figures(one) for one in outcomes]
    cells: list[int | str | None] = []
    for field in columns(found).values():
        values = [one[field] for one in figures]
        known = [value for value in values if value is not None]
        mean = sum(known) / len(known) if known else None
        if mean is None:
            cells.append(None)
        elif isinstance(known[0], int):
            cells.append(round(mean))
        else:
            cells.append(f"{mean:,.2f}")
    return cells


def note(found: "Study", outcome: "Outcome") -> str:
    """Say what a table rests on."""
    settings = found.plan.settings
    counted = [sync for sync in outcome.syncs if sync.time >= 0]
    changes = sum(len(sync.delays) for sync in counted)
    limit = "no rate limit" if settings.qps is None else f"{settings.qps:g} writes a second, burst {settings.burst}"
    return (
        f"{changes:,} changes in {outcome.series[-1].time:,.0f} s; collected for {settings.batch_period:g} s, {limit},"
        f" {settings.latency:g} s a write. {KUBERNETES} needs {len(counted):,} syncs."
    )


def distinct(advice: "Advice") -> "dict[Choice, int]":
    """Take one of the choices on the front that cost the same in everything, with how many more there are, and today's.

    Of these today's and the best are shown, else the first that was tried.
    """
    chosen = [advice.today, *advice.best.values()]
    groups: dict[tuple[float, ...], list[Choice]] = {}
    for one in [*chosen, *advice.front]:
        group = groups.setdefault(one[2:], [])
        if one not in group:
            group.append(one)
    return {
        one: len(group) - sum(other in chosen for other in group) if one in chosen else len(group) - 1
        for group in groups.values()
        for one in ([one for one in group if one in chosen] or group[:1])
    }


def advice_tables(advice: "Advice", *, everything: bool) -> "Iterator[RenderableType]":
    """Show the choices that no other beats, those that cost the same once, beside today's; or all; and the best."""
    best = advice.best
    shown = dict.fromkeys(advice.choices, 0) if everything else distinct(advice)
    rows = [
        (
            one.policy,
            one.max_endpoints,
            f"{one.batch_period:g}",
            one.writes,
            _share(advice.relative(one)["writes"]),
            one.bytes,
            _share(advice.relative(one)["bytes"]),
            f"{one.delay_mean:.2f}",
            f"{one.delay_99:.2f}",
            f"{one.slices_mean:.1f}",
            shown[one],
            ", ".join([what for what, choice in best.items() if choice == one] + ["today"] * (one == advice.today)),
        )
        for one in sorted(shown, key=lambda one: (one.batch_period, one.writes, one.bytes))
    ]
    yield table(dict(_ADVICE_COLUMNS), rows)
    if not best:
        yield Text(f"No choice makes 99 of 100 changes known within {advice.most_delay:g} s; see --most-delay.")
    for what, one in best.items():
        ratios = advice.relative(one)
        yield Text(
            f"{what}, within {advice.most_delay:g} s: {one.policy}, at most {one.max_endpoints} endpoints, batches of"
            f" {one.batch_period:g} s: {one.writes:,} writes ({_share(ratios['writes']) or '–'} of today's),"  # noqa: RUF001
            f" {one.bytes * advice.watchers:,} bytes to {advice.watchers:,}"
            f" watcher{'s' * (advice.watchers > 1)} ({_share(ratios['bytes']) or '–'})"  # noqa: RUF001
        )


_ADVICE_COLUMNS: Final = (
    ("policy", False),
    ("max", True),
    ("batch, s", True),
    ("writes", True),
    ("of\ntoday's", True),
    ("bytes to\none watcher", True),
    ("of  \ntoday's", True),
    ("delay, s\non average", True),
    ("delay, s\n99 of 100", True),
    ("slices on\naverage", True),
    ("as\ngood", True),
    ("best", False),
)


def _share(value: float | None) -> str | None:
    return None if value is None else f"{value:.3f}"
