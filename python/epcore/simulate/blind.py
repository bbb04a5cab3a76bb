"""The bound without foresight: what planners must send again who cannot tell which endpoints change next.

Endpoints with the same past are alike: of each such class it is known how many change in a sync, and which ones is
chance, each choice as likely as another. ``docs/simulate.md`` has the proof, and what it takes for granted of loads.
"""

from collections import Counter
from json import loads
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from epcore import most_untouched

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping

    from epcore.simulate.load import Telling

Classes: TypeAlias = "list[tuple[int, int]]"
"""Members of each class, and how many of them change."""


class _Life(NamedTuple):
    """What is known of an endpoint, but for its name."""

    conditions: tuple[Any, Any, Any]
    ready: bool
    revision: str
    node: str | None
    times_ready: int
    """0, 1, or 2 for more."""
    since: int
    """The sync that made it what it is."""
    past: int
    """The number of all that was seen of it."""

    def kind(self, telling: "Telling") -> "Hashable":
        """Tell those that are alike."""
        if telling == "node":
            return self.conditions, self.revision, self.past, self.node
        since = self.since if telling == "waiting" and not self.ready else 0
        return self.conditions, self.revision, self.times_ready if self.ready else self.times_ready > 0, since


class Lives:
    """The endpoints of one Service as a planner sees them, sync after sync."""

    def __init__(self, telling: "Telling") -> None:
        self.kinds: dict[str, Hashable] = {}
        """The class of each endpoint."""
        self._telling = telling
        self._contents: dict[str, bytes] = {}
        self._lives: dict[str, _Life] = {}
        self._members: Counter[Hashable] = Counter()
        self._pasts: dict[Hashable, int] = {}
        self._syncs = 0

    def changing(self, wanted: "Mapping[str, bytes]") -> list[str]:
        """List those that a sync changes or takes away."""
        return [key for key, content in self._contents.items() if wanted.get(key) != content]

    def classes(self, changing: "Iterable[str]") -> Classes:
        """Count the members of each class, and how many change."""
        touched = Counter(self.kinds[key] for key in changing)
        return [(members, touched[kind]) for kind, members in self._members.items()]

    def step(self, wanted: "Mapping[str, bytes]") -> Classes:
        """See a sync, and tell which classes it was drawn from."""
        self._syncs += 1
        changing = self.changing(wanted)
        classes = self.classes(changing)
        for key in changing:
            self._count(self.kinds.pop(key), -1)
            if key not in wanted:
                del self._lives[key], self._contents[key]
        for key, content in wanted.items():
            if self._contents.get(key) != content:
                self._contents[key] = content
                life = self._lives[key] = self._life(key, loads(content))
                kind = self.kinds[key] = life.kind(self._telling)
                self._count(kind, 1)
        return classes

    def _count(self, kind: "Hashable", by: int) -> None:
        self._members[kind] += by
        if not self._members[kind]:
            del self._members[kind]

    def _life(self, key: str, content: "Mapping[str, Any]") -> _Life:
        before = self._lives.get(key)
        told = content.get("conditions", {})
        conditions = told.get("ready"), told.get("serving"), told.get("terminating")
        ready = conditions[0] is not False
        times = before.times_ready if before else 0
        past = before.past if before else -1, self._syncs, conditions
        return _Life(
            conditions,
            ready,
            content.get("targetRef", {}).get("name", key).rpartition("-")[0],
            content.get("nodeName"),
            min(times + (ready and not (before and before.ready)), 2),
            self._syncs,
            self._pasts.setdefault(past, len(self._pasts)),
        )


def least_resent(classes: Classes, slices: int, most: int) -> float:
    """Tell what is sent again on average, at least, whoever put the endpoints into so many slices."""
    stay = sum(members - changing for members, changing in classes)
    if not any(changing for _, changing in classes):
        return 0.0
    return stay - most_untouched(classes, slices, max_endpoints=most)
