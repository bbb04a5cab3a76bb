"""Endpoints of a recording, each distinct one kept once.

A recording says the same endpoint again with each write of its slice. The catalog gives every distinct endpoint a
number, so that a slice is a short array of numbers and a comparison of two endpoints is one of integers.
"""

import ipaddress
import json
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


_COMPACT: Final = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False)
_SORTED: Final = json.JSONEncoder(separators=(",", ":"), sort_keys=True)


def compact(value: object) -> bytes:
    """JSON as the API server sends it: no white space, no escapes that are not needed."""
    return _COMPACT.encode(value).encode()


@lru_cache(maxsize=65_536)
def canonical_address(address: str) -> str:
    """Give the one spelling of an IPv6 address; any other address stays as it is."""
    if ":" not in address:
        return address
    try:
        return str(ipaddress.IPv6Address(address))
    except ValueError:
        return address


def _meaning(endpoint: "Mapping[str, Any]") -> str:
    """Text that is equal for two endpoints exactly if they say the same."""
    text = _SORTED.encode(endpoint)
    if "null" not in text and ":" not in "".join(endpoint["addresses"]):
        return text
    said = _without_null(endpoint)
    said["addresses"] = [canonical_address(address) for address in said["addresses"]]
    return _SORTED.encode(said)


def _without_null(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Drop fields that are null: the API does not tell them from fields that are not there."""
    if isinstance(value, dict):
        return {key: _without_null(part) for key, part in value.items() if part is not None}
    if isinstance(value, list):
        return [_without_null(part) for part in value]
    return value


class Catalog:
    """Every distinct endpoint that was seen, by number."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._identities: dict[tuple[object, ...], int] = {}
        self._unhinted: dict[str, int] = {}
        self.json: list[bytes] = []
        """The endpoint as it was recorded, compact."""
        self.identity: list[int] = []
        """What makes two endpoints one and the same: addresses, hostname, and the target's namespace and name."""
        self.by_address: list[tuple[int, bytes, str]] = []
        """Sorts endpoints by address, as numbers where they are numbers, then by the name of the target."""
        self.unhinted: list[int] = []
        """Equal for two endpoints that differ in nothing but hints."""

    def add(self, endpoint: dict[str, Any]) -> int:
        """Return the number of ``endpoint``, which is new if nothing that says the same was seen before."""
        meaning = _meaning(endpoint)
        number = self._numbers.get(meaning)
        if number is None:
            number = self._numbers[meaning] = len(self.json)
            self.json.append(compact(endpoint))
            self.identity.append(self._identities.setdefault(_identity(endpoint), len(self._identities)))
            self.by_address.append(_by_address(endpoint))
            unhinted = _meaning({key: value for key, value in endpoint.items() if key != "hints"})
            self.unhinted.append(self._unhinted.setdefault(unhinted, len(self._unhinted)))
        return number

    def find(self, endpoint: dict[str, Any]) -> int:
        """Return the number of ``endpoint``, or -1 if nothing that says the same was recorded."""
        return self._numbers.get(_meaning(endpoint), -1)

    def endpoint(self, number: int) -> dict[str, Any]:
        """Return the endpoint of that number."""
        endpoint: dict[str, Any] = json.loads(self.json[number])
        return endpoint

    def array(self, numbers: "Iterable[int]") -> bytes:
        """Return the JSON array of these endpoints, each with the bytes that were recorded."""
        return b"[" + b",".join([self.json[number] for number in numbers]) + b"]"

    def size(self, numbers: "Iterable[int]") -> int:
        """Count the bytes of these endpoints inside a JSON array that is not empty of them: texts and commas."""
        sizes = [len(self.json[number]) for number in numbers]
        return sum(sizes) + max(0, len(sizes) - 1)


def _identity(endpoint: "Mapping[str, Any]") -> tuple[object, ...]:
    target = endpoint.get("targetRef") or {}
    addresses = tuple(sorted(canonical_address(address) for address in endpoint["addresses"]))
    return addresses, endpoint.get("hostname") or "", target.get("namespace") or "", target.get("name") or ""


def _by_address(endpoint: "Mapping[str, Any]") -> tuple[int, bytes, str]:
    address = endpoint["addresses"][0]
    name = (endpoint.get("targetRef") or {}).get("name") or ""
    try:
        packed = ipaddress.ip_address(address)
    except ValueError:
        return 0, address.encode(), name
    return packed.version, packed.packed, name
