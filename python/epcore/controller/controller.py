"""The controller: follows what there is and what should be, and has the Services that it concerns made right."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from epcore.controller.api import ENDPOINTS, NODES, PODS, SERVICES, SLICES, ApiError
from epcore.controller.follower import Follower
from epcore.controller.metrics import Metrics
from epcore.controller.sources import Failed
from epcore.controller.sources.polled import is_cancelled, told_in_one_line
from epcore.controller.state import UNREADABLE, State
from epcore.controller.sync import MANAGED_BY_LABEL
from epcore.controller.worker import Worker
from epcore.errors import EpcoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Sequence

    from epcore.controller.api import Api, Resource
    from epcore.controller.folder import Change
    from epcore.controller.follower import Pages
    from epcore.controller.objects import Name
    from epcore.controller.options import ControllerOptions
    from epcore.controller.services import Role
    from epcore.controller.sources import Assigned, Found, Source

_SLICE_DELAY: Final = 1.0
"""Seconds until a Service is looked at of which somebody else wrote a slice (``endpointSliceChangeMinSyncDelay``)."""
_LONGEST_SOURCE_WAIT: Final = 60.0
_PARTING: Final = 1.0
"""Seconds for sources to end: with those of plans and of Events less than the 30 that a Pod is given."""
_ROLES: "Final[tuple[Role, ...]]" = ("pods", "source", "mirror")

_log = logging.getLogger(__name__)


class ControllerError(EpcoreError):
    """Some Services could not be made right. The message names them; ``changes`` are the writes that were made."""

    def __init__(self, message: str, changes: "list[Change]") -> None:
        super().__init__(message)
        self.changes = changes


class Controller:
    """Keeps the slices of Services right.

    :param api: the API server; it is not closed.
    :param sources: Services without selector, and where their endpoints come from.
    :param owns: asked with namespace and name before a Service is planned, and again before each write.
    :param metrics: where to count; left out, in a registry of its own.

    Use it once: :meth:`run`, :meth:`run_once` or :meth:`changes`.
    """

    def __init__(
        self,
        api: "Api",
        options: "ControllerOptions",
        *,
        sources: "Sequence[Assigned]" = (),
        owns: "Callable[[str, str], bool] | None" = None,
        metrics: Metrics | None = None,
    ) -> None:
        self.api, self.options = api, options
        self.metrics = Metrics() if metrics is None else metrics
        self._sources: dict[Name, Assigned] = {}
        for assigned in sources:
            name = (assigned.namespace, assigned.service)
            if name in self._sources:
                raise ValueError(f"two sources for the Service {'/'.join(name)}")
            self._sources[name] = assigned
        self._refused: dict[Name, tuple[Found, str]] = {}
        """What sources told that did not fit their Services, and why; it may once these have changed."""
        self._state = State(options, self._sources, self._complain)
        self._worker = Worker(api, options, self._state, self.metrics, owns)
        self._background: set[asyncio.Task[Any]] = set()
        self._followed: set[str] = set()
        self._fault: BaseException | None = None
        self._is_stopping = False
        for role in _ROLES:
            self._count(role)

    @property
    def is_ready(self) -> bool:
        """True once everything was listed that plans depend on, and until it is told to stop."""
        return self._state.is_synced("pods" if self._state.count("pods") else None) and not self._is_stopping

    def reconsider(self) -> None:
        """Look at all Services: which are ours may have changed."""
        self._worker.tell_late()
        for name in self._state.services():
            self._worker.due(name)

    async def finished(self, concerned: "Callable[[str, str], bool]") -> None:
        """Wait until no write is under way for Services, by namespace and name, that ``owns`` gave away."""
        await self._worker.finished(concerned)

    async def run(self, stop: asyncio.Event) -> None:
        """Keep slices right until ``stop`` is set; ends what is being written. Raises if something of ours breaks."""
        self._spawn(self._close_at(stop))
        for resource in self._resources():
            self._follow(resource)
        for assigned in self._sources.values():
            self._spawn(self._follow_source(assigned), f"{assigned.namespace}/{assigned.service}")
        try:
            await self._worker.run()
        finally:
            self._is_stopping = True
            await self._part()
        if self._fault is not None:
            raise self._fault

    async def run_once(self) -> "list[Change]":
        """Look at everything once and write what is needed. Raises :class:`ControllerError` after all that can be."""
        failures = await self._look_once()
        changes: list[Change] = []
        limit = asyncio.Semaphore(self.options.concurrency)

        async def write(name: "Name") -> None:
            written: list[Change] = []
            async with limit:
                try:
                    if await self._worker.write(name, changes=written) == "stale":
                        failures.append(f"{'/'.join(name)}: somebody else goes on writing its slices")
                except (ApiError, *UNREADABLE) as error:
                    failures.append(f"{'/'.join(name)}: {error}")
            changes.extend(written)

        await asyncio.gather(*(write(name) for name in self._ours()))
        await self._worker.close()
        return _done(changes, failures)

    async def changes(self) -> "list[Change]":
        """Tell what :meth:`run_once` would write, in order, and write nothing."""
        failures = await self._look_once()
        changes: list[Change] = []
        for name in self._ours():
            try:
                changes.extend(self._changes_of(name))
            except UNREADABLE as error:
                failures.append(f"{'/'.join(name)}: {error}")
        return _done(changes, failures)

    def heard(self, kind: str, *, is_first: bool, is_list: bool) -> None:
        """Put what a watch told into the queue."""
        if self._state.count("pods"):
            for resource in (PODS, NODES):
                if resource.kind not in self._followed:
                    self._follow(resource)
        if kind == "Service":
            self._worker.tell_late()
            if is_first:
                self._warn_of_strangers()
        if is_first:
            # What was told before could not be planned yet.
            for name in self._state.dirty():
                self._worker.due(name)
        # What a list or another writer says is no event of which anybody knows when it was.
        since = None if is_list or kind == "EndpointSlice" else time.time()
        delay = 0.0 if is_list else self._delay(kind)
        for name in self._state.take_news():
            self._worker.due(name, delay, since)
            if kind == "Service" and name in self._refused:
                self._take(self._sources[name], self._refused[name][0])

    def _warn_of_strangers(self) -> None:
        """Tell of sources whose Services are not there, which may be made later, or have another name."""
        for namespace, service in self._sources:
            if self._state.service((namespace, service)) is None:
                _log.warning("a source of no Service", extra={"namespace": namespace, "service": service})

    def _delay(self, kind: str) -> float:
        """Seconds for which events are collected before anything is done about them."""
        if kind == "Pod":
            return self.options.batch_period
        return max(_SLICE_DELAY, self.options.batch_period) if kind == "EndpointSlice" else 0.0

    def _resources(self) -> "list[Resource]":
        return [SERVICES, SLICES, *([ENDPOINTS] if self.options.mirror else [])]

    def _follower(self, resource: "Resource") -> Follower:
        selector = ""
        if resource is SLICES:
            selector = f"{MANAGED_BY_LABEL} in ({','.join(self.options.writers)})"
        elif resource is ENDPOINTS:
            # What Kubernetes itself writes for Services with selector is nothing to mirror.
            selector = "endpoints.kubernetes.io/managed-by!=endpoint-controller"
        hearer = _Hearer(self, self._state, resource.kind)
        options = self.options
        return Follower(
            self.api,
            resource,
            hearer,
            namespace=options.namespace,
            selector=selector,
            page=options.page,
            silence=options.watch_silence,
        )

    def _follow(self, resource: "Resource") -> None:
        self._followed.add(resource.kind)
        self._spawn(self._follower(resource).run())

    async def _look_once(self) -> list[str]:
        """List everything, and ask each source once; returns what failed."""
        await self._list(self._resources())
        if self._state.count("pods"):
            await self._list([PODS, NODES])
        try:
            found = await asyncio.gather(*(self._ask(assigned) for assigned in self._sources.values()))
        finally:
            await self._part()
        troubles = [f"{'/'.join(name)}: {trouble}" for name, trouble in self._state.troubles()]
        return [*troubles, *(one for one in found if one)]

    async def _list(self, resources: "Iterable[Resource]") -> None:
        for resource in resources:
            self._state.listed(resource.kind, await self._follower(resource).listed())

    def _ours(self) -> "list[Name]":
        return [name for name in self._state.dirty() if self._worker.is_ours(name)]

    def _changes_of(self, name: "Name") -> "list[Change]":
        change_of = self._state.changes(name)
        return [change_of(write) for plan in self._state.plans(name) for write in plan.writes]

    async def _ask(self, assigned: "Assigned") -> str:
        """Take what a source tells first; returns why that is nothing."""
        name = f"{assigned.namespace}/{assigned.service}"
        if self._state.service((assigned.namespace, assigned.service)) is None:
            return f"{name}: no such Service"
        # A task of its own: a source's code may keep its cancellation from us.
        asking = asyncio.create_task(_first(assigned.source), name=name)
        self._background.add(asking)
        done, _ = await asyncio.wait([asking], timeout=self.options.source_timeout)
        if not done:
            return f"{name}: its source told nothing in {self.options.source_timeout:g} seconds"
        try:
            news = asking.result()
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - of somebody else's source
            return f"{name}: {told_in_one_line(error)}"
        return f"{name}: its source has ended" if news is None else self._take(assigned, news)

    async def _follow_source(self, assigned: "Assigned") -> None:
        """Follow a source for ever; one that breaks is begun anew."""
        wait = 1.0
        while True:
            try:
                async for news in assigned.source.follow():
                    self._take(assigned, news)
                    wait = 1.0
                self._take(assigned, Failed("the source has ended"))
            except (Exception, asyncio.CancelledError) as error:
                if is_cancelled(error):
                    raise
                self._take(assigned, Failed(f"{type(error).__name__}: {error}"))
            await asyncio.sleep(wait)
            wait = min(_LONGEST_SOURCE_WAIT, wait * 2)

    def _take(self, assigned: "Assigned", news: "Found | Failed") -> str:
        """Take what a source tells; returns why that is nothing."""
        name = (assigned.namespace, assigned.service)
        if isinstance(news, Failed):
            trouble = news.message
        elif not news.endpoints and not assigned.may_empty:
            self._refused.pop(name, None)
            trouble = "the source has no endpoints, and may not empty the Service"
        else:
            try:
                self._state.found(name, news.endpoints)
            except (*UNREADABLE, TypeError) as error:
                refused, trouble = self._refused.get(name), str(error)
                self._refused[name] = news, trouble
                if refused is not None and refused[0] is news and refused[1] == trouble:
                    return f"{'/'.join(name)}: {trouble}"  # an event of the Service has not mended it
            else:
                self._refused.pop(name, None)
                self._worker.source_works(name)
                for changed in self._state.take_news():
                    self._worker.due(changed, self.options.batch_period, time.time())
                return ""
        self.metrics.failures.inc()
        self._worker.source_failed(name, trouble)
        return f"{'/'.join(name)}: {trouble}"

    def _complain(self, kind: str, message: str) -> None:
        self.metrics.unreadable.labels(kind).inc()
        _log.error("an object cannot be used", extra={"kind": kind, "error": message})

    def _count(self, role: "Role") -> None:
        self.metrics.services.labels(role).set_function(lambda: float(self._state.count(role)))

    async def _close_at(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._is_stopping = True
        self._worker.stop()

    async def _part(self) -> None:
        """End what runs beside the work, or leave it to itself: a source's code may keep its cancellation from us."""
        for task in self._background:
            task.cancel()
        if self._background:
            await asyncio.wait([*self._background], timeout=_PARTING)
        for task in self._background:
            if task.done():
                continue
            _log.warning("the source of %s does not end", task.get_name())
            # Else whoever ends the event loop waits for it, as `asyncio.run` does.
            asyncio._unregister_task(task)  # noqa: SLF001 - public, whatever its name looks like ("Extending" asyncio)

    def _spawn(self, work: "Coroutine[None, None, None]", name: str | None = None) -> None:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._background.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and task.exception() is not None:
            self._fault = task.exception()
            self._worker.stop()


@dataclass(frozen=True)
class _Hearer:
    """Hears of one kind."""

    controller: Controller
    state: State
    kind: str

    def listed(self, pages: "Pages") -> None:
        is_first = self.state.listed(self.kind, pages)
        self.controller.heard(self.kind, is_first=is_first, is_list=True)

    def told(self, events: bytes) -> None:
        self.state.told(self.kind, events)
        self.controller.heard(self.kind, is_first=False, is_list=False)

    def troubled(self, error: ApiError) -> None:
        self.controller.metrics.troubles.labels(self.kind).inc()
        about = {"kind": self.kind, "error": str(error)}
        _log.warning("a list or a watch of kind %s failed: %s", self.kind, error, extra=about)


def _done(changes: "list[Change]", failures: list[str]) -> "list[Change]":
    if failures:
        raise ControllerError("; ".join(failures), changes)
    return changes


async def _first(source: "Source") -> "Found | Failed | None":
    """Take what a source tells first, ``None`` if that is nothing, and follow it no more: it may be followed again."""
    told = source.follow()
    try:
        return await anext(told, None)
    finally:
        if isinstance(told, AsyncGenerator):
            await told.aclose()
