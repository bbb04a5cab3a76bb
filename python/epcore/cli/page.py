"""The report of ``epcore simulate`` as one HTML page that needs no network: tables, and plots as SVG."""

from bisect import bisect_right
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Final

from epcore.atomic import named
from epcore.cli.drawing import STYLE, Mark, scatter, steps
from epcore.cli.simulation import SUMMARY_COLUMNS, columns, mean_cells, note
from epcore.simulate import BLIND, BOUND, BOUNDS, CONTROL, KUBERNETES, compare

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from epcore.simulate import Outcome, Point, Study

_COLORS: Final = ("#2a9d62", "#3f7fd6", "#b05fd0", "#c9a01b", "#1aa3a3", "#d0507a")
"""For the engine's rows: seen on white and on black."""
_GREY: Final = "#8b9098"
_MARKS: Final = {
    KUBERNETES: Mark(KUBERNETES, "#e2632b"),
    CONTROL: Mark(CONTROL, "#e2632b", "2 3"),
    "first-fit": Mark("first-fit", _GREY, "7 3"),
    "sort-and-chunk": Mark("sort-and-chunk", _GREY, "2 3"),
    "one Endpoints object": Mark("one Endpoints object", "#9a6b4f", "5 3"),
    BOUND: Mark(BOUND, _GREY),
    BLIND: Mark(BLIND, _GREY, "9 2 2 2"),
}
_MOMENTS: Final = 240
"""Points of a line."""

LEAD: Final = (
    "What each way of writing slices costs under the same loads, asked for its writes by the same clock. A write is one"
    " call to the API server and one event to every watcher; bytes are what one watcher receives."
)


def write_page(path: str, found: "Study") -> None:
    """Write the report to a file."""
    titles = list(dict.fromkeys(one.row.title for one in found.outcomes))
    engine = iter(_COLORS * len(titles))
    marks = {title: _MARKS.get(title) or Mark(title, next(engine)) for title in titles}
    body = [_summary(found)] if len(found.plan.runs()) > 1 else []
    for source in found.plan.sources:
        body += _section(found, source.name, marks)
    page = Template(files("epcore.cli").joinpath("report.html").read_text(encoding="utf-8"))
    text = page.substitute(title="epcore simulate", lead=LEAD, style=STYLE, script="", body="\n".join(body))
    with named(Path(path)):
        Path(path).write_text(text, encoding="utf-8")


def _section(found: "Study", load: str, marks: dict[str, Mark]) -> "Iterator[str]":
    outcomes = [one for one in found.outcomes if one.load == load]
    rows = {title: [one for one in outcomes if one.row.title == title] for title in marks}
    rows = {title: runs for title, runs in rows.items() if runs}
    yield f"<h2>{escape(load)}</h2><p>{escape(note(found, outcomes[0]))}</p>"
    yield _table(list(columns(found)), {title: mean_cells(found, runs) for title, runs in rows.items()})
    legend = "".join(f"<li>{marks[title].swatch} {escape(title)}</li>" for title in rows)
    yield f'<ul class="legend">{legend}</ul>'
    points = [(marks[title], _mean(runs, "writes"), _mean(runs, "bytes")) for title, runs in rows.items()]
    reached = [one for one in points if one[0].title not in BOUNDS]
    plots = [scatter("writes", "bytes to one watcher", points, front(reached))]
    seed = outcomes[0].seed
    shown = {title: next(one for one in runs if one.seed == seed) for title, runs in rows.items()}
    plots += _over_time(shown, marks)
    yield '<div class="grid">' + "".join(f'<div class="card">{plot}</div>' for plot in plots) + "</div>"


def _summary(found: "Study") -> str:
    means = compare(found.outcomes, KUBERNETES)
    rows = {
        title: [None if row[field] is None else f"{row[field]:.3f}" for field in SUMMARY_COLUMNS.values()]
        for title, row in means.items()
    }
    return (
        f"<h2>All loads</h2><p>Geometric mean over {len(found.plan.runs())} loads and seeds; {KUBERNETES} = 1."
        " Less is better.</p>" + _table(list(SUMMARY_COLUMNS), rows)
    )


def _table(headings: "Sequence[str]", rows: "dict[str, list[int | str | None]] | dict[str, list[str | None]]") -> str:
    head = "".join(f"<th>{escape(heading)}</th>" for heading in ("", *headings))
    body = "".join(
        f"<tr{' class=engine' if title not in _MARKS else ''}><td>{escape(title)}</td>"
        + "".join(f"<td>{_cell(cell)}</td>" for cell in cells)
        + "</tr>"
        for title, cells in rows.items()
    )
    return f'<div class="card"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _cell(cell: int | str | None) -> str:
    if cell is None:
        return "–"  # noqa: RUF001 - a dash, as in printed tables
    return f"{cell:,}" if isinstance(cell, int) else escape(cell)


def _mean(runs: "Sequence[Outcome]", field: str) -> float:
    values: list[float] = [getattr(one.measures, field) for one in runs]
    return sum(values) / len(values)


def front(points: "Sequence[tuple[Mark, float, float]]") -> list[Mark]:
    """Keep those that no other beats in one figure without losing in the other."""
    return [
        mark
        for mark, x, y in points
        if not any(one <= x and two <= y and (one, two) != (x, y) for _, one, two in points)
    ]


def _over_time(shown: "dict[str, Outcome]", marks: dict[str, Mark]) -> "list[str]":
    end = max(max(point.time for point in one.series) for one in shown.values())
    times = [end * number / _MOMENTS for number in range(_MOMENTS + 1)]
    sampled = {title: _sample(one.series, times) for title, one in shown.items()}

    def lines(values: "dict[str, list[float | None]]") -> "list[tuple[Mark, list[float | None]]]":
        return [(marks[title], line) for title, line in values.items()]

    return [
        steps(
            "writes so far", lines({title: [point.writes for point in line] for title, line in sampled.items()}), times
        ),
        steps(
            "bytes so far", lines({title: [point.bytes for point in line] for title, line in sampled.items()}), times
        ),
        steps("slices", lines({title: [point.slices for point in line] for title, line in sampled.items()}), times),
        steps(
            "fill",
            lines(
                {
                    title: [_fill(point, shown[title].row.max_endpoints) for point in line]
                    for title, line in sampled.items()
                    if shown[title].row.kind != "endpoints"
                }
            ),
            times,
            "(endpoints for each place)",
        ),
    ]


def _sample(series: "Sequence[Point]", times: "Sequence[float]") -> "list[Point]":
    """Take what was there at each moment."""
    return [series[bisect_right(series, time, key=lambda point: point.time) - 1] for time in times]


def _fill(point: "Point", most: int) -> float | None:
    return point.endpoints / (point.slices * most) if point.slices else None
