"""More than one replica: which of them writes for which Services. Kubernetes is the only coordinator."""

import asyncio
import hashlib
import logging
import re
from contextlib import suppress
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, TypeAlias

from epcore.controller.api import ApiError
from epcore.controller.leases import Lease
from epcore.controller.membership import Membership, Timing, new_identity, uptime

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterable

    from epcore.controller.leases import LeaseStore

Owns: TypeAlias = "Callable[[str, str], bool]"
"""Tells of a Service, by namespace and name."""
Finished: TypeAlias = "Callable[[Owns], Awaitable[None]]"
"""Waits until no write for any of certain Services is under way."""

MOST_BUCKETS: Final = 1024
_NAME: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
"""It is the value of a label, and begins names."""
_AT_ONCE: Final = 8
"""Requests for Leases that are under way at a time."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class ShardOptions:
    """How replicas share the work.

    :param group: name of the group of replicas, which begins the names of its Leases.
    :param buckets: into how many parts the Services fall; 1 makes one replica the leader and the others wait. It holds
        for the group as long as its Leases are there: the first replica decides.
    """

    group: str = "epcore"
    buckets: int = 1
    timing: Timing = field(default_factory=Timing)

    def __post_init__(self) -> None:
        if not 1 <= self.buckets <= MOST_BUCKETS:
            raise ValueError(f"buckets: {self.buckets} is not from 1 to {MOST_BUCKETS}")
        if not _NAME.fullmatch(self.group):
            raise ValueError(f"group: {self.group!r} is no name of a Lease")


class Shards:
    """Shares Services among replicas, so that at no time two write for one.

    Services fall into buckets by a hash of their names. A bucket has a Lease that names its holder; what the holder has
    it has for as long as it renews its own Lease (:class:`Membership`). Among the living, rendezvous hashing says who
    should have a bucket: who has it and should not any more stops, waits for the writes under way, and gives it free.

    :param changed: called when Services have come to this replica.
    :param finished: waits until writes that are under way have ended; without it, ``guard`` seconds are waited.
    :param clock: seconds; it must go on while the machine sleeps.
    :param identities: makes names of replicas, none of which there was before.
    """

    def __init__(
        self,
        store: "LeaseStore",
        options: ShardOptions,
        *,
        changed: "Callable[[], None]" = lambda: None,
        finished: "Finished | None" = None,
        clock: "Callable[[], float]" = uptime,
        identities: "Callable[[], str]" = new_identity,
    ) -> None:
        self._store, self._options, self._clock = store, options, clock
        self.changed, self._finished = changed, finished
        self._membership = Membership(store, options.group, options.timing, clock, identities)
        self._buckets = 0
        """As the group has it; 0 before that is known."""
        self._owned: set[int] = set()
        self._fresh_until = 0.0
        """When what was seen of the buckets' Leases is too old to count on."""
        self._known: dict[int, Lease] = {}
        """The Leases of buckets, as they were seen or written last."""
        self._missing: dict[int, float] = {}
        """Since when the Lease of a bucket is not there."""
        self._tasks: dict[int, asyncio.Task[None]] = {}
        """Buckets that are being given free."""
        self._taking: set[asyncio.Task[bool]] = set()
        """Buckets that are being taken."""
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._is_stopping = False

    @property
    def identity(self) -> str:
        """Name of this replica, until it is taken for dead; then ``""`` until it has another."""
        return self._membership.identity

    @property
    def owned(self) -> frozenset[int]:
        """The buckets that are this replica's now."""
        return frozenset(self._owned) if self.is_valid else frozenset()

    @property
    def is_valid(self) -> bool:
        """Whether this replica may count on what it has, now: it was heard, and has heard, not long ago."""
        return self._membership.is_valid and self._clock() < self._fresh_until

    @property
    def buckets(self) -> int:
        """Into how many buckets the group's Services fall; 0 before that is known."""
        return self._buckets

    def owns(self, namespace: str, name: str) -> bool:
        """Tell whether this replica may write for a Service, now. Ask before each write."""
        return self.is_valid and bool(self._owned) and bucket_of(namespace, name, self._buckets) in self._owned

    async def run(self, stop: asyncio.Event) -> None:
        """Take part until ``stop`` is set; then stop owning, wait for what is being written, and hand all over."""
        try:
            async with asyncio.TaskGroup() as group:
                turns = [group.create_task(self._repeat(turn)) for turn in (self._renew, self._look)]
                await stop.wait()
                self._is_stopping = True
                await asyncio.gather(self._membership.leave(), self._has_taken())
                turns.pop().cancel()
                for bucket in [*self._owned]:
                    self._give_free(bucket)
                await asyncio.gather(*self._tasks.values())
                turns.pop().cancel()
        finally:
            self._owned.clear()
            for task in self._tasks.values():
                task.cancel()
        await self._membership.end()

    async def _has_taken(self) -> None:
        """Wait for what is being taken: to be given free it must be known to be ours."""
        if self._taking:
            await asyncio.wait([*self._taking], timeout=self._options.timing.period)

    async def _repeat(self, turn: "Callable[[], Coroutine[None, None, None]]") -> None:
        timing = self._options.timing
        while True:
            try:
                async with asyncio.timeout(timing.duration):
                    await turn()
            except (ApiError, TimeoutError) as error:
                said = str(error) or "no answer in time"
                _log.warning("Leases cannot be read or written", extra={"error": said})
            await asyncio.sleep(timing.period)

    async def _renew(self) -> None:
        """Renew this replica's Lease, in time for more than one try."""
        was_valid = self.is_valid
        async with asyncio.timeout(self._options.timing.period):
            is_known = await self._membership.renew()
        if not is_known:
            self._owned.clear()
        self._tell_if_back(was_valid)

    def _tell_if_back(self, was_valid: bool) -> None:  # noqa: FBT001 - one fact
        """Nobody took anything meanwhile, but what came was passed over."""
        if not was_valid and self.is_valid and self._owned:
            self.changed()

    async def _look(self) -> None:
        """See what the others have, and take or give what should change hands."""
        if not self._buckets:
            self._buckets = await self._agreed()
        identity = self.identity
        if not self._membership.is_valid:
            return
        was_valid, sent = self.is_valid, self._clock()
        leases = await self._store.listed()
        held = {lease.name: lease for lease in leases if lease.role == "bucket"}
        self._known = {n: held[self._name(n)] for n in range(self._buckets) if self._name(n) in held}
        self._keep_what_is_ours()
        self._fresh_until = sent + self._options.timing.duration - self._options.timing.guard
        self._tell_if_back(was_valid)
        dead = await self._membership.observe(leases, {lease.holder for lease in held.values() if lease.holder})
        if self.identity != identity:
            return
        now = self._clock()
        self._missing = {n: self._missing.get(n, now) for n in range(self._buckets) if n not in self._known}
        taken = [self._settle(bucket, self._known.get(bucket), dead) for bucket in range(self._buckets)]
        if any(await asyncio.gather(*taken)):
            self.changed()

    def _keep_what_is_ours(self) -> None:
        for bucket in [*self._owned]:
            lease = self._known.get(bucket)
            if lease is None or lease.holder != self.identity:
                _log.error("a bucket was taken away by somebody", extra={"bucket": bucket})
                self._owned.discard(bucket)

    async def _settle(self, bucket: int, lease: Lease | None, dead: set[str]) -> bool:
        """Do what is to be done about one bucket; true if it was taken."""
        identity = self.identity
        is_wanted = wanted_holder(bucket, self._membership.living) == identity
        holder = lease.holder if lease is not None else None
        if bucket in self._tasks:
            return False
        if bucket in self._owned:
            if not is_wanted:
                self._give_free(bucket)
            return False
        if lease is None and self._clock() - self._missing[bucket] < self._options.timing.duration:
            # Somebody took it away: who had it may not know yet.
            return False
        if is_wanted and (holder is None or holder == identity or holder in dead):
            take = asyncio.get_running_loop().create_task(self._take(bucket, lease, identity))
            self._taking.add(take)
            take.add_done_callback(self._taking.discard)
            return await take
        if lease is not None and holder == identity:
            # An answer was lost: it is ours, and we never knew, or have done with it; a write may be under way even so.
            self._give_free(bucket)
        return False

    async def _take(self, bucket: int, lease: Lease | None, identity: str) -> bool:
        """Take a free bucket. It is ours once that was answered: a write that comes late is of no use."""
        async with self._turns:
            taken = await self._inscribed(bucket, lease, identity)
        if taken is None or self.identity != identity:
            return False
        self._known[bucket] = taken
        if self._is_stopping:
            self._give_free(bucket)
            return False
        self._owned.add(bucket)
        _log.info("a bucket was taken", extra={"bucket": bucket})
        return True

    async def _inscribed(self, bucket: int, lease: Lease | None, identity: str) -> Lease | None:
        """Write our name into a free Lease, unless we stop; ``None`` if that cannot be."""
        if self._is_stopping:
            return None
        try:
            if lease is None:
                return await self._store.create(Lease("bucket", self._name(bucket), identity))
            return await self._store.update(replace(lease, holder=identity))
        except ApiError as error:
            if error.status not in {HTTPStatus.CONFLICT, HTTPStatus.NOT_FOUND}:
                _log.warning("a bucket cannot be taken", extra={"bucket": bucket, "error": str(error)})
            return None

    def _give_free(self, bucket: int) -> None:
        """Stop at once, and give it free when nothing is being written any more."""
        self._owned.discard(bucket)
        task = asyncio.get_running_loop().create_task(self._handed_over(bucket))
        self._tasks[bucket] = task
        task.add_done_callback(lambda _: self._tasks.pop(bucket, None))

    async def _handed_over(self, bucket: int) -> None:
        if self._finished is None:
            await asyncio.sleep(self._options.timing.guard)
        else:
            await self._finished(lambda namespace, name: bucket_of(namespace, name, self._buckets) == bucket)
        # What fails is done by the next look, or, of one that is stopping, by the others when its Lease is gone.
        with suppress(ApiError, TimeoutError):
            async with self._turns, asyncio.timeout(self._options.timing.period):
                await self._write_free(bucket)
        _log.info("a bucket was given free", extra={"bucket": bucket})

    async def _write_free(self, bucket: int) -> None:
        lease = self._known.get(bucket)
        if lease is not None and lease.holder == self.identity:
            await self._store.update(replace(lease, holder=None))

    async def _agreed(self) -> int:
        """Tell into how many buckets the group's Services fall: two that count otherwise would both be right."""
        wanted = Lease("group", self._options.group, buckets=self._options.buckets)
        try:
            agreed = await self._store.create(wanted)
            await asyncio.gather(*(self._make(bucket) for bucket in range(agreed.buckets)))
        except ApiError as error:
            if error.status != HTTPStatus.CONFLICT:
                raise
            agreed = await self._store.read(wanted)
        if agreed.buckets != self._options.buckets:
            extra = {"buckets": agreed.buckets, "option": self._options.buckets}
            _log.warning("the group has another number of buckets, which holds", extra=extra)
        return agreed.buckets

    async def _make(self, bucket: int) -> None:
        async with self._turns:
            await self._store.create(Lease("bucket", self._name(bucket)))

    def _name(self, bucket: int) -> str:
        return f"{self._options.group}-bucket-{bucket}"


def bucket_of(namespace: str, name: str, buckets: int) -> int:
    """Tell into which bucket a Service falls; the same in every process and release."""
    return _hash(f"{namespace}/{name}") % buckets


def wanted_holder(bucket: int, members: "Iterable[str]") -> str | None:
    """Tell who of the living should have a bucket: when one comes or goes, only what it gets or had changes hands."""
    return max(members, key=lambda member: (_hash(f"{member}/{bucket}"), member), default=None)


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
