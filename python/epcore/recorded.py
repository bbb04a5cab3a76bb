"""What recordings of watches have in common, whoever reads them."""

from math import inf
from typing import Final

LATEST: Final = 1e15
"""Seconds, some thirty million years: more is no time, and sums of it are no numbers."""
LARGEST_EVENT: Final = 64 << 20
"""Bytes of one event. The API server's store takes 1.5 MiB; a line without end must not eat all memory."""


def seconds_of(value: object) -> float:
    """Read when something happened. Raises ``TypeError`` and ``ValueError`` for what is no time."""
    try:
        seconds = float(value)  # type: ignore[arg-type]  # whatever it is
    except OverflowError:
        seconds = inf
    if not abs(seconds) <= LATEST:
        raise ValueError(f"{seconds:g} is no time in seconds")
    return seconds
