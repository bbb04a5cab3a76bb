"""Several replicas: at no time two that would write for one Service, and in the end one for each."""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from epcore.controller.api import ApiError
from epcore.controller.leases import Lease, Leases
from epcore.controller.membership import Timing, new_identity, uptime
from epcore.controller.shards import ShardOptions, Shards, bucket_of, wanted_holder
from replica_world import BUCKETS, SERVICES, TIMING, Replica, World, run_in_made_up_time

MANY = [f"s{number}" for number in range(10_000)]


def pause(world: World, one: Replica) -> None:
    world.keep(asyncio.create_task(one.pause(world.chance.uniform(0, 40))))


def take_a_lease_away(world: World, _: Replica) -> None:
    """Do what a person may do by hand; the Lease of the group alone says how many buckets there are."""
    name = world.chance.choice([*world.server.leases] or [""])
    if name != "g":
        world.server.leases.pop(name, None)


def stop(world: World, one: Replica) -> None:
    if len(world.alive) > 1:
        one.stop.set()


def kill(world: World, one: Replica) -> None:
    if len(world.alive) > 1:
        world.keep(asyncio.create_task(one.kill()))


def join(world: World, _: Replica) -> None:
    if len(world.alive) < 5:
        world.add()


def cut(_: World, one: Replica) -> None:
    one.wire.is_cut = not one.wire.is_cut


def lose(world: World, one: Replica) -> None:
    one.wire.loss = world.chance.choice([0, 0.1, 0.5])


def delay(world: World, one: Replica) -> None:
    one.wire.lateness = world.chance.choice([0, 0.1, 0.5])


HAPPENINGS: list[Callable[[World, Replica], None]] = [
    pause,
    pause,
    take_a_lease_away,
    stop,
    kill,
    join,
    cut,
    lose,
    delay,
]


async def history(seed: int, *, has_hook: bool = True) -> World:
    """Let everything happen that may, then nothing for a while."""
    world = World(random.Random(seed), has_hook=has_hook)
    world.keep(asyncio.create_task(world.watch()))
    for _ in range(3):
        world.add()
    while asyncio.get_running_loop().time() < 200:
        await asyncio.sleep(world.chance.uniform(0, 6))
        world.chance.choice(HAPPENINGS)(world, world.chance.choice(world.alive or [world.add()]))
    await quiet(world)
    return world


async def quiet(world: World) -> None:
    for replica in world.alive or [world.add()]:
        replica.wire.is_cut, replica.wire.loss, replica.wire.lateness = False, 0.0, 0.0
        replica.wire.runs.set()
    await asyncio.sleep(5 * TIMING.duration)
    world.check()


def owners(world: World) -> list[list[int]]:
    return [[replica.number for replica in world.alive if replica.owns(bucket)] for bucket in range(BUCKETS)]


def wanted(world: World) -> list[list[int]]:
    living = {replica.shards.identity: replica.number for replica in world.alive}
    return [[living[wanted_holder(bucket, living) or ""]] for bucket in range(BUCKETS)]


