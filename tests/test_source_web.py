"""Endpoints from an HTTP server: what it does not say clearly changes nothing, and no secret goes astray."""

import asyncio
import gzip
import json
import os
import ssl
import threading
import time
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiohttp import web

from epcore.controller.sources import SourceError
from epcore.controller.sources.web import Document
from http_server import http_serving
from told_by import told_by

QUICK: Any = {"interval": 0.1, "timeout": 0.5}


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(test, 60))


def has(content: object, **headers: str) -> Any:
    async def answer(_: web.Request) -> web.Response:
        return web.json_response(content, headers=headers)

    return answer


def says(status: int, **headers: str) -> Any:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status, headers={name.replace("_", "-"): value for name, value in headers.items()})

    return answer


def test_a_document_is_followed() -> None:
    async def test() -> None:
        async with http_serving(has(["10.0.0.1"])) as site, told_by(Document(f"{site.url}/db.yaml", **QUICK)) as told:
            assert await told.found() == ["10.0.0.1"]
            await told.nothing()
            site.answer = has({"endpoints": [{"address": "10.0.0.2", "zone": "a", "ready": False}]})
            assert await told.found() == [{"address": "10.0.0.2", "zone": "a", "ready": False}]
            site.answer = has([])
            assert await told.found() == []

    run(test())


@pytest.mark.parametrize(
    ("status", "said"), [(404, "404 Not Found"), (500, "500"), (204, "204"), (206, "206"), (401, "401"), (304, "304")]
)
def test_any_other_answer_is_trouble_and_changes_nothing(status: int, said: str) -> None:
    async def test() -> None:
        async with http_serving(has(["10.0.0.1"])) as site, told_by(Document(site.url, **QUICK)) as told:
            assert await told.found() == ["10.0.0.1"]
            site.answer = says(status)
            assert await told.failed() == f"{site.url}: {said}" or said in {"500", "204", "206", "401", "304"}
            await told.nothing()
            site.answer = has(["10.0.0.1"])
            assert await told.found() == ["10.0.0.1"]

    run(test())


@pytest.mark.parametrize(
    "body", [b"", b"{", b"<html>down for maintenance</html>", b'{"error": 1}', b"- 10.0.0.1", b"\xff"]
)
def test_nonsense_is_trouble_and_changes_nothing(body: bytes) -> None:
    async def nonsense(_: web.Request) -> web.Response:
        return web.Response(body=body, headers={"ETag": '"bad"'})

    async def test() -> None:
        async with http_serving(nonsense) as site, told_by(Document(f"{site.url}/x", **QUICK)) as told:
            assert site.url in await told.failed()
            await told.nothing()
            assert all("If-None-Match" not in request.headers for request in site.asked), "it has to come again"

    run(test())


def test_a_document_that_has_not_changed_is_not_sent_again() -> None:
    version = 1

    async def answer(request: web.Request) -> web.Response:
        tag = f'"{version}"'
        if request.headers.get("If-None-Match") == tag:
            return web.Response(status=304)
        return web.json_response([f"10.0.0.{version}"], headers={"ETag": tag, "Last-Modified": "then"})

    async def test() -> None:
        nonlocal version
        async with http_serving(answer) as site, told_by(Document(site.url, **QUICK)) as told:
            assert await told.found() == ["10.0.0.1"]
            await told.nothing(0.5)
            assert site.asked[-1].headers["If-Modified-Since"] == "then"
            version = 2
            assert await told.found() == ["10.0.0.2"]
            site.answer = says(500)
            await told.failed()
            site.answer = answer
            assert await told.found() == ["10.0.0.2"], "what was known before the trouble is known after it"

    run(test())


