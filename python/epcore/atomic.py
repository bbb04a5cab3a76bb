"""Files that are never seen half written."""

import errno
import os
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from stat import S_ISREG
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def write_atomically(path: Path, text: str) -> None:
    """Put a file in the place of another at once: whoever reads sees the old one or the new one, also after a crash.

    A link stays, and the file that it links to is replaced. Raises ``OSError``, also as :func:`replaceable`.
    """
    path = replaceable(path)
    try:
        mode = path.stat().st_mode & 0o777
    except FileNotFoundError:
        mode = 0o644
    with named(path):
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fchmod(file.fileno(), mode)
                os.fsync(file.fileno())
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise


@contextmanager
def named(path: Path) -> "Iterator[None]":
    """Let ``OSError`` name the file that people know: where a disk is full it names none."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None


def replaceable(path: Path) -> Path:
    """Tell which file would be replaced. Raises ``OSError`` for what is there and is no regular file, as a device."""
    with suppress(FileNotFoundError):
        if not S_ISREG(path.stat().st_mode):
            raise OSError(errno.EINVAL, "is no regular file, and cannot be replaced", str(path))
    return path.resolve()
