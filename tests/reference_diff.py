"""``diff`` as plainly as it can be said: slow, over dicts."""

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

Json = dict[str, Any]

LEVEL = {"dns": 0, "proxy": 1, "envoy": 2, "all": 3}
TRIGGER_TIME = "endpoints.kubernetes.io/last-change-trigger-time"


@dataclass
class Entry:
    """What a reader holds under one key."""

    endpoint: Json
    slice: Json
    port: Json | None


def canonical(address: str) -> str:
    """Return the one spelling; Python refuses the leading zeros that Kubernetes takes for decimal."""
    parts = address.split(".")
    return ".".join(str(int(part)) for part in parts) if len(parts) == 4 else str(ipaddress.ip_address(address))


def conditions(endpoint: Json) -> tuple[bool, bool, bool]:
    given = endpoint.get("conditions") or {}
    return (given.get("ready") is not False, given.get("serving") is not False, given.get("terminating") is True)


def time(text: str | None) -> datetime:
    return datetime.fromisoformat(text) if text else datetime.min.replace(tzinfo=UTC)


def who(endpoint: Json, key: str) -> str:
    ref = endpoint.get("targetRef") or {}
    if key == "target" and ref.get("uid"):
        return str(ref["uid"])
    if key == "target" and ref.get("name"):
        return f"{ref.get('namespace', '')}/{ref['name']}"
    return canonical(endpoint["addresses"][0])


def fold(slices: list[Json], key: str) -> dict[str, Entry]:
    """The one entry that counts for each key."""
    found: dict[str, list[tuple[Any, Entry]]] = {}
    for slice_ in slices:
        metadata = slice_["metadata"]
        service = f"{metadata['namespace']}/{metadata['labels']['kubernetes.io/service-name']}"
        listed: list[Json | None] = list(slice_["ports"] or []) if key == "address-port" else []
        for place, endpoint in enumerate(slice_["endpoints"] or []):
            age = (
                -time((metadata.get("annotations") or {}).get(TRIGGER_TIME)).timestamp()
                if metadata.get("annotations")
                else 0
            )
            rank = (conditions(endpoint)[2], age, metadata["name"], place)
            for port in listed or [None]:
                words = f"{service} {who(endpoint, key)}"
                if port is not None:
                    number = "*" if port.get("port") is None else port["port"]
                    words += f" {port.get('name') or ''} {port.get('protocol') or 'TCP'} {number}"
                found.setdefault(words, []).append((rank, Entry(endpoint, slice_, port)))
    return {words: min(entries, key=lambda entry: entry[0])[1] for words, entries in found.items()}


def reasons(before: Entry, after: Entry, fields: str) -> list[str]:
    """Which parts differ, in the order that epcore lists them."""
    level = LEVEL[fields]
    old, new = before.endpoint, after.endpoint

    def texts(endpoint: Json, *names: str) -> list[Any]:
        return [endpoint.get(name) or None for name in names]

    def listed(entry: Entry) -> Any:
        chosen = [entry.port] if entry.port is not None else entry.slice["ports"] or []
        app = [(port.get("appProtocol") or "") if level else "" for port in chosen]
        if entry.port is not None:
            return app
        named = [(port.get("name") or "", port.get("protocol") or "TCP", port.get("port") or -1) for port in chosen]
        return sorted(zip(named, app, strict=True))

    def ref(endpoint: Json) -> Json:
        given = endpoint.get("targetRef") or {}
        return {name: value for name, value in given.items() if name != "resourceVersion"}

    def labels(entry: Entry) -> Any:
        metadata = entry.slice["metadata"]
        kept = {key: value for key, value in (metadata.get("annotations") or {}).items() if key != TRIGGER_TIME}
        return (metadata["labels"], kept)

    differs = {
        "addresses": [canonical(one) for one in old["addresses"]] != [canonical(one) for one in new["addresses"]],
        "conditions": (conditions(old) if level else conditions(old)[:1])
        != (conditions(new) if level else conditions(new)[:1]),
        "hints": level > 0 and texts(old, "hints") != texts(new, "hints"),
        "topology": level > 0 and texts(old, "nodeName", "zone") != texts(new, "nodeName", "zone"),
        "ports": listed(before) != listed(after),
        "target-ref": level > 1 and ref(old) != ref(new),
        "hostname": texts(old, "hostname") != texts(new, "hostname"),
        "unknown-fields": level > 1 and texts(old, "weight") != texts(new, "weight"),
        "metadata": level > 2 and labels(before) != labels(after),
    }
    return [name for name, found in differs.items() if found]


def diff(before: list[Json], after: list[Json], key: str, fields: str) -> Json:
    """Keys that were added and removed, reasons of those updated, slices of those moved."""
    old, new = fold(before, key), fold(after, key)
    both = {words: reasons(old[words], new[words], fields) for words in old.keys() & new.keys()}
    names = {words: (old[words].slice["metadata"]["name"], new[words].slice["metadata"]["name"]) for words in both}
    return {
        "added": new.keys() - old.keys(),
        "removed": old.keys() - new.keys(),
        "updated": {words: found for words, found in both.items() if found},
        "moved": {
            words: names[words] for words, found in both.items() if not found and names[words][0] != names[words][1]
        },
    }
