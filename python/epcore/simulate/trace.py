"""Loads from files: a trace, that is CSV of events, or a recording of watches on an API server.

A trace has the columns ``time, service, key, event`` and, if wanted, ``node``; a heading line may name them in another
order. A recording is JSON lines ``{"t", "kind", "type", "object"}``. Both may be compressed (``.gz``, ``.xz``).
"""

import csv
import json
from dataclasses import dataclass, field
from io import TextIOWrapper
from itertools import chain, repeat
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, ClassVar, Final, TypeAlias

from epcore import View, reconcile
from epcore.packed import MAGIC, UNPACK_ERRORS, unpacker_of
from epcore.recorded import LARGEST_EVENT, seconds_of
from epcore.simulate.load import Change, Endpoints, Event, Load, LoadError, template_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from epcore.simulate.load import EventName

COLUMNS: Final = ("time", "service", "key", "event", "node")
_NEEDED: Final = 4
_PAUSE: Final = 0.2
"""Seconds: what a recording tells before the first pause was there when it began."""

Json: TypeAlias = dict[str, Any]


@dataclass(frozen=True)
class TraceFile:
    """A file to simulate. It is read wherever the simulation runs."""

    path: str
    copyable: ClassVar[bool] = False

    @property
    def name(self) -> str:
        """The file's own name."""
        return Path(self.path).name

    def load(self, seed: int = 0, copies: tuple[int, ...] = (0,)) -> Load:  # noqa: ARG002 - there is no chance in a file
        """Read the file. Raises :class:`LoadError` with file and line for anything that is neither."""
        try:
            with Path(self.path).open("rb") as file:
                unpack = unpacker_of(file.peek(MAGIC))
                # Unlike str.splitlines it ends no line at what JSON has within texts; spreadsheets begin with a mark.
                with TextIOWrapper(unpack(file) if unpack else file, encoding="utf-8-sig", newline=None) as text:
                    return self._read(_lines(text))
        except (ValueError, OSError, *UNPACK_ERRORS) as error:
            raise LoadError(f"{self.path}: {getattr(error, 'strerror', None) or error}") from None

    def _read(self, lines: "Iterator[str]") -> Load:
        empty, first = next((one for one in enumerate(lines) if one[1].strip()), (0, ""))
        read = read_recording if first.lstrip().startswith(("{", "[")) else read_trace
        return read(self.name, chain(repeat("\n", empty), [first], lines))


def _lines(text: IO[str]) -> "Iterator[str]":
    """Yield the lines of a file, with no more of it in memory than one. Raises ``ValueError`` with the line."""
    number = 1
    try:
        while line := text.readline(LARGEST_EVENT + 1):
            if len(line) > LARGEST_EVENT:
                raise ValueError(f"line {number}: an event of more than {LARGEST_EVENT:,} letters")
            yield line
            number += 1
    except UnicodeDecodeError as error:
        number += error.object.count(b"\n", 0, error.start)
        raise ValueError(f"line {number} is not UTF-8") from None


def read_trace(name: str, lines: "Iterable[str]") -> Load:
    """Read a trace. Raises :class:`LoadError` with the line for a row that is none, or tells what cannot be."""
    endpoints = Endpoints()
    columns: Sequence[str] = COLUMNS
    changes: list[Change] = []
    rows = csv.reader(lines, strict=True, skipinitialspace=True)
    first = True
    try:
        for row in rows:
            cells = [cell.strip() for cell in row]
            if not any(cells) or cells[0].startswith("#"):
                continue
            if first and set(COLUMNS[:_NEEDED]) <= {cell.lower() for cell in cells}:
                columns = tuple(cell.lower() for cell in cells)
            else:
                changes.append(endpoints.change(_event(columns, cells)))
            first = False
    except (LoadError, csv.Error) as error:
        raise LoadError(f"line {rows.line_num} {error}") from None
    if not changes:
        raise LoadError("holds no event")
    return Load(name, {service: template_of(service) for service in sorted({one.service for one in changes})}, changes)


