"""Files that a command reads: JSON, JSON lines or YAML, plain or compressed, from disk or stdin.

What a file is, is taken from its name where that tells, else from how its content begins. Compressed files are
decompressed as they are read.
"""

import sys
from codecs import BOM_UTF8
from contextlib import contextmanager
from io import BytesIO, UnsupportedOperation
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, TypeAlias, cast

from epcore import EndpointSet, SliceSet
from epcore.cli.failure import CommandError
from epcore.manifest import NotYamlError, form_of, items_of, read_yaml
from epcore.packed import MAGIC, UNPACK_ERRORS, UnknownPackingError, unpacker_of

if TYPE_CHECKING:
    import io
    from collections.abc import Callable, Iterator

STDIN: Final = "-"

_LARGEST: Final = 1 << 32
"""Bytes of a file: of more text the engine takes nothing."""
_LARGEST_PACKED: Final = 1 << 30
"""Bytes of a compressed file without its compression, several million endpoints: few bytes could stand for any number,
and whoever has more decompresses it."""
_CHUNK: Final = 1 << 20

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
    with _opened(name, watch) as (file, _):
        yield from filter(None, [file.readline(longest).removeprefix(BOM_UTF8)])
        yield from iter(lambda: file.readline(longest), b"")


def read_source(name: str) -> tuple[bytes, list[Any] | None]:
    """Read a file: its content and, if that is YAML, the objects of its documents.

    An empty one is refused, since it looks so too where whatever should have written it has failed.
    """
    with _opened(name, None) as (file, is_packed):
        content = _all_of(file, name, is_packed=is_packed)
    content = content.removeprefix(BOM_UTF8)  # some editors and shells begin with one
    is_json = form_of(name, content) == "json"
    try:
        documents = [] if is_json else [one for one in read_yaml(content) if one is not None]
    except NotYamlError as error:
        raise CommandError(f"{name}: {error}") from None
    if not (content.strip() if is_json else documents):
        raise CommandError(f"{name}: is empty; write [] where there is nothing")
    return content, None if is_json else [item for document in documents for item in items_of(document)]


def _all_of(file: IO[bytes], name: str, *, is_packed: bool) -> bytes:
    """Read a file to its end, which may be far."""
    largest = _LARGEST_PACKED if is_packed else _LARGEST
    content = BytesIO()
    while chunk := file.read(_CHUNK):
        content.write(chunk)
        if content.tell() > largest:
            way = ", compressed; if that is right, decompress it first" if is_packed else ""
            raise CommandError(f"{name}: holds more than {largest:,} bytes{way}")
    return content.getvalue()


@contextmanager
def _opened(name: str, watch: "Watch | None") -> "Iterator[tuple[IO[bytes], bool]]":
    """Open a file for reading, decompressed as it is read if it is compressed; tell trouble with it by its name."""
    try:
        with _source(name) as source:
            begin = source.peek(MAGIC)
            size = None if name == STDIN else Path(name).stat().st_size
            file: IO[bytes] = source if watch is None else watch(source, size)
            unpack = unpacker_of(begin)
            if unpack is None:
                yield file, False
            else:
                with unpack(file) as unpacked:
                    yield unpacked, True
    except BrokenPipeError:
        raise
    except (OSError, UnknownPackingError, *UNPACK_ERRORS) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise CommandError(f"{name}: {reason}") from None


@contextmanager
def _source(name: str) -> "Iterator[io.BufferedReader]":
    if name != STDIN:
        with Path(name).open("rb") as file:
            yield file
        return
    try:
        # Of our own: a thread that waits for a line of Python's would have the interpreter abort where it ends.
        own = open(sys.stdin.fileno(), "rb", closefd=False)  # noqa: SIM115 - it is never closed
    except UnsupportedOperation:
        own = cast("io.BufferedReader", sys.stdin.buffer)  # something that whoever calls us has put there
    yield own


@contextmanager
def _told_with(name: str) -> "Iterator[None]":
    """Tell which file it is that the engine refuses."""
    try:
        yield
    except (ValueError, TypeError) as error:
        raise CommandError(f"{name}: {error}") from None
