"""Slices of a folder of manifests made right: plans of a :class:`~epcore.Packer`, carried out in their order."""

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from epcore import InvalidInputError, LimitError, Packer
from epcore.controller.folder import Change, FolderError, StaleError
from epcore.controller.objects import member, name_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from epcore import Policy
    from epcore.controller.folder import Folder
    from epcore.controller.objects import Json, Name
    from epcore.types import FamilyName, ObjectKind, PolicyName

Endpoints: TypeAlias = "Sequence[str | Mapping[str, Any]]"
"""What :func:`epcore.publish` takes."""

MANAGED_BY: Final = "epcore"
MANAGED_BY_LABEL: Final = "endpointslice.kubernetes.io/managed-by"
SERVICE_LABEL: Final = "kubernetes.io/service-name"
RECONCILE_LABEL: Final = "epcore.dev/reconcile"
"""A Service with selector that has this label with the value ``true`` asks to have its slices made of Pods."""

SOME_ADDRESS: Final = "192.0.2.1"
"""Stands for the address that a cluster would give to a Service (RFC 5737: nobody has it); slices do not tell it."""

_ATTEMPTS: Final = 5
"""How often a folder is read again that somebody else is writing to."""


@dataclass(frozen=True, kw_only=True)
class SyncOptions:
    """How slices are made.

    :param managed_by: value of the label ``endpointslice.kubernetes.io/managed-by`` of the slices that are ours; no
        other slice is ever touched.
    :param with_selector: also Services with selector that do not ask for it by the label ``epcore.dev/reconcile``.
    :param families: address types of Services with selector that do not say ``ipFamilies``.
    """

    managed_by: str = MANAGED_BY
    with_selector: bool = False
    families: "tuple[FamilyName, ...]" = ("IPv4",)
    max_endpoints: int = 100
    policy: "PolicyName | Policy" = "balanced"


@dataclass
class Sync:
    """What a folder should hold, beside what it holds."""

    folder: "Folder"
    options: SyncOptions = field(default_factory=SyncOptions)
    endpoints: "dict[Name, Endpoints]" = field(default_factory=dict)
    """Endpoints from outside, by Service."""
    errors: "list[str]" = field(default_factory=list, init=False)
    """What :meth:`changes` could not make slices of, by Service, and why; the rest is good."""

    def changes(self) -> "list[Change]":
        """Tell what is to be written, in order. Raises as the folder, and as ``publish`` and ``reconcile``."""
        packer = self._packer()
        objects = self._objects()
        for kind, items in objects.items():
            self._replace(packer, kind, items)
        services = {name_of(item) for item in objects["Service"]}
        for (namespace, name), given in self.endpoints.items():
            if (namespace, name) not in services:
                raise FolderError(f"{self.folder.path}: no Service {namespace}/{name}".replace(" /", " "))
            packer.publish(name, list(given), namespace=namespace)
        changes = list(self._orphans(objects["EndpointSlice"], services))
        held = {name_of(item): item for item in objects["EndpointSlice"]}
        self.errors = []
        # Not only those that are dirty: what was left out before is still to be told.
        for namespace, name in sorted(services):
            plan = packer.plan(name, namespace=namespace)
            self.errors += [f"{namespace}/{name}: {error}".removeprefix("/") for error in plan.errors]
            changes.extend(Change.of(write, held.get((namespace, write.name or ""))) for write in plan.writes)
        return changes

    def run(self) -> "list[Change]":
        """Write what is to be written, and tell it. What somebody else writes meanwhile is read and planned again."""
        done: list[Change] = []
        for attempt in range(_ATTEMPTS):
            try:
                for change in self.folder.write_all(self.changes()):
                    done.append(change)  # noqa: PERF402 - also where a later one fails
            except StaleError:
                if attempt == _ATTEMPTS - 1:
                    raise
            else:
                break
        return done

    def _objects(self) -> "dict[ObjectKind, list[Json]]":
        """Read the folder; half of what somebody is writing there would be taken for all."""
        signature = self.folder.signature()
        objects = self.folder.read()
        if self.folder.signature() != signature:
            raise StaleError(f"{self.folder.path}: has changed while it was read")
        return objects

    def _packer(self) -> Packer:
        options = self.options
        return Packer(
            managed_by=options.managed_by,
            controller=options.managed_by,
            max_endpoints=options.max_endpoints,
            policy=options.policy,
            naming="deterministic",
        )

    def _replace(self, packer: Packer, kind: "ObjectKind", items: "list[Json]") -> None:
        ours = {index: item for index, item in enumerate(items) if kind != "Service" or self._is_ours(item)}
        given = [self._defaulted(item) if kind == "Service" else item for item in ours.values()]
        try:
            packer.replace(given, kind=kind)
        except (InvalidInputError, LimitError) as error:
            place = re.match(r"objects\[(\d+)\]\.?(.*)", str(error), re.DOTALL)
            if place is None:
                raise FolderError(f"{self.folder.path}: {kind}: {error}") from None
            index = [*ours][int(place[1])]
            name = "/".join(part for part in name_of(items[index]) if part)
            raise FolderError(f"{self.folder.origin(kind, index)}: {kind} {name}: {place[2]}") from None

    def _is_ours(self, service: "Json") -> bool:
        return not _has_selector(service) or self.options.with_selector or _asks(service)

    def _defaulted(self, service: "Json") -> "Json":
        """Fill in what the API server would: without, a Service would be headless and of both families."""
        spec = service.get("spec") or {}
        if not isinstance(spec, dict):
            return service
        return {**service, "spec": {"clusterIP": SOME_ADDRESS, "ipFamilies": [*self.options.families], **spec}}

    def _orphans(self, slices: "list[Json]", services: "set[Name]") -> "Iterator[Change]":
        """Slices of ours whose Service is not there any more; a cluster collects them, a folder does not."""
        for item in slices:
            labels = member(item["metadata"], "labels")
            name = name_of(item)
            if labels.get(MANAGED_BY_LABEL) == self.options.managed_by and (
                (name[0], labels.get(SERVICE_LABEL)) not in services
            ):
                yield Change("delete", name, ("service-gone",), item, None)


def _has_selector(service: "Json") -> bool:
    return bool(member(service, "spec").get("selector"))


def _asks(service: "Json") -> bool:
    return member(service["metadata"], "labels").get(RECONCILE_LABEL) == "true"
