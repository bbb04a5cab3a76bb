"""An HTTP server on loopback, with or without TLS, whose answers a test scripts."""

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Site:
    """What the server says, and what it was asked."""

    answer: Handler
    url: str = ""
    asked: list[web.Request] = field(default_factory=list)


@asynccontextmanager
async def http_serving(answer: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[Site]:
    """Serve until the block ends; the site knows its URL, without a slash at its end."""
    site = Site(answer)

    async def handle(request: web.Request) -> web.StreamResponse:
        site.asked.append(request)
        return await site.answer(request)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    listening = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await listening.start()
    host, port = runner.addresses[0][:2]
    site.url = f"{'https' if tls else 'http'}://{host}:{port}"
    try:
        yield site
    finally:
        await runner.cleanup()
