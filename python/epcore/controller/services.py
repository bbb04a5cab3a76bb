"""Services: which are ours, and where their endpoints come from."""

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from epcore.controller.objects import member, name_of
from epcore.controller.sync import RECONCILE_LABEL

if TYPE_CHECKING:
    from collections.abc import Container

    from epcore.controller.objects import Json, Name
    from epcore.controller.options import ControllerOptions

Role: TypeAlias = Literal["pods", "source", "mirror"]
"""Where the endpoints of a Service come from."""

SELECTOR_ANNOTATION: Final = "epcore.dev/selector"
"""The selector of a Service for us alone (``app=web,tier=db``): without ``spec.selector`` Kubernetes' own controllers
leave a Service alone, and nothing else makes them (``syncService``)."""


@dataclass(frozen=True, slots=True)
class Service:
    """A Service as it is known."""

    role: Role | None
    """``None`` for one that is not ours."""
    uid: str
    content: bytes
    """The object, as the engine is to see it."""
    trouble: str = ""
    """Why it cannot be ours, though it asks to be."""


def service_of(item: "Json", options: "ControllerOptions", sources: "Container[Name]") -> Service:
    """Look at a Service, as the API server gave it."""
    metadata, spec = member(item, "metadata"), member(item, "spec")
    trouble = ""
    name = name_of(item)
    asked = member(metadata, "annotations").get(SELECTOR_ANNOTATION)
    if asked is not None and not spec.get("selector"):
        selector = _selector(str(asked))
        if selector is None:
            trouble = f"the annotation {SELECTOR_ANNOTATION} is not LABEL=VALUE,...: {asked}"
        else:
            spec = {**spec, "selector": selector}
    asks = member(metadata, "labels").get(RECONCILE_LABEL) == "true" or (asked is not None and not trouble)
    role: Role | None = None
    if spec.get("type") == "ExternalName" or trouble:
        role = None
        if name in sources and not trouble:
            trouble = "is of type ExternalName, so that its endpoints cannot come from a source"
    elif spec.get("selector"):
        role = "pods" if asks or options.with_selector else None
        if name in sources:
            trouble = "has a selector, so that its endpoints cannot come from a source"
    elif name in sources:
        role = "source"
    elif options.mirror:
        role = "mirror"
    kept = {key: value for key, value in metadata.items() if key != "managedFields"}
    content = {**item, "apiVersion": "v1", "kind": "Service", "metadata": kept, "spec": spec}
    content.pop("status", None)
    return Service(role, str(metadata.get("uid") or ""), json.dumps(content).encode(), trouble)


def _selector(text: str) -> dict[str, str] | None:
    pairs = [part.partition("=") for part in text.split(",")]
    selector = {label.strip(): value.strip() for label, equals, value in pairs if equals and label.strip()}
    return selector if len(selector) == len(pairs) else None
