"""Objects as manifests and the API server give them: what they are called, and what is in them."""

from typing import Any, TypeAlias

Json: TypeAlias = dict[str, Any]
Name: TypeAlias = tuple[str, str]
"""Namespace (``""`` where there is none) and name."""


def name_of(item: Json) -> Name:
    """Tell namespace and name of an object."""
    metadata = member(item, "metadata")
    return str(metadata.get("namespace") or ""), str(metadata.get("name") or "")


def member(item: Json, name: str) -> Json:
    """Give a member that should be an object; an empty one where it is none, which the engine tells."""
    found = item.get(name)
    return found if isinstance(found, dict) else {}
