"""The file that says which Service has its endpoints from where."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml

from epcore.controller.sources import Assigned, SourceError
from epcore.controller.sources.text import source_of
from epcore.manifest import YamlLoader

if TYPE_CHECKING:
    from collections.abc import Iterator

_MEMBERS: Final = {"service", "source", "options", "mayEmpty"}
_LARGEST: Final = 16 << 20


def read_config(path: Path) -> list[Assigned]:
    """Read a list of Services and their sources.

    ::

        services:
        - service: shop/db
          source: srv:_sql._tcp.db.example.org
          options: {atMost: 60}
          mayEmpty: true

    Raises :class:`SourceError` with the file, the line and the place in it.
    """
    root = _composed(path)
    members = root.members({"services"})
    if "services" not in members:
        raise root.trouble("services is missing")
    made: dict[tuple[str, str], Assigned] = {}
    for item in members["services"].items():
        assigned = _assigned(item)
        key = assigned.namespace, assigned.service
        if key in made:
            raise item.trouble(f"a second source of {'/'.join(key)}")
        made[key] = assigned
    return [*made.values()]


def _composed(path: Path) -> "_Place":
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
        if len(content) > _LARGEST:
            raise SourceError(f"{path}: more than {_LARGEST:,} bytes")
        node = yaml.compose(content, YamlLoader)
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror}") from None
    except yaml.MarkedYAMLError as error:
        at = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        raise SourceError(f"{path}{at}: not YAML: {error.problem}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise SourceError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    if node is None:
        raise SourceError(f"{path}: is empty")
    return _Place(path, "", node)


def _assigned(item: "_Place") -> Assigned:
    members = item.members(_MEMBERS)
    for name in ("service", "source"):
        if name not in members:
            raise item.trouble(f"{name} is missing")
    service = members["service"].text()
    namespace, _, name = service.partition("/")
    if not namespace or not name or "/" in name:
        raise members["service"].trouble(f"not NAMESPACE/NAME: {service}")
    options = members["options"].plain() if "options" in members else {}
    may_empty = members["mayEmpty"].plain() if "mayEmpty" in members else False
    if not isinstance(options, dict):
        raise members["options"].trouble("expected names and values")
    if not isinstance(may_empty, bool):
        raise members["mayEmpty"].trouble("expected true or false")
    try:
        source = source_of(members["source"].text(), options)
    except SourceError as error:
        about = members["options"] if ": option " in str(error) else members["source"]
        raise about.trouble(str(error)) from None
    return Assigned(namespace, name, source, may_empty)


@dataclass(frozen=True)
class _Place:
    """A value, and where it is written."""

    file: Path
    path: str
    node: Any

    def trouble(self, message: str) -> SourceError:
        line = self.node.start_mark.line + 1
        return SourceError(f"{self.file}:{line}: {self.path + ': ' if self.path else ''}{message}")

    def members(self, known: set[str]) -> "dict[str, _Place]":
        if not isinstance(self.node, yaml.MappingNode):
            raise self.trouble("expected names and values")
        found: dict[str, _Place] = {}
        for key, value in self.node.value:
            name = str(key.value)
            at = _Place(self.file, f"{self.path}.{name}" if self.path else name, key)
            if name not in known:
                message = f'unknown field "{name}"; known: {", ".join(sorted(known))}'
                raise _Place(self.file, self.path, key).trouble(message)
            if name in found:
                raise at.trouble("is there twice")
            found[name] = _Place(self.file, at.path, value)
        return found

    def items(self) -> "Iterator[_Place]":
        if not isinstance(self.node, yaml.SequenceNode):
            raise self.trouble("expected a list")
        for number, node in enumerate(self.node.value):
            yield _Place(self.file, f"{self.path}[{number}]", node)

    def text(self) -> str:
        plain = self.plain()
        if not isinstance(plain, str) or not plain:
            raise self.trouble("expected a text")
        return plain

    def plain(self) -> object:
        """Give the value as Python has it."""
        loader = YamlLoader("")
        try:
            return loader.construct_document(self.node)
        except yaml.YAMLError as error:
            raise self.trouble(" ".join(str(error).split())) from None
        finally:
            loader.dispose()
