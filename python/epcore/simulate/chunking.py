"""How people cut endpoints into slices who have no engine: peers of it, written plainly."""

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping, Sequence

    Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


def sort_and_chunk(ordered: "Sequence[Value]", most: int) -> "dict[int, list[Value]]":
    """Cut a sorted list into slices of ``most``, each time anew."""
    return {place // most: list(ordered[place : place + most]) for place in range(0, len(ordered), most)}


def first_fit(old: "Mapping[int, Iterable[Key]]", wanted: "Mapping[Key, Value]", most: int) -> "dict[int, list[Value]]":
    """Leave each where it is; put a new one into the first slice with room, else into a new slice."""
    missing = dict(wanted)
    kept = {place: [missing.pop(key) for key in chunk if key in missing] for place, chunk in old.items()}
    following = max(old, default=-1) + 1
    room = [place for place, chunk in kept.items() if 0 < len(chunk) < most]
    for value in missing.values():
        if not room:
            room, following = [following], following + 1
            kept[room[0]] = []
        kept[room[0]].append(value)
        if len(kept[room[0]]) == most:
            del room[0]
    return {place: chunk for place, chunk in kept.items() if chunk}
