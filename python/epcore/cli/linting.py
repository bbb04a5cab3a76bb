"""Files of slices as the linter sees them: one document for the engine, and the line of each thing that it finds."""

import json
import re
from bisect import bisect_left
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import yaml

import epcore
from epcore.cli.failure import CommandError
from epcore.cli.inputs import objects_of, read_source
from epcore.errors import InvalidInputError, LimitError
from epcore.manifest import YamlLoader

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from epcore import Finding

_STEP: Final = re.compile(r'\.?(?P<field>\w+)|\[(?P<index>\d+)\]|\[(?P<quoted>"(?:[^"\\]|\\.)*")\]')


@dataclass(frozen=True)
class Source:
    """A file, and its JSON: its own content or, of YAML, a line for each object."""

    name: str
    content: bytes
    json: bytes
    is_yaml: bool

    def place(self, path: str, offset: int) -> tuple[int, int]:
        """Return line and column, both from 1, of a path within a slice that begins at a byte of the JSON."""
        if self.is_yaml:
            mark = _node_at(self._nodes[self.json.count(b"\n", 0, offset)], path).start_mark
            return mark.line + 1, mark.column + 1
        line = bisect_left(self._line_ends, offset)
        begin = self._line_ends[line - 1] + 1 if line else 0
        return line + 1, len(self.content[begin:offset].decode(errors="replace")) + 1

    @cached_property
    def _line_ends(self) -> list[int]:
        return [match.start() for match in re.finditer(b"\n", self.content)]

    @cached_property
    def _nodes(self) -> list[yaml.Node]:
        return list(_objects_in(yaml.compose_all(self.content, YamlLoader)))


@dataclass(frozen=True)
class Found:
    """A finding and its place in a file."""

    finding: "Finding"
    file: str
    line: int
    column: int
    path: str
    """Within the slice; ``""`` for the slice itself."""

    def to_dict(self) -> dict[str, Any]:
        """Return it for programs."""
        place = {"file": self.file, "line": self.line, "column": self.column, "path": self.path}
        told = {name: value for name, value in self.finding.to_dict().items() if name not in {"path", "offset"}}
        return told | place


def lint(
    names: "Sequence[str]", *, services: str | None = None, pods: str | None = None, max_endpoints: int = 100
) -> list[Found]:
    """Look at the slices of several files together."""
    sources = [_source(name) for name in names]
    around = {"services": objects_of(services) if services else None, "pods": objects_of(pods) if pods else None}
    try:
        findings = epcore.lint(
            b"\n".join(source.json for source in sources) or b"[]", max_endpoints=max_endpoints, **around
        )
    except (InvalidInputError, LimitError) as error:
        for kind, name in (("services", services), ("pods", pods)):
            if error.path.startswith(kind):
                raise CommandError(f"{name}: {error}") from None
        for source in sources:
            _refuse(source)
        raise CommandError(str(error)) from None
    begins = [0]
    for source in sources:
        begins.append(begins[-1] + len(source.json) + 1)
    return [_placed(finding, sources, begins) for finding in findings]


def sarif(found: "Sequence[Found]") -> dict[str, Any]:
    """Make a SARIF 2.1.0 log, as code hosts show it beside the lines of a change."""
    rules = {one.finding.rule: one.finding for one in found}
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "epcore lint",
                        "version": epcore.__version__,
                        "rules": [
                            {
                                "id": rule,
                                "shortDescription": {"text": first.help.split(". ")[0].rstrip(".")},
                                "fullDescription": {"text": first.help},
                                "defaultConfiguration": {"level": first.severity},
                            }
                            for rule, first in rules.items()
                        ],
                    }
                },
                "columnKind": "unicodeCodePoints",
                "results": [_result(one, list(rules)) for one in found],
            }
        ],
    }


def _result(found: Found, rules: "Sequence[str]") -> dict[str, Any]:
    finding = found.finding
    owner = "/".join(part for part in (finding.namespace, finding.name) if part)
    place: dict[str, Any] = {
        "physicalLocation": {
            "artifactLocation": {"uri": found.file},
            "region": {"startLine": found.line, "startColumn": found.column},
        },
        "logicalLocations": [{"fullyQualifiedName": f"{owner}:{found.path}" if found.path else owner}],
    }
    return {
        "ruleId": finding.rule,
        "ruleIndex": rules.index(finding.rule),
        "level": finding.severity,
        "message": {"text": f"{found.path}: {finding.message}" if found.path else finding.message},
        "locations": [place],
    }


def _source(name: str) -> Source:
    content, objects = read_source(name)
    if objects is None:
        return Source(name, content, content, is_yaml=False)
    try:
        lines = [json.dumps(one, ensure_ascii=False, default=str).encode() for one in objects]
    except (ValueError, RecursionError, UnicodeEncodeError) as error:
        raise CommandError(f"{name}: {error}") from None
    return Source(name, content, b"\n".join(lines), is_yaml=True)


def _refuse(source: Source) -> None:
    """Tell the file that cannot be read."""
    if not source.json:
        return
    try:
        epcore.lint(source.json)
    except (InvalidInputError, LimitError) as error:
        raise CommandError(f"{source.name}: {error}") from None


def _placed(finding: "Finding", sources: "Sequence[Source]", begins: "Sequence[int]") -> Found:
    path = re.sub(r"^slices\[\d+\]\.?", "", finding.path)
    offset = finding.offset or 0
    which = max(index for index, begin in enumerate(begins[:-1]) if begin <= offset)
    line, column = sources[which].place(path, offset - begins[which])
    return Found(finding, sources[which].name, line, column, path)


def _objects_in(documents: "Iterator[yaml.Node]") -> "Iterator[yaml.Node]":
    """Yield the nodes of the objects that ``inputs`` makes of the same documents."""
    for document in documents:
        items = next((value for name, value in _members(document) if name == "items"), None)
        if isinstance(document, yaml.SequenceNode):
            yield from document.value
        elif isinstance(items, yaml.SequenceNode):
            yield from items.value
        elif document.tag != "tag:yaml.org,2002:null":
            yield document


def _node_at(node: yaml.Node, path: str) -> yaml.Node:
    """Return the node under a path, or the innermost one that is there."""
    for step in _STEP.finditer(path):
        if step["index"] is not None:
            items = node.value if isinstance(node, yaml.SequenceNode) else []
            below = items[int(step["index"])] if int(step["index"]) < len(items) else None
        else:
            name = step["field"] or json.loads(step["quoted"])
            below = next((value for key, value in _members(node) if key == name), None)
        if below is None:
            return node
        node = below
    return node


def _members(node: yaml.Node) -> "Iterator[tuple[str, yaml.Node]]":
    if isinstance(node, yaml.MappingNode):
        yield from ((str(key.value), value) for key, value in node.value)
