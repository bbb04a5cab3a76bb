"""The geometric mean over several recordings, row by row, against Kubernetes' rule."""

from dataclasses import dataclass
from math import exp, log
from typing import TYPE_CHECKING, Any, Final

from epcore.cli.replay import KUBERNETES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from epcore.cli.replay import Replay

MEASURES: Final = ("writes", "bytes", "endpoints_resent", "slices_mean")


@dataclass(frozen=True, slots=True)
class Summary:
    """For each row the geometric mean of its ratios to Kubernetes' rule."""

    recordings: int
    rows: dict[str, dict[str, float | None]]

    def to_dict(self) -> dict[str, Any]:
        """Return it for programs."""
        return {
            "recordings": self.recordings,
            "relative_to": KUBERNETES,
            "rows": [{"row": title, **means} for title, means in self.rows.items()],
        }


def summarise(replays: "Sequence[Replay]") -> Summary:
    """Take the geometric mean of each measure over the recordings."""
    return Summary(
        len(replays),
        {
            row.title: {
                measure: _mean([_ratio(replay, row.title, measure) for replay in replays]) for measure in MEASURES
            }
            for row in replays[0].rows
        },
    )


def _ratio(replay: "Replay", title: str, measure: str) -> float | None:
    base = getattr(replay.row(KUBERNETES), measure)
    return getattr(replay.row(title), measure) / base if base else None


def _mean(ratios: "Sequence[float | None]") -> float | None:
    """Return the geometric mean; nothing if there is nothing to compare with."""
    known = [ratio for ratio in ratios if ratio is not None]
    if not known:
        return None
    return round(exp(sum(map(log, known)) / len(known)), 4) if all(known) else 0.0
