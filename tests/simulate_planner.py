"""The best planner of all, found by trying everything, on Services of very few endpoints."""

from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import permutations
from math import inf
from typing import Any, NamedTuple

from epcore.simulate import Load, Settings, Telling, Written, run
from epcore.simulate.blind import Lives
from epcore.simulate.writers import BlindWriter, BoundWriter

Slices = tuple[tuple[str, ...], ...]
"""The classes of the endpoints in each slice."""


class Step(NamedTuple):
    """One sync: what becomes of the endpoints of each class (``None``: it stays), who comes, and how many slices."""

    becomes: dict[str, tuple[str | None, ...]]
    comes: tuple[str, ...]
    slices: int
    ready: frozenset[str]
    """Classes of those that are ready after it."""


GONE = "gone"


def is_ready(kind: Any) -> bool:
    """Tell it of a class."""
    return kind[0][0] is not False


class Noted(BlindWriter):
    """Notes each sync as classes see it, and the bound's part of it."""

    def __init__(self, most: int, telling: Telling) -> None:
        self.bound = BoundWriter(most)
        super().__init__(self.bound, most, telling)
        self.seen = Lives(telling)
        self.steps: list[Step] = []

    def sync(self, service: str, template: bytes, wanted: Mapping[str, bytes]) -> Written:
        before, touched = dict(self.seen.kinds), set(self.seen.changing(wanted))
        written = super().sync(service, template, wanted)
        self.seen.step(wanted)
        becomes: dict[str, list[str | None]] = {}
        for key, kind in before.items():
            now = (str(self.seen.kinds[key]) if key in wanted else GONE) if key in touched else None
            becomes.setdefault(str(kind), []).append(now)
        comes = tuple(sorted(str(self.seen.kinds[key]) for key in wanted.keys() - before.keys()))
        listed = {kind: tuple(sorted(found, key=str)) for kind, found in becomes.items()}
        ready = frozenset(str(kind) for kind in self.seen.kinds.values() if is_ready(kind))
        self.steps.append(Step(listed, comes, self.bound.slices[service], ready))
        return written


def partitions(items: tuple[int, ...], slices: int, most: int) -> Iterator[tuple[frozenset[int], ...]]:
    """Every way to put items into at most so many slices."""
    if not items:
        yield ()
        return
    for rest in partitions(items[1:], slices, most):
        if len(rest) < slices:
            yield (*rest, frozenset(items[:1]))
        for at, one in enumerate(rest):
            if len(one) < most:
                yield (*rest[:at], one | {items[0]}, *rest[at + 1 :])


def deals(held: list[str], becomes: Mapping[str, tuple[str | None, ...]]) -> Counter[tuple[str | None, ...]]:
    """What may become of the endpoints that are held, and how often: each class is dealt its fates."""
    found: Counter[tuple[str | None, ...]] = Counter({(None,) * len(held): 1})
    for kind, fates in becomes.items():
        places = [place for place, one in enumerate(held) if one == kind]
        following: Counter[tuple[str | None, ...]] = Counter()
        for dealt, times in found.items():
            for order in permutations(fates):
                changed = list(dealt)
                for place, fate in zip(places, order, strict=True):
                    changed[place] = fate
                following[tuple(changed)] += times
        found = following
    return found


def best_on_average(steps: list[Step], most: int, *, moves_ready: bool = True) -> float:
    """What the best of all planners sends again who knows everything but who is next, by trying all he could do.

    One that does not move ready endpoints leaves those where they are that were there, whatever they were: so it may
    need more slices than there may be, which costs ``inf``.
    """

    def canonical(slices: list[tuple[str, ...]]) -> Slices:
        return tuple(sorted(tuple(sorted(one)) for one in slices))

    @cache
    def from_here(at: int, slices: Slices) -> float:
        if at == len(steps):
            return 0.0
        step = steps[at]
        held = [kind for one in slices for kind in one]
        of = [place for place, one in enumerate(slices) for _ in one]
        found = deals(held, step.becomes)
        total = sum(times * after(at, held, of, fates) for fates, times in found.items())
        return total / sum(found.values())

    def after(at: int, held: list[str], of: list[int], fates: tuple[str | None, ...]) -> float:
        step = steps[at]
        now = [kind if fate is None else fate for kind, fate in zip(held, fates, strict=True)]
        stay = tuple(place for place, kind in enumerate(now) if kind != GONE)
        kinds = [*now, *step.comes]
        everyone = (*stay, *range(len(now), len(kinds)))
        unchanged = sum(fate is None for fate in fates)
        alone = {
            frozenset(place for place, slice_ in enumerate(of) if slice_ == one)
            for one in set(of)
            if all(fates[place] is None for place, slice_ in enumerate(of) if slice_ == one)
        }
        still = set() if moves_ready else {place for place in stay if now[place] in step.ready}

        def is_allowed(arrangement: tuple[frozenset[int], ...]) -> bool:
            homes = [{of[place] for place in one & still} for one in arrangement]
            return sum(map(len, homes)) == len(set().union(*homes)) and all(len(found) <= 1 for found in homes)

        costs = (
            unchanged
            - sum(len(one) for one in arrangement if one in alone)
            + from_here(at + 1, canonical([tuple(kinds[place] for place in one) for one in arrangement]))
            for arrangement in partitions(everyone, step.slices, most)
            if is_allowed(arrangement)
        )
        return min(costs, default=inf)

    first = steps[0].comes
    return min(
        [
            from_here(1, canonical([tuple(first[place] for place in one) for one in arrangement]))
            for arrangement in partitions(tuple(range(len(first))), steps[0].slices, most)
        ]
    )


def noted(load: Load, most: int, telling: Telling, period: float) -> Noted:
    writer = Noted(most, telling)
    run(load, writer, Settings(batch_period=period))
    return writer
