"""The geometric mean over several recordings, row by row, against Kubernetes' rule."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from epcore.cli.replay import KUBERNETES
from epcore.simulate.outcome import geometric_mean

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
                measure: geometric_mean([_ratio(replay, row.title, measure) for replay in replays])
                for measure in MEASURES
            }
            for row in replays[0].rows
        },
    )


def _ratio(replay: "Replay", title: str, measure: str) -> float | None:
    base = getattr(replay.row(KUBERNETES), measure)
    return getattr(replay.row(title), measure) / base if base else None
