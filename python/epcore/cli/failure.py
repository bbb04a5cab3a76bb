"""What the command line shows to people where it fails: a line on stderr, exit code 2."""

from epcore.errors import EpcoreError


class CommandError(EpcoreError):
    """The command cannot do what was asked. The message is one line and names the file it is about."""


def line_of(error: Exception) -> str:
    """Say in one line what went wrong: of the system's errors the file and the reason, without the number."""
    parts = (error.filename, error.strerror) if isinstance(error, OSError) else ()
    said = ": ".join(str(part) for part in parts if part is not None)
    return " ".join((said or str(error)).split())
