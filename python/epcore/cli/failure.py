"""What the command line shows to people where it fails: a line on stderr, exit code 2."""

from typing import Final

from epcore.errors import EpcoreError

_CONTROLS: Final = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))}


class CommandError(EpcoreError):
    """The command cannot do what was asked. The message is one line and names the file it is about."""


def visible(text: str) -> str:
    """Write control characters as escapes: what others wrote into names must not move the cursor of a terminal."""
    return text.translate(_CONTROLS)


def line_of(error: Exception) -> str:
    """Say in one line what went wrong: of the system's errors the file and the reason, without the number."""
    parts = (error.filename, error.strerror) if isinstance(error, OSError) else ()
    said = ": ".join(str(part) for part in parts if part is not None)
    return visible(" ".join((said or str(error)).split()))
