"""Files that are never seen half written."""

import errno
import os
import sys
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from stat import S_ISREG
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_ACCESS: Final = "system.posix_acl_access"
"""Where Linux keeps the access control list of a file (``setfacl``)."""


def write_atomically(path: Path, text: str) -> None:
    """Put a file in the place of another at once: whoever reads sees the old one or the new one, also after a crash.

    A link stays, and the file that it links to is replaced; its mode stays, and owner, group and access
    control list where they may be given to the new one. Raises ``OSError``, also as :func:`replaceable`.
    """
    path = replaceable(path)
    try:
        before = path.stat()
    except FileNotFoundError:
        before = None
    with named(path):
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                _resemble(file.fileno(), path, before)
                os.fsync(file.fileno())
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise


def _resemble(handle: int, path: Path, before: os.stat_result | None) -> None:
    """Let those read and write a new file who could the old one, as far as we may and the file system can."""
    if before is not None:
        for owner in (before.st_uid, -1):
            with suppress(OSError):
                os.fchown(handle, owner, before.st_gid)
                break
        if sys.platform == "linux":
            with suppress(OSError):
                os.setxattr(handle, _ACCESS, os.getxattr(path, _ACCESS))
    os.fchmod(handle, 0o644 if before is None else before.st_mode & 0o777)


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
