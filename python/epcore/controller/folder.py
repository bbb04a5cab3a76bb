"""A folder of manifests in the place of a cluster: what it holds, and one slice of it written at a time."""

import json
import os
import re
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml

from epcore.atomic import write_atomically
from epcore.controller.objects import member, name_of
from epcore.errors import EpcoreError
from epcore.manifest import YamlLoader, documents_of, items_of, rewritten, to_json, to_yaml

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from epcore import Write
    from epcore.controller.objects import Json, Name
    from epcore.types import ObjectKind, Verb

KINDS: "Final[dict[tuple[str, str], ObjectKind]]" = {
    ("v1", "Service"): "Service",
    ("v1", "Pod"): "Pod",
    ("v1", "Node"): "Node",
    ("discovery.k8s.io/v1", "EndpointSlice"): "EndpointSlice",
}
"""What is read, by ``apiVersion`` and ``kind``; all else is passed over."""
SUFFIXES: Final = {".yaml", ".yml", ".json"}
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9.-]*")
NEW_SLICES: Final = "endpointslices"
"""Where slices are created: ``endpointslices/NAMESPACE/NAME.yaml``."""


class FolderError(EpcoreError):
    """A manifest cannot be read or written. The message names the file and, where it can, the line."""


class StaleError(FolderError):
    """A file is not what it was when it was read: nothing was written."""


@dataclass(frozen=True)
class Change:
    """One slice that is to be created, updated or deleted."""

    verb: "Verb"
    name: "Name"
    reasons: tuple[str, ...]
    before: "Json | None"
    after: "Json | None"

    @classmethod
    def of(cls, write: "Write", before: "Json | None") -> "Change":
        """Make the one of a write that names its slice."""
        made: Json = {**write.to_dict()}
        # It has its name already.
        made["metadata"] = {key: value for key, value in made["metadata"].items() if key != "generateName"}
        return cls(write.verb, name_of(made), tuple(write.reasons), before, None if write.verb == "delete" else made)


@dataclass
class _File:
    """A file as it was read or written last."""

    text: str
    documents: list[str]
    contents: list[Any]

    def of(self, path: Path) -> str:
        """Write the text of what it holds; ``""`` if that is nothing."""
        if not any(len(items_of(content)) for content in self.contents):
            return ""
        return f"{to_json(self.contents[0])}\n" if path.suffix == ".json" else "".join(self.documents)


@dataclass
class Folder:
    """The manifests of a folder and those below it, hidden ones left out.

    :meth:`read` looks at all of them; :meth:`write` changes one slice, in the file that holds it. Every other document
    of the file stays as it is, byte for byte, and a file is replaced whole or not at all.
    """

    path: Path
    _files: dict[Path, _File] = field(default_factory=dict)
    _slices: "dict[Name, tuple[Path, int]]" = field(default_factory=dict)
    _origins: "dict[ObjectKind, list[Path]]" = field(default_factory=dict)

    def read(self) -> "dict[ObjectKind, list[Json]]":
        """Read the objects that matter, by kind. Raises :class:`FolderError`; what was known stays then."""
        files = {path: _read(path) for path in self._manifests()}
        objects: dict[ObjectKind, list[Json]] = {kind: [] for kind in KINDS.values()}
        origins: dict[ObjectKind, list[Path]] = {kind: [] for kind in KINDS.values()}
        places: dict[tuple[str, Name], tuple[Path, int]] = {}
        for path, file in files.items():
            for number, content in enumerate(file.contents):
                for item in items_of(content):
                    kind = _kind(item)
                    if kind is None:
                        continue
                    name = _name(item, path)
                    if (kind, name) in places:
                        other = places[kind, name][0]
                        raise FolderError(f"{path}: a second {kind} of the name {'/'.join(name)}, also in {other}")
                    places[kind, name] = (path, number)
                    objects[kind].append(item)
                    origins[kind].append(path)
        self._files, self._origins = files, origins
        self._slices = {name: place for (kind, name), place in places.items() if kind == "EndpointSlice"}
        return objects

    def origin(self, kind: "ObjectKind", index: int) -> Path:
        """Tell which file an object was read from, by its place in what :meth:`read` gave."""
        return self._origins[kind][index]

    def signature(self) -> frozenset[tuple[str, int, int, int]]:
        """Tell two states of the folder apart without reading it: the files, their times, sizes and numbers."""
        found = set()
        for path in self._manifests():
            with suppress(FileNotFoundError):
                status = path.stat()
                found.add((str(path), status.st_mtime_ns, status.st_size, status.st_ino))
        return frozenset(found)

    def write(self, change: Change) -> None:
        """Carry out one change. Raises :class:`StaleError` where somebody has changed the file since it was read."""
        for _ in self.write_all([change]):
            pass

    def write_all(self, changes: "Iterable[Change]") -> "Iterator[Change]":
        """Carry out changes in their order, each file but once for those that follow each other; yield what is done."""
        for path, group in groupby(changes, self._place):
            together = [*group]
            if together[0].verb == "create":
                self._create(path, together[0])
            else:
                self._rewrite(path, together)
            yield from together

    def _place(self, change: Change) -> Path:
        if change.verb == "create":
            namespace, name = change.name
            return self.path / NEW_SLICES / namespace / f"{name}.yaml"
        return self._slices[change.name][0]

    def _rewrite(self, path: Path, changes: "Sequence[Change]") -> None:
        file = self._files[path]
        if _bytes_of(path) != file.text.encode():
            raise StaleError(f"{path}: has changed since it was read")
        made = _File("", [*file.documents], [*file.contents])
        after: dict[int, dict[Name, Json | None]] = {}
        for change in changes:
            after.setdefault(self._slices[change.name][1], {})[change.name] = change.after
        for number, others in after.items():
            content = _replaced(file.contents[number], others)
            made.contents[number] = content
            made.documents[number] = "" if content is None else rewritten(file.documents[number], content)
        made.text = made.of(path)
        if made.text:
            _put(path, made.text)
            self._files[path] = made
        else:
            path.unlink()
            del self._files[path]
        for change in changes:
            if change.after is None:
                del self._slices[change.name]

    def _create(self, path: Path, change: Change) -> None:
        if path.exists():
            raise StaleError(f"{path}: is there already")
        text = to_yaml(change.after)
        path.parent.mkdir(parents=True, exist_ok=True)
        _put(path, text)
        self._files[path] = _File(text, [text], [change.after])
        self._slices[change.name] = (path, 0)

    def _manifests(self) -> "Iterator[Path]":
        if not self.path.is_dir():
            raise FolderError(f"{self.path}: no such folder")
        for folder, folders, files in os.walk(self.path, onerror=_refuse):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in sorted(files):
                if not name.startswith(".") and Path(name).suffix in SUFFIXES:
                    yield Path(folder, name)


