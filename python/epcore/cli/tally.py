"""What a writer's writes come to: counts, sizes, and where each endpoint is."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from epcore.cli.failure import CommandError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from epcore.cli.recording import Lane
    from epcore.cli.timeline import Step
    from epcore.cli.writers import Outcome, SliceWrite


class Fill(NamedTuple):
    """From this step on a slice holds so many endpoints; ``None``: it is gone."""

    step: int
    slice: "tuple[Lane, str]"
    endpoints: int | None


@dataclass(slots=True)
class Tally:
    """One row of the table. Keeps the slices as an API server would, by taking write after write."""

    title: str
    max_endpoints: int | None
    exact: bool
    writes: int = 0
    bytes: int = 0
    endpoints_resent: int = 0
    """Unchanged endpoints that were part of a written object."""
    endpoints_moved: int = 0
    """Endpoints that were in one slice before a step and are in another after it."""
    slices: int = 0
    slices_most: int = 0
    """Most slices that were there after a step."""
    write_floor: int | None = None
    times: list[float] = field(default_factory=list)
    writes_until: list[int] = field(default_factory=list)
    bytes_until: list[int] = field(default_factory=list)
    slices_then: list[int] = field(default_factory=list)
    fills: list[Fill] = field(default_factory=list)
    _held: "dict[Lane, dict[str, Sequence[int]]]" = field(default_factory=dict)

    def take(self, step: "Step", outcome: "Outcome", *, counted: bool) -> None:
        """Carry out the writes of one step and count them.

        Raises ``CommandError`` if the slices do not hold exactly what was wanted then.
        """
        held = self._held.setdefault(step.lane, {})
        place = len(self.times)
        before = len(held)
        if outcome.writes:
            resent, moved = self._compare(step, held, outcome.writes)
            self.endpoints_resent += resent * counted
            self.endpoints_moved += moved * counted
        for write in outcome.writes:
            self._carry_out(step, held, write)
            self.fills.append(
                Fill(place, (step.lane, write.name), None if write.verb == "delete" else len(write.endpoints))
            )
        self.slices += len(held) - before
        if counted:
            self.writes += len(outcome.writes)
            self.bytes += outcome.bytes
        if counted and outcome.floor is not None:
            self.write_floor = (self.write_floor or 0) + outcome.floor
        self.slices_most = max(self.slices_most, self.slices)
        self.times.append(step.time)
        self.writes_until.append(self.writes)
        self.bytes_until.append(self.bytes)
        self.slices_then.append(self.slices)
        if self.exact:
            self._check(step, held)

    @property
    def slices_mean(self) -> float:
        """Slices after a step, as the mean over the steps."""
        return sum(self.slices_then) / max(1, len(self.slices_then))

    def to_dict(self) -> dict[str, Any]:
        """Return the columns of the table, for programs."""
        return {
            "row": self.title,
            "max_endpoints": self.max_endpoints,
            "writes": self.writes,
            "bytes": self.bytes,
            "endpoints_resent": self.endpoints_resent,
            "slices_after": self.slices,
            "slices_most": self.slices_most,
            "slices_mean": round(self.slices_mean, 3),
            "endpoints_moved": self.endpoints_moved,
            "write_floor": self.write_floor,
        }

    def _compare(
        self, step: "Step", held: "dict[str, Sequence[int]]", writes: "Sequence[SliceWrite]"
    ) -> tuple[int, int]:
        """Count endpoints that the writes send again unchanged, and those that they move."""
        identity = step.catalog.identity
        before = {number for numbers in held.values() for number in numbers}
        home = {identity[number]: name for name, numbers in held.items() for number in numbers}
        resent = moved = 0
        for write in writes:
            for number in write.endpoints:
                resent += number in before
                moved += home.get(identity[number], write.name) != write.name
        return resent, moved

    def _carry_out(self, step: "Step", held: "dict[str, Sequence[int]]", write: "SliceWrite") -> None:
        if (write.verb == "create") == (write.name in held):
            there = "is there already" if write.name in held else "is not there"
            raise CommandError(
                f"{self.title}: {step.time:.3f} s: cannot {write.verb} slice {write.name}, which {there}"
            )
        if write.verb == "delete":
            del held[write.name]
        else:
            held[write.name] = write.endpoints

    def _check(self, step: "Step", held: "dict[str, Sequence[int]]") -> None:
        numbers = [number for endpoints in held.values() for number in endpoints]
        wanted = {number for group in step.groups.values() for number in group.endpoints}
        if len(numbers) == len(wanted) and wanted.issuperset(numbers):
            return
        missing, extra = len(wanted.difference(numbers)), len(set(numbers).difference(wanted))
        raise CommandError(
            f"{self.title}: {step.time:.3f} s: the slices of {step.lane.namespace}/{step.lane.service} do not hold"
            f" exactly what was wanted: {missing} missing, {extra} unwanted, {len(numbers) - len(set(numbers))} twice"
        )
