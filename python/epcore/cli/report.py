"""The HTML report of a replay: one file that needs no network, light or dark as the reader likes it."""

from bisect import bisect_right
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Final

import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from epcore.atomic import named
from epcore.cli.replay import CONTROL, KUBERNETES
from epcore.cli.tables import COLUMNS, SUMMARY_COLUMNS, note
from epcore.cli.writers import RecordedWriter

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from epcore.cli.replay import Replay
    from epcore.cli.summary import Summary
    from epcore.cli.tally import Tally

_COLORS: Final = ("#2a9d62", "#3f7fd6", "#b05fd0", "#c9851b", "#1aa3a3", "#d0507a")
"""For the policies: seen on white and on black."""
_GREY: Final = "#8b9098"
_LINES: Final = {RecordedWriter.title: (_GREY, "solid"), KUBERNETES: ("#e2632b", "solid"), CONTROL: ("#e2632b", "dot")}
LEAD: Final = (
    "What a real controller wrote, and what each way of packing would have written at the same moments for the same"
    " endpoints. After every step the slices of each row held exactly what was wanted."
)
_COLUMNS_OF_HEAT: Final = 240
_PIXELS_OF_SLICE: Final = 18


def write_report(path: str, replays: "Sequence[Replay]", summary: "Summary") -> None:
    """Write the report to a file."""
    body = [_summary(summary)] if len(replays) > 1 else []
    for number, replay in enumerate(replays):
        body += _section(number, replay)
    page = Template(files("epcore.cli").joinpath("report.html").read_text(encoding="utf-8"))
    text = page.substitute(title="epcore replay", lead=LEAD, style="", script=get_plotlyjs(), body="\n".join(body))
    with named(Path(path)):
        Path(path).write_text(text, encoding="utf-8")


def _section(number: int, replay: "Replay") -> "Iterator[str]":
    rows = {str(row["row"]): [row[field] for field in COLUMNS.values()] for row in replay.to_dict()["rows"]}
    yield f"<h2>{escape(replay.recording.name)}</h2>"
    yield f"<p>{escape(note(replay))}</p>"
    yield _table(list(COLUMNS), {title: [_figure(cell) for cell in cells] for title, cells in rows.items()})
    yield "<h3>Writes and bytes over time</h3>"
    yield (
        "<p>Each write is one call to the API server, and one event to every watcher; the bytes are what one watcher"
        " receives. Click a name in the legend to hide or show its line.</p>"
    )
    charts = [_growth(replay, "writes_until", "writes"), _growth(replay, "bytes_until", "bytes to one watcher")]
    yield _grid(_chart(chart, f"growth-{number}-{place}") for place, chart in enumerate(charts))
    yield "<h3>How full the slices are</h3>"
    yield (
        "<p>One line is one slice from its creation to its deletion, the oldest at the bottom; the color tells how many"
        " endpoints it holds. Few bright lines are cheap to list, many dark ones are cheap to update.</p>"
    )
    shown = [row for row in replay.rows if row.title in _LINES or row.title.startswith("epcore ")]
    lines = max(len(_slices(row)) for row in shown)
    yield _grid(_chart(_heat(replay, row, lines), f"heat-{number}-{place}") for place, row in enumerate(shown))


def _summary(summary: "Summary") -> str:
    rows = {
        title: ["–" if means[field] is None else f"{means[field]:.3f}" for field in SUMMARY_COLUMNS.values()]  # noqa: RUF001
        for title, means in summary.rows.items()
    }
    return (
        "<h2>All recordings</h2>"
        f"<p>Geometric mean over {summary.recordings} recordings; Kubernetes' rule = 1. Less is better.</p>"
        + _table(list(SUMMARY_COLUMNS), rows)
    )


def _table(headings: "Sequence[str]", rows: "Mapping[str, Sequence[str]]") -> str:
    head = "".join(f"<th>{escape(heading)}</th>" for heading in ("", *headings))
    body = "".join(
        f"<tr{' class=engine' if title.startswith('epcore ') else ''}>"
        + "".join(f"<td>{escape(cell)}</td>" for cell in (title, *cells))
        + "</tr>"
        for title, cells in rows.items()
    )
    return f'<div class="card"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _figure(cell: int | None) -> str:
    return "–" if cell is None else f"{cell:,}"  # noqa: RUF001 - a dash, as in printed tables


