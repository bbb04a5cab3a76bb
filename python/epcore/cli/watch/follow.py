"""The loop: events into a view, and what changed to whoever wants to know."""

import queue
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

from epcore import EpcoreError, InvalidInputError, View
from epcore.atomic import replaceable, write_atomically
from epcore.cli.failure import CommandError
from epcore.cli.watch.sources import Listed, Trouble

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from epcore.cli.watch.sources import Told
    from epcore.cli.watch.targets import Target

    Message: TypeAlias = Listed | Told | Trouble

_QUEUED: Final = 10_000
"""Messages that are read ahead of the view."""

_TICK: Final = 1.0
"""Seconds after which what failed is looked at, and the state is saved."""


class Follower:
    """Feeds a view, and hands out what changed at most every ``batch`` seconds.

    :param source: what people call where the messages come from.
    :param batch: seconds for which changes are collected.
    :param state: file in which the view is kept, so that a restart tells what changed in between.
    """

    def __init__(self, target: "Target", source: str, *, batch: float, hold: float, state: str | None) -> None:
        self._target = target
        self._source = source
        self._batch = batch
        self._hold = hold
        self._state = None if state is None else Path(state)
        self._saved_at = -_TICK
        self._is_unsaved = False
        self.view = self._restored()
        self._is_first = True
        self._is_known = len(self.view) > 0
        """What is there was told: by a list, an event, or the state of the process before this one."""
        self._waiting: queue.Queue[Message | BaseException | None] = queue.Queue(_QUEUED)

    def catch_up(self, now: float) -> None:
        """Tell what was about to be told when the process before this one ended; ``now`` starts the clock."""
        if self.view.pending or self.view.next_due is not None:
            self._tell(now, time.time())

    def follow_log(self, messages: "Iterable[Told]", *, once: bool) -> None:
        """Follow a log to its end, each event by itself; or, for ``once``, tell what is there in the end."""
        now = 0.0
        for message in messages:
            self._feed(message)
            now = max(now, message.time or 0.0)
            if not once and self._is_known:
                self._tell(now, now)
        self._refuse_silence()
        self._tell(now + self._hold, now)
        self._save()
        self._target.finish()

    def version(self) -> str | None:
        """Tell the version to watch from, once all that was read is in the view; ``None`` if a list is needed."""
        self._waiting.join()
        return None if self.view.expired else self.view.resource_version

    def follow(self, messages: "Iterator[Message]") -> None:
        """Follow a source that is live, until it ends."""
        threading.Thread(target=self._read, args=(messages,), daemon=True).start()
        due: float | None = None
        is_over = False
        while not is_over:
            for message in self._batch_of_messages(self._patience(due)):
                if isinstance(message, BaseException):
                    raise message
                is_over = is_over or message is None
                if message is not None:
                    self._feed(message)
            now = time.monotonic()
            if due is None and (self.view.pending or (self._is_first and self._is_known)):
                due = now + self._batch
            held = self.view.next_due
            if is_over:
                self._refuse_silence()
            if is_over or any(moment is not None and moment <= now for moment in (due, held)):
                self._tell(now, time.time())
                due = None
            self._target.retry()
            if is_over or now - self._saved_at >= _TICK:
                self._save()
        self._target.finish()

    def _refuse_silence(self) -> None:
        """Raise ``CommandError`` where nobody told what is there, as where ``kubectl`` in a pipe has failed."""
        if not self._is_known:
            raise CommandError(f"{self._source}: tells of no EndpointSlice, so that nothing is known")

    def _patience(self, due: float | None) -> float:
        """Seconds to wait for the next message."""
        moments = [moment - time.monotonic() for moment in (due, self.view.next_due) if moment is not None]
        return max(0.0, min([_TICK, *moments]))

    def _feed(self, message: "Message") -> None:
        self._is_unsaved = True
        if isinstance(message, Trouble):
            print(f"epcore: {message.message}", file=sys.stderr)
        elif isinstance(message, Listed):
            self.view.feed_list(message.slices, resource_version=message.resource_version)
            self._is_known = True
        else:
            try:
                self.view.feed(message.event)
                self._is_known = self._is_known or self.view.pending
            except (EpcoreError, TypeError) as error:
                raise CommandError(f"{message.where}: {error}") from None

    def _tell(self, now: float, moment: float) -> None:
        """Tell what changed. It is in the state before, so that one that is killed tells it again and forgets none."""
        if self.view.pending:
            self._save()
        delta = self.view.checkout(now)
        self._is_unsaved = True
        if delta or self._is_first:
            self._is_first = False
            self._target.update(self.view, delta, moment)

    def _restored(self) -> View:
        if self._state is None or not replaceable(self._state).exists():
            return View(hold=self._hold)
        try:
            return View.restore(self._state.read_bytes(), hold=self._hold)
        except InvalidInputError as error:
            raise CommandError(f"{self._state}: {error}") from None

    def _save(self) -> None:
        if self._state is None or not self._is_unsaved:
            return
        write_atomically(self._state, self.view.snapshot().decode())
        self._saved_at = time.monotonic()
        self._is_unsaved = False

    def _read(self, messages: "Iterator[Message]") -> None:
        """Read a source in a thread of its own, so that time passes for what is held back."""
        try:
            for message in messages:
                self._waiting.put(message)
            self._waiting.put(None)
        except BaseException as error:  # noqa: BLE001 - told by the loop
            self._waiting.put(error)

    def _batch_of_messages(self, seconds: float) -> "Iterator[Message | BaseException | None]":
        """Yield what is there, or what comes first within some seconds."""
        with suppress(queue.Empty):
            yield self._waiting.get(timeout=seconds) if seconds > 0 else self._waiting.get_nowait()
            self._waiting.task_done()
            for _ in range(self._waiting.qsize()):
                yield self._waiting.get_nowait()
                self._waiting.task_done()
