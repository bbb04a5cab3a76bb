"""Types of the public interface: names of modes, and the JSON shapes of Kubernetes objects."""

from typing import Any, Literal, Required, TypeAlias, TypedDict

AddressTypeName: TypeAlias = Literal["IPv4", "IPv6", "FQDN"]
FamilyName: TypeAlias = Literal["IPv4", "IPv6"]
PolicyName: TypeAlias = Literal["balanced", "dense", "lean", "lifecycle", "upstream"]
IdleMoves: TypeAlias = Literal["not-ready", "not-serving"]
CohortName: TypeAlias = Literal["auto", "node", "zone", "revision"]
CompactionOrder: TypeAlias = Literal["make-before-break", "break-before-make", "make-break-touch"]
AddressReuse: TypeAlias = Literal["ordered", "strict"]
Replace: TypeAlias = Literal["safe", "recycle"]
Naming: TypeAlias = Literal["generate", "deterministic"]
TrafficPolicy: TypeAlias = Literal["Cluster", "Local"]
ObjectKind: TypeAlias = Literal["EndpointSlice", "Service", "Pod", "Node"]
Outcome: TypeAlias = Literal["accepted", "conflict", "gone", "unknown"]
SlotState: TypeAlias = Literal["ready", "drain", "maint"]
SlotAction: TypeAlias = Literal["assign", "retarget", "free", "state"]
Verb: TypeAlias = Literal["create", "update", "delete"]
DiffKey: TypeAlias = Literal["address", "address-port", "target"]
FieldMask: TypeAlias = Literal["dns", "proxy", "envoy", "all"]

Severity: TypeAlias = Literal["error", "warning", "note"]
"""How bad a finding is: the API server refuses the slice, readers go wrong, worth knowing."""

WriteReason: TypeAlias = Literal[
    "endpoints-added",
    "endpoints-updated",
    "endpoints-removed",
    "endpoints-moved",
    "duplicates",
    "overfull",
    "metadata",
    "ports",
    "emptied",
    "replaced",
    "touch",
    "address-reuse",
    "hints",
    "placeholder",
]
"""Why a slice is written."""

Reason: TypeAlias = Literal[
    "addresses",
    "conditions",
    "hints",
    "topology",
    "ports",
    "target-ref",
    "hostname",
    "unknown-fields",
    "metadata",
]
"""Which part of an endpoint changed."""


LintRule: TypeAlias = Literal[
    "unreadable",
    "refused",
    "too-large",
    "several-addresses",
    "no-service-name",
    "duplicate-endpoint",
    "unhinted-endpoint",
    "overfull-slice",
    "fragmented",
    "port-sets-differ",
    "port-without-number",
    "port-out-of-range",
    "address-type-fqdn",
    "no-service",
    "stale-owner",
    "ports-not-of-service",
    "stale-endpoint",
    "being-deleted",
    "empty-slice",
    "port-numbers-differ",
    "no-managed-by",
    "deprecated-topology",
]
"""What can be wrong with a slice. ``Finding.help`` says why it is."""


class FindingDict(TypedDict):
    """One thing that is wrong with a slice."""

    rule: LintRule
    severity: Severity
    message: str
    path: str
    offset: int | None
    namespace: str | None
    name: str | None


class ChangeCostDict(TypedDict):
    """What one change costs under each API, in bytes of JSON."""

    endpoints: int
    slices: int
    watchers: int
    slice_bytes: int
    slice_bytes_most: int
    slice_bytes_total: int
    endpoints_bytes: int
    endpoints_bytes_whole: int
    endpoints_bytes_total: int
    left_out: int


class EventDict(TypedDict):
    """What a controller would tell people by an Event on the Service."""

    type: Literal["Normal", "Warning"]
    reason: str
    message: str


class TriggerTimeDict(TypedDict):
    """When that happened which led to the write of a slice, RFC 3339."""

    namespace: str | None
    service: str | None
    time: str


class HintState(TypedDict, total=False):
    """What the topology heuristic remembers of one Service: endpoints that serve each zone, by address type."""

    populated: bool
    zones: dict[str, dict[str, int]]


class ConditionsDict(TypedDict, total=False):
    """``EndpointConditions`` of ``discovery.k8s.io/v1``."""

    ready: bool | None
    serving: bool | None
    terminating: bool | None


class TargetRefDict(TypedDict, total=False):
    """``ObjectReference`` of ``v1``."""

    apiVersion: str
    kind: str
    namespace: str
    name: str
    uid: str
    resourceVersion: str
    fieldPath: str


class EndpointDict(TypedDict, total=False):
    """``Endpoint`` of ``discovery.k8s.io/v1``. Fields of a newer API may be there too."""

    addresses: Required[list[str]]
    conditions: ConditionsDict
    hostname: str | None
    targetRef: TargetRefDict | None
    nodeName: str | None
    zone: str | None
    hints: dict[str, Any] | None
    deprecatedTopology: dict[str, str] | None


class PortDict(TypedDict, total=False):
    """``EndpointPort`` of ``discovery.k8s.io/v1``."""

    name: str | None
    protocol: str | None
    port: int | None
    appProtocol: str | None


class SliceDict(TypedDict, total=False):
    """``EndpointSlice`` of ``discovery.k8s.io/v1``."""

    apiVersion: str
    kind: str
    metadata: dict[str, Any]
    addressType: Required[AddressTypeName]
    endpoints: list[EndpointDict] | None
    ports: list[PortDict] | None
