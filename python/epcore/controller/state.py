"""What is known of a cluster: the engine's state, and the few things beside it that need no packing."""

import json
import re
from collections import Counter
from typing import TYPE_CHECKING, Final, cast

import epcore
from epcore import InvalidInputError, LegacyEndpoints, LimitError, Packer, SliceSet
from epcore.controller.folder import Change
from epcore.controller.objects import name_of
from epcore.controller.services import service_of
from epcore.controller.sync import MANAGED_BY_LABEL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from epcore import Plan, Write
    from epcore.controller.follower import Pages
    from epcore.controller.objects import Json, Name
    from epcore.controller.options import ControllerOptions
    from epcore.controller.services import Role, Service
    from epcore.controller.sources import Assigned, PublishedEndpoint
    from epcore.types import ObjectKind, Outcome

UNREADABLE: Final = (InvalidInputError, LimitError)
"""What the engine raises for an object that it cannot take."""


class State:
    """The state of a controller. Feed it lists and events; ask it what is to be written.

    :param sources: Services whose endpoints come from outside.
    :param complain: told of an object that cannot be read; it is left out, and the rest is taken.
    """

    def __init__(
        self,
        options: "ControllerOptions",
        sources: "Mapping[Name, Assigned]",
        complain: "Callable[[str, str], None]",
    ) -> None:
        self._options, self._sources, self._complain = options, sources, complain
        self._packer = _packer_of(options)
        self._services: dict[Name, Service] = {}
        self._roles: Counter[Role | None] = Counter()
        self._endpoints: dict[Name, LegacyEndpoints] = {}
        self._news: set[Name] = set()
        self._synced: set[str] = set()

    def listed(self, kind: str, pages: "Pages") -> bool:
        """Take a list for all that there is of a kind. True for the first one."""
        is_first = kind not in self._synced
        if kind == "Service":
            self._replace_services([item for page in pages.pages for item in _items(page)])
        elif kind == "Endpoints":
            self._replace_endpoints([item for page in pages.pages for item in _items(page)])
        else:
            self._replace(_known(kind), pages)
        self._synced.add(kind)
        return is_first

    def told(self, kind: str, events: bytes) -> None:
        """Take in events, one a line."""
        if kind in {"Service", "Endpoints"}:
            take = self._take_service if kind == "Service" else self._take_endpoints
            for line in events.splitlines():
                event = json.loads(line)
                if event.get("type") in {"ADDED", "MODIFIED", "DELETED"}:
                    take(event["type"], event["object"])
            return
        try:
            self._packer.apply(events, kind=_known(kind))
        except UNREADABLE:
            # Nothing of them was taken: one by one, so that only what cannot be read is left out.
            for line in events.splitlines():
                try:
                    self._packer.apply(line, kind=_known(kind))
                except UNREADABLE as error:
                    self._complain(kind, str(error))

    def found(self, name: "Name", endpoints: "Sequence[PublishedEndpoint]") -> None:
        """Take what a source has. Raises as :func:`epcore.publish`; nothing is changed then."""
        service = self._services.get(name)
        if service is not None and service.role == "source":
            options = self._options
            epcore.publish(service.content, [*endpoints], managed_by=options.managed_by, policy=options.policy)
        self._packer.publish(name[1], [*endpoints], namespace=name[0])

    def service(self, name: "Name") -> "Service | None":
        """Give a Service that is there."""
        return self._services.get(name)

    def services(self) -> "list[Name]":
        """Name all Services that are there."""
        return list(self._services)

    def troubles(self) -> "list[tuple[Name, str]]":
        """Tell which Services ask for what cannot be."""
        return [(name, found.trouble) for name, found in self._services.items() if found.trouble]

    def count(self, role: "Role") -> int:
        """Count the Services whose endpoints come from there."""
        return self._roles[role]

    def is_synced(self, role: "Role | None") -> bool:
        """Tell whether everything was listed that a plan depends on: with half of it too much would be taken away."""
        needed = {"EndpointSlice", "Service"}
        if self._options.mirror:
            needed.add("Endpoints")
        if role == "pods":
            needed |= {"Pod", "Node"}
        return needed <= self._synced

    def dirty(self) -> "list[Name]":
        """Name all that may need writes."""
        mirrored = {*self._endpoints} | {name for name, found in self._services.items() if found.role == "mirror"}
        return sorted({*self._packer.dirty, *(mirrored if self._options.mirror else ())})

    def take_news(self) -> "set[Name]":
        """Take the Services that something happened to since the last call."""
        news, self._news = self._news, set()
        return news | {*self._packer.take_news()}

    def plans(self, name: "Name", trigger_time: str | None = None) -> "list[Plan]":
        """Plan a Service: by where its endpoints come from, and where there is more to be done, such as to clear up.

        Raises as :func:`epcore.publish`, :func:`epcore.reconcile` and :func:`epcore.mirror`.
        """
        namespace, service = name
        own = self._packer.plan(service, namespace=namespace, trigger_time=trigger_time)
        plans = [own]
        if self._options.mirror:
            known = self._services.get(name)
            mirrored = known.content if known is not None and known.role == "mirror" else None
            endpoints = self._endpoints.get(name)
            if mirrored is not None or endpoints is not None:
                plans.append(self._mirrored(mirrored, endpoints, name))
            if mirrored is not None:
                own = plans[-1]
        return [plan for plan in plans if plan is own or plan or plan.errors or plan.events]

    def _mirrored(self, service: bytes | None, endpoints: LegacyEndpoints | None, name: "Name") -> "Plan":
        options = self._options
        return epcore.mirror(
            service,
            endpoints,
            self.slices(name),
            controller=options.mirrorer,
            max_endpoints=options.max_endpoints,
            policy=options.policy,
            naming="deterministic",
        )

    def slices(self, name: "Name") -> "SliceSet":
        """List the slices of a Service that are ours."""
        return self._packer.slices(name[1], namespace=name[0])

    def changes(self, name: "Name") -> "Callable[[Write], Change]":
        """Return what tells the change of a write, with the slice that it changes as that is now."""
        held = {one.name: one for one in self.slices(name)}

        def change_of(write: "Write") -> Change:
            before = held.get(write.name)
            return Change.of(write, None if before is None else {**before.to_dict()})

        return change_of

    def answer(self, write: "Write", outcome: "Outcome", content: bytes | None = None) -> None:
        """Take in what became of a write."""
        self._packer.answer(write, outcome, content)

    def saw(self, content: bytes) -> None:
        """Take in a slice as it was just read."""
        (found,) = SliceSet.from_json(content)
        if found.labels.get(MANAGED_BY_LABEL) not in self._options.writers:
            # It is in none of our lists, which for the engine are all that there is: without a version it is not older.
            item = found.to_dict()
            item.get("metadata", {}).pop("resourceVersion", None)
            self._packer.apply(item, kind="EndpointSlice")
        else:
            self._packer.apply(content, kind="EndpointSlice")

    def _replace_services(self, items: "list[Json]") -> None:
        services = {name_of(item): self._looked_at(item) for item in items}
        ours = [json.loads(found.content) for found in services.values() if self._is_planned(found)]
        self._news |= {*self._services, *services}
        self._services = services
        self._roles = Counter(found.role for found in services.values())
        self._replace_items("Service", ours, None)

    def _take_service(self, type_: str, item: "Json") -> None:
        name = name_of(item)
        before = self._services.pop(name, None)
        if before is not None:
            self._roles[before.role] -= 1
        service = self._looked_at(item)
        if type_ != "DELETED":
            self._services[name] = service
            self._roles[service.role] += 1
        is_there = type_ != "DELETED" and self._is_planned(service)
        if is_there or self._is_planned(before):
            event = b'{"type":"%b","object":%b}' % (b"MODIFIED" if is_there else b"DELETED", service.content)
            try:
                self._packer.apply(event, kind="Service")
            except UNREADABLE as error:
                self._complain("Service", f"{'/'.join(name)}: {error}")
        self._news.add(name)

    def _looked_at(self, item: "Json") -> "Service":
        return service_of(item, self._options, self._sources)

    @staticmethod
    def _is_planned(service: "Service | None") -> bool:
        return service is not None and service.role in {"pods", "source"}

    def _replace_endpoints(self, items: "list[Json]") -> None:
        self._news |= {*self._endpoints}
        self._endpoints = {}
        for item in items:
            self._take_endpoints("ADDED", item)

    def _take_endpoints(self, type_: str, item: "Json") -> None:
        name = name_of(item)
        self._news.add(name)
        if type_ == "DELETED":
            self._endpoints.pop(name, None)
            return
        try:
            self._endpoints[name] = LegacyEndpoints.from_object(item)
        except UNREADABLE as error:
            self._complain("Endpoints", f"{'/'.join(name)}: {error}")

    def _replace(self, kind: "ObjectKind", pages: "Pages") -> None:
        try:
            self._packer.replace(b"\n".join(pages.pages), kind=kind, resource_version=pages.version)
        except UNREADABLE:
            items = [item for page in pages.pages for item in _items(page)]
            self._replace_readable(kind, items, pages.version)

    def _replace_items(self, kind: "ObjectKind", items: "list[Json]", version: str | None) -> None:
        try:
            self._packer.replace(items, kind=kind, resource_version=version)
        except UNREADABLE:
            self._replace_readable(kind, items, version)

    def _replace_readable(self, kind: "ObjectKind", items: "list[Json]", version: str | None) -> None:
        """Take a list, and leave out what cannot be read."""
        # Each by itself first: to find the next bad one with the whole list costs the whole list.
        trial = _packer_of(self._options)
        items = [item for item in items if self._is_readable(trial, kind, item)]
        while True:
            try:
                self._packer.replace(items, kind=kind, resource_version=version)
            except UNREADABLE as error:
                # One that is at odds with another, such as a second one of its name.
                place = re.match(r"objects\[(\d+)\]", error.path)
                if place is None:
                    raise
                bad = items.pop(int(place[1]))
                self._complain(kind, f"{'/'.join(name_of(bad))}: {error}")
            else:
                return

    def _is_readable(self, trial: Packer, kind: "ObjectKind", item: "Json") -> bool:
        try:
            trial.replace([item], kind=kind)
        except UNREADABLE as error:
            self._complain(kind, f"{'/'.join(name_of(item))}: {error}")
            return False
        return True


def _packer_of(options: "ControllerOptions") -> Packer:
    return Packer(
        managed_by=options.managed_by,
        controller=options.reconciler,
        max_endpoints=options.max_endpoints,
        policy=options.policy,
        naming="deterministic",
    )


def _items(page: bytes) -> "Iterable[Json]":
    items: list[Json] = json.loads(page).get("items") or []
    return items


def _known(kind: str) -> "ObjectKind":
    return cast("ObjectKind", kind)
