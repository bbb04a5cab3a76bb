"""Who does the work of a simulation: processes of ours, the workers of Dask, or nobody but ourselves."""

import os
import signal
import sys
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import active_children, get_context, parent_process
from threading import Thread
from typing import TYPE_CHECKING, Any, Final, TypeVar

from epcore.cli.failure import CommandError
from epcore.cli.interrupt import no_interrupt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import Executor, Future
    from multiprocessing.process import BaseProcess

Made = TypeVar("Made")

_CTRL_C: Final = {signal.SIGINT}


@contextmanager
def executor(jobs: int, dask: str | None) -> "Iterator[Executor | None]":
    """Give the executor that was asked for; none where all is done here."""
    if dask is not None:
        with _of_dask(dask) as pool:
            yield pool
    elif jobs > 1:
        with _of_processes(jobs) as pool:
            yield pool
    else:
        yield None


@contextmanager
def _of_dask(address: str) -> "Iterator[Executor]":
    try:
        from distributed import Client  # noqa: PLC0415 - an extra of its own
        from distributed.comm.addressing import resolve_address  # noqa: PLC0415
    except ModuleNotFoundError:
        raise CommandError("--dask needs distributed: pip install '.[cli,simulate]' from a checkout") from None
    try:
        # A client that was not made ends in a traceback, seconds later.
        resolve_address(address)
        client = Client(address, timeout="5s", set_as_default=False)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        raise CommandError(f"--dask {address}: no scheduler answers ({error})") from None
    with client, client.get_executor() as pool:  # type: ignore[no-untyped-call]
        yield pool


@contextmanager
def _of_processes(jobs: int) -> "Iterator[Executor]":
    others = active_children()
    # Fresh interpreters: what shows progress has a thread, which no fork survives.
    with _Processes(jobs, get_context("spawn"), initializer=_end_with_parent) as pool:
        try:
            yield pool
        except KeyboardInterrupt:
            pool.interrupt([one for one in active_children() if one not in others])
            raise
        except BrokenProcessPool:
            raise CommandError(f"--jobs {jobs}: a worker was killed; there may be too little memory for it") from None


class _Processes(ProcessPoolExecutor):
    """Processes that Ctrl-C ends at work only: one that begins, or waits for work, would end with a traceback."""

    def submit(self, fn: "Callable[..., Made]", /, *args: Any, **kwargs: Any) -> "Future[Made]":  # noqa: ANN401
        """Have a function called, by a process that is made here if need be."""
        with no_interrupt():  # which processes inherit
            return super().submit(_interruptible, fn, *args, **kwargs)

    def interrupt(self, workers: "Sequence[BaseProcess]") -> None:
        """End all work, and wait until it has ended: it is not long, even for whoever presses Ctrl-C again."""
        with no_interrupt():
            for pid in [worker.pid for worker in workers if worker.pid is not None]:
                os.kill(pid, signal.SIGINT)
            self.shutdown(cancel_futures=True)


def _interruptible(call: "Callable[..., Made]", *args: Any, **kwargs: Any) -> "Made":  # noqa: ANN401
    """Call so that Ctrl-C ends it, and what this process would do after it."""
    if sys.platform == "win32":  # it has no masks of signals
        return call(*args, **kwargs)
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _CTRL_C)
        return call(*args, **kwargs)
    except KeyboardInterrupt:
        signal.pthread_sigmask(signal.SIG_BLOCK, _CTRL_C)
        os.kill(os.getpid(), signal.SIGINT)
        raise
    finally:
        signal.pthread_sigmask(signal.SIG_BLOCK, _CTRL_C)


def _end_with_parent() -> None:
    """End where our parent was killed, which told nobody."""
    parent = parent_process()
    assert parent is not None  # noqa: S101 - we are a worker

    def wait() -> None:
        parent.join()
        os._exit(1)

    Thread(target=wait, daemon=True).start()
