"""Peers of the engine, written plainly: what people do who have no packing engine.

They know packing, as nothing else in this package but :mod:`epcore.simulate.chunking` does, because they are what the
engine is measured against.
"""

import json
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from epcore.cli.catalog import compact
from epcore.cli.writers import Outcome, SliceWrite
from epcore.simulate.chunking import first_fit, sort_and_chunk

if TYPE_CHECKING:
    from collections.abc import Sequence

    from epcore.cli.catalog import Catalog
    from epcore.cli.recording import Lane, Numbers
    from epcore.cli.timeline import Step
    from epcore.cli.witness import Port, Ports
    from epcore.types import Verb

Chunks: TypeAlias = dict[int, list[int]]
"""The endpoints of each slice of a group, by the number of the slice."""

_NAME: Final = "12345"
"""A name is as long as one that the API server generates: five letters after the prefix."""


class _Group(NamedTuple):
    template: bytes
    chunks: Chunks


class _Chunking:
    """Writes every slice whose endpoints, or whose metadata, are not what they were."""

    exact = True

    def __init__(self, max_endpoints: int) -> None:
        self.max_endpoints = max_endpoints
        self._groups: dict[Lane, dict[Ports, _Group]] = {}

    def arrange(self, old: Chunks, wanted: "Numbers", catalog: "Catalog") -> Chunks:
        """Say what each slice should hold."""
        raise NotImplementedError

    def start(self, step: "Step") -> Outcome:
        """Arrange what is there anew, as it would have been."""
        return self.write(step)

    def write(self, step: "Step") -> Outcome:
        """Write the slices that differ from the last arrangement."""
        old = self._groups.get(step.lane, {})
        new: dict[Ports, _Group] = {}
        writes: list[SliceWrite] = []
        size = 0
        for ports, wanted in step.groups.items():
            before = old.get(ports, _Group(wanted.template, {}))
            new[ports] = _Group(wanted.template, self.arrange(before.chunks, wanted.endpoints, step.catalog))
        for ports in sorted(old.keys() | new.keys()):
            nothing = _Group(b"", {})
            before, after = old.get(ports, nothing), new.get(ports, nothing)
            for number in sorted(before.chunks.keys() | after.chunks.keys()):
                was, is_ = before.chunks.get(number), after.chunks.get(number)
                if was == is_ and before.template == after.template:
                    continue
                verb = _verb(was, is_)
                template = before.template if is_ is None else after.template
                writes.append(SliceWrite(verb, f"{ports} {number}", is_ or ()))
                size += _slice_size(template, step.catalog, is_ or was or (), step.overhead)
        self._groups[step.lane] = new
        return Outcome(writes, size)


class SortAndChunk(_Chunking):
    """Sort the endpoints by address and cut the list into slices, each time anew."""

    title = "sort-and-chunk"

    def arrange(self, old: Chunks, wanted: "Numbers", catalog: "Catalog") -> Chunks:  # noqa: ARG002 - it remembers nothing
        """Cut the sorted list."""
        return sort_and_chunk(sorted(wanted, key=catalog.by_address.__getitem__), self.max_endpoints)


class FirstFit(_Chunking):
    """Leave each endpoint where it is; put a new one into the first slice with room, else into a new slice."""

    title = "first-fit"

    def start(self, step: "Step") -> Outcome:
        """Take over the recorded slices."""
        groups: dict[Ports, _Group] = {}
        for event in step.slices:
            chunks = groups.setdefault(event.ports, _Group(event.template, {})).chunks
            chunks[len(chunks)] = list(event.endpoints)
        self._groups[step.lane] = groups
        writes = [
            SliceWrite("create", f"{ports} {number}", chunk)
            for ports, group in groups.items()
            for number, chunk in group.chunks.items()
        ]
        return Outcome(writes, 0)

    def arrange(self, old: Chunks, wanted: "Numbers", catalog: "Catalog") -> Chunks:
        """Keep, then fill."""
        identity = catalog.identity
        chunks = {place: [identity[number] for number in chunk] for place, chunk in old.items()}
        return first_fit(chunks, {identity[number]: number for number in wanted}, self.max_endpoints)


