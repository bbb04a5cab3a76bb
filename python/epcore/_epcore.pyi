"""Type stubs and reference documentation of the native module.

Every name here is re-exported by :mod:`epcore`; import it from there.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Final, Protocol, Self, TypeAlias, final, overload

from epcore.types import (
    AddressReuse,
    AddressTypeName,
    ChangeCostDict,
    CohortName,
    CompactionOrder,
    DiffKey,
    EndpointDict,
    EventDict,
    FamilyName,
    FieldMask,
    FindingDict,
    HintState,
    IdleMoves,
    LintRule,
    Naming,
    ObjectKind,
    Outcome,
    PolicyName,
    Reason,
    Replace,
    Severity,
    SliceDict,
    SlotAction,
    SlotState,
    TrafficPolicy,
    TriggerTimeDict,
    Verb,
    WriteReason,
)

__version__: Final[str]

class SupportsToDict(Protocol):
    """An object that can show itself as a mapping, as the models of Kubernetes clients do."""

    def to_dict(self) -> Any: ...

JsonBytes: TypeAlias = bytes | bytearray | memoryview | str
"""A JSON document. ``bytes`` are read in place, as is a ``str`` of ASCII; any other is encoded or copied first."""

SlicesInput: TypeAlias = JsonBytes | SliceSet | Mapping[str, Any] | SupportsToDict | Sequence[Any]
"""Slices in any form :meth:`SliceSet.from_json` or :meth:`SliceSet.from_objects` takes."""

ObjectInput: TypeAlias = JsonBytes | Mapping[str, Any] | SupportsToDict
"""One object of the API."""

EndpointsObjectInput: TypeAlias = LegacyEndpoints | ObjectInput
"""A ``v1`` Endpoints object."""

ObjectsInput: TypeAlias = JsonBytes | Mapping[str, Any] | SupportsToDict | Sequence[Any]
"""Objects of the API: one, a list of the API, an array or JSON lines, or a sequence of them."""

PublishedInput: TypeAlias = JsonBytes | EndpointSet | Sequence[str | Mapping[str, Any] | SupportsToDict]
"""Endpoints as :func:`publish` takes them."""

EndpointsInput: TypeAlias = JsonBytes | EndpointSet | SliceSet | Mapping[str, Any] | SupportsToDict | Sequence[Any]
"""Endpoints in any form :meth:`EndpointSet.from_json` or :meth:`EndpointSet.from_objects` takes."""

@final
class SliceSet(Sequence[EndpointSlice]):
    """Parsed EndpointSlices: an immutable sequence of :class:`EndpointSlice` records.

    Parse once and use the handle wherever slices are taken; records are made when asked for.
    """

    @staticmethod
    def from_json(data: JsonBytes) -> SliceSet:
        """Read ``discovery.k8s.io/v1`` slices from JSON, or from Kubernetes' protobuf.

        Takes one EndpointSlice, an ``EndpointSliceList``, a ``v1`` ``List``, an array, JSON lines, or
        watch events (which are folded: the result holds what is there after the last event). Of
        ``application/vnd.kubernetes.protobuf`` it takes an EndpointSlice or an ``EndpointSliceList`` in its
        envelope, or whole frames of a watch, each with its length. Bytes tell what they are.

        Raises ``InvalidInputError`` with ``path`` and ``offset`` (bytes), ``LimitError`` where a limit of
        the API is passed.
        """
    @staticmethod
    def from_objects(objects: Mapping[str, Any] | SupportsToDict | Sequence[Any]) -> SliceSet:
        """Read slices from mappings, sequences of them, and objects with ``to_dict()``.

        Lists of dicts are read as they are; anything else becomes JSON first. Raises as :meth:`from_json`, with the
        path and no byte; ``TypeError``, with the path, where something has no form in JSON; and whatever code of the
        objects raises.
        """
    @staticmethod
    def from_pages(pages: Iterable[SlicesInput]) -> SliceSet:
        """Read a list that comes in pages, as the API server sends it where ``limit`` is asked for.

        Each page is let go before the next one is asked for, so that a generator needs memory for one page beside what
        was read. Raises as :meth:`from_json`, with the path and byte in the page, whose number is a note of the
        exception; and whatever the iterable raises.

        >>> import epcore
        >>> slice = b'{"addressType": "IPv4", "endpoints": [], "ports": []}'
        >>> epcore.SliceSet.from_pages(b"[%s]" % slice for page in range(3))
        <SliceSet: 3 slices, 0 endpoints>
        """
    def refresh(self, data: SlicesInput) -> SliceSet:
        """Read the next list, and of it only what changed: the cheap way to list again and again.

        The result equals ``SliceSet.from_json(data)``, errors too, whatever ``data`` is, and this set stays
        what it was. An object with the same bytes as in the list of this set costs their comparison, wherever
        the list has grown or shrunk, and its record is shared by both sets. Of a slice that changed, in JSON an
        endpoint with the same bytes costs their comparison and a copy of what is known of it. The first ``refresh``
        after ``from_json`` reads everything, as only a refreshed set keeps its document (``bytes`` and ``str`` without
        a copy).
        """
    def to_json(self) -> bytes:
        """Write an ``EndpointSliceList`` with every field that was read, in canonical form.

        Fields of protobuf that epcore does not know have no name, so that JSON is without them.
        """
    def to_protobuf(self) -> bytes:
        """Write an ``EndpointSliceList`` as ``application/vnd.kubernetes.protobuf``, fields nobody knew too.

        The bytes are those that Kubernetes' own library writes of :meth:`to_json`. Raises ``InvalidInputError`` with
        ``path`` where a field that came from JSON is not in Kubernetes' protobuf.

        >>> import epcore
        >>> slices = epcore.SliceSet.from_objects({"addressType": "IPv4", "endpoints": [], "ports": []})
        >>> epcore.SliceSet.from_json(slices.to_protobuf()) == slices
        True
        """
    def to_dicts(self) -> list[SliceDict]:
        """All slices as plain dicts."""
    def __len__(self) -> int: ...
    @overload
    def __getitem__(self, index: int, /) -> EndpointSlice: ...
    @overload
    def __getitem__(self, index: slice, /) -> SliceSet: ...
    def __iter__(self) -> Iterator[EndpointSlice]: ...
    def __reversed__(self) -> Iterator[EndpointSlice]: ...
    def __contains__(self, value: object, /) -> bool: ...
    def count(self, value: object) -> int:
        """How many records equal ``value``."""
    def index(self, value: object, start: int = 0, stop: int | None = None) -> int:
        """The index of the first record that equals ``value``, between two indices; ``ValueError`` if there is none."""
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __reduce__(self) -> tuple[Any, ...]: ...

@final
class EndpointSlice:
    """One EndpointSlice, read only."""

    @property
    def name(self) -> str | None: ...
    @property
    def generate_name(self) -> str | None: ...
    @property
    def namespace(self) -> str | None: ...
    @property
    def service(self) -> str | None:
        """The value of the label ``kubernetes.io/service-name``."""
    @property
    def address_type(self) -> AddressTypeName: ...
    @property
    def labels(self) -> dict[str, str]: ...
    @property
    def annotations(self) -> dict[str, str]: ...
    @property
    def endpoints(self) -> EndpointSet:
        """The endpoints, in the order of the slice."""
    def to_json(self) -> bytes: ...
    def to_protobuf(self) -> bytes:
        """Write the slice in its envelope, as :meth:`SliceSet.to_protobuf` does the list."""
    def to_dict(self) -> SliceDict: ...
    def __len__(self) -> int:
        """The number of endpoints."""
    def __bool__(self) -> bool:
        """Return true, also for a slice without endpoints."""
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __reduce__(self) -> tuple[Any, ...]: ...

@final
class EndpointSet(Sequence[Endpoint]):
    """Parsed endpoints: an immutable sequence of :class:`Endpoint` records."""

    @staticmethod
    def from_json(data: JsonBytes) -> EndpointSet:
        """Read endpoints from JSON: an array or lines of endpoints, or slices, whose endpoints are taken."""
    @staticmethod
    def from_objects(objects: Mapping[str, Any] | SupportsToDict | Sequence[Any]) -> EndpointSet:
        """Read endpoints as :meth:`SliceSet.from_objects` reads slices."""
    def to_json(self) -> bytes:
        """Write a JSON array."""
    def to_dicts(self) -> list[EndpointDict]: ...
    def __len__(self) -> int: ...
    @overload
    def __getitem__(self, index: int, /) -> Endpoint: ...
    @overload
    def __getitem__(self, index: slice, /) -> EndpointSet: ...
    def __iter__(self) -> Iterator[Endpoint]: ...
    def __reversed__(self) -> Iterator[Endpoint]: ...
    def __contains__(self, value: object, /) -> bool: ...
    def count(self, value: object) -> int:
        """How many records equal ``value``."""
    def index(self, value: object, start: int = 0, stop: int | None = None) -> int:
        """The index of the first record that equals ``value``, between two indices; ``ValueError`` if there is none."""
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __reduce__(self) -> tuple[Any, ...]: ...

@final
class Endpoint:
    """One endpoint, read only. ``None`` means that the field is not set."""

    @property
    def addresses(self) -> list[str]:
        """Canonical text of each address."""
    @property
    def ready(self) -> bool | None: ...
    @property
    def serving(self) -> bool | None: ...
    @property
    def terminating(self) -> bool | None: ...
    @property
    def hostname(self) -> str | None: ...
    @property
    def node_name(self) -> str | None: ...
    @property
    def zone(self) -> str | None: ...
    @property
    def target_name(self) -> str | None: ...
    @property
    def target_namespace(self) -> str | None: ...
    @property
    def target_uid(self) -> str | None: ...
    def to_json(self) -> bytes: ...
    def to_dict(self) -> EndpointDict: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __reduce__(self) -> tuple[Any, ...]: ...

@final
class Policy:
    """How to choose among clean slices and new ones when the dirty slices are full.

    Three forms. ``Policy(threshold=0.75)`` stays at the write floor and opens a new slice rather than send
    again a slice that is fuller than ``threshold`` times the maximum. ``Policy(write=..., byte=...,
    watchers=..., slice=...)`` gives prices, in any one currency, and takes the cheapest plan exactly.
    ``Policy(spare=0.25)`` is ``"lifecycle"`` with more slices and fewer bytes: endpoints that take no traffic may move
    to a slice that will change when they do. Such moves are in ``Plan.moves``; the slice that they leave is written
    before the one that takes them. No endpoint that is ready changes its slice, and one that still serves stays while
    no other is ready throughout.

    :param threshold: 0.0 to 1.0, fraction of the maximum.
    :param write: price of one API write.
    :param byte: price of one byte sent to one watcher.
    :param watchers: number of watchers of the slices.
    :param slice: price of one more slice kept.
    :param spare: density against bytes, 0.0 or more: while there are at most ``1 + spare`` times the fewest slices that
        hold the endpoints that stay (not those that leave, or are not ready yet), a new slice costs no more than its
        write. Above that it is dear; above ``1 + spare`` times the fewest that hold all, plus 1, none is opened that
        could be done without, but one for what is leaving where nothing is new. ``"lifecycle"`` is 0.0.
    :param moves: who may move: ``"not-ready"`` (default), or only what is ``"not-serving"`` either, for those who
        fear for connections that drain.

    Raises ``InvalidInputError`` for a number that is out of range or not finite, ``ValueError`` for none of the forms
    or a mix of them.
    """

    def __new__(
        cls,
        *,
        threshold: float | None = None,
        write: float | None = None,
        byte: float | None = None,
        watchers: int | None = None,
        slice: float | None = None,
        spare: float | None = None,
        moves: IdleMoves | None = None,
    ) -> Self: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __reduce__(self) -> tuple[Any, ...]: ...

@final
class Compaction:
    """Permission to move live endpoints so that slices stay few.

    Keeps ``slices <= (1 + epsilon) * endpoints / max_endpoints + 2`` for the group, as far as ``max_moves`` allows.

    :param epsilon: slack, 0.0 or more.
    :param max_moves: most endpoints moved in one call; ``None`` is no limit.
    :param order: ``"make-before-break"`` writes the new place first, ``"break-before-make"`` the old one,
        ``"make-break-touch"`` the new, the old, and the new once more.
    """

    def __new__(
        cls,
        *,
        epsilon: float = 0.25,
        max_moves: int | None = None,
        order: CompactionOrder = "make-before-break",
    ) -> Self: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __reduce__(self) -> tuple[Any, ...]: ...

@final
class Stats:
    """Exact counts of a plan."""

    @property
    def creates(self) -> int: ...
    @property
    def updates(self) -> int: ...
    @property
    def deletes(self) -> int: ...
    @property
    def writes(self) -> int: ...
    @property
    def write_floor(self) -> int:
        """The fewest writes any plan without moves could need: dirty slices plus ``ceil(overflow / max)``."""
    @property
    def bytes(self) -> int:
        """Bytes one watcher receives: JSON size of each object written, the last state for a delete."""
    @property
    def endpoints_added(self) -> int: ...
    @property
    def endpoints_updated(self) -> int: ...
    @property
    def endpoints_removed(self) -> int: ...
    @property
    def endpoints_moved(self) -> int: ...
    @property
    def endpoints_resent(self) -> int:
        """Unchanged endpoints that are part of a written object."""
    @property
    def slices_before(self) -> int: ...
    @property
    def slices_after(self) -> int: ...
    @property
    def slices_ideal(self) -> int:
        """``ceil(endpoints / max_endpoints)``."""
    @property
    def address_reuse_unordered(self) -> int:
        """Addresses that pass to another target by one write, as no order avoids it without a further one."""
    def to_dict(self) -> dict[str, int]: ...
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class Write:
    """One API call of a plan."""

    @property
    def verb(self) -> Verb: ...
    @property
    def namespace(self) -> str | None: ...
    @property
    def name(self) -> str | None:
        """``None`` for a create that leaves the name to the API server (``metadata.generateName``)."""
    @property
    def reasons(self) -> list[WriteReason]: ...
    @property
    def slice(self) -> EndpointSlice:
        """The object to send; for a delete its last known state."""
    def to_json(self) -> bytes:
        """The object to send as JSON; for a delete its last known state."""
    def to_protobuf(self) -> bytes:
        """The same as ``application/vnd.kubernetes.protobuf``; errors as of :meth:`SliceSet.to_protobuf`."""
    def to_dict(self) -> SliceDict: ...

@final
class Move:
    """One endpoint that changes its slice."""

    @property
    def endpoint(self) -> Endpoint: ...
    @property
    def source(self) -> str: ...
    @property
    def target(self) -> str | None:
        """Name of the slice it goes to; ``None`` for a slice without a name yet."""

@final
class Plan:
    """Ordered writes that make the slices hold what is wanted. True if there is anything to write."""

    @property
    def writes(self) -> Sequence[Write]: ...
    @property
    def moves(self) -> Sequence[Move]: ...
    @property
    def stats(self) -> Stats: ...
    @property
    def errors(self) -> list[str]:
        """What :func:`reconcile` could not publish, and why; the rest of the plan is good."""
    @property
    def events(self) -> list[EventDict]:
        """What :func:`reconcile` would tell people by Events on the Service."""
    @property
    def hints(self) -> HintState:
        """State for the next call of :func:`reconcile`; only the annotation ``Auto`` needs it."""
    def result(self) -> SliceSet:
        """All slices of the group after the last write, sorted by name, created ones last."""
    def prefix(self, writes: int) -> SliceSet:
        """The slices after the first ``writes`` writes, or after all if there are fewer."""
    def to_json(self) -> bytes:
        """Give ``{"writes": [{"verb", "namespace", "name", "reasons", "object"}], "stats": {...}}``.

        A create that the API server is to name has no ``name``.
        """
    def to_dict(self) -> dict[str, Any]: ...
    def __bool__(self) -> bool: ...
    def __len__(self) -> int: ...

def pack(
    endpoints: EndpointsInput,
    existing: SlicesInput = (),
    *,
    template: SlicesInput | None = None,
    max_endpoints: int = 100,
    max_bytes: int = 1_500_000,
    policy: PolicyName | Policy = "balanced",
    cohort: CohortName | str | None = "auto",
    compaction: Compaction | None = None,
    address_reuse: AddressReuse = "ordered",
    replace: Replace = "safe",
    naming: Naming = "generate",
    trigger_time: str | None = None,
) -> Plan:
    """Plan the writes that make the slices of one group hold ``endpoints``, with the least churn.

    A group is the slices of one Service with one address type and one set of ports. Endpoints that are still
    wanted keep their slice and their order in it; a changed one is replaced where it stands; slices that must be
    written anyway are filled first; what is left goes where ``policy`` finds it cheapest, exactly.

    :param endpoints: what should be there.
    :param existing: what is there. Duplicates, overfull, empty and stale slices are healed.
    :param template: a slice without endpoints: namespace, ``generateName``, labels, owner references, ports and address
        type of the group. Left out, it is taken from the existing slices, which must then agree.
    :param max_endpoints: 1 to 1000.
    :param max_bytes: largest JSON size of one slice, in bytes, without what the API server adds by itself (``uid``,
        ``resourceVersion``, ``creationTimestamp``, ``generation``, ``managedFields``: about 1,000).
    :param policy: ``"balanced"``, ``"dense"``, ``"lean"``, ``"lifecycle"`` (endpoints that take no traffic may move,
        for fewer writes over time), ``"upstream"`` (Kubernetes' counts exactly) or a :class:`Policy`.
    :param cohort: which endpoints are likely to change together and should share a slice where that costs no write:
        ``"auto"``, ``"node"``, ``"zone"``, ``"revision"``, a field path (``"nodeName"``, ``"hostname"``,
        ``"targetRef.kind"``, ``"targetRef.namespace"``, ``"targetRef.name"``), or ``None``. Any other word is the name
        of a further field: endpoints that do not have it are in no cohort, so a slip goes unnoticed (see
        :func:`cohort_of`).
    :param compaction: permission to move live endpoints.
    :param address_reuse: ``"ordered"`` lets an address leave its old target in an earlier write than it comes back in,
        where that costs no write; ``"strict"`` always, with a further write if it must, but for slices and endpoints
        that groups of :func:`publish` or :func:`reconcile` exchange.
    :param replace: slices with other ports or of another Service are replaced, new ones first (``"safe"``), or
        rewritten in place (``"recycle"``, as Kubernetes does; implied by policy ``"upstream"``).
    :param naming: ``"generate"`` leaves names of new slices to the API server, but for those that the plan writes a
        second time; ``"deterministic"`` derives them from their content.
    :param trigger_time: RFC 3339 value for the annotation ``endpoints.kubernetes.io/last-change-trigger-time`` of
        every slice written; left out, it stays as it is.

    The plan depends on the content of the input, never on its order. Slices with a ``deletionTimestamp`` do not count.
    Cost: O(n), a hash look-up for each endpoint; O(1) where two handles that were given before hold the same.

    Raises ``InvalidInputError`` for input that the API would refuse, slices of another namespace or writer, a
    negative number, or a missing template; ``LimitError`` for a limit of the API or of the caller; ``ValueError`` for
    an unknown word, but for ``cohort``; ``TypeError`` for a wrong type.
    Source: upstream ``reconcileByPortMapping``; the optimum is argued in ``DESIGN.md``.
    """

def publish(
    service: ObjectInput,
    endpoints: PublishedInput,
    existing: SlicesInput = (),
    *,
    managed_by: str,
    max_endpoints: int = 100,
    max_bytes: int = 1_500_000,
    policy: PolicyName | Policy = "balanced",
    cohort: CohortName | str | None = "auto",
    compaction: Compaction | None = None,
    address_reuse: AddressReuse = "ordered",
    replace: Replace = "safe",
    naming: Naming = "generate",
    trigger_time: str | None = None,
) -> Plan:
    """Plan the slices of a Service without selector, whose endpoints come from outside: databases, VMs, other clusters.

    Makes one group for each address type and set of ports, with labels and owner of the Service. Only its slices with
    this ``managed_by`` count; an address that is no longer given is removed. Everything is checked before anything is
    planned.

    :param service: a ``v1`` Service. Labels are taken from it; with a ``uid`` it becomes the owner.
    :param endpoints: each a string (``"10.0.0.5"``, ``"10.0.0.5:5432"``, ``"[2001:db8::1]:443"``,
        ``"db.example.org:5432"``); or a mapping with ``address`` (as such a string) and, as needed, ``port`` (a
        number), ``ports`` (numbers by the name of the Service's port, or ports as the API has them), ``ready``,
        ``serving``, ``terminating``, ``zone``, ``nodeName``, ``hostname``, ``targetRef``, ``hints``; or an endpoint as
        the API has it, with ``port`` or ``ports`` beside. Without a port the Service's ``targetPort`` holds. An IP
        address may be in any spelling that slices may have been stored in (``"010.0.0.5"`` is ``"10.0.0.5"``); it is
        written in the one that API servers still take.
    :param existing: what is there.
    :param managed_by: value of the label ``endpointslice.kubernetes.io/managed-by``, not one of Kubernetes' own.

    Cost: O(n); O(1) where two handles that were given before hold the same, and all endpoints are of one group.

    The other parameters are those of :func:`pack`. Raises as :func:`pack`, and ``InvalidInputError`` for a Service with
    selector or of type ``ExternalName``, and for ports that the Service does not have.
    """

def reconcile(
    service: ObjectInput,
    pods: ObjectsInput,
    nodes: ObjectsInput,
    existing: SlicesInput = (),
    *,
    controller: str = "endpointslice-controller.k8s.io",
    hints: HintState | None = None,
    max_endpoints: int = 100,
    max_bytes: int = 1_500_000,
    policy: PolicyName | Policy = "balanced",
    cohort: CohortName | str | None = "auto",
    compaction: Compaction | None = None,
    address_reuse: AddressReuse = "ordered",
    replace: Replace = "recycle",
    naming: Naming = "generate",
    trigger_time: str | None = None,
) -> Plan:
    """Plan the slices of a Service with selector from its Pods and their Nodes, by Kubernetes' rules.

    With ``policy="upstream"`` the counts of writes and the contents are those of Kubernetes' own library; with any
    other the endpoints are the same, and without options that ask for more the writes never more, but to mend overfull
    slices and duplicated endpoints, for single steps by prices, of ``"lifecycle"``, and with the annotation ``Auto``,
    where hints may pass from one slice to another. With that annotation and a ready endpoint without zone
    ``"upstream"`` writes each time, as Kubernetes does, slices that stay as they are; no other policy does. Pods of
    another namespace or that the selector does not match are left out, as are slices of other Services, of another
    ``controller``, or being deleted. A Service without selector, or of type ``ExternalName``, needs nothing; for one
    that is being deleted no slice is created.

    :param service: a ``v1`` Service.
    :param pods: Pods; those of the whole namespace will do.
    :param nodes: Nodes, for zones and shares of CPU. A Pod on another node is left out and told in ``Plan.errors``,
        unless the Service publishes what is not ready.
    :param existing: what is there.
    :param controller: value of the label ``endpointslice.kubernetes.io/managed-by``.
    :param hints: ``Plan.hints`` of the last call.
    :param replace: ``"recycle"`` rewrites slices in place, as Kubernetes does: an endpoint whose Pod changes its ports
        may be missing between two writes. ``"safe"`` brings it in before it goes, where that may cost writes.
    :param trigger_time: as for :func:`pack`; left out, the annotation is taken away from every slice written.

    The other parameters are those of :func:`pack`. Under ``"upstream"`` neither ``compaction`` nor ``address_reuse``
    nor ``cohort`` has a meaning, and hints are not counted in ``max_bytes``. Raises as :func:`pack`, with paths that
    begin with ``service``, ``pods``, ``nodes`` or ``slices``. Cost: O(n).
    Source: ``k8s.io/endpointslice`` 0.37; what differs on purpose is in ``DESIGN.md``.
    """

@final
class LegacyEndpoints:
    """A ``v1`` Endpoints object, the API before slices: all addresses of a Service, by their ports. Immutable."""

    @staticmethod
    def from_json(data: JsonBytes) -> LegacyEndpoints:
        """Read the object from JSON. Raises ``InvalidInputError`` with path and byte offset."""
    @staticmethod
    def from_object(object: Mapping[str, Any] | SupportsToDict) -> LegacyEndpoints:
        """Read the object from a mapping or a client's model. Raises ``InvalidInputError`` with the path."""
    def repack(self) -> LegacyEndpoints:
        """Give the same with subsets in canonical form, as Kubernetes writes it (upstream ``RepackSubsets``).

        Each port is there once, ports with the same addresses are together, an address that is ready and not ready is
        not, and all is sorted.
        """
    @property
    def name(self) -> str:
        """Name of the object, which is that of the Service."""
    @property
    def namespace(self) -> str | None: ...
    @property
    def labels(self) -> dict[str, str]: ...
    @property
    def annotations(self) -> dict[str, str]: ...
    @property
    def ready(self) -> int:
        """Addresses that are ready, over all subsets."""
    @property
    def not_ready(self) -> int: ...
    @property
    def truncated(self) -> bool:
        """Addresses were left out because there were more than 1000."""
    def to_json(self) -> bytes: ...
    def to_dict(self) -> dict[str, Any]: ...
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]
    def __reduce__(self) -> tuple[Any, ...]: ...

@final
class EndpointsPlan:
    """What to write of the Endpoints of a Service. True if there is something to write."""

    @property
    def verb(self) -> Verb | None:
        """``"create"``, ``"update"``, or ``None``."""
    @property
    def object(self) -> LegacyEndpoints | None:
        """The object as it should be; ``None`` if the Service has none."""
    @property
    def errors(self) -> list[str]:
        """Pods that were left out, and why."""
    def __bool__(self) -> bool: ...

def build_endpoints(
    service: ObjectInput,
    pods: ObjectsInput,
    existing: EndpointsObjectInput | None = None,
    *,
    trigger_time: str | None = None,
) -> EndpointsPlan:
    """Make the Endpoints object that Kubernetes writes for a Service with selector, for readers that know no slices.

    It has the Service's first family alone, no Pod that is terminating (unless the Service publishes what is not
    ready), and at most 1000 addresses, ready ones first; subsets, ports and addresses are in the order that Kubernetes
    gives them. A Service without selector or of type ``ExternalName`` needs nothing.

    :param service: a ``v1`` Service.
    :param pods: Pods; those of the whole namespace will do.
    :param existing: the object that is there.
    :param trigger_time: value of the annotation ``endpoints.kubernetes.io/last-change-trigger-time``; left out, it is
        taken away where the object is written.

    Raises ``InvalidInputError`` with paths that begin with ``service``, ``pods`` or ``existing``; ``TypeError`` as
    :func:`pack`. Cost: O(n log n).
    Source: the Endpoints controller of ``k8s.io/kubernetes`` 1.37; what differs on purpose is in ``DESIGN.md``.
    """

def merge_endpoints(slices: SlicesInput, *, family: FamilyName | None = None) -> LegacyEndpoints:
    """Make the Endpoints object that says what slices of one Service say, for readers that know no slices.

    Endpoints that are terminating and not ready are left out, and what is above 1000 addresses. The object bears the
    label ``endpointslice.kubernetes.io/skip-mirror``, so that Kubernetes makes no slices of it again.

    :param slices: all slices of one Service.
    :param family: which addresses; needed where there are two families. Take the Service's first.

    Raises ``InvalidInputError`` for slices of several Services, without one, or of domain names.
    """

def mirror(
    service: ObjectInput | None,
    endpoints_object: EndpointsObjectInput | None,
    existing: SlicesInput = (),
    *,
    controller: str = "endpointslicemirroring-controller.k8s.io",
    max_endpoints: int = 100,
    max_bytes: int = 1_500_000,
    policy: PolicyName | Policy = "balanced",
    cohort: CohortName | str | None = "auto",
    compaction: Compaction | None = None,
    address_reuse: AddressReuse = "ordered",
    replace: Replace = "recycle",
    naming: Naming = "generate",
    trigger_time: str | None = None,
) -> Plan:
    """Plan the slices that mirror Endpoints which somebody wrote for a Service without selector.

    With ``policy="upstream"`` it does what Kubernetes does: one slice for each family and set of ports, rewritten
    whole, with at most ``max_endpoints`` addresses of each subset, ready ones first (1000 if not given). With any other
    policy all addresses are mirrored, in slices of ``max_endpoints``, and endpoints keep their slices. Labels and
    annotations are those of the Endpoints, which own the slices.

    Mirrored slices are deleted if ``service`` or ``endpoints_object`` is ``None``, the Service has a selector, or the
    Endpoints bear the label ``endpointslice.kubernetes.io/skip-mirror: "true"`` or a leader's lock. Addresses that the
    API refuses, or that are too many, are told in ``Plan.events``.

    :param service: the Service, or ``None`` if it is not there.
    :param endpoints_object: the Endpoints, or ``None`` if they are not there.
    :param existing: what is there.
    :param controller: value of the label ``endpointslice.kubernetes.io/managed-by``; other slices are left alone.

    The other parameters are those of :func:`pack`. Raises as :func:`pack`, with paths that begin with ``service``,
    ``endpoints`` or ``slices``; ``InvalidInputError`` if both are ``None``, or they are not of one name.
    Source: the mirroring controller of ``k8s.io/kubernetes`` 1.37; what differs on purpose is in ``DESIGN.md``.
    """

@final
class ChangeCost:
    """Bytes that are sent when one endpoint changes, as JSON, without what a watch puts around objects."""

    @property
    def endpoints(self) -> int: ...
    @property
    def slices(self) -> int: ...
    @property
    def watchers(self) -> int: ...
    @property
    def slice_bytes(self) -> int:
        """To one watcher of slices: the slice that holds the endpoint, on average over the endpoints."""
    @property
    def slice_bytes_most(self) -> int:
        """The largest slice."""
    @property
    def slice_bytes_total(self) -> int:
        """``slice_bytes`` to all watchers."""
    @property
    def endpoints_bytes(self) -> int:
        """To one watcher of Endpoints, as Kubernetes writes them: without the addresses above 1000."""
    @property
    def endpoints_bytes_whole(self) -> int:
        """The same with all addresses, as it was before Kubernetes 1.22."""
    @property
    def endpoints_bytes_total(self) -> int:
        """``endpoints_bytes_whole`` to all watchers."""
    @property
    def left_out(self) -> int:
        """Addresses that Kubernetes leaves out of Endpoints."""
    def to_dict(self) -> ChangeCostDict: ...
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

def change_cost(slices: SlicesInput, *, watchers: int = 1, family: FamilyName | None = None) -> ChangeCost:
    """Tell what it costs that one endpoint of a Service changes: one slice to each watcher, or one object with all.

    :param slices: all slices of one Service.
    :param watchers: how many watch, usually one on each node.
    :param family: as for :func:`merge_endpoints`.

    Raises as :func:`merge_endpoints`.
    """

@final
class Finding:
    """One thing that is wrong with a slice. ``str()`` is one line."""

    @property
    def rule(self) -> LintRule: ...
    @property
    def severity(self) -> Severity:
        """``"error"``: the API server refuses the slice; ``"warning"``: readers go wrong; ``"note"``: worth knowing."""
    @property
    def help(self) -> str:
        """Why it is a rule, in one or two sentences."""
    @property
    def message(self) -> str: ...
    @property
    def path(self) -> str:
        """Where, for example ``slices[3].endpoints[0].addresses[0]``; objects of other kinds are counted too."""
    @property
    def offset(self) -> int | None:
        """The byte, if the input was bytes; where a member is missing, that of the object that should have it."""
    @property
    def namespace(self) -> str | None: ...
    @property
    def name(self) -> str | None:
        """Name of the slice, or the prefix that its name will have."""
    def to_dict(self) -> FindingDict: ...
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

def lint(
    slices: SlicesInput,
    *,
    services: ObjectsInput | None = None,
    pods: ObjectsInput | None = None,
    max_endpoints: int = 100,
) -> list[Finding]:
    """Look for everything that is wrong with slices, and tell all of it at once.

    That is what the API server would refuse when they are created, and what it takes but readers trip over. Slice by
    slice, the worst first. Objects of other kinds are passed over.

    :param slices: what to look at; neither checked nor changed before.
    :param services: all Services that are there: tells slices whose Service is gone, or has other ports.
    :param pods: all Pods that are there: tells endpoints whose Pod is gone, has ended, or has another address.
    :param max_endpoints: most endpoints that a slice should hold, 1 to 1000.

    Raises ``InvalidInputError`` for what is no JSON, for watch events, and for Services or Pods that cannot be read;
    ``TypeError`` as :func:`pack`. A slice that cannot be read is a finding. Cost: O(n).
    Source: the validation of ``k8s.io/kubernetes`` 1.37 (spellings of addresses as since 1.36).

    >>> import epcore
    >>> for finding in epcore.lint('{"metadata": {"name": "db"}, "addressType": "IPv4", "endpoints": [{}]}'):
    ...     print(finding)
    slices[0].endpoints[0].addresses: at least one address is required [refused]
    slices[0].metadata.labels: the label kubernetes.io/service-name is missing [no-service-name]
    slices[0].metadata.labels: the label endpointslice.kubernetes.io/managed-by is missing [no-managed-by]
    """

@final
class Change:
    """What happened to one endpoint."""

    @property
    def key(self) -> str:
        """Readable key, for example ``shop/checkout 10.0.0.5 http TCP 8080``."""
    @property
    def namespace(self) -> str | None: ...
    @property
    def service(self) -> str | None: ...
    @property
    def address(self) -> str:
        """The first address."""
    @property
    def address_type(self) -> AddressTypeName:
        """That of its slice. The address alone does not tell it: ``10.0.0.1`` may be a domain name."""
    @property
    def port_name(self) -> str | None:
        """``None`` unless the key is ``"address-port"``."""
    @property
    def port(self) -> int | None:
        """``None`` unless the key is ``"address-port"``, and where the port is not set (all ports)."""
    @property
    def protocol(self) -> str | None: ...
    @property
    def before(self) -> Endpoint | None: ...
    @property
    def after(self) -> Endpoint | None: ...
    @property
    def slice_before(self) -> str | None: ...
    @property
    def slice_after(self) -> str | None: ...
    @property
    def reasons(self) -> list[Reason]: ...
    def to_dict(self) -> dict[str, Any]: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class Transition:
    """A service port that went from no endpoint, or none that is ready, to some, or back.

    Or one whose hints became complete, or no longer are.
    """

    @property
    def namespace(self) -> str | None: ...
    @property
    def service(self) -> str | None: ...
    @property
    def port_name(self) -> str: ...
    @property
    def protocol(self) -> str: ...
    @property
    def endpoints_before(self) -> int: ...
    @property
    def endpoints_after(self) -> int: ...
    @property
    def ready_before(self) -> int: ...
    @property
    def ready_after(self) -> int: ...
    @property
    def hints_complete_before(self) -> bool:
        """Every ready endpoint had hints, and there was one: only then do proxies follow them."""
    @property
    def hints_complete_after(self) -> bool: ...
    def to_dict(self) -> dict[str, Any]: ...

@final
class Delta:
    """What changed for each endpoint. True if anything did. The sequences are lazy and sorted by key."""

    @property
    def added(self) -> Sequence[Change]: ...
    @property
    def removed(self) -> Sequence[Change]: ...
    @property
    def updated(self) -> Sequence[Change]:
        """Endpoints of which a field under the mask changed; they may have changed their slice too."""
    @property
    def moved(self) -> Sequence[Change]:
        """Endpoints that only changed their slice."""
    @property
    def transitions(self) -> Sequence[Transition]: ...
    @property
    def stale_udp(self) -> list[Change]:
        """UDP endpoints to which old flows must be cut: gone, or no longer serving. For ``key="address-port"``."""
    @property
    def trigger_times(self) -> list[TriggerTimeDict]:
        """Trigger times that came with the slices of a :class:`View`; the time since then is the latency."""
    def to_json(self) -> bytes: ...
    def to_dict(self) -> dict[str, Any]: ...
    def __bool__(self) -> bool: ...
    def __len__(self) -> int:
        """The number of endpoints added, removed, updated and moved."""

def diff(
    before: SlicesInput,
    after: SlicesInput,
    *,
    key: DiffKey = "address-port",
    fields: FieldMask = "proxy",
) -> Delta:
    """Tell what changed for each endpoint between two sets of slices, of one Service or of many.

    :param key: what makes two endpoints the same: ``"address"``, ``"address-port"`` or ``"target"`` (the UID of the
        target, else its name, else the address), always within one Service and address type.
    :param fields: which fields count as a change: ``"dns"``, ``"proxy"``, ``"envoy"``, ``"all"``.

    ``ready`` and ``serving`` default to true, ``terminating`` to false. Duplicates have one deterministic winner: not
    terminating before terminating; then the newer trigger time; then the newer slice; then the slice's name.
    Errors are those of :meth:`SliceSet.from_json`, with paths that begin with ``before`` or ``after``. Cost: O(n).
    """

@final
class SliceTracker:
    """Which slices we wrote and in which generation, so that a cache that does not know of it yet is found out.

    Slices need ``metadata.uid`` and ``metadata.generation``. Safe to call from threads.
    Source: upstream ``EndpointSliceTracker``.
    """

    def __new__(cls) -> Self: ...
    def update(self, slice: SlicesInput) -> None:
        """Note the answer to a create or an update."""
    def expect_deletion(self, slice: SlicesInput) -> None:
        """Note that a delete was accepted."""
    def handle_deletion(self, slice: SlicesInput) -> bool:
        """Note that a slice is gone. False if that was not expected, so that the Service must be looked at."""
    def should_sync(self, slice: SlicesInput) -> bool:
        """True if a slice that was seen is not what we wrote, or newer."""
    def is_stale(self, namespace: str, service: str, slices: SlicesInput) -> bool:
        """True if the listed slices of a Service are older than what we wrote: do not plan from them."""
    def forget(self, namespace: str, service: str) -> None: ...

@final
class TriggerTimes:
    """The time of the change that a sync is for. Source: upstream ``TriggerTimeTracker``."""

    def __new__(cls) -> Self: ...
    def compute(self, service: ObjectInput, pods: ObjectsInput) -> str | None:
        """Return the ``trigger_time`` for :func:`reconcile`, RFC 3339, and remember what was seen.

        It is the first change since the last call, for a Service that was not known its creation, or ``None`` if
        nothing can be timed.
        """
    def forget(self, namespace: str, service: str) -> None: ...

@final
class ServiceIndex:
    """Which Services a Pod concerns: an index over selectors. Source: upstream ``GetServicesToUpdate``."""

    def __new__(cls) -> Self: ...
    def set(self, service: ObjectInput) -> None:
        """Add a Service, or note its new selector."""
    def remove(self, namespace: str, service: str) -> None: ...
    def affected(self, before: ObjectInput | None, after: ObjectInput | None) -> list[str]:
        """Names of the Services that an event of a Pod concerns, sorted.

        :param before: its last state, ``None`` if it is new.
        :param after: its new state, ``None`` if it is gone.

        An update that changes neither deletion, readiness, addresses, host name nor labels concerns none.
        """

@final
class Batch:
    """What waits for its time: the first event of a key sets it, later ones ride along. The clock is the caller's."""

    def __new__(cls) -> Self: ...
    def add(self, key: str, when: float) -> None:
        """Let ``key`` be due at ``when``, in seconds, unless it is due earlier; ``ValueError`` for no number."""
    def take(self, now: float) -> list[str]:
        """Take the keys that are due, the earliest first."""
    def next(self) -> float | None:
        """When the next key is due."""

@final
class Assignment:
    """Where each item goes. See :func:`assign`."""

    @property
    def containers(self) -> list[list[str]]:
        """Keys in each container afterwards: the existing ones in their given order, then new ones.

        A deleted one is empty.
        """
    @property
    def written(self) -> list[int]:
        """Indexes of the containers that must be written or deleted."""
    @property
    def deleted(self) -> list[int]: ...
    @property
    def moved(self) -> list[str]: ...
    @property
    def write_floor(self) -> int: ...
    def to_dict(self) -> dict[str, Any]: ...

def assign(
    wanted: Sequence[tuple[str, int, int, str | None]],
    existing: Sequence[Sequence[tuple[str, int, int, str | None]]],
    *,
    max_items: int = 100,
    max_bytes: int | None = None,
    policy: PolicyName | Policy = "balanced",
    compaction: Compaction | None = None,
) -> Assignment:
    """The optimiser without Kubernetes: put keyed items into containers with the fewest writes.

    An item is ``(key, fingerprint, size in bytes, cohort or None)``. An item whose fingerprint changed stays where it
    is and makes its container dirty. ``max_bytes`` is the most bytes of items in one container.

    Raises ``InvalidInputError`` for a key that is wanted twice or a number out of range; ``LimitError`` for an item
    larger than ``max_bytes`` or ``max_items`` of zero.
    """

def most_untouched(classes: Sequence[tuple[int, int]], slices: int, *, max_endpoints: int = 100) -> float:
    """Bound what chance leaves alone: the most endpoints that are expected in slices in which nothing changes.

    A class is ``(members, changing)``: endpoints of which nobody can tell which ones will change, each choice being as
    likely as another. The answer is for the best of all ways to put the endpoints of all classes into so many slices:
    no arrangement reaches more. It is exact where at most one class is open, that is, some of it change but not all.
    Cost: ``slices`` times endpoints times ``max_endpoints`` steps, less where the slices are full.

    Raises ``InvalidInputError`` where more change than there are, or for a negative number; ``LimitError`` for more
    endpoints than the slices hold, or than a million, and for ``max_endpoints`` outside 1 to 1000.

    >>> from epcore import most_untouched
    >>> round(most_untouched([(200, 1)], 2), 6)
    100.0
    """

def cohort_of(endpoint: EndpointsInput, cohort: CohortName | str = "auto") -> list[str | None]:
    """The cohort that :func:`pack` gives to each endpoint; ``None`` for one that does not have the field.

    Raises ``InvalidInputError`` as :func:`pack`, also for a path that names no text of an endpoint.
    """

WatchInput: TypeAlias = JsonBytes | Mapping[str, Any] | SupportsToDict | Sequence[Any]
"""Watch events (``{"type": "ADDED", "object": {...}}``): one, several, or JSON lines; or slices that are there."""

@final
class PortEndpoint:
    """One endpoint behind one port. Conditions are as readers take them: unset is ready, serving, not terminating."""

    @property
    def address(self) -> str:
        """The first address."""
    @property
    def address_type(self) -> AddressTypeName: ...
    @property
    def port_name(self) -> str | None:
        """``None`` for a slice without ports."""
    @property
    def protocol(self) -> str | None: ...
    @property
    def port(self) -> int | None:
        """``None`` also for a port without number, which stands for all."""
    @property
    def app_protocol(self) -> str | None: ...
    @property
    def ready(self) -> bool: ...
    @property
    def serving(self) -> bool: ...
    @property
    def terminating(self) -> bool: ...
    @property
    def namespace(self) -> str | None: ...
    @property
    def service(self) -> str | None: ...
    @property
    def slice(self) -> str:
        """Name of the slice that holds it."""
    @property
    def endpoint(self) -> Endpoint: ...

@final
class Reachable:
    """What a node may send traffic to."""

    @property
    def endpoints(self) -> list[PortEndpoint]:
        """By family, number of the port and address."""
    @property
    def fallback(self) -> bool:
        """The endpoints are terminating, and only serve on because nothing else is ready."""
    @property
    def exists(self) -> bool:
        """Some node has an endpoint for the port."""

@final
class Duplicate:
    """Entries that claim to be one endpoint."""

    @property
    def entries(self) -> list[PortEndpoint]:
        """The one that counts, then the others in order of precedence."""
    @property
    def reason(self) -> str:
        """Why the first counts."""

@final
class View:
    """A reader's view of slices, of one Service or of many, that is right at every moment.

    Feed it what a watch sends, or lists; each checkout tells what changed for each endpoint since the last one. An
    endpoint is removed only when no slice holds it any more, and a change that was undone is none. Events may come
    twice, late (where they have resource versions), or after a new list: the view is the same. Of several entries for
    one endpoint the one that is not terminating counts, then the newer trigger time, the newer slice, the name. Safe to
    call from threads.

    :param key: what makes two endpoints the same, as for :func:`diff`.
    :param fields: which fields count as a change, as for :func:`diff`.
    :param hold: seconds for which a removal is kept back; what comes back in time was never gone. The clock is the
        ``now`` that you pass.

    Raises ``ValueError`` for a ``hold`` that is not 0 or more. An event costs what its slice costs, and slices that
    hold the same endpoints; not what the Service costs.

    >>> import epcore
    >>> view = epcore.View()
    >>> slice = {"metadata": {"name": "web-1", "labels": {"kubernetes.io/service-name": "web"}}, "addressType": "IPv4",
    ...          "ports": [{"port": 80}], "endpoints": [{"addresses": ["10.0.0.1"]}]}
    >>> view.apply({"type": "ADDED", "object": slice})
    <Delta: 1 added, 0 removed, 0 updated, 0 moved>
    >>> view.endpoints("web")
    [<PortEndpoint 10.0.0.1:80>]
    """

    def __new__(cls, *, key: DiffKey = "address-port", fields: FieldMask = "proxy", hold: float = 0.0) -> Self: ...
    def feed(self, events: WatchInput) -> None:
        """Take in events, to be told by the next checkout.

        ``ERROR`` (410: the watch has ended) sets :attr:`expired`. Raises ``InvalidInputError`` with path
        (``events[3].object.endpoints[0]``) and byte offset; the view stays as it was then.
        """
    def feed_list(self, slices: SlicesInput, *, resource_version: str | None = None) -> None:
        """Take a list for all that is there, to be told by the next checkout.

        ``resource_version`` is that of the list; it is read from a list of the API if not given. Raises
        ``InvalidInputError`` as :func:`diff`, and for a slice without name or two of one.
        """
    def checkout(self, now: float | None = None) -> Delta:
        """Tell what changed since the last checkout. ``now`` is seconds on a clock that does not go back."""
    def apply(self, events: WatchInput, *, now: float | None = None) -> Delta:
        """Feed events and check out."""
    def replace(self, slices: SlicesInput, *, resource_version: str | None = None, now: float | None = None) -> Delta:
        """Feed a list and check out."""
    def remove(self, name: str, namespace: str | None = None, *, now: float | None = None) -> Delta:
        """Forget a slice, as if it were deleted, and check out."""
    @property
    def pending(self) -> bool:
        """Something was fed that the next checkout may tell."""
    @property
    def next_due(self) -> float | None:
        """When the next removal that is kept back is due, on the clock of ``now``.

        ``None`` also where that clock ends before.
        """
    @property
    def expired(self) -> bool:
        """The watch has ended: only a new list tells what is there."""
    @property
    def resource_version(self) -> str | None:
        """The newest that was seen, to go on watching from."""
    def slices(self) -> SliceSet:
        """All slices, by namespace and name."""
    def services(self) -> list[tuple[str, str]]:
        """Namespace and name of each Service that has slices, or endpoints kept back; ``""`` where not set."""
    def ports(self) -> list[tuple[str, str, str, str]]:
        """List namespace, Service, name and protocol of each port of the slices, whether it has endpoints or not."""
    def endpoints(
        self, service: str | None = None, port: str | None = None, *, namespace: str | None = None
    ) -> list[PortEndpoint]:
        """List endpoints, each once for each of its ports; of all Services, namespaces or ports where none is given.

        One whose removal is kept back, or will be by the next checkout, is listed as it was told last, and so may still
        be reached. Costs what is listed.
        """
    def find(self, address: str) -> SliceSet:
        """Find the slices that hold an address, whatever their Service."""
    def reachable(
        self,
        service: str,
        port: str,
        *,
        namespace: str,
        node: str,
        zone: str = "",
        protocol: str = "TCP",
        policy: TrafficPolicy = "Cluster",
    ) -> Reachable:
        """List the endpoints that a node sends traffic for a service port to, as kube-proxy does.

        Those that are ready: by node or zone where every ready endpoint has such hints and one is for us; on the node
        itself with ``policy="Local"``. If there is none, those that still serve while they terminate. Ports without a
        number from 1 to 65535 are passed over; the API takes others, and kube-proxy too. Each family is looked at by
        itself.
        Source: ``CategorizeEndpoints`` of kube-proxy 1.37.

        :param port: name of the port, ``""`` for one without.

        Raises ``ValueError`` for a protocol that is none of TCP, UDP and SCTP.
        """
    def local_ready(self, service: str, *, namespace: str, node: str) -> int:
        """Count the ready endpoints of a Service on a node, each address once: what health checks of nodes ask."""
    def explain_duplicates(self) -> list[Duplicate]:
        """List endpoints that several entries claim to be, and why which one counts."""
    def snapshot(self) -> bytes:
        """Write the view with what was handed out, so that a restart goes on without a gap. JSON."""
    @staticmethod
    def restore(snapshot: JsonBytes, *, hold: float = 0.0) -> View:
        """Read a snapshot; the next checkout tells what came since the last one before it.

        What was kept back is told as removed, unless the new view keeps it back too: ``hold`` seconds from the first
        ``now`` on. Raises ``InvalidInputError``.
        """
    def __len__(self) -> int:
        """Count the slices."""
    def __bool__(self) -> bool:
        """Return true, also for a view of nothing."""

@final
class Server:
    """What a slot serves."""

    @property
    def address(self) -> str: ...
    @property
    def port(self) -> int: ...
    @property
    def state(self) -> SlotState:
        """``ready`` takes traffic, ``drain`` finishes what it has, ``maint`` takes nothing."""
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class SlotChange:
    """A slot that is to serve something else, or otherwise."""

    @property
    def index(self) -> int:
        """Number of the slot, from 0."""
    @property
    def action(self) -> SlotAction:
        """What to do: ``assign``, ``retarget``, ``free``, or ``state`` where only the state changes."""
    @property
    def before(self) -> Server | None: ...
    @property
    def after(self) -> Server | None: ...
    def __eq__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class Slots:
    """The server slots of one backend of a proxy that cannot add servers without a reload.

    An endpoint keeps its slot for as long as it is there. One that is not ready and terminates drains, and takes
    traffic only while none is ready; one that does not serve keeps its slot in maintenance until another needs it. A
    new one takes a slot that was given up in the same step, else a free one, the lowest first: no other slot changes
    than must. Endpoints of ports without a number from 1 to 65535 are passed over: no proxy can be told where they are.

    :param port: name of the port, ``""`` for one without.
    :param capacity: how many slots there are; at least as many as there are ``servers``.
    :param family: the address type of the endpoints to serve.
    :param servers: what the slots serve now, for one that goes on where another stopped: address and port, or ``None``
        for a free slot. Call :meth:`replace` then. Of slots that serve the same it lets the first go on.

    Raises ``LimitError`` for more than 1,000,000 slots, ``ValueError`` for a protocol that is none of TCP, UDP and
    SCTP. Safe to call from threads.

    >>> import epcore
    >>> view = epcore.View()
    >>> slice = {"metadata": {"name": "web-1", "namespace": "shop", "labels": {"kubernetes.io/service-name": "web"}},
    ...          "addressType": "IPv4", "ports": [{"name": "http", "port": 80}],
    ...          "endpoints": [{"addresses": ["10.0.0.1"]}]}
    >>> slots = epcore.Slots("web", "http", namespace="shop", capacity=4)
    >>> slots.apply(view.apply({"type": "ADDED", "object": slice}))
    [<SlotChange 0: assign 10.0.0.1:80 ready>]
    """

    def __new__(
        cls,
        service: str,
        port: str,
        *,
        namespace: str,
        capacity: int = 0,
        protocol: str = "TCP",
        family: AddressTypeName = "IPv4",
        servers: Sequence[tuple[str, int] | None] = (),
    ) -> Self: ...
    def apply(self, delta: Delta) -> list[SlotChange]:
        """Follow what a view tells; costs what changed. Every delta of the view must come, and once.

        The view must have key ``address-port`` and field mask ``proxy`` or wider. Raises ``InvalidInputError`` for
        another one.
        """
    def replace(self, view: View) -> list[SlotChange]:
        """Follow a view, whatever was told before; costs what the Service costs."""
    def grow(self, capacity: int) -> list[SlotChange]:
        """Add slots, after a reload; endpoints that wait take them. Raises ``InvalidInputError`` for fewer."""
    @property
    def capacity(self) -> int:
        """How many slots there are."""
    @property
    def fits(self) -> bool:
        """Every endpoint that serves has a slot: no reload is needed."""
    @property
    def waiting(self) -> list[tuple[str, int]]:
        """Address and port of endpoints that should have a slot and have none, the ready ones first."""
    def servers(self) -> list[Server | None]:
        """List what each slot is to serve."""

@final
class Packer:
    """The state of a controller that writes slices, of many Services.

    Feed it what watches of slices, Services, Pods and Nodes say, endpoints from outside for Services without selector,
    and what became of its own writes. It tells which Services need writes, and the plan of each: that of
    :func:`reconcile` or :func:`publish` from the same state, byte for byte. Events may come twice, late (where they
    have resource versions), or after a new list. Safe to call from threads.

    :param managed_by: value of the label ``endpointslice.kubernetes.io/managed-by`` for endpoints from outside.
    :param controller: the same for Services with selector.
    :param replace: as for :func:`pack`; left out, ``recycle`` for Services with selector and ``safe`` for others.

    The other options are those of :func:`pack`. Raises as :func:`pack` for these, and as :func:`publish` for
    ``managed_by``. An event costs what it changes. So does a plan, where only some Pods or
    endpoints from outside changed since the slices held what was wanted; else it costs what its Service costs.

    >>> import epcore
    >>> packer = epcore.Packer(managed_by="db-sync.example.com")
    >>> packer.apply({"type": "ADDED", "object": {"kind": "Service", "metadata": {"name": "db", "namespace": "shop"},
    ...               "spec": {"ports": [{"port": 5432}]}}})
    >>> packer.publish("db", ["10.0.0.5", "10.0.0.6"], namespace="shop")
    >>> packer.dirty
    [('shop', 'db')]
    >>> for write in packer.plan("db", namespace="shop").writes:
    ...     made = {**write.to_dict()}  # send it; the API server gives it back with name and version
    ...     made["metadata"] |= {"name": "db-x7k2p", "resourceVersion": "7"}
    ...     packer.answer(write, "accepted", made)
    >>> packer.dirty
    []
    """

    def __new__(
        cls,
        *,
        managed_by: str = "epcore",
        controller: str = "endpointslice-controller.k8s.io",
        max_endpoints: int = 100,
        max_bytes: int = 1_500_000,
        policy: PolicyName | Policy = "balanced",
        cohort: CohortName | str | None = "auto",
        compaction: Compaction | None = None,
        address_reuse: AddressReuse = "ordered",
        replace: Replace | None = None,
        naming: Naming = "generate",
        trigger_time: str | None = None,
    ) -> Self: ...
    def apply(self, events: WatchInput, *, kind: ObjectKind | None = None) -> None:
        """Take in events of any of the kinds.

        ``kind`` is that of objects that do not tell, and of the watch that an ``ERROR`` ends. Raises
        ``InvalidInputError`` with path (``events[3].object.spec``) and byte offset; nothing is changed then.
        """
    def replace(
        self, objects: ObjectsInput, *, kind: ObjectKind | None = None, resource_version: str | None = None
    ) -> None:
        """Take a list for all that is there of a kind.

        ``kind`` is needed where nothing tells it, as in an empty sequence. ``resource_version`` is that of the list; it
        is read from JSON of a list if not given. Raises ``InvalidInputError`` as :meth:`apply`, and for two objects of
        one name.
        """
    def publish(self, service: str, endpoints: PublishedInput, *, namespace: str) -> None:
        """Make endpoints all that a Service has from outside; they are given as for :func:`epcore.publish`.

        They are compared with those that are known: the plan that follows costs what changed, unless most did. Raises
        ``InvalidInputError`` with its place for one that the API would refuse; nothing is changed then. Ports that the
        Service does not have are told by :meth:`plan`: the Service may come later.
        """
    def upsert(self, service: str, endpoints: PublishedInput, *, namespace: str) -> None:
        """Add endpoints from outside, or change those that are there with the same addresses and ports.

        Raises as :meth:`publish`.
        """
    def remove(self, service: str, endpoints: PublishedInput, *, namespace: str) -> None:
        """Take endpoints from outside away, by addresses and ports; those that are not there are passed over."""
    def forget(self, service: str, *, namespace: str) -> None:
        """Forget the endpoints from outside of a Service, as if none had ever been given.

        Its slices are left alone from now on; ``publish`` of none takes them away. Of a Service that is gone nothing is
        kept then.
        """
    @property
    def dirty(self) -> list[tuple[str, str]]:
        """Namespace and name of each Service that may need writes and does not wait for news."""
    def take_news(self) -> list[tuple[str, str]]:
        """Take the dirty Services that something happened to since the last call: what a queue is fed with.

        One that was told and is still dirty is not told again without news. Costs what changed, where :attr:`dirty`
        costs what is dirty.
        """
    @property
    def waiting(self) -> list[tuple[str, str]]:
        """Services of which news must come first: an event of the slice in question, or a list of all slices.

        None waits for what came before the answer to its write.
        """
    def plan(self, service: str, *, namespace: str, trigger_time: str | None = None) -> Plan:
        """Plan a Service from what is known.

        Nothing for a Service that is not there, or has neither selector nor endpoints from outside. Asking changes
        nothing: without answers or events the same plan comes again. ``trigger_time`` stands in the place of the
        packer's. Raises as :func:`reconcile` and :func:`publish`.
        """
    def answer(
        self,
        write: Write,
        outcome: Outcome,
        object: Mapping[str, Any] | SupportsToDict | JsonBytes | EndpointSlice | None = None,
    ) -> None:
        """Tell what became of a write of a plan.

        ``accepted`` with the object that the API server gave back (a delete has none; without it an event must come
        first); ``conflict``: refused, since the slice is another or there already (409); ``gone``: it is not there
        (404); ``unknown``: the answer was lost. After the last accepted write of a plan a Service is clean, unless
        something else happened, or ``compaction`` may go on: then it is once a plan writes nothing. Raises
        ``InvalidInputError`` for an object that is not the one of the write.
        """
    def slices(self, service: str, *, namespace: str) -> SliceSet:
        """List the slices of a Service as they are known."""
    def resource_version(self, kind: ObjectKind) -> str | None:
        """Tell the newest that was seen of a kind, to go on watching from."""
    def expired(self, kind: ObjectKind) -> bool:
        """Tell whether the watch of a kind has ended: only a new list tells what is there."""
