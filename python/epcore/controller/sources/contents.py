"""What a file of endpoints holds, or a folder of such files, at one moment."""

import io
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

from epcore.controller.sources import SourceError
from epcore.controller.sources.document import LINES, TABLES, endpoints_in
from epcore.manifest import form_of
from epcore.packed import MAGIC, ending_of, unpacker_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from epcore.controller.sources import PublishedEndpoint

ENDINGS: Final = {".json", ".yaml", ".yml", *LINES, *TABLES}
"""Files of a folder that are read, packed or not; all else is passed over."""
LARGEST: Final = 64 << 20
"""Bytes of a file, as it is and without its compression."""

State: TypeAlias = tuple[tuple[str, int, int, int, int, int], ...]
"""What tells two states of files apart: names, devices, numbers, sizes and times."""


def read_endpoints(path: Path, largest: int = LARGEST) -> "list[PublishedEndpoint]":
    """Read the endpoints of a file, or of all files of a folder, as they are now. Raises :class:`SourceError`."""
    return Whole.read(path, largest).endpoints()


@dataclass(frozen=True)
class Whole:
    """What files held at one moment."""

    path: Path
    state: State
    contents: dict[Path, bytes]

    @classmethod
    def read(cls, path: Path, largest: int) -> "Whole":
        """Read files, and make sure that they did not change meanwhile. Raises :class:`SourceError`."""
        state = state_of(path)
        contents = {file: _content(file, largest) for file in _files(path)}
        if state_of(path) != state:
            raise SourceError(f"{path}: changed while it was read")
        return cls(path, state, contents)

    @property
    def is_unended(self) -> bool:
        """Whether a last line may be the half of one. Where brackets must be closed, half a text is no text."""
        return any(
            not content.endswith(b"\n") and (file.suffix.lower() in LINES | TABLES or _is_open(file, content))
            for file, content in self.contents.items()
        )

    def endpoints(self) -> "list[PublishedEndpoint]":
        """Read the endpoints of all of them, in the order of their names."""
        return [endpoint for file, content in self.contents.items() for endpoint in endpoints_in(str(file), content)]


def _is_open(file: Path, content: bytes) -> bool:
    """Tell whether it is YAML without brackets around all of it."""
    return form_of(file.name, content) == "yaml" and not content.lstrip().startswith((b"[", b"{"))


def state_of(path: Path) -> State:
    """Tell how files are without reading them. Raises :class:`SourceError` where there are none."""
    found = []
    for file in _files(path):
        try:
            status = file.stat()
        except OSError as error:
            raise SourceError(f"{file}: {error.strerror}") from None
        if not stat.S_ISREG(status.st_mode):
            raise SourceError(f"{file}: is neither a file nor a folder")
        found.append((str(file), status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns))
    return tuple(found)


def is_folder(path: Path) -> bool:
    """Tell whether it is a folder, as far as it may be looked at: a `Path` raises for others until Python 3.14."""
    return os.path.isdir(path)  # noqa: PTH112


def _files(path: Path) -> "Iterator[Path]":
    """Yield a file, or those of a folder, not of folders below it; a folder without any is one that is not mounted."""
    if not is_folder(path):
        yield path
        return
    try:
        names = sorted(name for name in os.listdir(path) if not name.startswith("."))  # noqa: PTH208 - names alone
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror}") from None
    files = [path / name for name in names if ending_of(name) in ENDINGS]
    if not files:
        raise SourceError(f"{path}: has no files of endpoints; one that holds [] says that there are no endpoints")
    yield from files


def _content(file: Path, largest: int) -> bytes:
    try:
        with file.open("rb") as opened:
            content = opened.read(largest + 1)
        unpack = unpacker_of(content[:MAGIC])
        if unpack is not None and len(content) <= largest:
            with unpack(io.BytesIO(content)) as unpacked:
                content = unpacked.read(largest + 1)
    except OSError as error:
        raise SourceError(f"{file}: {error.strerror or error}") from None
    except Exception as error:  # noqa: BLE001 - each way of packing has errors of its own
        raise SourceError(f"{file}: {error}") from None
    if len(content) > largest:
        raise SourceError(f"{file}: more than {largest:,} bytes")
    return content
