"""What a simulation came to: the measures of one row of one load."""

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from math import exp, log
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from epcore.simulate.engine import Sync
    from epcore.simulate.writers import Row


class Measures(NamedTuple):
    """The figures of a row. Delays are in seconds from a change to the last write of the sync that made it known."""

    writes: int
    bytes: int
    """What one watcher receives."""
    endpoints_resent: int | None
    endpoints_moved: int | None
    """``None``, as for the other counts, where it has no meaning."""
    write_floor: int | None
    """The sum of each step's floor, given the slices that this row left."""
    slices_mean: float
    """Slices over time."""
    slices_most: int
    slices_after: int
    fill: float | None
    """Endpoints over time for each place in a slice."""
    delay_mean: float
    delay_99: float
    """99 of 100 changes are known sooner."""
    delay_most: float


class Point(NamedTuple):
    """What was there from one moment on."""

    time: float
    writes: int
    bytes: int
    slices: int
    endpoints: int


@dataclass(frozen=True)
class Outcome:
    """One row of one load with one seed: all its syncs in the order of time."""

    load: str
    seed: int
    row: "Row"
    syncs: "Sequence[Sync]"

    @cached_property
    def series(self) -> list[Point]:
        """Totals after each sync, in the order in which they were written; the first point is the beginning."""
        begin = [sync for sync in self.syncs if sync.time < 0]
        held = {sync.service: (sync.written.slices, sync.endpoints) for sync in begin}
        points = [Point(0.0, 0, 0, sum(one for one, _ in held.values()), sum(one for _, one in held.values()))]
        for sync in sorted(self.syncs[len(begin) :], key=lambda sync: sync.end):
            slices, endpoints = held.get(sync.service, (0, 0))
            held[sync.service] = sync.written.slices, sync.endpoints
            last = points[-1]
            points.append(
                Point(
                    sync.end,
                    last.writes + sync.written.writes,
                    last.bytes + sync.written.bytes,
                    last.slices + sync.written.slices - slices,
                    last.endpoints + sync.endpoints - endpoints,
                )
            )
        return points

    @cached_property
    def measures(self) -> Measures:
        """Count everything."""
        counted = [sync.written for sync in self.syncs if sync.time >= 0]
        delays = sorted(delay for sync in self.syncs for delay in sync.delays)
        points = self.series
        has_slices = self.row.kind != "endpoints"
        slices = _over_time(points, lambda point: point.slices)
        endpoints = _over_time(points, lambda point: point.endpoints)
        return Measures(
            writes=points[-1].writes,
            bytes=points[-1].bytes,
            endpoints_resent=_total(one.resent for one in counted),
            endpoints_moved=_total(one.moved for one in counted),
            write_floor=_total(one.floor for one in counted),
            slices_mean=round(slices, 3),
            slices_most=max(point.slices for point in points),
            slices_after=points[-1].slices,
            fill=round(endpoints / (slices * self.row.max_endpoints), 4) if slices and has_slices else None,
            delay_mean=round(sum(delays) / len(delays), 4) if delays else 0.0,
            delay_99=round(delays[(len(delays) - 1) * 99 // 100], 4) if delays else 0.0,
            delay_most=round(delays[-1], 4) if delays else 0.0,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return it for programs."""
        return {"row": self.row.title, "max_endpoints": self.row.max_endpoints, **self.measures._asdict()}


def _total(values: "Iterable[int | None]") -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _over_time(points: "Sequence[Point]", value: "Callable[[Point], int]") -> float:
    """Take the mean over time, from 0 to the last point."""
    if len(points) == 1 or not points[-1].time:
        return float(value(points[-1]))
    return sum(value(point) * (then.time - point.time) for point, then in pairwise(points)) / points[-1].time


def geometric_mean(ratios: "Iterable[float | None]") -> float | None:
    """Take the mean of what is known; ``None`` if nothing is, 0 if something is 0."""
    known = [ratio for ratio in ratios if ratio is not None]
    if not known:
        return None
    return round(exp(sum(map(log, known)) / len(known)), 4) if all(known) else 0.0


SUMMARY: Final = ("writes", "bytes", "endpoints_resent", "slices_mean")
"""What is compared with Kubernetes' rule."""


def compare(outcomes: "Sequence[Outcome]", base: str) -> dict[str, dict[str, float | None]]:
    """For each row the geometric mean, over loads and seeds, of its ratios to the row ``base``."""
    bases = {(one.load, one.seed): one.measures for one in outcomes if one.row.title == base}
    titles = dict.fromkeys(one.row.title for one in outcomes)
    return {
        title: {
            field: geometric_mean(
                _ratio(getattr(one.measures, field), getattr(bases[one.load, one.seed], field))
                for one in outcomes
                if one.row.title == title
            )
            for field in SUMMARY
        }
        for title in titles
    }


def _ratio(value: float | None, base: float) -> float | None:
    return value / base if base and value is not None else None
