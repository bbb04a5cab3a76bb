"""A controller that shares its Services with others: :class:`Controller` and :class:`Shards`, put together."""

import asyncio
from typing import TYPE_CHECKING, Final

from epcore.controller.controller import Controller
from epcore.controller.leases import Leases
from epcore.controller.membership import Timing
from epcore.controller.shards import ShardOptions, Shards

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from epcore.controller.api import Api
    from epcore.controller.options import ControllerOptions
    from epcore.controller.sources import Assigned

TIMING: Final = Timing()


class Replica:
    """One of several controllers.

    :param api: one whose requests take no longer than ``timing.guard``.
    :param for_leases: another one, since a renewal must not wait behind other requests.
    :param namespace: where the Leases are; ``group`` and ``buckets`` are as of :class:`ShardOptions`.
    """

    def __init__(
        self,
        api: "Api",
        for_leases: "Api",
        options: "ControllerOptions",
        sources: "Sequence[Assigned]",
        namespace: str,
        group: str,
        buckets: int,
        timing: Timing = TIMING,
    ) -> None:
        self.shards = Shards(
            Leases(for_leases, namespace, group),
            ShardOptions(group=group, buckets=buckets, timing=timing),
            changed=self._changed,
            finished=self._finished,
        )
        self.controller = Controller(api, options, sources=sources, owns=self.shards.owns)
        self.controller.metrics.shared(lambda: self.shards.buckets, lambda: len(self.shards.owned))

    async def run(self, stop: asyncio.Event) -> None:
        """Take part until ``stop`` is set; then end what is being written, and hand all over."""
        leave = asyncio.Event()
        sharing = asyncio.create_task(self.shards.run(leave))
        working = asyncio.create_task(self.controller.run(stop))
        try:
            await asyncio.wait({sharing, working}, return_when=asyncio.FIRST_COMPLETED)
            # If that was by a fault of the one, the other ends too.
            stop.set()
            await asyncio.wait({working})
            leave.set()
            await asyncio.wait({sharing})
        finally:
            for task in (working, sharing):
                task.cancel()
            await asyncio.gather(working, sharing, return_exceptions=True)
        working.result()
        sharing.result()

    def _changed(self) -> None:
        self.controller.reconsider()

    async def _finished(self, concerned: "Callable[[str, str], bool]") -> None:
        await self.controller.finished(concerned)
