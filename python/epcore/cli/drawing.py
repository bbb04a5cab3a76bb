"""Plots as plain SVG: small, readable in light and dark, and without a script or anything from a network."""

from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

WIDTH: Final = 520
HEIGHT: Final = 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 14, 12, 38
_TICKS: Final = 5
_LABEL, _LINE = 150, 12
"""Room for the name of a point."""
_LOGARITHMIC_FROM: Final = 20
"""Where the greatest value is so many times the smallest, a scatter plot is logarithmic."""


@dataclass(frozen=True)
class Mark:
    """How a row looks in every plot."""

    title: str
    color: str
    dash: str = ""

    @property
    def swatch(self) -> str:
        """Draw what a legend shows."""
        return f'<svg width="26" height="10" aria-hidden="true">{self.line("M1 5H25")}</svg>'

    def line(self, path: str) -> str:
        """Draw a line; its title is shown where the pointer rests."""
        dash = f' stroke-dasharray="{self.dash}"' if self.dash else ""
        return f'<path class="row" d="{path}" stroke="{self.color}"{dash}><title>{escape(self.title)}</title></path>'


@dataclass(frozen=True)
class _Axis:
    """From values to places, linear from 0 or logarithmic."""

    low: float
    high: float
    begin: float
    end: float
    logarithmic: bool = False

    def place(self, value: float) -> float:
        low, high, at = (
            (log10(one) for one in (self.low, self.high, value)) if self.logarithmic else (self.low, self.high, value)
        )
        return round(self.begin + (self.end - self.begin) * (at - low) / ((high - low) or 1), 1)

    def ticks(self) -> "list[float]":
        if self.logarithmic:
            powers = range(floor(log10(self.low)), ceil(log10(self.high)) + 1)
            steps = (1, 2, 5) if len(powers) <= 3 else (1,)  # noqa: PLR2004 - few powers leave room between them
            return [
                value for power in powers for step in steps if self.low <= (value := step * 10.0**power) <= self.high
            ]
        rough = (self.high - self.low) / _TICKS or 1.0
        power = 10.0 ** floor(log10(rough))
        step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)
        return [step * number for number in range(ceil(self.low / step), floor(self.high / step) + 1)]


def _figure(value: float) -> str:
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if value >= size:
            return f"{value / size:g}{unit}"
    return f"{value:g}"


def _frame(x: _Axis, y: _Axis, x_title: str, y_title: str) -> str:
    parts = []
    for value in y.ticks():
        parts.append(f'<path class="grid" d="M{_LEFT} {y.place(value)}H{WIDTH - _RIGHT}"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{y.place(value) + 4}" text-anchor="end">{_figure(value)}</text>')
    for value in x.ticks():
        parts.append(f'<path class="grid" d="M{x.place(value)} {_TOP}V{HEIGHT - _BOTTOM}"/>')
        parts.append(
            f'<text x="{x.place(value)}" y="{HEIGHT - _BOTTOM + 15}" text-anchor="middle">{_figure(value)}</text>'
        )
    middle = (_LEFT + WIDTH - _RIGHT) / 2
    parts.append(f'<text x="{middle}" y="{HEIGHT - 5}" text-anchor="middle">{escape(x_title)}</text>')
    centre = (_TOP + HEIGHT - _BOTTOM) / 2
    parts.append(f'<text transform="translate(12 {centre}) rotate(-90)" text-anchor="middle">{escape(y_title)}</text>')
    return "".join(parts)


def _svg(name: str, content: str) -> str:
    return f'<svg class="plot" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(name)}">{content}</svg>'