def _refuse(error: OSError) -> None:
    """Raise for a folder that cannot be read: what is in it would be taken for gone, and its slices for nobody's."""
    if not isinstance(error, FileNotFoundError):
        raise FolderError(f"{error.filename}: {error.strerror}") from None


def _read(path: Path) -> _File:
    try:
        # Not as lines: the ends of theirs are part of the documents that stay as they are.
        text = (_bytes_of(path) or b"").decode()
    except UnicodeDecodeError as error:
        raise FolderError(f"{path}: not UTF-8 at byte {error.start}") from None
    try:
        if path.suffix == ".json":
            return _File(text, [text], [json.loads(text)])
    except (ValueError, RecursionError) as error:
        raise FolderError(f"{path}: not JSON: {error}") from None
    file = _File(text, documents_of(text), [])
    for number, document in enumerate(file.documents):
        try:
            file.contents.append(yaml.load(document, YamlLoader))  # noqa: S506 - a safe loader
        except yaml.MarkedYAMLError as error:
            before = sum(document.count("\n") for document in file.documents[:number])
            at = f" at line {before + error.problem_mark.line + 1}" if error.problem_mark else ""
            raise FolderError(f"{path}: not YAML{at}: {error.problem}") from None
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            raise FolderError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    return file


def _bytes_of(path: Path) -> bytes | None:
    try:
        if path.is_fifo():
            raise FolderError(f"{path}: is a pipe, not a file")  # to read it may take for ever
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise FolderError(f"{path}: {error.strerror}") from None


def _kind(item: object) -> "ObjectKind | None":
    return KINDS.get((str(item.get("apiVersion")), str(item.get("kind")))) if isinstance(item, dict) else None


def _name(item: "Json", path: Path) -> "Name":
    metadata = member(item, "metadata")
    namespace, name = metadata.get("namespace") or "", metadata.get("name")
    if not isinstance(name, str) or not isinstance(namespace, str) or not _NAME.fullmatch(namespace + name):
        raise FolderError(f"{path}: a {item['kind']} without usable metadata.name or metadata.namespace")
    return namespace, name


def _replaced(content: object, after: "Mapping[Name, Json | None]") -> object:
    """Put other objects in the place of slices; ``None`` where nothing is left."""
    is_list = isinstance(content, dict) and isinstance(content.get("items"), list)
    if not is_list and not isinstance(content, list):
        (only,) = after.values()
        return only
    items: list[Json] = []
    for item in items_of(content):
        name = _name(item, Path()) if _kind(item) == "EndpointSlice" else None
        other = after.get(name, item) if name else item
        if other is not None:
            items.append(other)
    if not items:
        return None
    return {**content, "items": items} if isinstance(content, dict) else items


def _put(path: Path, text: str) -> None:
    try:
        write_atomically(path, text)
    except OSError as error:
        raise FolderError(f"{path}: {error.strerror}") from None
