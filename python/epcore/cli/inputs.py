"""Files that a command reads: JSON, JSON lines or YAML, plain or compressed, from disk or stdin.

What a file is, is taken from its name where that tells, else from how its content begins. Compressed files are
decompressed as they are read.
"""

import gzip
import lzma
import sys
import zlib
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import IO, TYPE_CHECKING, Any, Final, Literal, TypeAlias, cast

import yaml

from epcore import EndpointSet, SliceSet
from epcore.cli.failure import CommandError
from epcore.manifest import YamlLoader, items_of

if TYPE_CHECKING:
    import io
    from collections.abc import Callable, Iterator

STDIN: Final = "-"

Form: TypeAlias = Literal["json", "yaml"]

_UNPACKERS: "Final[dict[bytes, Callable[[IO[bytes]], IO[bytes]]]]" = {
    b"\x1f\x8b": lambda file: cast("IO[bytes]", gzip.GzipFile(fileobj=file)),
    b"\xfd7zXZ\x00": lambda file: cast("IO[bytes]", lzma.LZMAFile(file)),  # noqa: SIM115 - whoever calls it does
}
"""How compressed content is read, by how it begins."""

_FORMS: Final[dict[str, Form]] = {
    ".json": "json",
    ".jsonl": "json",
    ".ndjson": "json",
    ".yaml": "yaml",
    ".yml": "yaml",
}
_PACKED: Final = {".gz", ".xz"}

Watch: TypeAlias = "Callable[[IO[bytes], int | None], IO[bytes]]"
"""Wraps a file of so many bytes (``None``: unknown) in one that tells how far it was read."""


def read_slices(name: str) -> SliceSet:
    """Read every EndpointSlice of a file."""
    content = objects_of(name)
    with _told_with(name):
        return SliceSet.from_json(content) if isinstance(content, bytes) else SliceSet.from_objects(content)


def read_endpoints(name: str) -> EndpointSet:
    """Read every endpoint of a file: endpoints, or those of slices."""
    content = objects_of(name)
    with _told_with(name):
        return EndpointSet.from_json(content) if isinstance(content, bytes) else EndpointSet.from_objects(content)


def objects_of(name: str) -> bytes | list[Any]:
    """Read the objects of a file, whatever they are: JSON as it is, YAML as objects."""
    content, objects = read_source(name)
    return content if objects is None else objects


def lines(name: str, watch: "Watch | None" = None, *, longest: int = -1) -> "Iterator[bytes]":
    """Yield the lines of a file, with no more of it in memory than one; one that is too long in parts."""
    with _opened(name, watch) as file:
        yield from iter(lambda: file.readline(longest), b"")


def read_source(name: str) -> tuple[bytes, list[Any] | None]:
    """Read a file: its content and, if that is YAML, the objects of its documents."""
    with _opened(name, None) as file:
        content = file.read()
        if _form(name, content) == "json":
            return content, None
        try:
            documents = yaml.load_all(content, YamlLoader)
            return content, [item for document in documents for item in items_of(document)]
        except yaml.MarkedYAMLError as error:
            at = f" at line {error.problem_mark.line + 1}" if error.problem_mark else ""
            raise CommandError(f"{name}: not YAML{at}: {error.problem}") from None
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            raise CommandError(f"{name}: not YAML: {' '.join(str(error).split())}") from None


def _form(name: str, content: bytes) -> Form:
    path = PurePath(name)
    suffix = path.with_suffix("").suffix if path.suffix in _PACKED else path.suffix
    if suffix.lower() in _FORMS:
        return _FORMS[suffix.lower()]
    return "json" if content.lstrip(b" \t\r\n\xef\xbb\xbf")[:1] in {b"{", b"["} else "yaml"


@contextmanager
def _opened(name: str, watch: "Watch | None") -> "Iterator[IO[bytes]]":
    """Open a file for reading, decompressed as it is read; tell trouble with it by its name."""
    try:
        with _source(name) as source:
            begin = source.peek(8)
            size = None if name == STDIN else Path(name).stat().st_size
            file: IO[bytes] = source if watch is None else watch(source, size)
            unpack = next((unpack for magic, unpack in _UNPACKERS.items() if begin.startswith(magic)), None)
            if unpack is None:
                yield file
            else:
                with unpack(file) as unpacked:
                    yield unpacked
    except BrokenPipeError:
        raise
    except (OSError, EOFError, lzma.LZMAError, zlib.error) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise CommandError(f"{name}: {reason}") from None


@contextmanager
def _source(name: str) -> "Iterator[io.BufferedReader]":
    if name != STDIN:
        with Path(name).open("rb") as file:
            yield file
    else:
        yield cast("io.BufferedReader", sys.stdin.buffer)


@contextmanager
def _told_with(name: str) -> "Iterator[None]":
    """Tell which file it is that the engine refuses."""
    try:
        yield
    except (ValueError, TypeError) as error:
        raise CommandError(f"{name}: {error}") from None