def test_a_document_that_is_too_large_is_not_read_to_its_end() -> None:
    sent = 0

    async def endless(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse()
        await response.prepare(request)
        while sent < 1 << 30:
            await response.write(b" " * (1 << 20))
            sent += 1 << 20
        return response

    async def bomb(_: web.Request) -> web.Response:
        return web.Response(body=gzip.compress(b" " * (50 << 20)), headers={"Content-Encoding": "gzip"})

    async def test() -> None:
        async with http_serving(endless) as site:
            for answer in (endless, bomb):
                site.answer = answer
                with pytest.raises(SourceError, match="more than 10,000,000 bytes"):
                    await Document(site.url, largest=10_000_000).look()
        assert sent < 1 << 26

    run(test())


def test_a_document_that_is_cut_or_slow_is_trouble() -> None:
    async def cut(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "100"})
        await response.prepare(request)
        await response.write(b'["10.0.0.1"]')
        assert request.transport is not None
        request.transport.close()
        return response

    async def slow(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for letter in '["10.0.0.1"]' * 10:
            await response.write(letter.encode())
            await asyncio.sleep(0.1)
        return response

    async def test() -> None:
        async with http_serving(cut) as site:
            with pytest.raises(SourceError, match=site.url):
                await Document(site.url, timeout=5).look()
            site.answer = slow
            with pytest.raises(SourceError, match="not done in"):
                await Document(site.url, timeout=0.5).look()
        with pytest.raises(SourceError, match="Cannot connect"):
            await Document(site.url, timeout=0.5).look()

    run(test())


def test_redirects_are_followed_but_not_for_ever_and_not_anywhere() -> None:
    async def answer(request: web.Request) -> web.Response:
        if request.path == "/end":
            return web.json_response(["10.0.0.1"])
        where = {"/": "/1", "/1": "end", "/loop": "/loop", "/file": "file:///etc/passwd"}.get(request.path, "")
        return web.Response(status=302, headers={"Location": where} if where else {})

    async def test() -> None:
        async with http_serving(answer) as site:
            assert (await Document(f"{site.url}/").look()).endpoints == ["10.0.0.1"]
            for path, said in [("/loop", "more than 5 redirects"), ("/file", "no URL of HTTP"), ("/none", "no URL")]:
                with pytest.raises(SourceError, match=said):
                    await Document(f"{site.url}{path}").look()

    run(test())


@pytest.mark.parametrize("date", [False, True])
def test_a_server_that_asks_for_patience_gets_it(date: bool) -> None:  # noqa: FBT001
    async def test() -> None:
        moment = datetime.now(UTC) + timedelta(seconds=5)
        after = format_datetime(moment, usegmt=True) if date else "5"
        async with http_serving(says(429, Retry_After=after)) as site:
            document = Document(site.url, interval=60)
            with pytest.raises(SourceError, match="429") as error:
                await document.look()
            assert document.retry_after(1, error.value) == pytest.approx(5, abs=1.5)
            site.answer = says(503, Retry_After="9999999")
            with pytest.raises(SourceError) as error:
                await document.look()
            assert document.retry_after(1, error.value) == 600
            site.answer = says(503, Retry_After="soon")
            with pytest.raises(SourceError) as error:
                await document.look()
            assert document.retry_after(3, error.value) == pytest.approx(4, rel=0.11)

    run(test())


@pytest.fixture
def authority(tmp_path: Path) -> trustme.CA:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    return authority


def tls(authority: trustme.CA, *names: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)
    return context


def test_certificates_are_checked(tmp_path: Path, authority: trustme.CA) -> None:
    async def test() -> None:
        async with http_serving(has([]), tls(authority, "127.0.0.1")) as site:
            assert (await Document(site.url, ca_file=tmp_path / "ca.pem").look()).endpoints == []
            with pytest.raises(SourceError, match="certificate verify failed"):
                await Document(site.url).look()
            (tmp_path / "other.pem").write_bytes(trustme.CA().cert_pem.bytes())
            with pytest.raises(SourceError, match="certificate verify failed"):
                await Document(site.url, ca_file=tmp_path / "other.pem").look()
            with pytest.raises(SourceError, match=r"none\.pem: No such file"):
                await Document(site.url, ca_file=tmp_path / "none.pem").look()
            (tmp_path / "bad.pem").write_text("no certificate")
            with pytest.raises(SourceError, match=r"bad\.pem: "):
                await Document(site.url, ca_file=tmp_path / "bad.pem").look()
        async with http_serving(has([]), tls(authority, "example.org")) as site:
            with pytest.raises(SourceError, match="certificate"):
                await Document(site.url, ca_file=tmp_path / "ca.pem").look()

    run(test())


def test_a_token_is_read_anew_and_goes_to_its_server_alone(tmp_path: Path, authority: trustme.CA) -> None:
    token = tmp_path / "token"
    token.write_text("first\n")
    options: Any = {"ca_file": tmp_path / "ca.pem", "token_file": token}

    async def test() -> None:
        context = tls(authority, "127.0.0.1")
        async with (
            http_serving(has([]), context) as other,
            http_serving(has([]), context) as site,
            http_serving(has([])) as plain,
        ):
            document = Document(site.url, **options)
            await document.look()
            token.write_text("second")
            await document.look()
            assert [request.headers["Authorization"] for request in site.asked] == ["Bearer first", "Bearer second"]
            site.answer = says(302, Location=f"{other.url}/x")
            assert (await document.look()).endpoints == []
            assert "Authorization" not in other.asked[-1].headers
            site.answer = says(302, Location=plain.url)
            with pytest.raises(SourceError, match="redirected from https to http"):
                await document.look()
            assert plain.asked == []
            for text, said in [("", "is no token"), ("a\r\nX-Evil: 1", "is no token"), ("\xe9", "is no token")]:
                token.write_text(text)
                with pytest.raises(SourceError, match=said):
                    await document.look()
            token.unlink()
            with pytest.raises(SourceError, match="No such file"):
                await document.look()

    run(test())


@pytest.mark.parametrize("option", ["token_file", "ca_file"])
def test_a_file_that_hangs_is_told_and_keeps_nothing_else_back(option: str, tmp_path: Path) -> None:
    hangs = tmp_path / "hangs"
    os.mkfifo(hangs)  # nobody ever writes into it

    async def test() -> None:
        options: Any = {option: hangs, **QUICK}
        async with told_by(Document("https://127.0.0.1:1/", **options)) as told:
            assert await told.failed() == f"{hangs}: has not answered in 0.5 seconds"
            await told.nothing()

    ends = threading.Timer(20, lambda: hangs.open("w").close())
    ends.start()
    began = time.monotonic()
    run(test())
    ends.cancel()
    assert time.monotonic() - began < 10


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://127.0.0.1/", "a token is sent by https alone"),
        ("https://me:secret@127.0.0.1/", "a password in a URL"),
        ("ftp://127.0.0.1/", "no URL of HTTP"),
        ("https:///x", "no URL of HTTP"),
    ],
)
def test_urls_that_would_do_harm_are_refused(url: str, said: str) -> None:
    with pytest.raises(SourceError, match=said) as error:
        Document(url, token_file=Path("token"))
    assert "secret" not in str(error.value)


def test_a_large_document_is_read(tmp_path: Path) -> None:
    del tmp_path
    many = [{"address": f"10.{n // 62_500}.{n // 250 % 250}.{n % 250 + 1}", "zone": "a"} for n in range(20_000)]

    async def test() -> None:
        async with http_serving(has(many)) as site:
            assert (await Document(site.url).look()).endpoints == many
            assert len(json.dumps(many)) > 500_000

    run(test())
