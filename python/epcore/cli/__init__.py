"""The command line: the engine of :mod:`epcore` for people.

It needs the extra ``epcore[cli]``; the engine itself needs nothing.
"""

import os
import signal
import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]

TROUBLE: Final = 2
INTERRUPTED: Final = 128 + 2


def main(arguments: "Sequence[str] | None" = None) -> int:
    """Run one command and return its exit code, as ``diff`` has them: 0 same, 1 different, 2 trouble."""
    _open_what_was_closed()
    try:
        from epcore.cli.app import run  # noqa: PLC0415 - the libraries may be missing, which is worth a clear line

        return run(sys.argv[1:] if arguments is None else arguments)
    except KeyboardInterrupt:
        if arguments is None:  # the process ends: another Ctrl-C is not for Python, which would tell of it
            signal.signal(signal.SIGINT, signal.SIG_DFL)
        return INTERRUPTED
    except ModuleNotFoundError as error:
        if (error.name or "epcore").partition(".")[0] == "epcore":
            raise
        print(f"epcore: the command line needs {error.name}: pip install '.[cli]' from a checkout", file=sys.stderr)
        return TROUBLE


def _open_what_was_closed() -> None:
    """Stand in for streams that whoever started us has closed, before a file that is opened takes the place of one."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115 - for as long as we run
