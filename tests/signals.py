"""Signals that come when the process has worked for so long: a busy machine does not matter."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def signalled_after(seconds: float, handler: Callable[..., object]) -> Iterator[None]:
    """Call a handler of signals in this thread."""
    before = signal.signal(signal.SIGPROF, handler)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
