"""Files that are compressed: how that is told, and how they are read."""

import gzip
import lzma
import re
import zlib
from pathlib import PurePath
from typing import IO, TYPE_CHECKING, Final, cast

from epcore.errors import EpcoreError

if TYPE_CHECKING:
    from collections.abc import Callable

_ENDINGS: Final = {".gz", ".xz"}
_UNPACKERS: "Final[dict[bytes, Callable[[IO[bytes]], IO[bytes]]]]" = {
    b"\x1f\x8b": lambda file: cast("IO[bytes]", gzip.GzipFile(fileobj=file)),
    b"\xfd7zXZ\x00": lambda file: cast("IO[bytes]", lzma.LZMAFile(file)),  # noqa: SIM115 - whoever calls it does
}
"""How compressed content is read, by how it begins."""
_OTHERS: Final = {"bzip2": rb"BZh[1-9]1AY&", "zstd": rb"\x28\xb5\x2f\xfd", "zip": rb"PK\x03\x04"}
"""What else content may be compressed by, by how it begins: no text does so."""

MAGIC: Final = 8
"""Bytes that tell whether content is compressed."""
UNPACK_ERRORS: Final = (EOFError, lzma.LZMAError, zlib.error)
"""What reading compressed content raises besides ``OSError``."""


class UnknownPackingError(EpcoreError, ValueError):
    """A file is compressed in a way that is not read here."""


def unpacker_of(begin: bytes) -> "Callable[[IO[bytes]], IO[bytes]] | None":
    """Tell how content that begins so is decompressed; ``None`` if it is not compressed.

    Raises :class:`UnknownPackingError`.
    """
    for name, pattern in _OTHERS.items():
        if re.match(pattern, begin):
            raise UnknownPackingError(f"is compressed by {name}, not by gzip or xz; decompress it first")
    return next((unpack for magic, unpack in _UNPACKERS.items() if begin.startswith(magic)), None)


def ending_of(name: str) -> str:
    """Tell by what ending people know the form of a file, in small letters and without that of its packing."""
    path = PurePath(name)
    return (path.with_suffix("").suffix if path.suffix.lower() in _ENDINGS else path.suffix).lower()