def _event(columns: "Sequence[str]", cells: "Sequence[str]") -> Event:
    if not _NEEDED <= len(cells) <= len(columns):
        raise LoadError(f"has {len(cells)} columns, not {', '.join(columns)}")
    named = dict(zip(columns, cells, strict=False))
    try:
        time = seconds_of(named["time"])
    except ValueError:
        raise LoadError(f"has no number of seconds in column time: {named['time']!r}") from None
    event: EventName = named["event"]  # type: ignore[assignment]  # what it may be is checked where it is used
    return Event(time, named["service"], named["key"], event, named.get("node", ""))


def write_trace(events: "Iterable[Event]") -> "Iterator[str]":
    """Write events as the lines of a trace."""
    yield ",".join(COLUMNS)
    for event in events:
        yield f"{event.time:.6f},{event.service},{event.key},{event.event},{event.node}"


def read_recording(name: str, lines: "Iterable[str]") -> Load:
    """Read a recording: what the Pods of Services with selector ask for, and what the slices of others say.

    Raises :class:`LoadError` with the line for what is no event, or an object that the engine refuses.
    """
    recording = _Recording()
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            event = json.loads(line)
            kind = event.get("kind") or event["object"].get("kind")
            recording.add(seconds_of(event.get("t", 0.0)), kind, event["type"], event["object"])
        except (ValueError, RecursionError) as error:
            is_json = not isinstance(error, json.JSONDecodeError | RecursionError)
            what = f"is refused: {error}" if is_json else "is no JSON of an event"
            raise LoadError(f"line {number} {what}") from None
        except (KeyError, TypeError, AttributeError):
            raise LoadError(f"line {number} is no event with t, kind, type and object") from None
    changes = recording.changes()
    if not changes:
        raise LoadError("tells of no endpoint: it needs Services with their Pods, or EndpointSlices")
    services = sorted({change.service for change in changes})
    return Load(name, {service: recording.templates[service] for service in services}, changes)


