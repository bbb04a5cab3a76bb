"""What the options of several commands have in common: their types, and the exit codes."""

from threading import TIMEOUT_MAX
from typing import Annotated, Final, get_args

from cyclopts import Parameter, validators

import epcore
from epcore.cli.failure import CommandError
from epcore.cli.inputs import STDIN
from epcore.cli.output import Form
from epcore.types import PolicyName

SAME: Final = 0
DIFFERENT: Final = 1


def _refuse_option(_: object, value: object) -> None:
    """Refuse a misspelt option, which would else be taken for the name of a file because ``-`` is one."""
    if isinstance(value, str) and value.startswith("-") and value != STDIN:
        raise ValueError(f"unknown option {value.partition('=')[0]}")


File = Annotated[str, Parameter(metavar="FILE", allow_leading_hyphen=True, validator=_refuse_option)]
Maximum = Annotated[int, Parameter(metavar="N", validator=validators.Number(gte=1, lte=1000))]
Output = Annotated[Form, Parameter(name=["--output", "-o"])]
Seconds = Annotated[float, Parameter(metavar="SECONDS", validator=validators.Number(gte=0))]
Pause = Annotated[float, Parameter(metavar="SECONDS", validator=validators.Number(gte=0, lte=TIMEOUT_MAX))]
Count = Annotated[int, Parameter(metavar="N", validator=validators.Number(gte=1))]
Times = Annotated[int, Parameter(metavar="N", validator=validators.Number(gte=1, lte=100_000))]
Jobs = Annotated[int, Parameter(metavar="N", validator=validators.Number(gte=1, lte=1000))]


def read_policy(text: str) -> PolicyName | epcore.Policy:
    """Read the name of a policy, or a threshold."""
    names: tuple[PolicyName, ...] = get_args(PolicyName)
    for name in names:
        if text == name:
            return name
    try:
        return epcore.Policy(threshold=float(text))
    except ValueError:
        raise CommandError(f"--policy {text}: neither one of {', '.join(names)} nor a share from 0 to 1") from None
