"""A recording: what a watch saw, reduced to what a replay needs.

A recording is JSON lines ``{"t": seconds, "kind", "type", "object"}`` in the order in which the events arrived. It is
read once, line by line. Kept are: each distinct endpoint once, each write of a slice as an array of their numbers,
and of Services, Nodes and Pods only the history of what they ask for (:mod:`epcore.cli.witness`). So memory follows
the changes and not the size of the file.
"""

import json
from array import array
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from epcore.cli.catalog import Catalog, compact
from epcore.cli.failure import CommandError
from epcore.cli.inputs import lines
from epcore.cli.witness import Ports, Witness, port_key, revision_of
from epcore.recorded import LARGEST_EVENT, seconds_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from epcore.cli.inputs import Watch
    from epcore.types import Verb

SERVICE_LABEL: Final = "kubernetes.io/service-name"
MANAGER_LABEL: Final = "endpointslice.kubernetes.io/managed-by"
TRIGGER: Final = "endpoints.kubernetes.io/last-change-trigger-time"

_VERBS: Final[dict[str, "Verb"]] = {"ADDED": "create", "MODIFIED": "update", "DELETED": "delete"}
_WRITER_FIELDS: Final = ("name", "generateName", "namespace", "labels", "ownerReferences")
"""Metadata that a writer of slices decides. The rest comes from the API server, or tells the time of the trigger."""

Numbers: TypeAlias = "array[int]"


class Lane(NamedTuple):
    """The slices that one controller writes in one go: of one Service and address type."""

    namespace: str
    service: str
    manager: str
    address_type: str


@dataclass(frozen=True, slots=True)
class SliceEvent:
    """One write of a slice, as a watcher saw it."""

    order: int
    """Position among all writes of the recording."""
    time: float
    verb: "Verb"
    name: str
    ports: Ports
    endpoints: Numbers
    """Numbers in the catalog. For a delete those of the last state."""
    template: bytes
    """The slice as a writer makes it, without name and endpoints."""
    size: int
    """Bytes of the whole object as JSON."""
    overhead: int
    """Those of them that no writer decides, or that depend on the moment: uid, resourceVersion, trigger time, ..."""
    trigger: str | None
    revision: int
    """``resourceVersion``, 0 where it is no number."""
    generation: int


class _Held(NamedTuple):
    """A slice as it was told last."""

    lane: Lane
    event: SliceEvent
    version: str


