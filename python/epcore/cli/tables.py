"""The tables that people see."""

from collections import Counter
from typing import TYPE_CHECKING, Final, get_args

from rich.text import Text

from epcore.cli.output import table
from epcore.cli.replay import KUBERNETES
from epcore.testing import READERS
from epcore.types import Severity

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import RenderableType

    from epcore import Delta, Plan
    from epcore.cli.linting import Found
    from epcore.cli.replay import Replay
    from epcore.cli.summary import Summary
    from epcore.testing import Trouble

COLUMNS: Final = {
    "max": "max_endpoints",
    "writes": "writes",
    "bytes to\none watcher": "bytes",
    "endpoints\nsent again": "endpoints_resent",
    "slices\nat the end": "slices_after",
    "slices\nat most": "slices_most",
    "moved\nendpoints": "endpoints_moved",
    "write\nfloor": "write_floor",
}
"""Headings of the replay's table, and the fields below them."""
NARROWEST: Final = 100
"""Columns that the replay's table needs."""

SUMMARY_COLUMNS: Final = {
    "writes": "writes",
    "bytes to\none watcher": "bytes",
    "endpoints\nsent again": "endpoints_resent",
    "slices on\naverage": "slices_mean",
}


def plan_tables(plan: "Plan") -> "Iterator[RenderableType]":
    """Show the writes, the moves if any, and the counts."""
    stats = plan.stats
    if plan:
        rows = [
            (
                place,
                write.verb,
                write.name or f"{write.slice.generate_name or ''}*",
                len(write.slice),
                len(write.to_json()),
                ", ".join(write.reasons),
            )
            for place, write in enumerate(plan.writes, start=1)
        ]
        headings = {"#": True, "write": False, "slice": False, "endpoints": True, "bytes": True, "because": False}
        yield table(headings, rows)
    if plan.moves:
        moves = [(move.endpoint.addresses[0], move.source, move.target or "a new slice") for move in plan.moves]
        yield table({"moved endpoint": False, "from": False, "to": False}, moves)
    writes = (
        f"{stats.creates} to create, {stats.updates} to update, {stats.deletes} to delete" if plan else "nothing to do"
    )
    yield Text(f"writes:    {writes}; {stats.bytes:,} bytes to each watcher; write floor {stats.write_floor}")
    yield Text(
        f"endpoints: {stats.endpoints_added} added, {stats.endpoints_updated} updated, "
        f"{stats.endpoints_removed} removed, "
        f"{stats.endpoints_moved} moved, {stats.endpoints_resent} sent again unchanged"
    )
    yield Text(
        f"slices:    {stats.slices_before} before, {stats.slices_after} after, {stats.slices_ideal} at least needed"
    )


def reader_tables(troubles: "Sequence[Trouble]") -> "Iterator[RenderableType]":
    """Show who among the readers of slices would lose what by a plan; writes are numbered as the plan shows them."""
    if not troubles:
        everybody = ", ".join(reader.programs for reader in READERS)
        yield Text(f"readers:   nothing is lost, late or stale in {everybody}")
        return
    rows = [
        (
            one.programs,
            one.kind,
            str(one.key),
            one.after + 1,
            "for good" if one.until is None else str(one.until + 1),
        )
        for one in troubles
    ]
    headings = {"reader": False, "what": False, "endpoint": False, "after write": True, "until write": True}
    yield table(headings, rows)
    kinds = Counter(f"{one.kind} in {one.programs}" for one in troubles)
    yield Text("readers:   " + "; ".join(f"{count:,} {what}" for what, count in kinds.items()))


def delta_tables(delta: "Delta") -> "Iterator[RenderableType]":
    """Show each endpoint that changed, and the ports that went from none to some or back."""
    if not delta:
        yield Text("no endpoint changed")
        return
    kinds = {"added": delta.added, "removed": delta.removed, "updated": delta.updated, "moved": delta.moved}
    rows = [
        (kind, change.key, change.slice_before, change.slice_after, ", ".join(change.reasons))
        for kind, changes in kinds.items()
        for change in changes
    ]
    yield table({"change": False, "endpoint": False, "slice before": False, "after": False, "because": False}, rows)
    if delta.transitions:
        ports = [
            (
                f"{transition.namespace}/{transition.service}",
                transition.port_name,
                transition.protocol,
                transition.endpoints_before,
                transition.endpoints_after,
                transition.ready_before,
                transition.ready_after,
            )
            for transition in delta.transitions
        ]
        figures = "endpoints before", "after", "ready before", "ready after"
        yield table(dict.fromkeys(("service", "port", "protocol"), False) | dict.fromkeys(figures, True), ports)
    yield Text(", ".join(f"{len(changes)} {kind}" for kind, changes in kinds.items()))


def finding_tables(found: "Sequence[Found]") -> "Iterator[RenderableType]":
    """Show each finding with its place, and how many there are of each severity."""
    if not found:
        yield Text("nothing found")
        return
    rows = [
        (
            f"{one.file}:{one.line}:{one.column}",
            one.finding.name,
            one.finding.severity,
            f"{one.path}: {one.finding.message}" if one.path else one.finding.message,
            one.finding.rule,
        )
        for one in found
    ]
    yield table(dict.fromkeys(("where", "slice", "severity", "what", "rule"), False), rows)
    counts = Counter(one.finding.severity for one in found)
    told = [(counts[severity], severity) for severity in get_args(Severity) if counts[severity]]
    yield Text(", ".join(f"{count} {severity}{'s' * (count > 1)}" for count, severity in told))


def replay_tables(replays: "Sequence[Replay]", summary: "Summary") -> "Iterator[RenderableType]":
    """Show one table for each recording, and the means if there are several."""
    for replay in replays:
        rows = [(row["row"], *(row[field] for field in COLUMNS.values())) for row in replay.to_dict()["rows"]]
        yield table({"row": False} | dict.fromkeys(COLUMNS, True), rows, title=replay.recording.name)
        yield Text(note(replay) + "\n", style="dim")
    if len(replays) > 1:
        yield table(
            {"": False} | dict.fromkeys(SUMMARY_COLUMNS, True),
            [
                (title, *(_share(means[field]) for field in SUMMARY_COLUMNS.values()))
                for title, means in summary.rows.items()
            ],
            title=f"Kubernetes' rule = 1, geometric mean over {summary.recordings} recordings",
        )


def note(replay: "Replay") -> str:
    """Say what the table rests on."""
    kubernetes, recorded = replay.row(KUBERNETES).writes, replay.rows[0].writes
    return (
        f"{len(replay.syncs)} syncs found, {replay.witnessed} of them confirmed by the recorded Pods. Replayed at them,"
        f" Kubernetes' rule makes {kubernetes:,} writes where {recorded:,} were recorded."
        " The legacy Endpoints object is computed at the same moments;"
        f" {replay.recording.endpoints_objects:,} writes of it were recorded."
    )


def _share(value: float | None) -> str | None:
    return None if value is None else f"{value:.3f}"