@settings(max_examples=12, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(seed=st.integers(0, 1 << 32), has_hook=st.booleans())
@example(seed=1290, has_hook=True).via("a bucket was given free before its writes had ended")
@example(seed=1351, has_hook=False).via("the same, without word of them")
def test_at_no_time_two_would_write_and_in_the_end_each_bucket_has_one_owner(seed: int, has_hook: bool) -> None:  # noqa: FBT001
    async def test() -> None:
        world = await history(seed, has_hook=has_hook)
        assert world.faults == []
        assert owners(world) == wanted(world)
        members = {lease.holder for lease in world.server.listed() if lease.role == "member"}
        living = {replica.shards.identity for replica in world.alive}
        assert members == living, "nothing is left of those that are gone"
        await world.end()

    run_in_made_up_time(test())


def never_stops_by_itself(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Shards, "is_valid", True)


def does_not_wait_for_writes(patch: pytest.MonkeyPatch) -> None:
    async def at_once(self: Shards, bucket: int) -> None:
        with suppress(ApiError):
            await self._write_free(bucket)

    patch.setattr(Shards, "_handed_over", at_once)


def takes_what_is_held(patch: pytest.MonkeyPatch) -> None:
    settle = Shards._settle  # noqa: SLF001

    async def greedy(self: Shards, bucket: int, lease: Lease | None, dead: set[str]) -> bool:
        return await settle(self, bucket, lease, dead | ({lease.holder} if lease and lease.holder else set()))

    patch.setattr(Shards, "_settle", greedy)


def makes_a_missing_lease_at_once(patch: pytest.MonkeyPatch) -> None:
    settle = Shards._settle  # noqa: SLF001

    async def hasty(self: Shards, bucket: int, lease: Lease | None, dead: set[str]) -> bool:
        self._missing[bucket] = -1e9
        return await settle(self, bucket, lease, dead)

    patch.setattr(Shards, "_settle", hasty)


@pytest.mark.parametrize(
    "sabotage",
    [
        never_stops_by_itself,
        does_not_wait_for_writes,
        takes_what_is_held,
        makes_a_missing_lease_at_once,
    ],
)
def test_the_simulation_notices_each_rule_that_is_broken(
    sabotage: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    sabotage(monkeypatch)

    async def test(seed: int) -> list[str]:
        world = await history(seed)
        await world.end()
        return world.faults

    assert any(run_in_made_up_time(test(seed)) for seed in range(20))


def calm(test: Callable[[World], Coroutine[Any, Any, None]], replicas: int) -> None:
    async def run() -> None:
        world = World(random.Random(1))
        world.keep(asyncio.create_task(world.watch()))
        for _ in range(replicas):
            world.add()
        await quiet(world)
        await test(world)
        assert world.faults == []
        await world.end()

    run_in_made_up_time(run())


def test_one_that_stops_hands_over_in_no_more_than_two_periods() -> None:
    async def test(world: World) -> None:
        first = world.alive[0]
        writes = world.writes
        first.stop.set()
        await asyncio.sleep(4.5 + 2 * TIMING.period)  # the longest write, and the others' next looks
        assert first.is_over
        assert all(len(found) == 1 for found in owners(world)), owners(world)
        assert world.writes > writes
        assert not any(lease.holder and lease.holder.startswith("r0-") for lease in world.server.listed())

    calm(test, 3)


def test_one_that_stops_leaves_no_lease_though_a_renewal_is_under_way() -> None:
    async def test(world: World) -> None:
        for replica in world.alive[1:]:
            await replica.kill()
        last = world.alive[0]
        own = f"g-{last.shards.identity}"
        end = last.shards._membership.end  # noqa: SLF001

        async def renewed_meanwhile() -> None:
            world.server.update(world.server.leases[own])
            await end()

        last.shards._membership.end = renewed_meanwhile  # type: ignore[method-assign]  # noqa: SLF001
        last.stop.set()
        await asyncio.sleep(2 * TIMING.duration)
        assert own not in world.server.leases

    calm(test, 2)


def test_a_bucket_that_is_being_taken_at_a_stop_is_given_free_too() -> None:
    async def test(world: World) -> None:
        first, second = world.alive
        update, was_written = first.wire.update, asyncio.Event()

        async def answered_late(lease: Lease) -> Lease:
            written = await update(lease)
            if lease.role == "bucket" and lease.holder is not None:
                was_written.set()
                await asyncio.sleep(1)
            return written

        first.wire.update = answered_late  # type: ignore[method-assign]
        second.stop.set()
        await was_written.wait()
        first.stop.set()
        await asyncio.sleep(4.5 + TIMING.period)  # the longest write, and no more than that is waited for
        assert first.is_over
        assert {lease.holder for lease in world.server.listed() if lease.role == "bucket"} == {None}

    calm(test, 2)


def test_what_one_had_that_was_killed_is_taken_when_its_time_is_over_and_no_earlier() -> None:
    async def test(world: World) -> None:
        had = [bucket for bucket in range(BUCKETS) if world.alive[0].owns(bucket)]
        assert had
        await world.alive[0].kill()
        await asyncio.sleep(TIMING.duration - TIMING.period - 1)
        assert [owners(world)[bucket] for bucket in had] == [[]] * len(had)
        await asyncio.sleep(2 * TIMING.period + 2)
        assert all(len(found) == 1 for found in owners(world))

    calm(test, 3)


def test_one_that_is_stopped_and_goes_on_owns_nothing_until_it_has_asked() -> None:
    async def test(world: World) -> None:
        first = world.alive[0]
        task = asyncio.create_task(first.pause(60))
        await asyncio.sleep(TIMING.duration)
        assert not any(first.owns(bucket) for bucket in range(BUCKETS)), "by its own clock"
        await asyncio.sleep(2 * TIMING.period)
        assert all(len(found) == 1 for found in owners(world))
        former = first.shards.identity
        await task
        await asyncio.sleep(TIMING.duration + 3 * TIMING.period)
        assert first.shards.identity != former
        assert owners(world) == wanted(world)

    calm(test, 3)


def test_while_the_api_is_away_everybody_stops_and_goes_on_with_the_same_afterwards() -> None:
    async def test(world: World) -> None:
        before = owners(world)
        for replica in world.alive:
            replica.wire.is_cut = True
        await asyncio.sleep(TIMING.duration)
        assert owners(world) == [[]] * BUCKETS
        handovers = world.handovers
        for replica in world.alive:
            replica.wire.is_cut = False
        await asyncio.sleep(10)
        assert owners(world) == before, "nobody could tell that anybody was dead"
        assert world.handovers > handovers, "what was passed over is looked at"

    calm(test, 3)


def test_what_a_replica_takes_while_it_dies_is_not_its_own_under_another_name() -> None:
    async def test(world: World) -> None:
        first, second = world.alive
        former, update, taken = first.shards.identity, first.wire.update, asyncio.Event()

        async def answered_late(lease: Lease) -> Lease:
            written = await update(lease)
            if lease.role == "bucket" and lease.holder == former:
                taken.set()
                while first.shards.is_valid:  # noqa: ASYNC110 - the time is made up
                    await asyncio.sleep(0.1)
            return written

        first.wire.update = answered_late  # type: ignore[method-assign]
        await second.kill()
        async with asyncio.timeout(3 * TIMING.duration):
            await taken.wait()
        world.server.update(replace(world.server.leases[f"g-{former}"], state="dead"))
        world.add()
        for _ in range(1000 * TIMING.duration):
            await asyncio.sleep(0.002)
            world.check()
        assert first.shards.identity not in {"", former}
        assert owners(world) == wanted(world)

    calm(test, 2)


def test_one_bucket_makes_one_leader() -> None:
    async def test() -> None:
        world = World(random.Random(2), buckets=1)
        for _ in range(3):
            world.add()
        await quiet(world)
        leading = [replica for replica in world.alive if replica.shards.owns("any", "service")]
        assert len(leading) == 1
        await leading[0].kill()
        await asyncio.sleep(TIMING.duration + 2 * TIMING.period)
        assert sum(replica.shards.owns("any", "service") for replica in world.alive) == 1
        await world.end()

    run_in_made_up_time(test())


def test_the_first_replica_says_how_many_buckets_there_are() -> None:
    async def test() -> None:
        world = World(random.Random(3))
        world.add()
        await quiet(world)
        world.buckets = 2 * BUCKETS
        world.add()
        await quiet(world)
        assert [replica.shards.buckets for replica in world.alive] == [BUCKETS, BUCKETS]
        world.check()
        assert world.faults == []
        await world.end()

    run_in_made_up_time(test())


def test_buckets_are_the_same_everywhere_and_of_like_size() -> None:
    assert bucket_of("shop", "db", 64) == 45, "another hash would give one Service to two releases"
    sizes = Counter(bucket_of("shop", name, 16) for name in MANY)
    assert len(sizes) == 16
    assert max(sizes.values()) < 1.2 * min(sizes.values())


def test_one_more_replica_takes_its_share_and_moves_nothing_else() -> None:
    members = ["a", "b", "c"]
    before = {bucket: wanted_holder(bucket, members) for bucket in range(1024)}
    after = {bucket: wanted_holder(bucket, [*members, "d"]) for bucket in range(1024)}
    moved = {bucket for bucket in before if before[bucket] != after[bucket]}
    assert {after[bucket] for bucket in moved} == {"d"}
    assert len(moved) == pytest.approx(256, abs=50)
    assert wanted_holder(0, []) is None


def test_no_two_processes_have_one_name() -> None:
    names = {new_identity() for _ in range(1000)}
    assert len(names) == 1000
    assert all(len(name) <= 73 and name.replace("-", "").isalnum() and name == name.lower() for name in names)
    assert uptime() <= uptime()


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Timing(duration=10, period=3, guard=5), "one failure would be all"),
        (lambda: Timing(duration=0), "more than nothing"),
        (lambda: Timing(guard=0), "guard are more than nothing"),
        (lambda: ShardOptions(buckets=0), "buckets: 0 is not from 1 to 1024"),
        (lambda: ShardOptions(buckets=1025), "buckets: 1025"),
        (lambda: ShardOptions(group="Not a name"), "group: 'Not a name' is no name"),
    ],
)
def test_options_that_cannot_work_are_refused(make: Callable[[], object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        make()


def test_services_of_the_simulation_are_in_every_bucket() -> None:
    assert all(SERVICES.values())


class Answering:
    """An API server that gives back what it is sent, with a label of somebody else's hand."""

    def __init__(self, **labels: str) -> None:
        self.labels = labels

    async def request(self, _method: str, _path: str, *, body: Any) -> bytes:
        metadata = body["metadata"]
        labels = {name: self.labels.get(name.rpartition("/")[2], value) for name, value in metadata["labels"].items()}
        return json.dumps(
            {**body, "metadata": {**metadata, "labels": labels, "uid": "u", "resourceVersion": "7"}}
        ).encode()


def sent(lease: Lease, api: Any) -> Lease:
    return asyncio.run(Leases(api, "shop", "g").create(lease))


@pytest.mark.parametrize("state", [None, "leaving", "dead"])
def test_what_a_replica_says_of_itself_is_read_as_it_was_written(state: Any) -> None:
    for lease in [Lease("member", "g-m", "me", 15, state), Lease("group", "g", None, 0, state, 64)]:
        assert sent(lease, Answering()) == replace(lease, uid="u", version="7")


def test_a_state_that_no_replica_writes_is_none() -> None:
    assert sent(Lease("member", "g-m", "me", 15, "dead"), Answering(state="asleep")).state is None
