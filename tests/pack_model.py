"""What tests of ``pack`` ask of endpoints and slices: identity, content, and what a list of slices holds."""

import ipaddress
import json
import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

import epcore
from pack_strategies import SERVICE, Group, Json

Identity = tuple[Any, ...]

KNOWN = {"addresses", "conditions", "hostname", "targetRef", "nodeName", "zone", "hints"}
MOVING = "epcore/moving"


def canonical(address: str) -> str:
    """One text for every spelling of an address."""
    if re.fullmatch(r"[0-9.]+", address):
        return ".".join(str(int(octet)) for octet in address.split("."))
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    mapped = getattr(parsed, "ipv4_mapped", None)
    return str(mapped or parsed)


def identity(endpoint: Json, *, upstream: bool = False) -> Identity:
    target = endpoint.get("targetRef") or {}
    hostname = (endpoint.get("hostname") or "") if upstream else ""
    addresses = sorted(map(canonical, endpoint["addresses"]))
    return (*addresses, target.get("namespace") or "", target.get("name") or "", hostname)


def set_members(value: Any) -> Json:
    """The members of an object that are set."""
    return {key: one for key, one in (value or {}).items() if one is not None and one != ""}


def content(endpoint: Json) -> Json:
    """The fields that must be as wanted, without those of a newer API."""
    target = set_members(endpoint.get("targetRef"))
    conditions = set_members(endpoint.get("conditions"))
    names = ("kind", "namespace", "name", "uid", "apiVersion", "fieldPath")
    hints = {key: one for key, one in (endpoint.get("hints") or {}).items() if one and key in ("forZones", "forNodes")}
    addresses = list(map(canonical, endpoint["addresses"]))
    return {
        "addresses": [addresses[0], *sorted(addresses[1:])],
        "conditions": {key: conditions[key] for key in ("ready", "serving", "terminating") if key in conditions},
        "targetRef": {key: target[key] for key in names if key in target},
        "hints": hints,
        **{key: endpoint.get(key) or "" for key in ("hostname", "nodeName", "zone")},
    }


def unknown(endpoint: Json) -> dict[tuple[str, str], Any]:
    """The fields of a newer API, at all four levels, null where they are to go."""
    conditions, target = endpoint.get("conditions") or {}, endpoint.get("targetRef") or {}
    known_of_target = {"kind", "namespace", "name", "uid", "apiVersion", "fieldPath", "resourceVersion"}
    found = {("endpoint", key): one for key, one in endpoint.items() if key not in KNOWN}
    found |= {
        ("conditions", key): one for key, one in conditions.items() if key not in ("ready", "serving", "terminating")
    }
    found |= {("targetRef", key): one for key, one in target.items() if key not in known_of_target}
    hints = endpoint.get("hints") or {}
    return found | {("hints", key): one for key, one in hints.items() if key not in ("forZones", "forNodes")}


def changed(existing: Json, wanted: Json) -> bool:
    """True if an endpoint must be written again."""
    before = unknown(existing)
    return content(existing) != content(wanted) or any(before.get(key) != one for key, one in unknown(wanted).items())


def rank(endpoint: Json) -> tuple[bool, bool]:
    """Of two wanted endpoints with one identity the smaller rank is wanted."""
    conditions = endpoint.get("conditions") or {}
    return (conditions.get("terminating") is True, conditions.get("ready") is False)


def distinct(wanted: list[Json], *, upstream: bool = False) -> dict[Identity, list[Json]]:
    """The best endpoints of each identity; of several any may be the one that is wanted."""
    best: dict[Identity, list[Json]] = {}
    for endpoint in wanted:
        same = best.setdefault(identity(endpoint, upstream=upstream), [])
        if same and rank(endpoint) < rank(same[0]):
            same.clear()
        if not same or rank(endpoint) == rank(same[0]):
            same.append(endpoint)
    return best


def ports(slice_: Json) -> Counter[tuple[Any, ...]]:
    listed = slice_.get("ports") or []
    keys = [
        (one.get("name") or "", one.get("protocol") or "TCP", one.get("port"), one.get("appProtocol") or "")
        for one in listed
    ]
    return Counter(keys)


def same_group(left: Json, right: Json) -> bool:
    def key(slice_: Json) -> Any:
        labels = slice_["metadata"].get("labels") or {}
        return (slice_["addressType"], labels.get(SERVICE) or "", ports(slice_))

    return bool(key(left) == key(right))


def current(existing: list[Json]) -> list[Json]:
    """The newest version of each slice, but for those that are being deleted."""
    newest: dict[str, Json] = {}
    nameless = []
    for slice_ in existing:
        metadata = slice_["metadata"]
        name = metadata.get("name")
        if not name:
            nameless.append(slice_)
        elif name not in newest or int(newest[name]["metadata"]["resourceVersion"]) < int(metadata["resourceVersion"]):
            newest[name] = slice_
    ordered = [newest[name] for name in sorted(newest)] + nameless
    return [slice_ for slice_ in ordered if not slice_["metadata"].get("deletionTimestamp")]


def dicts(slices: epcore.SliceSet) -> list[Json]:
    return [dict(one) for one in slices.to_dicts()]


def endpoints_of(slices: Iterable[Json]) -> list[Json]:
    return [endpoint for slice_ in slices for endpoint in slice_.get("endpoints") or ()]


def held(slices: Iterable[Json], *, upstream: bool = False) -> Counter[Identity]:
    return Counter(identity(endpoint, upstream=upstream) for endpoint in endpoints_of(slices))


def addresses_held(slices: Iterable[Json]) -> Counter[str]:
    return Counter(canonical(address) for endpoint in endpoints_of(slices) for address in endpoint["addresses"])


def size(value: Json) -> int:
    """Bytes of an object as JSON without white space."""
    return len(json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode())


def planned(group: Group, **options: Any) -> epcore.Plan:
    return epcore.pack(group.wanted, group.existing, template=group.template, **options)
