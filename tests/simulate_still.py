"""What planners send again in a whole run, at least, that leave ready endpoints where they are and lack foresight.

Slices have to do with each other only by what they hold in all. Here each is paid for its share of that, and planned
alone (Lagrangian relaxation of a weakly coupled Markov decision process: J. Hawkins, 2003; D. Adelman and A. Mersereau,
2008). Whatever the prices are, that is a bound: ``docs/simulate.md`` has the proof.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from epcore.simulate import Written
from epcore.simulate.blind import Lives
from epcore.simulate.writers import BlindWriter, BoundWriter
from simulate_planner import is_ready

Numbers: TypeAlias = NDArray[np.float64]
Counts: TypeAlias = NDArray[np.int64]

HELD, USED = range(2)
"""What a slice is paid for in each step: idle endpoints in it, and being there; and at the beginning: ready ones."""


FACTORIALS = np.concatenate([[0.0], np.log(np.arange(1, 1 << 17)).cumsum()])
"""Their logarithms, of more than any load has endpoints."""


class Step(NamedTuple):
    """One sync of a Service whose ready endpoints are one class."""

    ready: int
    fall: int
    """Of the ready ones: they leave, or are not ready any more."""
    idle: int
    """The class of those that are not ready and become so now, or else the largest of those that are not ready."""
    go: int
    """Of that class: they change or go away."""
    rise: int
    """Of these: they are ready now."""
    slices: int
    """There may be no more of them before the sync."""


@dataclass
class Run:
    """The syncs of one Service."""

    start: int = 0
    """Ready endpoints at the beginning."""
    steps: list[Step] = field(default_factory=list)
    is_plain: bool = True
    """All that are ready are one class, and so were those that became ready in a step, before it."""


class Choice(NamedTuple):
    """What a slice with ``[held]`` ready endpoints does in a step, and what it costs from there to the end."""

    cost: Numbers
    idle: Counts
    rise: Numbers
    """How likely it is that ``[held][number]`` rise in it."""


@cache
def staying(members: int, changing: int, most: int) -> Numbers:
    """Tell how likely it is that of ``[held]`` in a slice ``[kept]`` stay as they are."""
    held, kept = np.ogrid[: most + 1, : most + 1]
    lost = held - kept
    others = members - held, changing - lost
    likely = np.exp(ways(held, lost) + ways(*others) - ways(members, changing))
    found = np.where((lost >= 0) & (others[1] >= 0) & (others[1] <= others[0]), likely, 0.0)
    found[members + 1 :] = np.eye(most + 1)[members + 1 :]
    return found


def ways(members: Counts | int, some: Counts | int) -> Numbers:
    """Tell the logarithm of how many ways there are to choose some; anything where there are none."""
    every, chosen, rest = (FACTORIALS[np.maximum(number, 0)] for number in (members, some, members - some))
    found: Numbers = every - chosen - rest
    return found


def rising(step: Step, most: int) -> Numbers:
    """Tell how likely it is that of ``[idle]`` in a slice ``[number]`` become ready."""
    stay = staying(step.idle, step.rise, most)
    found = np.zeros((min(step.idle, most) + 1, min(step.rise, most) + 1))
    for idle in range(len(found)):
        for number in range(min(idle, step.rise) + 1):
            found[idle, number] = stay[idle, idle - number]
    return found


class Slice:
    """One slice, planned alone."""

    def __init__(self, run: Run, most: int) -> None:
        self._steps = run.steps
        self._held = np.arange(most + 1)
        self._stay = [staying(step.ready, step.fall, most) for step in run.steps]
        self._calm = [np.diag(staying(step.idle, step.go, most)) for step in run.steps]
        self._rise = [rising(step, most) for step in run.steps]

    def plan(self, prices: Numbers) -> tuple[float, Numbers]:
        """Tell what it costs at best, and how much it takes on average of what has a price."""
        choices: list[Choice] = []
        later = np.zeros(len(self._held))
        for at in reversed(range(len(self._steps))):
            choices.append(self._choose(at, prices[:, at + 1], later))
            later = choices[-1].cost
        begin = later - prices[HELD, 0] * self._held
        first = int(begin.argmin())
        return float(begin[first]), self._take(first, choices[::-1])

    def _choose(self, at: int, prices: Numbers, later: Numbers) -> Choice:
        held, step, stay, rise = self._held, self._steps[at], self._stay[at], self._rise[at]
        idle = np.arange(len(rise))
        everyone = held[:, None] + idle
        # It is written if something in it changes, and then all is sent that stays.
        sent = (stay @ held)[:, None] + idle * (step.idle - step.go) / max(step.idle, 1)
        calm = np.diag(stay)[:, None] * self._calm[at][: len(idle)]
        costs = sent - calm * everyone - prices[HELD] * idle - prices[USED] * (everyone > 0)
        # What follows when some fall and so many rise.
        then = np.zeros((len(held), rise.shape[1]))
        for number in range(rise.shape[1]):
            few = slice(len(held) - number)
            then[few, number] = stay[few, few] @ later[number:]
        costs += then @ rise.T
        costs[everyone > held[-1]] = np.inf
        with_idle = costs.argmin(axis=1)
        return Choice(costs[held, with_idle], with_idle, rise[with_idle])

    def _take(self, first: int, choices: list[Choice]) -> Numbers:
        taken = np.zeros((2, len(choices) + 1))
        taken[HELD, 0] = first
        chance = (self._held == first).astype(float)
        for at, choice in enumerate(choices):
            taken[:, at + 1] = chance @ choice.idle, chance @ (self._held + choice.idle > 0)
            after = np.zeros_like(chance)
            for number, part in enumerate(choice.rise.T):
                kept = (chance * part) @ self._stay[at]
                after[number:] += kept[: len(kept) - number]
            chance = after
        return taken


class Least:
    """The bound of a run, by any prices."""

    def __init__(self, run: Run, most: int) -> None:
        self._slice = Slice(run, most)
        self._slices = max(step.slices for step in run.steps)
        chances = [1.0, *(step.rise / max(step.idle, 1) for step in run.steps)]
        self._weights = np.array([chances, [0.0] * len(chances)])
        self.there = np.array([(run.start, 0), *((step.idle, step.slices) for step in run.steps)], float).T
        """What all slices hold together, and how many there are at most."""

    def at(self, prices: Numbers) -> tuple[float, Numbers]:
        """Tell the bound, and how it grows with each price. None may be above 0 for being there."""
        cost, taken = self._slice.plan(prices)
        return float((prices * self.there).sum()) + self._slices * cost, self.there - self._slices * taken

    def best(self, rounds: int) -> float:
        """Climb to good prices (Adam: D. Kingma and J. Ba, 2015), and tell the highest bound."""
        # An endpoint that becomes ready is worth as much as one that is there from the beginning.
        rates = np.array([[0.1], [4.0]]) + 8 * self._weights
        prices = np.array([[1.0], [0.0]]) + 60 * self._weights
        mean, square, best = np.zeros_like(prices), np.zeros_like(prices), 0.0
        for turn in range(1, rounds + 1):
            bound, slope = self.at(prices)
            best = max(best, bound)
            slope = slope / np.maximum(self.there, 1)
            mean, square = 0.9 * mean + 0.1 * slope, 0.99 * square + 0.01 * slope**2
            size = np.sqrt(square / (1 - 0.99**turn)) + 1e-8
            prices = prices + rates / (1 + turn / 30) * mean / (1 - 0.9**turn) / size
            prices[USED] = np.minimum(prices[USED], 0)
        return best


class StillWriter(BlindWriter):
    """The bound without foresight sync by sync, and runs in which it may be higher since who is ready stays."""

    def __init__(self, most: int) -> None:
        self.bound = BoundWriter(most)
        super().__init__(self.bound, most, "nothing")
        self._most_of_slice = most
        self.runs: dict[str, Run] = {}
        self._seen: dict[str, Lives] = {}

    def sync(self, service: str, template: bytes, wanted: Mapping[str, bytes]) -> Written:
        slices = self.bound.slices.get(service)
        run, seen = self.runs.setdefault(service, Run()), self._seen.setdefault(service, Lives("nothing"))
        old = dict(seen.kinds)
        changing = seen.changing(wanted)
        seen.step(wanted)
        held, lost, holds = Counter(old.values()), Counter(old[key] for key in changing), Counter(seen.kinds.values())
        ready = {kind for kind in held | holds if is_ready(kind)}
        rising = [key for key in changing if key in wanted and is_ready(seen.kinds[key])]
        members, fall = sum(held[kind] for kind in ready), sum(lost[kind] for kind in ready)
        rise = sum(holds[kind] for kind in ready) - (members - fall)
        if slices is None:
            run.start = rise
        else:
            sources = {old[key] for key in rising}
            are_known = len(rising) == rise and not any(is_ready(kind) for kind in sources)
            run.is_plain &= len(ready) <= 1 and len(sources) <= 1 and are_known
            idle = max(held.keys() - ready, key=lambda kind: (kind in sources, held[kind], str(kind)), default=None)
            run.steps.append(Step(members, fall, held[idle], lost[idle], rise, slices))
        return super().sync(service, template, wanted)

    def least(self, rounds: int = 120) -> dict[str, float]:
        """Tell what is sent again of each Service at least, on average."""
        found = dict(self.resent)
        for service, run in self.runs.items():
            if run.is_plain and max((step.slices for step in run.steps), default=0) > 1:
                found[service] = max(found[service], Least(run, self._most_of_slice).best(rounds))
        return found
