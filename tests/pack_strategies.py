"""Hypothesis strategies for groups as bad as they come: every rule of ``pack`` meets every spelling of the API."""

from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

Json = dict[str, Any]

SERVICE = "kubernetes.io/service-name"
MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
POOL = 14
"""So few addresses that wanted and existing endpoints meet all the time."""

UNKNOWN: list[Any] = [1, 1.5, "later", True, [], [None, {"b": 1, "a": 2}], {"z": 1, "a": {"y": [1, "2"]}}]


def spellings(family: str, number: int) -> list[str]:
    """Texts that all mean one address; the first is canonical."""
    if family == "IPv4":
        return [f"10.0.0.{number + 1}", f"10.0.000.{number + 1:03}", f"::ffff:10.0.0.{number + 1}"]
    if family == "IPv6":
        digits = f"{number + 1:x}"
        return [f"2001:db8::{digits}", f"2001:DB8:0:0:0:0:0:{digits.upper()}", f"2001:0db8::000{digits}"]
    return [f"db-{number}.example.org"]


def unknown_fields(draw: st.DrawFn, chance: int) -> Json:
    """Fields of a newer API, one time in ``chance``."""
    if draw(st.integers(1, chance)) > 1:
        return {}
    return {name: draw(st.sampled_from(UNKNOWN)) for name in draw(st.sets(st.sampled_from(["weight", "αβ", 'q"'])))}


@st.composite
def endpoints(draw: st.DrawFn, family: str, *, spelled: bool = True) -> Json:
    """An endpoint whose fields mostly follow from its address, with a null, an empty or a new field here and there."""
    number = draw(st.integers(0, POOL - 1))
    texts = spellings(family, number)
    addresses = [draw(st.sampled_from(texts)) if spelled else texts[0]]
    if draw(st.integers(0, 11)) == 0:
        addresses += [spellings(family, (number + step) % POOL)[0] for step in draw(st.permutations([1, 2]))]
    endpoint: Json = {"addresses": addresses}
    mood = draw(st.integers(0, 11))
    conditions: list[Any] = [{}, None, {"ready": False}, {"ready": False, "serving": True, "terminating": True}]
    conditions += [{"ready": None, "serving": True}, {"ready": True, "later": 1}]
    if mood:
        endpoint["conditions"] = conditions[mood - 1] if mood <= len(conditions) else {"ready": True}
    # Pods of the host's network share addresses, Pods after one another too: another target, the same address.
    name = draw(st.sampled_from([f"web-a-{number}", f"web-a-{number}", f"web-a-{number}", f"web-b-{number}", ""]))
    if name:
        endpoint["targetRef"] = {"kind": "Pod", "namespace": "shop", "name": name, "uid": f"uid-{name}"}
        if draw(st.integers(0, 5)) == 0:
            endpoint["targetRef"] |= {"resourceVersion": str(draw(st.integers(1, 3))), "apiVersion": "v1"}
            endpoint["targetRef"] |= unknown_fields(draw, 2)
    endpoint["nodeName"] = f"node-{number % 3}" if mood != 11 else None
    endpoint["zone"] = draw(st.sampled_from(["a", "a", "a", "b", None, ""]))
    if draw(st.integers(0, 6)) == 0:
        endpoint["hostname"] = draw(st.sampled_from(["h1", "h2", None]))
    if draw(st.integers(0, 6)) == 0:
        endpoint["hints"] = draw(st.sampled_from([None, {}, {"forZones": []}, {"forZones": [{"name": "a"}]}]))
        if endpoint["hints"] and draw(st.booleans()):
            endpoint["hints"] = {**endpoint["hints"], **unknown_fields(draw, 1)}
    return endpoint | unknown_fields(draw, 6)


def port(number: int, **more: object) -> Json:
    return {"name": "http", "protocol": "TCP", "port": number, **more}