class LegacyEndpoints:
    """One ``v1`` Endpoints object for each Service, as upstream's Endpoints controller fills it.

    Computed at the moments at which the slices were written. It holds the first address family only, no terminating
    endpoints, and at most 1000 addresses, ready ones first.
    """

    title = "legacy Endpoints object"
    exact = False
    max_endpoints: Final = 1000

    def __init__(self) -> None:
        self._addresses: dict[int, bytes] = {}
        self._ready: dict[int, bool | None] = {}
        self._last: dict[Lane, tuple[bytes, int]] = {}

    def start(self, step: "Step") -> Outcome:
        """Take the object that was there."""
        return self.write(step)

    def write(self, step: "Step") -> Outcome:
        """Write the object if it says something else than before."""
        if not step.primary:
            return Outcome((), 0)
        before = self._last.pop(step.lane, None)
        name = step.lane.service
        if not step.slices:
            return Outcome([SliceWrite("delete", name, ())], before[1]) if before else Outcome((), 0)
        numbers, subsets, truncated = self._subsets(step)
        text = _endpoints_object(step, subsets, truncated=truncated)
        if before and before[0] == text:
            self._last[step.lane] = before
            return Outcome((), 0)
        self._last[step.lane] = text, len(text) + step.overhead
        return Outcome([SliceWrite("update" if before else "create", name, numbers)], len(text) + step.overhead)

    def _subsets(self, step: "Step") -> "tuple[list[int], list[bytes], bool]":
        """Give the endpoints that are in, the subsets (ports with equal addresses share one), and if some are left out.

        Source: upstream ``RepackSubsets`` and ``truncateEndpoints``; where there are several subsets, upstream leaves
        out as many of each.
        """
        members: dict[Port | None, set[int]] = {}
        for ports, wanted in step.groups.items():
            for port in ports or (None,):
                members.setdefault(port, set()).update(
                    number for number in wanted.endpoints if self._is_ready(step.catalog, number) is not None
                )
        everyone = set().union(*members.values())
        ordered = sorted(everyone, key=lambda number: (not self._ready[number], step.catalog.by_address[number]))
        kept = ordered[: self.max_endpoints]
        sharing: dict[tuple[int, ...], list[Port]] = {}
        for port, found in members.items():
            sharing.setdefault(tuple(number for number in kept if number in found), []).extend([port] if port else [])
        subsets = [self._subset(step.catalog, numbers, ports) for numbers, ports in sharing.items() if numbers]
        return kept, subsets, len(ordered) > len(kept)

    def _is_ready(self, catalog: "Catalog", number: int) -> bool | None:
        """Tell whether the endpoint is ready; ``None`` if it is terminating and so left out."""
        if number not in self._ready:
            endpoint = catalog.endpoint(number)
            conditions = endpoint.get("conditions") or {}
            ready = conditions.get("ready") is not False
            self._ready[number] = None if conditions.get("terminating") and not ready else ready
            address = {"ip": endpoint["addresses"][0]}
            address |= {key: endpoint[key] for key in ("hostname", "nodeName", "targetRef") if endpoint.get(key)}
            self._addresses[number] = compact(address)
        return self._ready[number]

    def _subset(self, catalog: "Catalog", numbers: "Sequence[int]", ports: "Sequence[Port]") -> bytes:
        parts = []
        for field, ready in (("addresses", True), ("notReadyAddresses", False)):
            found = [self._addresses[number] for number in numbers if self._is_ready(catalog, number) is ready]
            if found:
                parts.append(b'"%s":[%s]' % (field.encode(), b",".join(found)))
        if ports:
            fields = "name", "protocol", "port", "appProtocol"
            described = [{key: value for key, value in zip(fields, port, strict=True) if value} for port in ports]
            parts.append(b'"ports":' + compact(described))
        return b"{" + b",".join(parts) + b"}"


def _verb(before: object, after: object) -> "Verb":
    if after is None:
        return "delete"
    return "create" if before is None else "update"


def _endpoints_object(step: "Step", subsets: "Sequence[bytes]", *, truncated: bool) -> bytes:
    labels = json.loads(step.template)["metadata"].get("labels") or {}
    metadata = {
        "name": step.lane.service,
        "namespace": step.lane.namespace,
        "labels": {key: value for key, value in labels.items() if "kubernetes.io/" not in key}
        | {"endpoints.kubernetes.io/managed-by": "endpoint-controller"},
    }
    if truncated:
        metadata["annotations"] = {"endpoints.kubernetes.io/over-capacity": "truncated"}
    head = compact({"kind": "Endpoints", "apiVersion": "v1", "metadata": metadata})
    return head[:-1] + (b',"subsets":[' + b",".join(subsets) + b"]" if subsets else b"") + b"}"


def _slice_size(template: bytes, catalog: "Catalog", endpoints: "Sequence[int]", overhead: int) -> int:
    prefix = json.loads(template)["metadata"]["generateName"]
    return len(template) + len(f'"name":"{prefix}{_NAME}",') + catalog.size(endpoints) + overhead
