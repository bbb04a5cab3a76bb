"""Endpoints in text: JSON, JSON lines, YAML or CSV. Nothing is taken of a document that is not right as a whole."""

import csv
import io
import json
from typing import TYPE_CHECKING, Any, Final, NoReturn

import epcore
from epcore.controller.sources import SourceError
from epcore.errors import InvalidInputError, LimitError
from epcore.manifest import NotYamlError, form_of, read_yaml
from epcore.packed import ending_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from epcore.controller.sources import PublishedEndpoint

LINES: Final = {".jsonl", ".ndjson"}
TABLES: Final = {".csv", ".txt"}

_ANY_SERVICE: Final = {"metadata": {"name": "any", "namespace": "any"}, "spec": {"ports": [{"port": 1}]}}
"""Endpoints are checked against it, but for their ports, which only the real Service can tell."""
_MOST_VALUES: Final = 10_000_000
"""Values in a document: aliases of YAML can make a page of text into more than any memory holds."""
_TEXTS: Final = {"address", "zone", "nodeName", "hostname"}
_CONDITIONS: Final = {"ready", "serving", "terminating"}
_TRUTHS: Final = {"true": True, "false": False}
_PORT_OF: Final = "port."


def endpoints_in(name: str, content: bytes) -> "list[PublishedEndpoint]":
    """Read the endpoints of a document; ``name`` tells its form by the ending, and people which one it is.

    JSON and YAML are a list of endpoints as :func:`epcore.publish` takes them, or an object with such a list in
    ``endpoints`` or ``items``. CSV has a row for each, and a heading. Raises :class:`SourceError` for anything else,
    and for an empty document: a list that is empty on purpose is ``[]``, or a heading alone.
    """
    if not content.strip():
        raise SourceError(f"{name}: is empty; write [] where there are no endpoints")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SourceError(f"{name}: not UTF-8 at byte {error.start}") from None
    if ending_of(name) in TABLES:
        return checked(_rows(name, text), name)
    return checked([item for document in _documents(name, text) for item in _listed(name, document)], name)


def checked(items: "Iterable[object]", name: str) -> "list[PublishedEndpoint]":
    """Copy endpoints into plain data, and refuse what the API would. Raises :class:`SourceError`."""
    try:
        copied = _Copy().all(items)
    except (ValueError, TypeError, RecursionError) as error:
        raise SourceError(f"{name}: {error}") from None
    try:
        epcore.publish(_ANY_SERVICE, [_portless(item) for item in copied], managed_by="any")
    except (InvalidInputError, LimitError) as error:
        raise SourceError(f"{name}: {error}") from None
    return copied


