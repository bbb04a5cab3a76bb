"""Manifests: the YAML and JSON text of Kubernetes objects. Needs the extra ``cli`` or ``controller``."""

import json
import re
from itertools import chain
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import yaml

from epcore.errors import EpcoreError
from epcore.packed import ending_of

if TYPE_CHECKING:
    from collections.abc import Sequence

Form: TypeAlias = Literal["json", "yaml"]

_FORMS: Final[dict[str, Form]] = {
    ".json": "json",
    ".jsonl": "json",
    ".ndjson": "json",
    ".yaml": "yaml",
    ".yml": "yaml",
}

_LARGEST: Final = 64 << 20
"""Letters that a document with aliases may stand for, if it has not more itself: few bytes could say billions."""

WIDE: Final = 500
"""Columns before YAML folds a text: never, in practice."""

_BEGIN: Final = re.compile(r"^(?:%.*\n)*---(?=\s|\Z)", re.MULTILINE)
"""How a document of a stream begins. No content can: inside a document every line that starts so is indented."""
_COMMENTS: Final = re.compile(r"(?:[ \t\r]*(?:#.*)?\n)*")


class NotYamlError(EpcoreError, ValueError):
    """A text is not YAML. The message says at which line."""


class YamlLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Reads times as the text they are, as JSON does, and nothing whose aliases stand for more than fits anywhere."""

    def construct_document(self, node: yaml.Node) -> Any:  # noqa: ANN401 - any value
        """Make the value of a document. Raises ``yaml.MarkedYAMLError``."""
        if _written_out(node, {}) > max(_LARGEST, node.end_mark.index - node.start_mark.index):
            raise yaml.MarkedYAMLError(problem="aliases stand for too much", problem_mark=node.start_mark)
        return super().construct_document(node)


def _written_out(node: yaml.Node, known: dict[yaml.Node, int]) -> int:
    """Count the letters that there would be without aliases, and without any space."""
    if isinstance(node, yaml.ScalarNode):
        return 1 + len(node.value)
    if node not in known:
        known[node] = 1  # what is within itself is refused by whoever reads the value
        parts = chain.from_iterable(node.value) if isinstance(node, yaml.MappingNode) else node.value
        known[node] = 1 + sum(_written_out(part, known) for part in parts)
    return known[node]


YamlLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


class YamlDumper(yaml.SafeDumper):
    """Never writes anchors: few readers expect them in a manifest."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - the name of the base class
        """Say so of everything."""
        return True


def to_yaml(value: object, *, is_ascii: bool = False) -> str:
    """Write one document, members in the order they have."""
    return yaml.dump(value, Dumper=YamlDumper, sort_keys=False, allow_unicode=not is_ascii, width=WIDE)


def to_json(value: object, *, is_ascii: bool = False) -> str:
    """Write one document, readable, without a newline after it."""
    return json.dumps(value, indent=2, ensure_ascii=is_ascii)


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


def form_of(name: str, begin: bytes) -> Form:
    """Tell what a file is: by its name where that tells, else by how its content begins."""
    ending = ending_of(name)
    if ending in _FORMS:
        return _FORMS[ending]
    return "json" if begin.lstrip(b" \t\r\n\xef\xbb\xbf")[:1] in {b"{", b"["} else "yaml"


def read_yaml(content: str | bytes) -> list[Any]:
    """Read the documents of a YAML stream. Raises :class:`NotYamlError`."""
    try:
        return list(yaml.load_all(content, YamlLoader))
    except yaml.MarkedYAMLError as error:
        at = f" at line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise NotYamlError(f"not YAML{at}: {error.problem}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise NotYamlError(f"not YAML: {' '.join(str(error).split())}") from None
