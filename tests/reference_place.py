"""Who goes where, as plainly as it can be said (DESIGN.md, "Who goes where")."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]
Cohort = tuple[str | None, str | None]


@dataclass
class Target:
    """A slice that is written and has room."""

    bin: int
    room: int
    forced: bool
    """It must be written whatever comes into it."""
    residents: list[Json]


def revision(endpoint: Json) -> str | None:
    owner, dash, _ = ((endpoint.get("targetRef") or {}).get("name") or "").rpartition("-")
    return owner if dash else None


def cohort_of(endpoint: Json, cohort: str | None) -> Cohort:
    if cohort == "auto":
        ready = (endpoint.get("conditions") or {}).get("ready") is not False
        return (revision(endpoint), endpoint.get("nodeName") if ready else None)
    if cohort == "revision":
        return (revision(endpoint), None)
    fields = {"node": "nodeName", "zone": "zone"}
    return (endpoint.get(fields[cohort]) if cohort else None, None)


def place(
    waiting: dict[int, Json],
    targets: list[Target],
    cohort: str | None,
    sources: dict[int, list[int]],
    *,
    fullest_first: bool,
) -> list[tuple[int, int]]:
    """Pairs of item and bin. ``waiting`` is in canonical order."""

    def leaving(target: Target) -> bool:
        gone = [(endpoint.get("conditions") or {}).get("terminating") is True for endpoint in target.residents]
        return cohort == "auto" and any(gone)

    rooms = {target.bin: target.room for target in targets}
    room_first = {target.bin: target.room for target in targets}
    at = {target.bin: index for index, target in enumerate(targets)}

    def rank(target: Target) -> Any:
        # Full new slices come before the one that takes the rest.
        room = room_first[target.bin] * target.forced if fullest_first else -room_first[target.bin]
        return (leaving(target), not target.forced, room, at[target.bin])

    best_first = sorted(targets, key=rank)
    company: dict[Cohort, list[int]] = {}
    for target in best_first:
        for endpoint in target.residents:
            if cohort == "auto" and (endpoint.get("conditions") or {}).get("terminating") is True:
                continue
            whole, finer = cohort_of(endpoint, cohort)
            for key in {(whole, None), (whole, finer)}:
                listed = company.setdefault(key, [])
                if whole is not None and target.bin not in listed:
                    listed.append(target.bin)

    placed: list[tuple[int, int]] = []

    def put(item: int, bin_: int) -> None:
        rooms[bin_] -= 1
        placed.append((item, bin_))

    # Addresses that come back with another target go first, into slices that are written after those they leave.
    left = {source for item in waiting for source in sources.get(item, [])}
    when = {target.bin: index if target.bin in left else len(targets) for index, target in enumerate(targets)}
    for item in [item for item in waiting if sources.get(item)]:
        latest = max((when[source] for source in sources[item] if source in when), default=-1)
        mine = cohort_of(waiting[item], cohort)
        choices = [*company.get(mine, []), *company.get((mine[0], None), [])] if mine[0] is not None else []
        choices += [target.bin for target in best_first]
        free = [bin_ for bin_ in choices if rooms[bin_]]
        fallback = [target.bin for target in best_first if rooms[target.bin]]
        put(item, next((bin_ for bin_ in free if when[bin_] > latest), fallback[0]))

    rest = [item for item in waiting if not sources.get(item)]
    batches: dict[Cohort, list[int]] = {}
    for item in rest:
        batches.setdefault(cohort_of(waiting[item], cohort), []).append(item)
    size = Counter({whole: 0 for whole, _ in batches})
    first: dict[str | None, int] = {}
    for index, (key, items) in enumerate(batches.items()):
        size[key[0]] += len(items)
        first.setdefault(key[0], index)
    ordered = sorted(batches.items(), key=lambda entry: (-size[entry[0][0]], first[entry[0][0]], -len(entry[1])))
    for key, items in ordered:
        for item in items:
            friends = [*company.get(key, []), *company.get((key[0], None), [])] if key[0] is not None else []
            found = next((bin_ for bin_ in friends if rooms[bin_]), None)
            if found is None:
                found = next(target.bin for target in best_first if rooms[target.bin])
                for group in {key, (key[0], None)} if key[0] is not None else ():
                    company.setdefault(group, []).append(found)
            put(item, found)
    return placed
