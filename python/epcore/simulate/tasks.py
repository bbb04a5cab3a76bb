"""Many loads, seeds and rows, one after the other or on any ``concurrent.futures.Executor``.

What is simulated does not depend on where: a task holds parameters and a seed, not the load, and its worker makes the
load of them.
"""

from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import product
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final, Protocol

from epcore.simulate.engine import Settings, Sync, run
from epcore.simulate.outcome import Outcome, compare
from epcore.simulate.writers import BOUNDS, CONTROL, KUBERNETES, Row, baselines, kubernetes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import Executor

    from epcore.simulate.load import Load

MOST_RUNS: Final = 100_000
"""Loads times seeds times copies: each is a task for each row, and all tasks are listed."""

_GUESSES: Final = 4
"""How often the maximum of the control is guessed."""


class Source(Protocol):
    """Where a load comes from. Can be pickled."""

    def __hash__(self) -> int:
        """Tell sources apart, so that a load is not made twice."""
        ...

    @property
    def name(self) -> str:
        """How the load is called."""
        ...

    @property
    def copyable(self) -> bool:
        """Whether there may be several copies, and seeds make a difference."""
        ...

    def load(self, seed: int, copies: tuple[int, ...]) -> "Load":
        """Make the load."""
        ...


@dataclass(frozen=True)
class Task:
    """One row of one load: what a worker does at a time."""

    source: Source
    seed: int
    copies: tuple[int, ...]
    row: Row
    settings: Settings

    def run(self) -> list[Sync]:
        """Make the load, and simulate."""
        load = _load(self.source, self.seed, self.copies)
        return run(load, self.row.writer(load.telling), self.settings)


@lru_cache(maxsize=4)
def _load(source: Source, seed: int, copies: tuple[int, ...]) -> "Load":
    return source.load(seed, copies)