class Recording:
    """What a recording holds, by lane."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.catalog = Catalog()
        self.lanes: dict[Lane, list[SliceEvent]] = {}
        self.witness = Witness()
        self.endpoints_objects = 0
        """Events of legacy Endpoints objects."""
        self.endpoints_bytes = 0
        self._count = 0
        """Writes that were noted."""
        self._held: dict[tuple[str, str], _Held] = {}
        self._templates: dict[bytes, bytes] = {}
        self._ports: dict[Ports, Ports] = {}

    @property
    def largest(self) -> int:
        """The most endpoints that any slice held."""
        return max((len(event.endpoints) for events in self.lanes.values() for event in events), default=0)

    def is_primary(self, lane: Lane) -> bool:
        """Tell whether the lane is of the family that the legacy Endpoints object of its Service holds."""
        families = self.witness.families(lane.namespace, lane.service)
        if families:
            return lane.address_type == families[0]
        peers = {peer.address_type for peer in self.lanes if peer[:2] == lane[:2]}
        return lane.address_type == ("IPv4" if "IPv4" in peers else min(peers))

    def add(self, time: float, kind: str, verb: str, item: dict[str, Any]) -> None:
        """Take one event; kinds and event types that tell a replay nothing (``BOOKMARK``) are passed over."""
        if verb not in _VERBS:
            return
        if kind == "EndpointSlice":
            self._add_slice(time, item, deleted=verb == "DELETED")
        elif kind == "Endpoints":
            self.endpoints_objects += 1
            self.endpoints_bytes += len(compact(item))
        else:
            self.witness.add(kind, item, deleted=verb == "DELETED")

    def _add_slice(self, time: float, item: dict[str, Any], *, deleted: bool) -> None:
        metadata = item["metadata"]
        place = metadata.get("namespace", ""), metadata["name"]
        version = str(metadata.get("resourceVersion", self._count))
        held = self._held.get(place)
        if deleted and held is None:
            return  # it was gone before the recording began to tell of it
        if not deleted and held is not None and held.version == version:
            return  # a watch that began anew tells again what is there
        lane, event = _lane_of(item), self._event(time, item)
        if held is not None and (deleted or held.lane != lane):
            # Whoever reads one Service sees a slice that passes to another one go, and come there.
            was = held.event
            self._note(
                held.lane,
                replace(event, verb="delete", ports=was.ports, endpoints=was.endpoints, template=was.template),
            )
            del self._held[place]
            event = replace(event, generation=0)
        if not deleted:
            event = replace(event, order=self._count, verb="update" if place in self._held else "create")
            self._held[place] = _Held(lane, event, version)
            self._note(lane, event)

    def _note(self, lane: Lane, event: SliceEvent) -> None:
        self.lanes.setdefault(lane, []).append(replace(event, order=self._count))
        self._count += 1

    def _event(self, time: float, item: dict[str, Any]) -> SliceEvent:
        """Keep of a slice what a replay needs."""
        metadata = item["metadata"]
        written = {field: metadata[field] for field in _WRITER_FIELDS if field in metadata}
        template, ports = _template_of(item, written), port_key(item.get("ports"))
        return SliceEvent(
            order=self._count,
            time=time,
            verb="create",
            name=metadata["name"],
            ports=self._ports.setdefault(ports, ports),
            endpoints=array("L", map(self.catalog.add, item.get("endpoints") or ())),
            template=self._templates.setdefault(template, template),
            size=len(compact(item)),
            overhead=len(compact(metadata)) - len(compact(written)),
            trigger=(metadata.get("annotations") or {}).get(TRIGGER),
            revision=revision_of(item),
            generation=int(metadata.get("generation") or 0),
        )


def _lane_of(item: dict[str, Any]) -> Lane:
    metadata = item["metadata"]
    labels = metadata.get("labels") or {}
    service, manager = labels.get(SERVICE_LABEL, ""), labels.get(MANAGER_LABEL, "")
    return Lane(metadata.get("namespace", ""), service, manager, item["addressType"])


def _template_of(item: dict[str, Any], written: dict[str, Any]) -> bytes:
    """Write a slice as a writer makes it, without name and endpoints."""
    pattern = (written.get("labels") or {}).get(SERVICE_LABEL, "") or written["name"]
    return compact(
        {
            "apiVersion": item.get("apiVersion", "discovery.k8s.io/v1"),
            "kind": "EndpointSlice",
            "metadata": {"generateName": f"{pattern}-"}
            | {field: value for field, value in written.items() if field != "name"},
            "addressType": item["addressType"],
            "endpoints": [],
            "ports": item.get("ports"),
        }
    )


def read_recording(name: str, watch: "Watch | None" = None) -> Recording:
    """Read a recording. Raises ``CommandError`` with file and line for anything that is not one."""
    recording = Recording(name)
    for number, event in _events(name, watch):
        try:
            item = event["object"]
            kind = event.get("kind") or item.get("kind") or ""
            recording.add(seconds_of(event.get("t", 0.0)), kind, event["type"], item)
        except (LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
            what = f"has no {error}" if isinstance(error, KeyError) else f"is malformed ({error})"
            raise CommandError(f"{name}: the event in line {number} {what}") from None
    if not recording.lanes:
        raise CommandError(f"{name}: holds no event of an EndpointSlice, so there is nothing to replay")
    return recording


def _events(name: str, watch: "Watch | None") -> "Iterator[tuple[int, dict[str, Any]]]":
    for number, line in enumerate(lines(name, watch, longest=LARGEST_EVENT + 1), start=1):
        if len(line) > LARGEST_EVENT:
            raise CommandError(f"{name}: line {number}: an event of more than {LARGEST_EVENT:,} bytes")
        if line.isspace():
            continue
        try:
            event = json.loads(line)
        except (ValueError, RecursionError):
            raise CommandError(f"{name}: line {number} is not JSON; a recording is JSON lines") from None
        if not isinstance(event, dict):
            raise CommandError(
                f"{name}: line {number} is no event: a recording is JSON lines with t, kind, type, object"
            )
        yield number, event