@dataclass
class _Recording:
    """Follows the objects of a recording."""

    templates: dict[str, bytes] = field(default_factory=dict)
    """For each group of slices the slice without endpoints."""
    _groups: dict[str, str] = field(default_factory=dict)
    _objects: dict[str, dict[tuple[str, str], Json]] = field(default_factory=dict)
    """Pods and Nodes."""
    _services: dict[str, dict[tuple[str, str], Json]] = field(default_factory=dict)
    """By namespace, since each Pod is held against those of its own."""
    _by_pods: list[Change] = field(default_factory=list)
    _by_slices: list[tuple[str, Change]] = field(default_factory=list)
    _held: dict[tuple[str, str], dict[tuple[str, str], bytes]] = field(default_factory=dict)
    """For each Pod what it is in each group, by key."""
    _views: dict[str, View] = field(default_factory=dict)
    _told_as: dict[tuple[str, str], tuple[str, str]] = field(default_factory=dict)
    """For each slice its Service and its group."""
    _selecting: set[str] = field(default_factory=set)
    _last: float | None = None
    _begun: bool = False

    def add(self, time: float, kind: str, verb: str, item: Json) -> None:
        """Take one event."""
        if verb not in {"ADDED", "MODIFIED", "DELETED"} or kind not in {"Service", "Node", "Pod", "EndpointSlice"}:
            return
        last = time if self._last is None else self._last
        self._last = time = max(time, last)
        self._begun = self._begun or verb != "ADDED" or time - last > _PAUSE
        now = max(0.0, time) if self._begun else -1.0
        place = item["metadata"].get("namespace", ""), item["metadata"]["name"]
        if kind == "EndpointSlice":
            self._add_slice(now, verb, place, item)
            return
        known = self._services.setdefault(place[0], {}) if kind == "Service" else self._objects.setdefault(kind, {})
        known.pop(place, None)
        if verb != "DELETED":
            known[place] = item
        pods = self._objects.get("Pod", {})
        if kind == "Pod":
            self._look(now, place)
        elif kind == "Service":
            if item.get("spec", {}).get("selector"):
                self._selecting.add("/".join(place))
            for pod in [pod for pod in pods if pod[0] == place[0]]:
                self._look(now, pod)
        else:
            for pod in [pod for pod, one in pods.items() if one.get("spec", {}).get("nodeName") == place[1]]:
                self._look(now, pod)

    def changes(self) -> list[Change]:
        """List all changes; slices count where there is no selector, or no Pod was recorded."""
        if not self._by_pods:
            return [change for _, change in self._by_slices]
        others = [change for service, change in self._by_slices if service not in self._selecting]
        return sorted(self._by_pods + others, key=lambda change: change.time)

    def _look(self, time: float, place: tuple[str, str]) -> None:
        """Bring what one Pod is in each Service up to date."""
        before, after = self._held.pop(place, {}), self._endpoints(place)
        if after:
            self._held[place] = after
        for group, key in sorted(before.keys() | after.keys()):
            content = after.get((group, key))
            if content != before.get((group, key)):
                self._by_pods.append(Change(time, group, key, content))

    def _endpoints(self, place: tuple[str, str]) -> dict[tuple[str, str], bytes]:
        """Ask the engine what a Pod is in each Service of its namespace."""
        pod = self._objects["Pod"].get(place)
        found: dict[tuple[str, str], bytes] = {}
        if pod is None:
            return found
        labels = pod["metadata"].get("labels") or {}
        node = self._objects.get("Node", {}).get(("", pod.get("spec", {}).get("nodeName")), _node_of(pod))
        for service in self._services.get(place[0], {}).values():
            selector = service.get("spec", {}).get("selector")
            if selector and selector.items() <= labels.items():
                for slice_ in reconcile(service, [pod], [node]).result():
                    for endpoint in slice_.endpoints:
                        found[self._group(slice_.to_dict()), place[1]] = endpoint.to_json()
        return found

    def _add_slice(self, time: float, verb: str, place: tuple[str, str], item: Json) -> None:
        if not item.get("endpoints") and place not in self._told_as:
            return  # says nothing, not even the ports
        labels = item["metadata"].get("labels") or {}
        told = f"{place[0]}/{labels.get('kubernetes.io/service-name', '')}", self._group(item)
        events = [(told, verb)]
        if (before := self._told_as.get(place, told)) != told:
            events.insert(0, (before, "DELETED"))
        self._told_as[place] = told
        for (service, group), type_ in events:
            view = self._views.setdefault(group, View(key="address", fields="all"))
            delta = view.apply({"type": type_, "object": item})
            for change in (*delta.removed, *delta.updated, *delta.added):
                content = change.after.to_json() if change.after else None
                self._by_slices.append((service, Change(time, group, change.address, content)))

    def _group(self, item: "Mapping[str, Any]") -> str:
        """Name the group of a slice: its Service, and a number where a Service has several."""
        metadata = item["metadata"]
        labels = dict(metadata.get("labels") or {})
        service = labels.get("kubernetes.io/service-name", metadata.get("name", ""))
        kept = {"generateName": f"{service}-", "namespace": metadata.get("namespace", "")}
        kept |= {"labels": labels, "ownerReferences": metadata.get("ownerReferences") or []}
        head = {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": kept}
        body = {"addressType": item["addressType"], "endpoints": [], "ports": item.get("ports") or []}
        text = json.dumps({**head, **body}, separators=(",", ":"))
        ports = sorted(json.dumps(port, sort_keys=True) for port in item.get("ports") or ())
        group = json.dumps([kept["namespace"], service, item["addressType"], ports])
        if group not in self._groups:
            name = f"{kept['namespace']}/{service}"
            others = sum(one == name or one.startswith(f"{name} ") for one in self._groups.values())
            self._groups[group] = f"{name} {others + 1}" if others else name
            self.templates[self._groups[group]] = text.encode()
        return self._groups[group]


def _node_of(pod: Json) -> Json:
    """Stand in for a Node that was not recorded."""
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": pod.get("spec", {}).get("nodeName") or "unknown"}}
