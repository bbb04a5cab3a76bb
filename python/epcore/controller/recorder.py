"""Events on a Service, for what a person must know or mend; never a flood of them."""

import asyncio
import hashlib
import logging
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from epcore.controller.api import EVENTS, MERGE_PATCH, ApiError
from epcore.controller.limits import Bucket

if TYPE_CHECKING:
    from epcore.controller.api import Api
    from epcore.controller.objects import Name

COMPONENT: Final = "epcore-controller"
_AGAIN: Final = 300.0
"""Seconds in which the same Event of a Service is sent once, as ``client-go`` lets one through in five minutes."""
_RATE: Final = 1 / 300
_BURST: Final = 25
"""Events of one Service, whatever they say, as in ``client-go`` (``EventSourceObjectSpamFilter``)."""
_MOST: Final = 4096
"""Events, and Services, that are remembered; of more the oldest are forgotten."""
_PATIENCE: Final = 3.0
"""Seconds for which Events that are on their way are waited for at the end: with the grace of plans less than 30."""
_AT_ONCE: Final = 2
"""Events that wait for a turn at a time: writes of slices wait behind these alone, however many there are to tell."""
_LONGEST: Final = 1024
"""Most characters of a message (``ValidateEvent``)."""

_log = logging.getLogger(__name__)


class Recorder:
    """Writes Events, each once in five minutes with how often it happened; whether they arrive is of no account."""

    def __init__(self, api: "Api") -> None:
        self._api = api
        self._told: dict[tuple[str, str, str], tuple[float, int]] = {}
        """When each was sent last, and how often it happened since it was first."""
        self._buckets: dict[Name, Bucket] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._turns = asyncio.Semaphore(_AT_ONCE)

    def tell(self, name: "Name", uid: str, type_: str, reason: str, message: str) -> None:
        """Tell something about a Service, at once or never."""
        # A Service that is made anew is another one, which has no Events yet.
        key = (uid, reason, message[:_LONGEST])
        sent, count = self._told.pop(key, (0.0, 0))
        now = time.monotonic()
        bucket = self._buckets.pop(name, None) or Bucket(_RATE, _BURST)
        self._buckets[name] = bucket
        is_due = (sent == 0.0 or now - sent >= _AGAIN) and bucket.take()
        self._told[key] = (now if is_due else sent, count + 1)
        for memory in (self._told, self._buckets):
            if len(memory) > _MOST:
                del memory[next(iter(memory))]  # type: ignore[arg-type] # of whatever it is the key
        if is_due:
            task = asyncio.get_running_loop().create_task(self._send(name, uid, type_, reason, key[2], count + 1))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Wait for those that are on their way, some seconds."""
        sending = [*self._tasks]
        if sending:
            _, late = await asyncio.wait(sending, timeout=_PATIENCE)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _send(self, name: "Name", uid: str, type_: str, reason: str, message: str, count: int) -> None:
        namespace, service = name
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        digest = hashlib.sha256(f"{uid}\0{reason}\0{message}".encode()).hexdigest()[:16]
        event = f"{service[:200]}.{digest}"
        body: dict[str, Any] = {
            "kind": "Event",
            "apiVersion": "v1",
            "metadata": {"name": event, "namespace": namespace},
            "involvedObject": {
                "kind": "Service",
                "apiVersion": "v1",
                "namespace": namespace,
                "name": service,
                "uid": uid,
            },
            "type": type_,
            "reason": reason,
            "message": message,
            "source": {"component": COMPONENT},
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": count,
        }
        try:
            async with self._turns:
                await self._put(namespace, event, body)
        except ApiError as error:
            about = {"namespace": namespace, "service": service, "reason": reason, "error": str(error)}
            _log.warning("an Event was not written", extra=about)

    async def _put(self, namespace: str, event: str, body: dict[str, Any]) -> None:
        """Write an Event, or how often it happened where it is there already."""
        again = {"count": body["count"], "lastTimestamp": body["lastTimestamp"]}
        if body["count"] > 1:
            try:
                await self._api.request("PATCH", EVENTS.path(namespace, event), body=again, content_type=MERGE_PATCH)
            except ApiError as error:
                if error.status != 404:  # noqa: PLR2004 - it is forgotten after an hour
                    raise
            else:
                return
        try:
            await self._api.request("POST", EVENTS.path(namespace), body=body)
        except ApiError as error:
            if error.status != 409:  # noqa: PLR2004 - from before a restart
                raise
            await self._api.request("PATCH", EVENTS.path(namespace, event), body=again, content_type=MERGE_PATCH)