def _run(task: Task) -> list[Sync]:
    return task.run()


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to simulate: loads of different names, in rows of different titles."""

    sources: "Sequence[Source]"
    rows: "Sequence[Row]"
    settings: Settings = field(default_factory=Settings)
    seeds: "Sequence[int]" = (1,)
    copies: int = 1
    """Services, or groups of them, for each workload."""

    def __post_init__(self) -> None:
        """Refuse what could not be told apart, and what is nothing. Raises ``ValueError``."""
        for what, names in (("loads", [one.name for one in self.sources]), ("rows", [one.title for one in self.rows])):
            twice = [name for name in names if names.count(name) > 1]
            if twice:
                raise ValueError(f"two {what} are called {twice[0]!r}: figures are told by name")
        if self.copies < 1 or not self.seeds:
            raise ValueError("copies must be 1 or more, and there must be a seed")
        runs = len(self.sources) * len(self.seeds) * self.copies
        if runs > MOST_RUNS:
            raise ValueError(f"{runs:,} loads, with all seeds and copies, are more than {MOST_RUNS:,}")

    def runs(self) -> "list[tuple[Source, int]]":
        """List the loads with their seeds."""
        return [(one, seed) for one in self.sources for seed in (self.seeds if one.copyable else self.seeds[:1])]

    def tasks(self, source: Source, seed: int, row: Row) -> list[Task]:
        """Make the tasks of one row: one for each copy, unless copies wait for one another."""
        copies = tuple(range(self.copies if source.copyable else 1))
        parts = [(copy,) for copy in copies] if self.settings.independent else [copies]
        return [Task(source, seed, part, row, self.settings) for part in parts]


def sweep(
    plan: Plan,
    executor: "Executor | None" = None,
    progress: "Callable[[int, int], None]" = lambda done, of: None,  # noqa: ARG005 - nobody looks
) -> list[Outcome]:
    """Simulate every row of every load with every seed, here or on an executor; the outcome is the same.

    :param executor: any ``Executor``: threads, processes, or that of a cluster engine.
    :param progress: is told how many of how many tasks are done.
    """
    runs = [(source, seed, row) for (source, seed), row in product(plan.runs(), plan.rows)]
    tasks = [plan.tasks(*one) for one in runs]
    results = _results([task for part in tasks for task in part], executor, progress)
    return [
        Outcome(source.name, seed, row, sorted((sync for _ in part for sync in next(results)), key=itemgetter(0, 2)))
        for (source, seed, row), part in zip(runs, tasks, strict=True)
    ]


def _results(
    tasks: "Sequence[Task]", executor: "Executor | None", progress: "Callable[[int, int], None]"
) -> "Iterator[list[Sync]]":
    """Yield the result of each task, in their order."""
    futures = [executor.submit(_run, task) for task in tasks] if executor else []
    try:
        for done, task in enumerate(tasks):
            yield futures[done].result() if futures else task.run()
            progress(done + 1, len(tasks))
    finally:
        for future in futures:
            future.cancel()


@dataclass(frozen=True)
class Study:
    """The outcomes of a sweep, with what they are measured by."""

    plan: Plan
    outcomes: "Sequence[Outcome]"
    watchers: int = 1

    def figures(self, outcome: Outcome) -> dict[str, Any]:
        """Return a row for programs, with what all watchers receive together."""
        return {**outcome.to_dict(), "bytes_to_all": outcome.measures.bytes * self.watchers}

    def to_dict(self) -> dict[str, Any]:
        """Return everything for programs."""
        settings = self.plan.settings
        return {
            "settings": {
                "batch_period": settings.batch_period,
                "qps": settings.qps,
                "burst": settings.burst,
                "latency": settings.latency,
                "copies": self.plan.copies,
                "watchers": self.watchers,
            },
            "loads": [
                {
                    "load": source.name,
                    "seed": seed,
                    "rows": [self.figures(one) for one in self.outcomes if (one.load, one.seed) == (source.name, seed)],
                }
                for source, seed in self.plan.runs()
            ],
            "summary": {
                "relative_to": KUBERNETES,
                "rows": [{"row": title, **means} for title, means in compare(self.outcomes, KUBERNETES).items()],
            },
        }


def study(
    plan: Plan,
    max_endpoints: int = 100,
    watchers: int = 1,
    executor: "Executor | None" = None,
    progress: "Callable[[int, int], None]" = lambda done, of: None,  # noqa: ARG005 - nobody looks
) -> Study:
    """Simulate the rows of a plan beside all baselines, and the control that fits the first row.

    The bounds are left out where writers are not asked at the same moments, as they are proven moment by moment. Raises
    ``ValueError`` for a row that is called as a baseline.
    """
    first, *others = baselines(max_endpoints)
    others = [row for row in others if row.title not in BOUNDS or plan.settings.punctual]
    rows = [first, *others, *plan.rows]
    found = sweep(replace(plan, rows=rows), executor, progress)
    by_row = {(one.load, one.seed, one.row.title): one for one in found}
    outcomes: list[Outcome] = []
    for source in plan.sources:
        alone = replace(plan, sources=[source])
        runs = [(source.name, seed) for _, seed in alone.runs()]
        base = [by_row[*one, KUBERNETES] for one in runs]
        reference = [by_row[*one, plan.rows[0].title] for one in runs] if plan.rows else base
        control = _control(alone, base, reference, executor)
        for one in runs:
            outcomes.append(by_row[*one, KUBERNETES])
            outcomes += [outcome for outcome in control if outcome.seed == one[1]]
            outcomes += [by_row[*one, row.title] for row in rows[1:]]
    return Study(plan, outcomes, watchers)


def _control(
    plan: Plan, base: "Sequence[Outcome]", reference: "Sequence[Outcome]", executor: "Executor | None"
) -> list[Outcome]:
    """Find the maximum at which Kubernetes' rule keeps on average as many slices as the reference.

    A smaller maximum alone buys fewer bytes for more slices; a policy is worth something if it is better than that.
    """
    target, most = _slices(reference), base[0].row.max_endpoints
    tried = {most: [replace(one, row=kubernetes(most, CONTROL)) for one in base]}
    guess = most
    for _ in range(_GUESSES):
        guess = min(max(1, round(guess * _slices(tried[guess]) / target)), most) if target else most
        if guess in tried:
            break
        tried[guess] = sweep(replace(plan, rows=[kubernetes(guess, CONTROL)]), executor)
    return tried[min(tried, key=lambda size: (abs(_slices(tried[size]) - target), -size))]


def _slices(outcomes: "Sequence[Outcome]") -> float:
    return sum(one.measures.slices_mean for one in outcomes)