def slice_of(name: str | None, held: Any, family: str = "IPv4", **more: Any) -> Json:
    """A slice of the Service ``web``; ``more`` has ``port``, ``labels``, ``metadata`` or fields of the slice."""
    labels = {"app": "x", SERVICE: "web", **more.pop("labels", {})}
    metadata: Json = {"namespace": "shop", "labels": labels, **more.pop("metadata", {})}
    if name:
        metadata["name"] = name
    listed = more.pop("ports", [port(more.pop("port", 80))])
    return {"metadata": metadata, "addressType": family, "endpoints": held, "ports": listed, **more}


def template_of(family: str) -> Json:
    """What new slices look like."""
    template = slice_of(None, None, family)
    owner = {"apiVersion": "v1", "kind": "Service", "name": "web", "uid": "uid-web", "controller": True}
    template["metadata"] |= {"generateName": "web-", "ownerReferences": [owner]}
    return template


@dataclass
class Group:
    """Input of one call."""

    wanted: list[Json]
    existing: list[Json]
    template: Json
    family: str


@st.composite
def slices(  # noqa: C901 - one branch for each kind of slice
    draw: st.DrawFn, index: int, pool: list[Json], family: str, *, foreign: bool, named: bool
) -> list[Json]:
    """One slice, now and then in two versions."""
    one = st.sampled_from(pool) if pool else endpoints(family)
    held: Any = draw(st.lists(one | endpoints(family) if draw(st.booleans()) else one, max_size=8))
    kind = draw(st.integers(0, 23))
    name = f"web-{index}" if named or draw(st.booleans()) else None
    metadata: Json = {"resourceVersion": str(draw(st.integers(8, 12))), "uid": f"uid-{index}", "generation": 3}
    more: Json = unknown_fields(draw, 8) | {"metadata": metadata}
    metadata |= unknown_fields(draw, 8)
    if kind == 0:
        metadata["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    elif kind == 1:
        held = draw(st.sampled_from([[], None]))
    elif kind == 2:
        more["labels"] = {"app": "y"}
    elif kind == 3:
        metadata["annotations"] = {"epcore/moving": "true", "other": "1"}
    elif kind == 4:
        metadata["annotations"] = {"endpoints.kubernetes.io/last-change-trigger-time": "2026-01-01T00:00:00Z"}
    elif kind == 5:
        more["ports"] = [{"port": 80, "name": "http", "protocol": None, "newer": [1]}]
    elif foreign and kind == 6:
        more["port"] = 81
    elif foreign and kind == 7:
        # The placeholder of Kubernetes: no endpoints, no ports.
        held, more["ports"] = None, None
    elif foreign and kind == 8:
        more["labels"] = {SERVICE: "db"}
    elif foreign and kind == 9:
        other = "IPv6" if family == "IPv4" else "IPv4"
        return [slice_of(name, draw(st.lists(endpoints(other), max_size=3)), other, **more)]
    found = [slice_of(name, held, family, **more)]
    if kind == 10 and name:
        stale = draw(st.lists(one, max_size=4))
        found.append(slice_of(name, stale, family, metadata={"resourceVersion": str(draw(st.integers(6, 7)))}))
    return found


@st.composite
def groups(
    draw: st.DrawFn, *, foreign: bool = True, most_slices: int = 6, named: bool = False, plain: bool = False
) -> Group:
    """Wanted endpoints and existing slices that overlap; ``plain`` leaves out what only costs time to spell."""
    family = "IPv4" if plain else draw(st.sampled_from(["IPv4", "IPv4", "IPv6", "FQDN"]))
    pool = draw(st.lists(endpoints(family, spelled=not plain), max_size=20))
    count = draw(st.integers(0, most_slices))
    existing: list[Json] = []
    for index in range(count):
        existing += draw(slices(index, pool, family, foreign=foreign, named=named))
    wanted = [one for one in pool if draw(st.integers(0, 4))]
    wanted += draw(st.lists(endpoints(family, spelled=not plain), max_size=8))
    return Group(draw(st.permutations(wanted)), existing, template_of(family), family)


maxima = st.integers(1, 6)
named_policies = st.sampled_from(["balanced", "dense", "lean"])
cohorts = st.sampled_from(["auto", "auto", "node", "zone", "revision", "hostname", "targetRef.name", "weight", None])
