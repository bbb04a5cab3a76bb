"""The one exception that the command line shows to people: a line on stderr, exit code 2."""

from epcore.errors import EpcoreError


class CommandError(EpcoreError):
    """The command cannot do what was asked. The message is one line and names the file it is about."""
