"""What a Python user would write: ``orjson`` and dicts, doing the same work as ``pack`` and ``diff``."""

from typing import Any

import orjson

from data import TEMPLATE, Json


def key(endpoint: Json) -> tuple[str, str]:
    return (endpoint["addresses"][0], endpoint["targetRef"]["name"])


def plan(wanted: list[Json], slices: list[Json], most: int = 100) -> list[bytes]:
    """Bodies of the slices to write: survivors stay in place, written slices are filled first, then new ones."""
    waiting = {key(endpoint): endpoint for endpoint in wanted}
    dirty = []
    for slice_ in slices:
        kept = []
        changed = False
        for endpoint in slice_["endpoints"]:
            found = waiting.pop(key(endpoint), None)
            if found is None:
                changed = True
            else:
                changed |= found != endpoint
                kept.append(found)
        if changed:
            dirty.append({**slice_, "endpoints": kept})
    new = list(waiting.values())
    for slice_ in sorted(dirty, key=lambda slice_: len(slice_["endpoints"])):
        room = most - len(slice_["endpoints"])
        slice_["endpoints"] += new[:room]
        new = new[room:]
    dirty += [{**TEMPLATE, "endpoints": new[start : start + most]} for start in range(0, len(new), most)]
    return [orjson.dumps(slice_) for slice_ in dirty]


def entries(slices: list[Json]) -> dict[Any, tuple[Json, str]]:
    found: dict[Any, tuple[Json, str]] = {}
    for slice_ in slices:
        metadata = slice_["metadata"]
        service = (metadata["namespace"], metadata["labels"]["kubernetes.io/service-name"])
        for port in slice_["ports"]:
            port_key = (port["name"], port["protocol"], port["port"])
            for endpoint in slice_["endpoints"]:
                found[service, endpoint["addresses"][0], port_key] = (endpoint, metadata["name"])
    return found


def differences(before: list[Json], after: list[Json]) -> tuple[int, int, int, int]:
    """Count what was added, removed, updated and moved."""
    old, new = entries(before), entries(after)
    both = old.keys() & new.keys()
    updated = sum(seen(old[one][0]) != seen(new[one][0]) for one in both)
    moved = sum(old[one][1] != new[one][1] and seen(old[one][0]) == seen(new[one][0]) for one in both)
    return len(new) - len(both), len(old) - len(both), updated, moved


def seen(endpoint: Json) -> tuple[Any, ...]:
    conditions = endpoint.get("conditions") or {}
    return (
        conditions.get("ready", True),
        conditions.get("serving", True),
        conditions.get("terminating", False),
        endpoint.get("hostname"),
        endpoint.get("nodeName"),
        endpoint.get("zone"),
        endpoint.get("hints"),
    )
