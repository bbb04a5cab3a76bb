"""An API server in the event loop of the test: objects with versions, watches, writes, and whatever may go wrong."""

import asyncio
import json
import re
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

from aiohttp import web

import epcore

Json: TypeAlias = dict[str, Any]
Name: TypeAlias = tuple[str, str]
Fault: TypeAlias = int | Literal["lost", "cut", "hang", "junk"] | tuple[int, dict[str, str]]
"""An HTTP status in place of an answer, with headers; the answer to what was done is lost; the connection is cut before
anything is done; nothing is done and no answer comes; a page of a proxy comes instead."""

KINDS = {
    "services": "Service",
    "pods": "Pod",
    "nodes": "Node",
    "endpoints": "Endpoints",
    "endpointslices": "EndpointSlice",
    "events": "Event",
    "leases": "Lease",
}

_TOO_OLD: Json = {"type": "ERROR", "object": {"kind": "Status", "code": 410, "message": "too old"}}


@dataclass
class Request:
    """What was asked for."""

    method: str
    plural: str
    name: str
    query: dict[str, str]
    headers: dict[str, str]

    @property
    def is_watch(self) -> bool:
        return self.query.get("watch") == "true"

    @property
    def is_write(self) -> bool:
        return self.method != "GET"


@dataclass
class FakeCluster:
    """What the server holds and does."""

    version: int = 100
    objects: dict[str, dict[Name, Json]] = field(default_factory=lambda: {plural: {} for plural in KINDS})
    history: dict[str, list[Json]] = field(default_factory=lambda: {plural: [] for plural in KINDS})
    oldest: int = 0
    """Watches from before this version are told 410."""
    requests: list[Request] = field(default_factory=list)
    fault: Callable[[Request], Fault | None] = lambda _: None
    """Asked of each request."""
    on_write: Callable[[Request], None] = lambda _: None
    """Called before each write."""
    gone: set[str] = field(default_factory=set)
    """Namespaces that are not there any more."""
    token: str = ""
    """Where set, the only one that is let in."""
    slowness: float = 0.0
    """Seconds before each answer."""
    ends: asyncio.Event = field(default_factory=asyncio.Event)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def put(self, plural: str, item: Json) -> Json:
        """Write an object, as it is."""
        name = name_of(item)
        before = self.objects[plural].get(name)
        self.version += 1
        metadata = {"uid": f"uid-{self.version}", **item["metadata"], "resourceVersion": str(self.version)}
        if before is not None:
            metadata["uid"] = before["metadata"]["uid"]
        item = {"kind": KINDS[plural], **item, "metadata": metadata}
        self.objects[plural][name] = item
        self._tell(plural, "ADDED" if before is None else "MODIFIED", item, before)
        return item

    def delete(self, plural: str, name: Name) -> Json:
        item = self.objects[plural].pop(name)
        self.version += 1
        item = {**item, "metadata": {**item["metadata"], "resourceVersion": str(self.version)}}
        self._tell(plural, "DELETED", item, item)
        return item

    def _tell(self, plural: str, type_: str, item: Json, before: Json | None) -> None:
        self.history[plural].append({"type": type_, "object": item, "before": before, "version": self.version})
        self._wake()

    def _wake(self) -> None:
        self.news.set()
        self.news = asyncio.Event()

    def slices(self, service: str = "", managed_by: str = "") -> list[Json]:
        """The slices of a Service, by name."""
        found = []
        for _, item in sorted(self.objects["endpointslices"].items()):
            labels = item["metadata"].get("labels") or {}
            if service in {"", labels.get("kubernetes.io/service-name")} and managed_by in {
                "",
                labels.get("endpointslice.kubernetes.io/managed-by"),
            }:
                found.append(item)
        return found

    def addresses(self, service: str, managed_by: str = "epcore") -> list[str]:
        """All addresses in the slices of a Service, in order, each as often as it is there."""
        slices = self.slices(service, managed_by)
        return sorted(one for item in slices for end in item.get("endpoints") or [] for one in end["addresses"])

    def writes(self, plural: str = "endpointslices") -> list[Request]:
        return [request for request in self.requests if request.is_write and request.plural == plural]

    @asynccontextmanager
    async def serving(self, folder: Path, *, port: int = 0, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
        """Serve while the block runs; yields the path of a kubeconfig."""
        self.ends = ends = asyncio.Event()
        app = web.Application(client_max_size=1 << 26)
        app.router.add_route("*", "/{path:.*}", self._handle)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", port, ssl_context=tls)
        await site.start()
        address = f"http{'s' if tls else ''}://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield kubeconfig(folder, address, self.token)
        finally:
            ends.set()
            self._wake()
            await runner.cleanup()

    async def _handle(self, http: web.Request) -> web.StreamResponse:
        found = re.fullmatch(
            r"/(?:api/v1|apis/[a-z]+\.k8s\.io/v1)(?:/namespaces/([^/]+))?/([a-z]+)(?:/([^/]+))?", http.path
        )
        if found is None or found[2] not in KINDS:
            return _status(404, "no such resource")
        namespace, plural, name = found[1] or "", found[2], found[3] or ""
        request = Request(http.method, plural, name, dict(http.query), dict(http.headers))
        self.requests.append(request)
        await asyncio.sleep(self.slowness)
        scheme, _, token = http.headers.get("authorization", "").partition(" ")
        if self.token and (scheme.lower(), token) != ("bearer", self.token):
            return _status(401, "Unauthorized")
        if request.is_write:
            self.on_write(request)
        fault = self.fault(request)
        if fault == "hang":
            await asyncio.wait([asyncio.ensure_future(self.ends.wait())], timeout=60)
        if fault == "junk":
            return web.Response(text="<html>\n<p>Please log in.\n</html>\n", content_type="text/html")
        if isinstance(fault, str) and fault != "lost":
            return _cut(http)
        if isinstance(fault, int | tuple):
            status, headers = fault if isinstance(fault, tuple) else (fault, {})
            return _status(status, f"fault {status}", headers)
        answer = await self._answer(http, request, namespace)
        return _cut(http) if fault == "lost" else answer

    async def _answer(self, http: web.Request, request: Request, namespace: str) -> web.StreamResponse:
        plural, key = request.plural, (namespace, request.name)
        if http.method == "GET" and not request.name:
            return await self._watch(http, request, namespace) if request.is_watch else self._list(request, namespace)
        held = self.objects[plural].get(key)
        if http.method == "POST":
            return await self._create(http, plural, namespace)
        if held is None:
            return _status(404, "not found")
        if http.method == "GET":
            return web.json_response(held)
        return await self._change(http, plural, held)

    async def _create(self, http: web.Request, plural: str, namespace: str) -> web.Response:
        item = await _body(http)
        if namespace in self.gone:
            return _status(404, f'namespaces "{namespace}" not found')
        if name_of(item) in self.objects[plural]:
            return _status(409, "already exists")
        return web.json_response(self.put(plural, item), status=201)

    async def _change(self, http: web.Request, plural: str, held: Json) -> web.Response:
        content, is_ = await _body(http), held["metadata"]
        if http.method == "PATCH":
            return web.json_response(self.put(plural, {**held, **content}))
        if http.method == "PUT":
            if content["metadata"].get("resourceVersion") not in {None, is_["resourceVersion"]}:
                return _status(409, "the object has been modified")
            return web.json_response(self.put(plural, content))
        conditions = content.get("preconditions") or {}
        if any(is_.get(field_) != value for field_, value in conditions.items()):
            return _status(409, "the precondition failed")
        return web.json_response(self.delete(plural, name_of(held)))

    def _list(self, request: Request, namespace: str) -> web.Response:
        begin, limit = int(request.query.get("continue", "0")), int(request.query.get("limit", "0"))
        items = [
            item
            for name, item in sorted(self.objects[request.plural].items())
            if namespace in {"", name[0]} and _matches(item, request.query.get("labelSelector", ""))
        ]
        metadata: Json = {"resourceVersion": str(self.version)}
        if limit and begin + limit < len(items):
            metadata["continue"] = str(begin + limit)
        page = items[begin : begin + limit] if limit else items[begin:]
        kind = f"{KINDS[request.plural]}List"
        return web.json_response({"kind": kind, "apiVersion": "v1", "metadata": metadata, "items": page})

    async def _watch(self, http: web.Request, request: Request, namespace: str) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(http)
        with suppress(ConnectionResetError):  # whoever watched is gone
            if int(request.query["resourceVersion"]) < self.oldest:
                await response.write(json.dumps(_TOO_OLD).encode() + b"\n")
                return response
            return await self._told(http, response, request, namespace)
        return response

    @staticmethod
    def _seen(request: Request, namespace: str, events: list[Json]) -> Iterator[Json]:
        """The events that are for a watch, as it sees them."""
        selector, begin = request.query.get("labelSelector", ""), int(request.query["resourceVersion"])
        for event in events:
            type_ = _shown(event, selector)
            if type_ and event["version"] > begin and namespace in {"", name_of(event["object"])[0]}:
                yield {**event, "type": type_}

    async def _told(
        self, http: web.Request, response: web.StreamResponse, request: Request, namespace: str
    ) -> web.StreamResponse:
        async def send(event: Json) -> None:
            await response.write(json.dumps(event).encode() + b"\n")

        ends = asyncio.get_running_loop().time() + int(request.query.get("timeoutSeconds", "300"))
        history, place, over = self.history[request.plural], 0, self.ends
        while not over.is_set() and asyncio.get_running_loop().time() < ends:
            news = self.news
            events, place = history[place:], len(history)
            for event in self._seen(request, namespace, events):
                await send({"type": event["type"], "object": event["object"]})
            fault = self.fault(Request("WATCH", request.plural, "", request.query, request.headers))
            if fault == "junk":
                await response.write(b"<html>\n")
            elif fault == "cut":
                return _cut(http)
            elif fault is not None:
                self.oldest = self.version
                await send(_TOO_OLD)
                return response
            try:
                async with asyncio.timeout(0.5):
                    await news.wait()
            except TimeoutError:
                bookmark = {"kind": KINDS[request.plural], "metadata": {"resourceVersion": str(self.version)}}
                # None of before the version that was asked for, as an API server that was put back to an older state.
                if place == len(history) and self.version >= int(request.query["resourceVersion"]):
                    await send({"type": "BOOKMARK", "object": bookmark})
        return response


def name_of(item: Json) -> Name:
    return item["metadata"].get("namespace", ""), item["metadata"]["name"]


def kubeconfig(folder: Path, server: str, token: str = "", **user: str) -> str:
    """Write a kubeconfig for a server."""
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "test",
        "clusters": [{"name": "test", "cluster": {"server": server}}],
        "users": [{"name": "test", "user": {**({"token": token} if token else {}), **user}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
    }
    path = folder / "kubeconfig"
    path.write_text(json.dumps(config))
    return str(path)


def _cut(http: web.Request) -> web.StreamResponse:
    if http.transport is not None:
        http.transport.abort()
    return web.Response(status=500)


def _status(code: int, message: str, headers: dict[str, str] | None = None) -> web.Response:
    return web.json_response({"kind": "Status", "code": code, "message": message}, status=code, headers=headers)


async def _body(http: web.Request) -> Json:
    content = await http.read()
    if http.content_type == "application/vnd.kubernetes.protobuf":
        return {**epcore.SliceSet.from_json(content)[0].to_dict()}
    found: Json = json.loads(content or b"{}")
    return found


def _shown(event: Json, selector: str) -> str:
    """The type of an event for a watch with this selector; `""` for none."""
    was = event["before"] is not None and _matches(event["before"], selector)
    is_ = event["type"] != "DELETED" and _matches(event["object"], selector)
    return {(False, True): "ADDED", (True, True): "MODIFIED", (True, False): "DELETED"}.get((was, is_), "")


def _matches(item: Json, selector: str) -> bool:
    labels = item["metadata"].get("labels") or {}
    for one in re.findall(r"[^,(]+(?:\([^)]*\))?", selector):
        if found := re.fullmatch(r"(\S+) in \(([^)]*)\)", one):
            if labels.get(found[1]) not in found[2].split(","):
                return False
        elif found := re.fullmatch(r"(\S+)!=(\S+)", one):
            if labels.get(found[1]) == found[2]:
                return False
        elif found := re.fullmatch(r"(\S+?)=(\S+)", one):
            if labels.get(found[1]) != found[2]:
                return False
        else:
            raise AssertionError(one)
    return True
