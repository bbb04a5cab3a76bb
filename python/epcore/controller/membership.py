"""Which replicas are alive: each has a Lease that it renews, and nobody's clock is compared with another's."""

import asyncio
import logging
import re
import socket
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import TYPE_CHECKING

from epcore.controller.api import ApiError
from epcore.controller.leases import Lease

if TYPE_CHECKING:
    from collections.abc import Callable

    from epcore.controller.leases import LeaseStore

_log = logging.getLogger(__name__)


def uptime() -> float:
    """Seconds on a clock that nobody sets, and that goes on while the machine sleeps (where there is such a clock)."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def new_identity() -> str:
    """Make a name that no other replica has, nor had, nor will have."""
    host = re.sub(r"[^a-z0-9-]+", "-", socket.gethostname().lower()).strip("-")[:60].strip("-")
    return f"{host or 'replica'}-{uuid.uuid4().hex[:12]}"


@dataclass(frozen=True)
class Timing:
    """How long things hold.

    :param duration: seconds after which a replica of which nothing was heard is taken for dead.
    :param period: seconds between two renewals, and between two looks at what the others have.
    :param guard: seconds before the end of ``duration`` in which a replica that could not renew stops by itself. One
        write must take no longer, from the question whether it may be made until the API server has made it.
    """

    duration: int = 15
    period: float = 3.0
    guard: float = 5.0

    def __post_init__(self) -> None:
        if self.duration < 1 or self.period <= 0 or self.guard <= 0:
            raise ValueError("duration, period and guard are more than nothing")
        if self.duration < self.guard + 2 * self.period:
            raise ValueError(f"duration: {self.duration} is less than guard and two periods: one failure would be all")


class Membership:
    """The Lease of this replica, and those of the others.

    A replica is alive as long as its Lease changes. Whoever sees one unchanged for the time that it states writes into
    it that the replica is dead, if it still is the version that was seen: from then on the replica cannot renew it, and
    learns that it is dead. Only then may others take what it had.
    """

    def __init__(
        self,
        store: "LeaseStore",
        group: str,
        timing: Timing,
        clock: "Callable[[], float]",
        identities: "Callable[[], str]",
    ) -> None:
        self._store, self._group, self._timing, self._clock, self._identities = store, group, timing, clock, identities
        self.identity = ""
        """``""`` from the moment on in which it is taken for dead, until it has another."""
        self._own: Lease | None = None
        self._ends = 0.0
        self._is_leaving = False
        self._seen: dict[str, tuple[str | None, float]] = {}
        """Of each Lease by name, and of each replica without one: the version, and since when it is that."""
        self.living: list[str] = []
        """Identities of the replicas that may have something, in order."""

    @property
    def is_valid(self) -> bool:
        """Whether nobody can take this replica for dead for now, nor while one write takes place."""
        return self._own is not None and self._clock() < self._ends

    async def renew(self) -> bool:
        """Renew the Lease, or make one; false if this replica was taken for dead, and gets another identity."""
        sent = self._clock()
        if self._own is None:
            if not self._is_leaving:
                self.identity = self._identities()
                lease = Lease("member", self._name(self.identity), self.identity, self._timing.duration)
                self._keep(await self._store.create(lease), sent)
            return True
        try:
            self._keep(await self._store.update(self._stated(self._own)), sent)
        except ApiError as error:
            if error.status == HTTPStatus.CONFLICT:
                # Of an earlier try whose answer was lost, of somebody who labels things, or of our death.
                return await self._look_at_own(self._own)
            if error.status == HTTPStatus.NOT_FOUND:
                return self._died()
            raise
        return True

    async def leave(self) -> None:
        """Tell the others that this replica wants nothing any more; what it has it still has."""
        self._is_leaving = True
        with suppress(ApiError, TimeoutError):
            async with asyncio.timeout(self._timing.period):
                await self.renew()

    async def end(self) -> None:
        """Take the Lease away. Nothing may be had any more."""
        own, self._own = self._own, None
        if own is None:
            return
        with suppress(ApiError, TimeoutError):
            async with asyncio.timeout(self._timing.period):
                try:
                    await self._store.delete(own)
                except ApiError as error:
                    if error.status != HTTPStatus.CONFLICT:
                        raise
                    # A renewal that was given up has arrived all the same.
                    await self._store.delete(await self._store.read(own))

    async def observe(self, leases: "list[Lease]", holders: "set[str]") -> set[str]:
        """Look at the Leases of all, and at who has something; returns which of these are dead."""
        now = self._clock()
        members = {lease.name: lease for lease in leases if lease.role == "member"}
        # One without a Lease may have renewed it just before it went away: its time counts from now.
        absent = {self._name(holder): None for holder in holders if self._name(holder) not in members}
        versions = {name: lease.version for name, lease in members.items()} | absent
        self._seen = {name: self._since(name, version, now) for name, version in versions.items()}
        for lease in [*members.values()]:
            if lease.state == "dead":
                await self._forget(lease, holders)
            elif self._is_silent(lease.name, lease.seconds, now) and await self._bury(lease):
                members[lease.name] = replace(lease, state="dead")
        self.living = sorted(lease.holder for lease in members.values() if lease.holder and lease.state is None)
        dead = {lease.holder for lease in members.values() if lease.holder and lease.state == "dead"}
        return dead | {
            holder for holder in holders if self._name(holder) in absent and self._is_silent(self._name(holder), 0, now)
        }

    def _since(self, name: str, version: str | None, now: float) -> tuple[str | None, float]:
        known = self._seen.get(name)
        return known if known is not None and known[0] == version else (version, now)

    def _is_silent(self, name: str, seconds: int, now: float) -> bool:
        is_own = self._own is not None and name == self._own.name
        return not is_own and now - self._seen[name][1] >= max(seconds, self._timing.duration)

    async def _bury(self, lease: Lease) -> bool:
        try:
            await self._store.update(replace(lease, state="dead"))
        except ApiError:
            return False  # it lives, or another was first: the next look tells
        _log.warning("a replica is taken for dead", extra={"identity": lease.holder})
        return True

    async def _forget(self, lease: Lease, holders: "set[str]") -> None:
        """Take the Lease of a dead replica away, once nothing is left to take from it."""
        if lease.holder not in holders:
            with suppress(ApiError):
                await self._store.delete(lease)

    async def _look_at_own(self, own: Lease) -> bool:
        try:
            found = await self._store.read(own)
        except ApiError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return self._died()
            raise
        if found.uid != own.uid or found.state == "dead":
            return self._died()
        self._own = found
        return await self._again(found)

    async def _again(self, own: Lease) -> bool:
        """Renew what was read just now; what conflicts again waits for the next turn."""
        sent = self._clock()
        self._keep(await self._store.update(self._stated(own)), sent)
        return True

    def _died(self) -> bool:
        _log.warning("this replica was taken for dead", extra={"identity": self.identity})
        # What is still answered to it under this name is not for the next one.
        self._own, self.identity = None, ""
        return False

    def _stated(self, own: Lease) -> Lease:
        return replace(own, state="leaving" if self._is_leaving else None)

    def _keep(self, lease: Lease, sent: float) -> None:
        """Count from when it was sent: the others see it later than that."""
        self._own, self._ends = lease, sent + self._timing.duration - self._timing.guard

    def _name(self, identity: str) -> str:
        return f"{self._group}-{identity}"
