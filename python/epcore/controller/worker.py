"""Services made right: those of the queue are planned and written, several at a time and one never twice."""

import asyncio
import logging
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from epcore.controller.api import ApiError
from epcore.controller.limits import Bucket, WorkQueue
from epcore.controller.recorder import Recorder
from epcore.controller.state import UNREADABLE
from epcore.controller.writer import Writer

if TYPE_CHECKING:
    from collections.abc import Callable

    from epcore import Plan, Write
    from epcore.controller.api import Api
    from epcore.controller.folder import Change
    from epcore.controller.metrics import Metrics
    from epcore.controller.objects import Name
    from epcore.controller.options import ControllerOptions
    from epcore.controller.services import Service
    from epcore.controller.state import State
    from epcore.controller.writer import End

REPLANS: Final = 2
"""How often a Service is planned again at once after a conflict; then it waits as after any failure."""
_GRACE: Final = 25.0
"""Seconds in which plans that are being written may end after a stop; a Pod is given 30."""

_log = logging.getLogger(__name__)


class Worker:
    """Takes Services from a queue, plans and writes them.

    :param owns: asked before a Service is planned, and before each write.
    """

    def __init__(
        self,
        api: "Api",
        options: "ControllerOptions",
        state: "State",
        metrics: "Metrics",
        owns: "Callable[[str, str], bool] | None",
    ) -> None:
        self._options, self._state, self._metrics, self._owns = options, state, metrics, owns
        self._writer = Writer(api, state)
        self._recorder = Recorder(api)
        bucket = Bucket(options.retry_rate, options.retry_burst)
        self.queue = WorkQueue(base=options.retry_base, longest=options.retry_longest, bucket=bucket)
        self._limit = asyncio.Semaphore(options.concurrency)
        self._working: dict[Name, asyncio.Task[None]] = {}
        self._since: dict[Name, float] = {}
        """When the first event came that a Service was not looked at since, as time of day."""
        self._untold: dict[Name, str] = {}
        """Trouble of sources whose Services are not there, or not ours: told once they are, if it lasts so long."""
        metrics.queue.set_function(lambda: len(self.queue))

    def due(self, name: "Name", delay: float = 0.0, since: float | None = None) -> None:
        """Let a Service be looked at after so many seconds, for something that happened ``since``."""
        if since is not None:
            self._since.setdefault(name, since)
        self.queue.add(name, delay)

    def stop(self) -> None:
        """Begin nothing any more, so that :meth:`run` ends."""
        self.queue.close()
        # It may be waiting for a turn, and the next task to end may take longer than the grace.
        self._limit.release()

    async def run(self) -> None:
        """Work until it is stopped, and end what is being written."""
        try:
            while True:
                await self._limit.acquire()
                name = await self.queue.get()
                if name is None:
                    break
                task = asyncio.get_running_loop().create_task(self._look_at(name))
                self._working[name] = task
                task.add_done_callback(lambda _, name=name: self._ended(name))  # type: ignore[misc]
            if self._working:
                await asyncio.wait([*self._working.values()], timeout=_GRACE)
        finally:
            left = [*self._working.values()]
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)
            await self.close()

    def _ended(self, name: "Name") -> None:
        del self._working[name]
        self.queue.done(name)
        self._limit.release()

    async def finished(self, concerned: "Callable[[str, str], bool]") -> None:
        """Wait until nothing is written any more for any Service of some, which are not ours from now on."""
        left = [task for name, task in self._working.items() if concerned(*name)]
        if left:
            await asyncio.wait(left)
        self._metrics.forget_all(concerned)

    async def close(self) -> None:
        """Wait for what is to be told to people, some seconds."""
        await self._recorder.close()

    def is_ours(self, name: "Name") -> bool:
        """Tell whether a Service is for this replica."""
        return self._owns is None or self._owns(*name)

    async def write(
        self, name: "Name", since: float | None = None, changes: "list[Change] | None" = None
    ) -> "End | None":
        """Write what a Service needs, planned again after a conflict; ``None`` if it is not for us or not known enough.

        Raises ``ApiError``, and as :meth:`State.plans`.

        :param changes: where each write that was accepted is put, whatever becomes of the others.
        """
        end: End | None = None
        for _ in range(REPLANS + 1):
            end = await self._write_plans(name, since, changes)
            if end != "stale":
                break
            self._metrics.conflicts.inc()
        return end

    async def _write_plans(self, name: "Name", since: float | None, changes: "list[Change] | None") -> "End | None":
        known = self._state.service(name)
        if not self.is_ours(name):
            # Another replica counts it.
            self._metrics.forget(name)
            return None
        if not self._state.is_synced(None if known is None else known.role):
            return None
        if known is not None and known.trouble:
            self.tell(name, "Warning", "ServiceNotUsable", known.trouble)
        trigger = _rfc3339(since) if since is not None and self._options.trigger_time else None
        plans = self._state.plans(name, trigger)
        for plan in plans:
            self._tell_of(name, plan)
            end = await self._writer.carry_out(plan, lambda: self.is_ours(name), self._noting(name, changes))
            if end != "done":
                return end
            self._metrics.planned(plan)
        if known is None or known.role is None:
            self._metrics.forget(name)
        else:
            self._metrics.sized(name, plans)
        return "done"

    async def _look_at(self, name: "Name") -> None:
        """Make one Service right, or see to it that it is tried again."""
        since = self._since.pop(name, None)
        began = time.monotonic()
        try:
            end = await self.write(name, since)
        except UNREADABLE as error:
            # No try again would be another: somebody must change something first.
            self._metrics.syncs.labels("error").inc()
            self.tell(name, "Warning", "FailedToUpdateEndpointSlices", str(error))
        except Exception as error:  # noqa: BLE001 - one Service must not end the work on all others
            self._metrics.syncs.labels("error").inc()
            self._retry(name, since, error)
        else:
            if end == "stale":
                self._metrics.syncs.labels("stale").inc()
                self._retry(name, since, None)
            elif end is not None and end != "not-ours":
                self._metrics.syncs.labels("success").inc()
                self.queue.forget(name)
                if since is not None:
                    self._metrics.delay.observe(max(0.0, time.time() - since))
        finally:
            self._metrics.duration.observe(time.monotonic() - began)

    def _retry(self, name: "Name", since: float | None, error: Exception | None) -> None:
        if since is not None:
            self._since.setdefault(name, since)
        about = {"namespace": name[0], "service": name[1], "error": str(error or "its slices are written by another")}
        if error is not None and not isinstance(error, ApiError):
            _log.error("a Service failed by a fault of ours", extra=about, exc_info=error)
        if self.queue.failures(name) >= self._options.retries:
            self.queue.forget(name)
            _log.error("a Service is given up until there are news of it", extra=about)
        else:
            self.queue.retry(name, (isinstance(error, ApiError) and error.retry_after) or 0.0)
            _log.warning("a Service is tried again later", extra=about)
        self._record(name, "Warning", "FailedToUpdateEndpointSlices", about["error"])

    def tell(self, name: "Name", type_: str, reason: str, message: str) -> None:
        """Tell people something about a Service, in the log and by an Event."""
        about = {"namespace": name[0], "service": name[1], "reason": reason, "error": message}
        _log.log(logging.WARNING if type_ == "Warning" else logging.INFO, "about a Service", extra=about)
        self._record(name, type_, reason, message)

    def source_failed(self, name: "Name", trouble: str) -> None:
        """Tell people that the source of a Service is in trouble."""
        self.tell(name, "Warning", "SourceFailed", trouble)
        if self._tells_of(name) is None:
            self._untold[name] = trouble

    def source_works(self, name: "Name") -> None:
        """Forget trouble of a source that was not told yet."""
        self._untold.pop(name, None)

    def tell_late(self) -> None:
        """Tell by Events of sources that failed before their Services were known, as at the start, or were ours."""
        for name in [name for name in self._untold if self._tells_of(name) is not None]:
            self._record(name, "Warning", "SourceFailed", self._untold.pop(name))

    def _record(self, name: "Name", type_: str, reason: str, message: str) -> None:
        service = self._tells_of(name)
        # What became of one that is gone is nothing for a new one of its name.
        if service is not None:
            self._recorder.tell(name, service.uid, type_, reason, message)

    def _tells_of(self, name: "Name") -> "Service | None":
        """Give a Service of which this replica writes the Events: of one of another's it would be told twice."""
        return self._state.service(name) if self.is_ours(name) else None

    def _tell_of(self, name: "Name", plan: "Plan") -> None:
        for error in plan.errors:
            self.tell(name, "Warning", "EndpointsLeftOut", error)
        for event in plan.events:
            self.tell(name, event["type"], event["reason"], event["message"])

    def _noting(self, name: "Name", changes: "list[Change] | None") -> "Callable[[Write], None]":
        """Return what counts a write that was accepted and, where somebody asks for it, keeps its change."""
        if changes is None:
            return self._wrote
        change_of = self._state.changes(name)

        def wrote(write: "Write") -> None:
            self._wrote(write)
            changes.append(change_of(write))

        return wrote

    def _wrote(self, write: "Write") -> None:
        self._metrics.changes.labels(write.verb).inc()
        self._metrics.bytes.inc(len(write.to_json()))
        about = {"namespace": write.namespace, "slice": write.name, "verb": write.verb, "reasons": write.reasons}
        _log.info("a slice was written", extra=about)


def _rfc3339(when: float) -> str:
    return datetime.fromtimestamp(when, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