def _documents(name: str, text: str) -> "list[Any]":
    if form_of(name, text.encode()[:64]) == "yaml":
        try:
            found = read_yaml(text)
        except NotYamlError as error:
            raise SourceError(f"{name}: {error}") from None
        found = [document for document in found if document is not None]
        if not found:
            raise SourceError(f"{name}: is empty; write [] where there are no endpoints")
        return found
    if ending_of(name) not in LINES:
        return [_json(name, text)]
    return [[_json(f"{name}: line {number}", line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]]


def _json(where: str, text: str) -> object:
    def refuse(constant: str) -> NoReturn:
        raise ValueError(f"{constant} is no JSON")

    try:
        return json.loads(text, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise SourceError(f"{where}: not JSON: {error}") from None


def _listed(name: str, document: object) -> "list[Any]":
    """Give the endpoints of one document; nothing is guessed, since what is left out would be taken away."""
    if isinstance(document, list):
        return document
    if isinstance(document, dict):
        if "kind" in document and document["kind"] != "List":
            raise SourceError(f"{name}: expected endpoints, found an object of kind {document['kind']}")
        if "address" in document or "addresses" in document:
            return [document]
        for member in ("endpoints", "items"):
            if isinstance(document.get(member), list):
                found: list[Any] = document[member]
                return found
    raise SourceError(f'{name}: expected a list of endpoints, or an object with such a list in "endpoints" or "items"')


def _rows(name: str, text: str) -> "Iterator[PublishedEndpoint]":
    """Yield the rows of a table: of addresses alone it needs no heading."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    heading: list[str] | None = None
    try:
        for cells in reader:
            row = [cell.strip() for cell in cells]
            where = f"{name}: line {reader.line_num}"
            if not any(row) or row[0].startswith("#"):
                continue
            if heading is None:
                heading = row if "address" in row else ["address"]
                _check_heading(where, heading)
                if "address" in row:
                    continue
            if len(row) != len(heading):
                raise SourceError(f"{where}: {len(row)} cells, where the heading has {len(heading)}")
            yield _endpoint(where, dict(zip(heading, row, strict=True)))
    except csv.Error as error:
        raise SourceError(f"{name}: line {reader.line_num}: not CSV: {error}") from None
    if heading is None:
        raise SourceError(f"{name}: is empty; write the heading where there are no endpoints")


def _check_heading(where: str, heading: list[str]) -> None:
    for number, column in enumerate(heading):
        if column in heading[:number]:
            raise SourceError(f"{where}: two columns {column!r}")
        if column not in _TEXTS | _CONDITIONS | {"port"} and not column.startswith(_PORT_OF):
            known = ", ".join(sorted(_TEXTS | _CONDITIONS | {"port", f"{_PORT_OF}NAME"}))
            raise SourceError(f"{where}: {column!r} is no column; there are {known}")


def _endpoint(where: str, row: dict[str, str]) -> "PublishedEndpoint":
    made: dict[str, Any] = {}
    for column, cell in row.items():
        if not cell and column != "address":
            continue
        if column in _TEXTS:
            made[column] = cell
        elif column in _CONDITIONS:
            if cell.lower() not in _TRUTHS:
                raise SourceError(f"{where}: {column} is {cell!r}, neither true nor false")
            made[column] = _TRUTHS[cell.lower()]
        elif not cell.isascii() or not cell.isdigit():
            raise SourceError(f"{where}: {column} is {cell!r}, not a number")
        elif column == "port":
            made["port"] = int(cell[:6])
        else:
            made.setdefault("ports", {})[column.removeprefix(_PORT_OF)] = int(cell[:6])
    return made


class _Copy:
    """Copies values into plain ones: who made them may go on changing them."""

    def __init__(self) -> None:
        self._left = _MOST_VALUES

    def all(self, items: "Iterable[object]") -> "list[PublishedEndpoint]":
        return [
            item if isinstance(item, str) else self._mapping(item, f"endpoints[{n}]") for n, item in enumerate(items)
        ]

    def _mapping(self, item: object, path: str) -> "Mapping[str, Any]":
        copied = self._value(item, path)
        if not isinstance(copied, dict):
            raise TypeError(f"{path}: expected a string or an object, found {_called(copied)}")
        return copied

    def _value(self, value: object, path: str) -> object:
        self._left -= 1
        if self._left < 0:
            raise ValueError(f"more than {_MOST_VALUES:,} values")
        if value is None or isinstance(value, str | bool | int | float):
            return value
        if isinstance(value, list | tuple):
            return [self._value(item, f"{path}[{number}]") for number, item in enumerate(value)]
        if hasattr(value, "items"):
            return {self._key(key, path): self._value(item, f"{path}.{key}") for key, item in value.items()}
        if hasattr(value, "to_dict"):
            return self._value(value.to_dict(), path)
        raise TypeError(f"{path}: {_called(value)} is no JSON")

    def _key(self, key: object, path: str) -> str:
        if not isinstance(key, str):
            raise TypeError(f"{path}: the key {key!r} is not a string")
        return key


def _called(value: object) -> str:
    return "null" if value is None else type(value).__name__


def _portless(item: "PublishedEndpoint") -> "PublishedEndpoint":
    return item if isinstance(item, str) else {key: item[key] for key in item if key not in {"port", "ports"}}