def steps(
    title: str, rows: "Sequence[tuple[Mark, Sequence[float | None]]]", times: "Sequence[float]", unit: str = ""
) -> str:
    """Draw values that hold from one moment to the next, one line for each row; ``None`` is a gap."""
    values = [value for _, line in rows for value in line if value is not None]
    x = _Axis(times[0], max(times[-1], times[0] + 1e-9), _LEFT, WIDTH - _RIGHT)
    y = _Axis(0.0, max(values, default=1.0) or 1.0, HEIGHT - _BOTTOM, _TOP)
    lines = []
    for mark, line in rows:
        path, before = [], None
        for time, value in zip(times, line, strict=True):
            if value is None:
                before = None
            elif before is None:
                path.append(f"M{x.place(time)} {y.place(value)}")
                before = value
            elif value != before or time == times[-1]:
                path.append(f"H{x.place(time)}" + (f"V{y.place(value)}" if value != before else ""))
                before = value
        lines.append(mark.line("".join(path)))
    return _svg(title, _frame(x, y, "seconds", f"{title} {unit}".strip()) + "".join(lines))


def scatter(
    x_title: str, y_title: str, points: "Sequence[tuple[Mark, float, float]]", front: "Sequence[Mark]" = ()
) -> str:
    """Draw one point for each row, and a line through those that no other beats in both figures."""
    shown = [point for point in points if point[1] > 0 and point[2] > 0]
    if not shown:
        return _svg(f"{x_title}, {y_title}", "")
    x = _scale([point[1] for point in shown], _LEFT, WIDTH - _RIGHT)
    y = _scale([point[2] for point in shown], HEIGHT - _BOTTOM, _TOP)
    best = sorted((x.place(one), y.place(two)) for mark, one, two in shown if mark in front)
    path = "".join(f"{'L' if number else 'M'}{one} {two}" for number, (one, two) in enumerate(best))
    dots = []
    for mark, one, two in shown:
        look = f'fill="{mark.color}" fill-opacity="{0.45 if mark.dash else 0.9}" stroke="{mark.color}"'
        told = f"<title>{escape(mark.title)}: {one:,.0f} {x_title}, {two:,.0f} {y_title}</title>"
        dots.append(f'<circle cx="{x.place(one)}" cy="{y.place(two)}" r="5" {look}>{told}</circle>')
    dots += _labels([(x.place(one), y.place(two), mark.title) for mark, one, two in shown])
    line = f'<path class="front" d="{path}"/>' if len(best) > 1 else ""
    return _svg(f"{x_title}, {y_title}", _frame(x, y, x_title, y_title) + line + "".join(dots))


def _labels(points: "Sequence[tuple[float, float, str]]") -> "list[str]":
    """Name points beside them, one below the other where they are close."""
    placed: list[tuple[float, float]] = []
    texts = []
    for x, y, title in sorted(points):
        left = x > WIDTH * 0.62
        row = y + 4
        while any(abs(x - other) < _LABEL and abs(row - line) < _LINE for other, line in placed):
            row += _LINE
        placed.append((x, row))
        anchor = f'x="{x - 9:.1f}" text-anchor="end"' if left else f'x="{x + 9:.1f}"'
        texts.append(f'<text class="label" {anchor} y="{row:.1f}">{escape(title)}</text>')
    return texts


def _scale(values: "Sequence[float]", begin: float, end: float) -> _Axis:
    low, high = min(values), max(values)
    if high > low * _LOGARITHMIC_FROM:
        return _Axis(low / 1.3, high * 1.3, begin, end, logarithmic=True)
    return _Axis(0.0, high * 1.08, begin, end)


STYLE: Final = """
svg.plot { width: 100%; height: auto; display: block; }
svg.plot text { font-size: 11px; fill: var(--soft); }
svg .row { fill: none; stroke-width: 2; stroke-linejoin: round; }
svg .grid { stroke: var(--line); stroke-width: 1; fill: none; }
svg .front { stroke: var(--soft); stroke-width: 1; stroke-dasharray: 2 3; fill: none; }
svg.plot text.label { font-size: 10px; fill: var(--ink); paint-order: stroke; stroke: var(--card); stroke-width: 4px; }
ul.legend { list-style: none; display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; padding: 0; margin: .75rem 0; }
ul.legend { font-size: .85rem; }
"""
"""What the plots need of a page that knows the colors ``--card``, ``--ink``, ``--soft`` and ``--line``."""
