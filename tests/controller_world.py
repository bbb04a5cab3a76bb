"""What the tests of the controller have in common: a shop in a cluster, a source that tells, a controller that runs."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from epcore.controller import Api, Controller, ControllerOptions
from epcore.controller.sources import Assigned, Failed, Found
from fake_cluster import FakeCluster, Json

LABEL = "epcore.dev/reconcile"


class Told:
    """A source that tells what the test says."""

    def __init__(self, *news: Found | Failed) -> None:
        self.news: asyncio.Queue[Found | Failed] = asyncio.Queue()
        for one in news:
            self.news.put_nowait(one)

    async def follow(self) -> AsyncIterator[Found | Failed]:
        while True:
            yield await self.news.get()


def service(name: str, *, selector: bool = True, **metadata: Any) -> Json:
    spec: Json = {"clusterIP": "10.96.0.1", "ipFamilies": ["IPv4"], "ports": [{"name": "http", "port": 80}]}
    if selector:
        spec["selector"] = {"app": name}
        metadata.setdefault("labels", {LABEL: "true"})
    return {"apiVersion": "v1", "metadata": {"name": name, "namespace": "shop", **metadata}, "spec": spec}


def pod(app: str, number: int, *, ready: bool = True) -> Json:
    address = f"10.{len(app)}.{number // 250}.{number % 250 + 1}"
    return {
        "apiVersion": "v1",
        "metadata": {"name": f"{app}-{number}", "namespace": "shop", "labels": {"app": app}},
        "spec": {"nodeName": "n1"},
        "status": {
            "phase": "Running",
            "podIP": address,
            "podIPs": [{"ip": address}],
            "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
        },
    }


def cluster(*items: tuple[str, Json]) -> FakeCluster:
    made = FakeCluster()
    made.put("nodes", {"metadata": {"name": "n1", "labels": {"topology.kubernetes.io/zone": "a"}}})
    for plural, item in items:
        made.put(plural, item)
    return made


async def until(is_so: Callable[[], object], seconds: float = 10.0) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(seconds):
        while not is_so():  # noqa: ASYNC110 - what is waited for tells nobody
            await asyncio.sleep(0.005)


@asynccontextmanager
async def running(
    server: FakeCluster, folder: Path, sources: Sequence[Assigned] = (), **options: Any
) -> AsyncIterator[Controller]:
    """Run a controller while the block runs."""
    options.setdefault("retry_base", 0.02)
    stop = asyncio.Event()
    async with server.serving(folder) as config, Api(kubeconfig=config, qps=10_000, burst=10_000) as api:
        controller = Controller(api, ControllerOptions(**options), sources=sources)
        task = asyncio.create_task(controller.run(stop))
        try:
            yield controller
        finally:
            stop.set()
            await task


def test(scenario: Callable[[], Awaitable[None]]) -> None:
    """Run a scenario."""

    async def run() -> None:
        async with asyncio.timeout(60):
            await scenario()

    asyncio.run(run())


test.__test__ = False  # type: ignore[attr-defined]


def web(pods: int = 3) -> FakeCluster:
    server = cluster(("services", service("web")))
    for number in range(pods):
        server.put("pods", pod("web", number))
    return server


def held(server: FakeCluster, name: str = "web") -> Counter[str]:
    return Counter(server.addresses(name))


def address_of(config: str) -> str:
    """The server of a kubeconfig."""
    address: str = json.loads(Path(config).read_text())["clusters"][0]["cluster"]["server"]
    return address
