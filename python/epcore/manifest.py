"""Manifests: the YAML and JSON text of Kubernetes objects. Needs the extra ``cli``."""

import json
import re
from typing import TYPE_CHECKING, Any, Final

import yaml

if TYPE_CHECKING:
    from collections.abc import Sequence

WIDE: Final = 500
"""Columns before YAML folds a text: never, in practice."""

_BEGIN: Final = re.compile(r"^(?:%.*\n)*---(?=\s|\Z)", re.MULTILINE)
"""How a document of a stream begins. No content can: inside a document every line that starts so is indented."""
_COMMENTS: Final = re.compile(r"(?:[ \t\r]*(?:#.*)?\n)*")


class YamlLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Reads times as the text they are, as JSON does."""


YamlLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


class YamlDumper(yaml.SafeDumper):
    """Never writes anchors: few readers expect them in a manifest."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - the name of the base class
        """Say so of everything."""
        return True


def to_yaml(value: object) -> str:
    """Write one document, members in the order they have."""
    return yaml.dump(value, Dumper=YamlDumper, sort_keys=False, allow_unicode=True, width=WIDE)


def to_json(value: object) -> str:
    """Write one document, readable, without a newline after it."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def documents_of(text: str) -> list[str]:
    """Cut a YAML stream into its documents, each with the marker that begins it; joined they are the text."""
    cuts = [match.start() for match in _BEGIN.finditer(text)]
    cuts = cuts if cuts[:1] == [0] else [0, *cuts]
    return [text[begin:end] for begin, end in zip(cuts, [*cuts[1:], len(text)], strict=True)]


def rewritten(document: str, value: object) -> str:
    """Write other content for a document, with its marker and the comments before its content."""
    marker = _BEGIN.match(document)
    begin = 0
    if marker:
        line_end = document.find("\n", marker.end())
        begin = len(document) if line_end < 0 else line_end + 1
    comments = _COMMENTS.match(document, begin)
    kept = document[begin : comments.end()] if comments else ""
    return ("---\n" if marker else "") + kept + to_yaml(value)


def items_of(content: object) -> "Sequence[Any]":
    """List the objects of a document: those of a list one by one, none of an empty document."""
    if isinstance(content, list):
        return content
    items = content.get("items") if isinstance(content, dict) else None
    if isinstance(items, list):
        return items
    return [] if content is None else [content]
