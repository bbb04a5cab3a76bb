"""How a controller is, by HTTP: ``/metrics``, ``/healthz``, ``/readyz``."""

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from prometheus_client import CollectorRegistry


@asynccontextmanager
async def serving(
    host: str | None, port: int, registry: "CollectorRegistry", is_ready: "Callable[[], bool]"
) -> "AsyncIterator[int]":
    """Serve while the block runs, on all addresses without a host; yields the port. Raises ``OSError``.

    ``/healthz`` is right as long as the event loop turns; ``/readyz`` is 503 until ``is_ready``.
    """

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="ok")

    async def readyz(_: web.Request) -> web.Response:
        return web.Response(text="ok") if is_ready() else web.Response(text="not ready", status=503)

    app = web.Application()
    app.add_routes([web.get("/metrics", metrics), web.get("/healthz", healthz), web.get("/readyz", readyz)])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        await site.start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()
