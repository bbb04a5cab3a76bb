"""Advice: which maximum, batch period and policy would have cost what under given loads."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from epcore.simulate.tasks import sweep
from epcore.simulate.writers import kubernetes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Executor

    from epcore.simulate.outcome import Outcome
    from epcore.simulate.tasks import Plan

TODAY: Final = (100, 0.0)
"""Kubernetes' defaults, which everything is compared with: most endpoints in a slice, seconds of a batch."""
SIZES: Final = (50, 100, 200, 500)
PERIODS: Final = (0.0, 0.5, 1.0, 5.0)


class Choice(NamedTuple):
    """One way to run a controller, and what it cost, over all loads and seeds."""

    policy: str
    max_endpoints: int
    batch_period: float
    writes: int
    bytes: int
    """What one watcher receives."""
    delay_mean: float
    """Seconds from a change to the last write of its sync."""
    delay_99: float
    """99 of 100 changes are known sooner, under the load where that takes longest."""
    slices_mean: float
    """Slices over time, the sum over loads."""

    def is_beaten_by(self, other: "Choice") -> bool:
        """Tell whether the other is as good in writes, bytes and delay, and better in one."""
        mine, theirs = (self.writes, self.bytes, self.delay_99), (other.writes, other.bytes, other.delay_99)
        return mine != theirs and all(one <= two for one, two in zip(theirs, mine, strict=True))


@dataclass(frozen=True)
class Advice:
    """Every choice that was tried, and the best of those that keep to the delay."""

    choices: "Sequence[Choice]"
    today: Choice
    most_delay: float
    watchers: int = 1

    @property
    def front(self) -> list[Choice]:
        """The choices that no other beats: whoever wants less of one cost must take more of another."""
        return [one for one in self.choices if not any(one.is_beaten_by(other) for other in self.choices)]

    @property
    def best(self) -> dict[str, Choice]:
        """The best within the delay: of writes, of bytes, and of both (the product). Empty if none keeps to it."""
        prompt = [one for one in self.choices if one.delay_99 <= self.most_delay]
        if not prompt:
            return {}
        return {
            "fewest writes": min(prompt, key=lambda one: (one.writes, one.bytes, one.delay_99)),
            "fewest bytes": min(prompt, key=lambda one: (one.bytes, one.writes, one.delay_99)),
            "both": min(prompt, key=lambda one: (one.writes * one.bytes, one.delay_99)),
        }

    def relative(self, choice: Choice) -> dict[str, float | None]:
        """Tell writes and bytes as a share of those of today."""
        return {
            "writes": round(choice.writes / self.today.writes, 4) if self.today.writes else None,
            "bytes": round(choice.bytes / self.today.bytes, 4) if self.today.bytes else None,
        }

    def to_dict(self) -> dict[str, Any]:
        """Return everything for programs."""
        front = set(self.front)
        return {
            "most_delay": self.most_delay,
            "watchers": self.watchers,
            "today": self.today._asdict(),
            "best": {what: one._asdict() for what, one in self.best.items()},
            "choices": [
                {
                    **one._asdict(),
                    "bytes_to_all": one.bytes * self.watchers,
                    "relative": self.relative(one),
                    "beaten": one not in front,
                }
                for one in self.choices
            ],
        }


def advise(
    plan: "Plan",
    *,
    sizes: "Sequence[int]" = SIZES,
    periods: "Sequence[float]" = PERIODS,
    most_delay: float = 1.0,
    watchers: int = 1,
    executor: "Executor | None" = None,
    progress: "Callable[[int, int], None]" = lambda done, of: None,  # noqa: ARG005 - nobody looks
) -> Advice:
    """Try Kubernetes' rule and the rows of a plan with each maximum and batch period.

    :param plan: loads, seeds, and the rows whose maximum is to be found; its batch period is not used.
    :param most_delay: seconds within which 99 of 100 changes must be known.
    :param watchers: who receives the bytes.

    Kubernetes' rule at its defaults is always tried, since everything is compared with it.
    """
    pairs = list(dict.fromkeys([TODAY, *((size, period) for period in periods for size in sizes)]))
    choices: list[Choice] = []
    for done, (size, period) in enumerate(pairs):
        rows = [kubernetes(size), *(replace(row, max_endpoints=size) for row in plan.rows)]
        if (size, period) == TODAY and (size not in sizes or period not in periods):
            rows = rows[:1]
        outcomes = sweep(replace(plan, rows=rows, settings=replace(plan.settings, batch_period=period)), executor)
        choices += [_choice(row.title, period, [one for one in outcomes if one.row == row]) for row in rows]
        progress(done + 1, len(pairs))
    return Advice(choices, choices[0], most_delay, watchers)


def _choice(title: str, period: float, outcomes: "Sequence[Outcome]") -> Choice:
    measures = [one.measures for one in outcomes]
    changes = [sum(len(sync.delays) for sync in one.syncs) for one in outcomes]
    waited = sum(one.delay_mean * count for one, count in zip(measures, changes, strict=True))
    return Choice(
        policy=title,
        max_endpoints=outcomes[0].row.max_endpoints,
        batch_period=period,
        writes=sum(one.writes for one in measures),
        bytes=sum(one.bytes for one in measures),
        delay_mean=round(waited / max(1, sum(changes)), 4),
        delay_99=max(one.delay_99 for one in measures),
        slices_mean=round(sum(one.slices_mean for one in measures), 3),
    )
