"""What readers make of writes: who loses what, and for how long."""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from epcore.testing.readers import READERS, Entry, Key, Reader, SliceState

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from epcore import Plan

TroubleKind: TypeAlias = Literal["gap", "lost", "stale", "wrong"]
"""``gap``: missing after one write and back after another; ``lost``: missing after the last; ``stale``: still there
after the last; ``wrong``: taken for another target for a while."""

Event: TypeAlias = "tuple[SliceState | None, SliceState | None]"


@dataclass(frozen=True, slots=True)
class Trouble:
    """One address that one reader gets wrong."""

    kind: TroubleKind
    reader: str
    """Name of the model."""
    programs: str
    """Who keeps books in this way."""
    key: Key
    after: int
    """Number of the write, from 0, after which it begins."""
    until: int | None
    """Number of the write after which it is over, if any."""

    def to_dict(self) -> dict[str, Any]:
        """Make it a mapping, for JSON."""
        return {**asdict(self), "key": str(self.key)}

    def __str__(self) -> str:
        """Say it in one line."""
        until = "" if self.until is None else f" until write {self.until}"
        return f"{self.programs}: {self.kind} {self.key} after write {self.after}{until}"


def judge(plan: "Plan", readers: "Iterable[type[Reader]]" = READERS) -> "list[Trouble]":
    """Run the writes of a plan through models of readers, one event for each write.

    Judged are addresses that are ready. An endpoint that is there before and after must be there after each write, and
    everybody must agree with the union of all slices in the end. What a reader has wrong before the first write is not
    the plan's doing, and not told. Readers may take two writes as one event, and then lose less.
    """
    states = {state.name: state for state in map(SliceState.of, plan.prefix(0))}
    begin = list(states.values())
    events: list[Event] = []
    for number, write in enumerate(plan.writes):
        state = SliceState.of(write.slice, write.name or f"{write.slice.generate_name} {number}")
        before = states.pop(state.name, None)
        if write.verb != "delete":
            states[state.name] = state
        events.append((before, states.get(state.name)))
    return judge_events(begin, events, readers)


def judge_events(
    begin: "Iterable[SliceState]", events: "Sequence[Event]", readers: "Iterable[type[Reader]]" = READERS
) -> "list[Trouble]":
    """Run events through models of readers that have seen ``begin``. The events of a plan, or a recording."""
    start = list(begin)
    truth, end = _Truth(), _Truth()
    for state in start:
        truth.see(None, state)
        end.see(None, state)
    for before, after in events:
        end.see(before, after)
    judged = [_Judged(reader()) for reader in readers]
    for one in judged:
        for state in start:
            one.reader.see(None, state)
        one.known = {key for key in {*truth.held(), *one.reader.held()} if truth.get(key) != one.reader.get(key)}
    # Who stays must be seen after each write, also where no slice lists it for a moment.
    stays = {key: entry for key in truth.held() if (entry := truth.get(key)) and _is_same(entry, end.get(key))}
    for number, (before, after) in enumerate(events):
        truth.see(before, after)
        keys = {*(before.entries if before else ()), *(after.entries if after else ())}
        for one in judged:
            one.reader.see(before, after)
            for key in keys:
                one.check(number, key, truth.get(key) or stays.get(key))
    for one in judged:
        one.finish(len(events) - 1, end)
    return sorted(
        (trouble for one in judged for trouble in one.troubles), key=lambda one: (one.after, one.reader, one.key)
    )


class _Truth:
    """The union of all slices, kept right."""

    def __init__(self) -> None:
        self._entries: dict[Key, dict[tuple[str, str], Entry]] = {}

    def see(self, before: SliceState | None, after: SliceState | None) -> None:
        if before is not None:
            for key in before.entries:
                self._entries[key].pop(before.name, None)
        if after is not None:
            for key, entry in after.entries.items():
                self._entries.setdefault(key, {})[after.name] = entry

    def get(self, key: Key) -> Entry | None:
        """Tell who counts: the one of the slice that was written last, of those that are not terminating."""
        entries = [entry for entry in self._entries.get(key, {}).values() if entry.ready]
        return next(reversed([entry for entry in entries if not entry.terminating] or entries), None)

    def held(self) -> "list[Key]":
        return [key for key in self._entries if self.get(key)]


def _is_same(left: Entry | None, right: Entry | None) -> bool:
    return left is not None and right is not None and left.target == right.target


class _Judged:
    """One reader, and what it has wrong."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.known: set[Key] = set()
        self.troubles: list[Trouble] = []
        self._open: dict[Key, tuple[Literal["missing", "wrong"], int]] = {}

    def check(self, number: int, key: Key, wanted: Entry | None) -> None:
        """Look at a key after a write."""
        if key in self.known:
            return
        held = self.reader.get(key)
        now: Literal["missing", "wrong"] | None = None
        if wanted is not None and not _is_same(held, wanted):
            now = "missing" if held is None else "wrong"
        was = self._open.get(key)
        if was is not None and was[0] != now:
            self._tell("gap" if was[0] == "missing" else "wrong", key, was[1], number)
            del self._open[key]
        if now is not None and key not in self._open:
            self._open[key] = now, number

    def finish(self, last: int, end: _Truth) -> None:
        """Look at everything after the last write."""
        for key, (state, since) in self._open.items():
            self._tell("lost" if state == "missing" else "wrong", key, since, None)
        for key in set(self.reader.held()) - self.known:
            if end.get(key) is None:
                self._tell("stale", key, last, None)

    def _tell(self, kind: TroubleKind, key: Key, after: int, until: int | None) -> None:
        name = type(self.reader).__name__
        self.troubles.append(Trouble(kind, name, self.reader.programs, key, after, until))