def _grid(charts: "Iterator[str]") -> str:
    return '<div class="grid">' + "".join(f'<div class="card">{chart}</div>' for chart in charts) + "</div>"


def _chart(figure: go.Figure, name: str) -> str:
    figure.update_layout(
        template="none",
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": "system-ui, sans-serif", "size": 12},
    )
    config = {"displayModeBar": False, "responsive": True}
    text: str = figure.to_html(
        full_html=False, include_plotlyjs=False, div_id=name, config=config, default_width="100%"
    )
    return text


def _growth(replay: "Replay", series: str, what: str) -> go.Figure:
    figure = go.Figure()
    colors = iter(_COLORS * (1 + len(replay.rows) // len(_COLORS)))
    for row in replay.rows:
        is_engine = row.title.startswith("epcore ")
        color, dash = _LINES.get(row.title, (next(colors), "solid") if is_engine else (_GREY, "dash"))
        figure.add_scatter(
            x=row.times,
            y=getattr(row, series),
            name=row.title,
            mode="lines",
            line={"color": color, "dash": dash, "width": 5 if row.title == RecordedWriter.title else 2, "shape": "hv"},
            visible=True if is_engine or row.title in _LINES else "legendonly",
            hovertemplate="%{y:,} " + what + "<extra>%{fullData.name}</extra>",
        )
    figure.update_layout(
        title={"text": f"{what} so far", "x": 0, "xref": "paper", "font": {"size": 14}},
        height=440,
        margin={"l": 48, "r": 12, "t": 40, "b": 140},
        legend={"orientation": "h", "y": -0.12, "x": 0, "itemwidth": 30},
        xaxis={"ticksuffix": " s", "zeroline": False},
        yaxis={"rangemode": "tozero", "zeroline": False},
        hovermode="closest",
    )
    return figure


def _slices(row: "Tally") -> list[object]:
    """List the slices of a row in the order of their first creation."""
    return list(dict.fromkeys(fill.slice for fill in row.fills))


def _cells(row: "Tally", steps: list[int]) -> list[list[int | None]]:
    """Tell for each slice how many endpoints it held at each of some steps."""
    place = {name: line for line, name in enumerate(_slices(row))}
    cells: list[list[int | None]] = [[None] * len(steps) for _ in place]
    fills = iter(row.fills)
    fill = next(fills, None)
    now: list[int | None] = [None] * len(place)
    for column, step in enumerate(steps):
        while fill is not None and fill.step <= step:
            now[place[fill.slice]] = fill.endpoints
            fill = next(fills, None)
        for line, endpoints in enumerate(now):
            cells[line][column] = endpoints
    return cells


def _heat(replay: "Replay", row: "Tally", lines: int) -> go.Figure:
    """Draw slices by time, on an even grid: each cell shows the state at its beginning."""
    begin, end = row.times[0], row.times[-1]
    grid = [begin + (end - begin) * column / _COLUMNS_OF_HEAT for column in range(_COLUMNS_OF_HEAT + 1)]
    cells = _cells(row, [bisect_right(row.times, moment) - 1 for moment in grid])
    figure = go.Figure(
        go.Heatmap(
            z=cells,
            x=grid,
            y=list(range(1, len(cells) + 1)),
            zmin=0,
            zmax=replay.max_endpoints,
            colorscale="Viridis",
            ygap=1,
            colorbar={"thickness": 10, "outlinewidth": 0, "title": {"text": "endpoints", "side": "right"}},
            hovertemplate="slice %{y}, %{x:.1f} s: %{z} endpoints<extra></extra>",
        )
    )
    figure.update_layout(
        title={"text": row.title, "x": 0, "xref": "paper", "font": {"size": 14}},
        height=90 + _PIXELS_OF_SLICE * min(max(lines, 8), 40),
        margin={"l": 28, "r": 8, "t": 36, "b": 28},
        xaxis={"ticksuffix": " s", "showgrid": False, "zeroline": False},
        yaxis={
            "showgrid": False,
            "zeroline": False,
            "range": [0.5, lines + 0.5],
            "tick0": 1,
            "dtick": max(1, round(lines / 6)),
        },
    )
    return figure
