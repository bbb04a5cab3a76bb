"""A world of replicas in made-up time: an API server that loses and delays, clocks that differ, processes that stop."""

import asyncio
import itertools
import random
import selectors
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from epcore.controller.api import ApiError
from epcore.controller.leases import Lease
from epcore.controller.membership import Timing
from epcore.controller.shards import ShardOptions, Shards, bucket_of

T = TypeVar("T")

BUCKETS = 6
TIMING = Timing(duration=15, period=2.0, guard=5.0)
SERVICES: dict[int, list[str]] = {bucket: [] for bucket in range(BUCKETS)}
for number in range(200):
    SERVICES[bucket_of("shop", f"s{number}", BUCKETS)].append(f"s{number}")


class MadeUpTime(asyncio.SelectorEventLoop):
    """A loop whose time passes at once wherever nothing happens."""

    def __init__(self) -> None:
        self._now = 0.0
        super().__init__(_Jumps(self))

    def time(self) -> float:
        return self._now

    def jump(self, seconds: float) -> None:
        self._now += seconds


class _Jumps(selectors.SelectSelector):
    def __init__(self, loop: MadeUpTime) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        assert timeout is not None, "nothing will ever happen"
        self._loop.jump(max(0.0, timeout))
        return super().select(0)


def run_in_made_up_time(work: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner(loop_factory=MadeUpTime) as runner:
        return runner.run(work)


@dataclass
class Server:
    """Leases as etcd has them: each write has a number, and one that names an older version is refused."""

    leases: dict[str, Lease] = field(default_factory=dict)
    version: int = 0

    def listed(self) -> list[Lease]:
        return [*self.leases.values()]

    def read(self, lease: Lease) -> Lease:
        if lease.name not in self.leases:
            raise ApiError(404, "not found")
        return self.leases[lease.name]

    def create(self, lease: Lease) -> Lease:
        if lease.name in self.leases:
            raise ApiError(409, "already exists")
        return self._put(replace(lease, uid=f"u{self.version}"))

    def update(self, lease: Lease) -> Lease:
        self._check(lease)
        return self._put(lease)

    def delete(self, lease: Lease) -> None:
        self._check(lease)
        del self.leases[lease.name]

    def _check(self, lease: Lease) -> None:
        held = self.read(lease)
        if (held.uid, held.version) != (lease.uid, lease.version):
            raise ApiError(409, "conflict")

    def _put(self, lease: Lease) -> Lease:
        self.version += 1
        self.leases[lease.name] = replace(lease, version=str(self.version))
        return self.leases[lease.name]


@dataclass
class Wire:
    """How one replica reaches the server. A request that is given up may arrive all the same, much later."""

    server: Server
    chance: random.Random
    is_cut: bool = False
    loss: float = 0.0
    """Of requests, and of answers."""
    lateness: float = 0.0
    """Of requests that take up to 40 seconds."""
    runs: asyncio.Event = field(default_factory=asyncio.Event)
    """Cleared while the process is stopped: nothing comes out of it and nothing gets in."""
    on_the_way: set[asyncio.Task[None]] = field(default_factory=set)

    async def listed(self) -> list[Lease]:
        return await self._sent(self.server.listed)

    async def read(self, lease: Lease) -> Lease:
        return await self._sent(lambda: self.server.read(lease))

    async def create(self, lease: Lease) -> Lease:
        return await self._sent(lambda: self.server.create(lease))

    async def update(self, lease: Lease) -> Lease:
        return await self._sent(lambda: self.server.update(lease))

    async def delete(self, lease: Lease) -> None:
        await self._sent(lambda: self.server.delete(lease))

    async def _sent(self, act: Callable[[], T]) -> T:
        await self.runs.wait()
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(self._arrive(act, answer))
        self.on_the_way.add(task)
        task.add_done_callback(self.on_the_way.discard)
        try:
            async with asyncio.timeout(8):
                return await answer
        except TimeoutError:
            raise ApiError(0, "no answer") from None
        finally:
            await self.runs.wait()

    def _is_lost(self) -> bool:
        return self.is_cut or self.chance.random() < self.loss

    async def _arrive(self, act: Callable[[], T], answer: "asyncio.Future[T]") -> None:
        is_late = self.chance.random() < self.lateness
        await asyncio.sleep(self.chance.uniform(0, 40 if is_late else 0.05))
        if self._is_lost():
            return
        try:
            result = act()
        except ApiError as error:
            failure: ApiError | None = error
        else:
            failure = None
        await asyncio.sleep(self.chance.uniform(0, 0.05))
        if self._is_lost() or answer.done():
            return
        if failure is None:
            answer.set_result(result)
        else:
            answer.set_exception(failure)


@dataclass
class World:
    """Replicas, and what must never be."""

    chance: random.Random
    server: Server = field(default_factory=Server)
    replicas: "list[Replica]" = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    writes: int = 0
    handovers: int = 0
    has_hook: bool = True
    buckets: int = BUCKETS
    background: set[asyncio.Task[None]] = field(default_factory=set)

    def keep(self, task: asyncio.Task[None]) -> None:
        """Keep something running until the end."""
        self.background.add(task)
        task.add_done_callback(self.background.discard)

    def add(self) -> "Replica":
        made = Replica(self, len(self.replicas), self.has_hook)
        self.replicas.append(made)
        return made

    @property
    def alive(self) -> "list[Replica]":
        return [replica for replica in self.replicas if not replica.is_over]

    def check(self) -> None:
        """Look whether two own the same at this moment."""
        for bucket in range(BUCKETS):
            owners = [replica.number for replica in self.alive if replica.owns(bucket)]
            if len(owners) > 1:
                self.faults.append(f"bucket {bucket} is owned by {owners}")

    async def watch(self) -> None:
        while True:
            self.check()
            await asyncio.sleep(0.5)

    async def end(self) -> None:
        for task in [*self.background]:
            task.cancel()
        for replica in self.alive:
            await replica.kill()


class Replica:
    """One process: its shards, its clock, and the writes that it makes for whatever it owns."""

    def __init__(self, world: World, number: int, has_hook: bool) -> None:  # noqa: FBT001
        self.world, self.number = world, number
        self.wire = Wire(world.server, world.chance)
        self.wire.runs.set()
        rate, offset = world.chance.uniform(0.999, 1.001), world.chance.uniform(-1e6, 1e6)
        loop = asyncio.get_running_loop()
        finished: Callable[[Callable[[str, str], bool]], Awaitable[None]] | None = self._finished if has_hook else None
        numbers = itertools.count()
        options = ShardOptions(group="g", buckets=world.buckets, timing=TIMING)
        self.shards = Shards(
            self.wire,
            options,
            changed=self._changed,
            finished=finished,
            clock=lambda: loop.time() * rate + offset,
            identities=lambda: f"r{number}-{next(numbers)}",
        )
        self.writing: set[str] = set()
        self.stop = asyncio.Event()
        self.is_over = False
        self.task = asyncio.create_task(self._run())
        self.writers = [asyncio.create_task(self._write()) for _ in range(2)]

    def owns(self, bucket: int) -> bool:
        return self.shards.owns("shop", SERVICES[bucket][0])

    async def kill(self) -> None:
        """End it at once, as kill -9 does."""
        self.is_over = True
        for task in [self.task, *self.writers]:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def pause(self, seconds: float) -> None:
        self.wire.runs.clear()
        await asyncio.sleep(seconds)
        self.wire.runs.set()

    async def _run(self) -> None:
        await self.shards.run(self.stop)
        self.is_over = True
        for task in self.writers:
            task.cancel()

    async def _write(self) -> None:
        """Ask, then write, which takes less than the guard; nobody else may write for the same Service meanwhile."""
        chance = self.world.chance
        while True:
            await self.wire.runs.wait()
            service = chance.choice(SERVICES[chance.randrange(BUCKETS)][:2])
            if self.shards.owns("shop", service) and service not in self.writing:
                self.writing.add(service)
                self._look_for_others(service)
                await asyncio.sleep(chance.uniform(0, 4.5))
                self._look_for_others(service)
                self.writing.discard(service)
                self.world.writes += 1
            await asyncio.sleep(chance.uniform(0, 0.3))

    def _look_for_others(self, service: str) -> None:
        for other in self.world.replicas:
            if other is not self and not other.is_over and service in other.writing:
                self.world.faults.append(f"{self.number} and {other.number} write for {service}")

    async def _finished(self, concerns: Callable[[str, str], bool]) -> None:
        while any(concerns("shop", service) for service in self.writing):  # noqa: ASYNC110 - the time is made up
            await asyncio.sleep(0.1)

    def _changed(self) -> None:
        self.world.handovers += 1
