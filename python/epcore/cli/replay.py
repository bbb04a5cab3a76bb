"""Replays a recording with each writer, side by side."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from epcore.cli.baselines import FirstFit, LegacyEndpoints, SortAndChunk
from epcore.cli.failure import CommandError
from epcore.cli.syncs import find_syncs
from epcore.cli.tally import Tally
from epcore.cli.timeline import steps
from epcore.cli.writers import EngineWriter, RecordedWriter
from epcore.errors import EpcoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from epcore import Policy
    from epcore.cli.recording import Recording
    from epcore.cli.syncs import Sync
    from epcore.cli.writers import Writer
    from epcore.types import PolicyName

DEFAULT_MAX: Final = 100
"""``--max-endpoints-per-slice`` of the kube-controller-manager where nobody says otherwise."""

KUBERNETES: Final = "Kubernetes' rule"
CONTROL: Final = f"{KUBERNETES}, smaller max"


@dataclass(frozen=True, slots=True)
class Replay:
    """What came out of one recording."""

    recording: "Recording"
    syncs: "Sequence[Sync]"
    max_endpoints: int
    control_max: int
    """The maximum at which Kubernetes' rule keeps as many slices as ``balanced`` does at ``max_endpoints``."""
    rows: "Sequence[Tally]"

    @property
    def witnessed(self) -> int:
        """How many syncs the recorded Pods confirm."""
        return sum(sync.witnessed for sync in self.syncs)

    @property
    def fidelity(self) -> float:
        """Writes of Kubernetes' rule at the moments that were found, for each recorded write. Best is 1."""
        return self.row(KUBERNETES).writes / max(1, self.row(RecordedWriter.title).writes)

    def row(self, title: str) -> Tally:
        """Return a row by its title."""
        return next(row for row in self.rows if row.title == title)

    def to_dict(self) -> dict[str, Any]:
        """Return everything the table says, for programs."""
        return {
            "recording": self.recording.name,
            "seconds": max(self.rows[0].times),
            "max_endpoints": self.max_endpoints,
            "control_max_endpoints": self.control_max,
            "syncs": len(self.syncs),
            "syncs_witnessed": self.witnessed,
            "fidelity": round(self.fidelity, 4),
            "recorded_endpoints_objects": {
                "writes": self.recording.endpoints_objects,
                "bytes": self.recording.endpoints_bytes,
            },
            "rows": [row.to_dict() for row in self.rows],
        }


def replay(
    recording: "Recording",
    policies: "Mapping[str, PolicyName | Policy]",
    max_endpoints: int | None = None,
    progress: "Callable[[int, int], None]" = lambda done, of: None,  # noqa: ARG005 - nobody looks
) -> Replay:
    """Replay a recording with every writer.

    :param policies: the engine's policies to show, by title.
    :param max_endpoints: most endpoints in a slice; left out, Kubernetes' default, or what the recorded slices held
        if more.
    :param progress: is told how many of how many steps are done.

    Raises ``CommandError`` if the slices of a writer do not hold exactly what was wanted after some step, and for what
    the engine refuses.
    """
    try:
        return _replayed(recording, policies, max_endpoints, progress)
    except EpcoreError as error:
        raise CommandError(f"{recording.name}: {error}") from None


def _replayed(
    recording: "Recording",
    policies: "Mapping[str, PolicyName | Policy]",
    max_endpoints: int | None,
    progress: "Callable[[int, int], None]",
) -> Replay:
    most = max_endpoints or max(DEFAULT_MAX, recording.largest)
    syncs = find_syncs(recording)
    control_max = _control_max(recording, syncs, most)
    writers: list[Writer] = [
        RecordedWriter(),
        LegacyEndpoints(),
        SortAndChunk(most),
        FirstFit(most),
        _kubernetes(KUBERNETES, most),
        _kubernetes(CONTROL, control_max),
        *(EngineWriter(f"epcore {title}", policy, max_endpoints=most) for title, policy in policies.items()),
    ]
    tallies = [Tally(writer.title, writer.max_endpoints, writer.exact) for writer in writers]
    for done, step in enumerate(steps(recording, syncs), start=1):
        for writer, tally in zip(writers, tallies, strict=True):
            outcome = writer.start(step) if step.sync.initial else writer.write(step)
            tally.take(step, outcome, counted=not step.sync.initial)
        progress(done, len(syncs))
    return Replay(recording, syncs, most, control_max, tallies)


def _kubernetes(title: str, max_endpoints: int) -> EngineWriter:
    """Kubernetes' rule: its counts, no idea of which endpoints change together, slices taken over for other ports."""
    return EngineWriter(title, "upstream", max_endpoints=max_endpoints, cohort=None, replace="recycle")


def _control_max(recording: "Recording", syncs: "Sequence[Sync]", max_endpoints: int) -> int:
    """Find the maximum at which Kubernetes' rule keeps on average as many slices as ``balanced``.

    A smaller maximum alone buys fewer bytes for more slices; a policy is worth something if it is better than that.
    The mean falls about as the maximum grows, so each guess follows from the one before, until one comes twice; then
    its neighbours are tried.
    """

    def mean(writer: EngineWriter) -> float:
        counts: dict[object, int] = {}
        total = 0
        for step in steps(recording, syncs):
            if step.sync.initial:
                counts[step.lane] = len(writer.start(step).writes)
            else:
                counts[step.lane] = sum(plan.stats.slices_after for plan in writer.plan(step))
            total += sum(counts.values())
        return total / len(syncs)

    target = mean(EngineWriter("balanced", "balanced", max_endpoints=max_endpoints))
    if not target:
        return max_endpoints
    means: dict[int, float] = {}
    guess = max_endpoints
    while guess not in means:
        means[guess] = mean(_kubernetes(KUBERNETES, guess))
        guess = min(max(1, round(guess * means[guess] / target)), max_endpoints)
    for neighbour in {max(1, guess - 1), min(guess + 1, max_endpoints)} - means.keys():
        means[neighbour] = mean(_kubernetes(KUBERNETES, neighbour))
    return min(means, key=lambda size: (abs(means[size] - target), -size))
