"""Several replicas on a real API server: Leases as it keeps them, one owner for each Service."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from cluster.api import Api as AdminApi
from cluster.control_plane import ControlPlane
from epcore.controller.api import Api, ApiError
from epcore.controller.leases import Lease, Leases
from epcore.controller.membership import Timing
from epcore.controller.shards import ShardOptions, Shards

TIMING = Timing(duration=4, period=0.5, guard=1.0)
SERVICES = [f"s{number}" for number in range(100)]


@asynccontextmanager
async def leases(control_plane: ControlPlane, namespace: str, group: str = "g") -> AsyncIterator[Leases]:
    async with Api(kubeconfig=str(control_plane.kubeconfig()), qps=200, burst=200, timeout=5) as api:
        yield Leases(api, namespace, group)


class Replica:
    """One replica, until it is stopped."""

    def __init__(self, store: Leases, buckets: int) -> None:
        self.shards = Shards(store, ShardOptions(group=store.group, buckets=buckets, timing=TIMING))
        self.stop = asyncio.Event()
        self.task = asyncio.create_task(self.shards.run(self.stop))

    def owned(self) -> set[str]:
        return {service for service in SERVICES if self.shards.owns("shop", service)}

    async def end(self) -> None:
        self.stop.set()
        await asyncio.wait_for(self.task, 30)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not holds():  # noqa: ASYNC110 - it is a real server that is waited for
            await asyncio.sleep(0.05)


def test_a_lease_comes_back_as_it_was_written_and_old_versions_are_refused(
    control_plane: ControlPlane, namespace: str, api: AdminApi
) -> None:
    async def test() -> None:
        async with leases(control_plane, namespace) as store:
            made = await store.create(Lease("member", "g-x", "x", 15, "leaving"))
            assert (made.role, made.holder, made.seconds, made.state) == ("member", "x", 15, "leaving")
            again = await store.update(made)
            assert again.version != made.version
            for act in (store.update(made), store.delete(made), store.create(Lease("member", "g-x", "y", 15))):
                with pytest.raises(ApiError) as refused:
                    await act
                assert refused.value.status == 409
            free = await store.update(Lease("bucket", "g-x", uid=again.uid, version=again.version))
            assert (free.holder, free.state) == (None, None)
            assert await store.listed() == [free]
            async with leases(control_plane, namespace, "other") as other:
                assert await other.listed() == []
            metadata = {"name": "g-y", "namespace": namespace}
            api.create({"kind": "Lease", "apiVersion": "coordination.k8s.io/v1", "metadata": metadata})
            with pytest.raises(ApiError, match="has not our labels"):
                await store.read(Lease("bucket", "g-y"))
            await store.delete(free)
            with pytest.raises(ApiError) as gone:
                await store.update(free)
            assert gone.value.status in {404, 409}

    asyncio.run(test())


def test_services_are_shared_and_handed_over(control_plane: ControlPlane, namespace: str) -> None:
    async def test() -> None:
        async with leases(control_plane, namespace) as store:
            first = Replica(store, 16)
            await until(lambda: first.owned() == set(SERVICES))
            others = [Replica(store, 16) for _ in range(2)]
            replicas = [first, *others]
            await until(lambda: all(replica.owned() for replica in replicas))
            await until(lambda: set.union(*(replica.owned() for replica in replicas)) == set(SERVICES))
            for _ in range(40):
                assert sum(len(replica.owned()) for replica in replicas) <= len(SERVICES)
                await asyncio.sleep(0.05)
            await first.end()
            assert first.owned() == set()
            await until(lambda: set.union(*(replica.owned() for replica in others)) == set(SERVICES))
            for replica in others:
                await replica.end()
            assert {lease.role for lease in await store.listed()} == {"group", "bucket"}
            assert [lease.holder for lease in await store.listed() if lease.holder] == []

    asyncio.run(test())


PROGRAM = """
import asyncio, sys
from epcore.controller.api import Api
from epcore.controller.leases import Leases
from epcore.controller.membership import Timing
from epcore.controller.shards import ShardOptions, Shards

async def main():
    async with Api(kubeconfig=sys.argv[1], qps=200, burst=200, timeout=5) as api:
        timing = Timing(duration=4, period=0.5, guard=1.0)
        shards = Shards(Leases(api, sys.argv[2], "g"), ShardOptions(group="g", timing=timing))
        running = asyncio.create_task(shards.run(asyncio.Event()))
        was = None
        while not running.done():
            if was != (was := shards.owns("shop", "db")):
                print("owns" if was else "owns nothing", flush=True)
            await asyncio.sleep(0.02)

asyncio.run(main())
"""


def test_a_leader_that_is_frozen_stops_by_itself_and_learns_that_another_leads(
    control_plane: ControlPlane, namespace: str
) -> None:
    command = [sys.executable, "-c", PROGRAM, str(control_plane.kubeconfig()), namespace]

    async def takes_over(process: subprocess.Popen[str]) -> None:
        lines: Any = process.stdout
        async with leases(control_plane, namespace) as store:
            second = Replica(store, 1)
            await until(lambda: bool(second.owned()))
            os.kill(process.pid, signal.SIGCONT)
            assert await asyncio.to_thread(lines.readline) == "owns nothing\n", "before it asked anybody"
            await asyncio.sleep(TIMING.duration / 2)
            await second.end()

    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "owns nothing\n"
            assert process.stdout.readline() == "owns\n"
            os.kill(process.pid, signal.SIGSTOP)
            asyncio.run(takes_over(process))
        finally:
            process.kill()


def test_leases_that_nobody_may_write_make_nobody_an_owner(
    control_plane: ControlPlane, namespace: str, api: AdminApi
) -> None:
    api.create({"kind": "ServiceAccount", "apiVersion": "v1", "metadata": {"name": "nobody", "namespace": namespace}})
    config, _ = control_plane.account_kubeconfig(namespace, "nobody")

    async def test() -> None:
        async with Api(kubeconfig=str(config), timeout=5) as refused:
            replica = Replica(Leases(refused, namespace, "g"), 4)
            await asyncio.sleep(2)
            assert replica.owned() == set()
            await replica.end()

    asyncio.run(test())
