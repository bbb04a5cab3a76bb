"""An API server on loopback that does what a test says: lists by pages, watches that are cut, errors of every kind."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

Json = dict[str, Any]


@dataclass
class Script:
    """What the server holds, and how its next answers are."""

    slices: dict[str, Json] = field(default_factory=dict)
    version: int = 100
    page: int = 2
    """Slices in one answer, however many are asked for."""
    watches: list[list[Json | bytes]] = field(default_factory=list)
    """What each watch sends before it ends, one after the other; then watches hang."""
    failures: list[int] = field(default_factory=list)
    """HTTP statuses of the next answers."""
    nonsense: list[Json | list[Json] | bytes] = field(default_factory=list)
    """What is answered to the next lists, whatever is asked for."""
    silences: int = 0
    """How many requests get no answer."""
    bearer: str | None = None
    """Which one is taken; ``None`` for any, and for none."""
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def set(self, slice_: Json) -> Json:
        """Write a slice; returns the event of it."""
        name = slice_["metadata"]["name"]
        kind = "MODIFIED" if name in self.slices else "ADDED"
        self.version += 1
        slice_ = {**slice_, "metadata": {**slice_["metadata"], "resourceVersion": str(self.version)}}
        self.slices[name] = slice_
        return {"type": kind, "object": slice_}

    def listed(self, begin: int) -> Json:
        """The page of the list that begins with this number."""
        metadata = {"resourceVersion": str(self.version)}
        following = begin + self.page
        if following < len(self.slices):
            metadata["continue"] = str(following)
        items = [self.slices[name] for name in sorted(self.slices)[begin:following]]
        return {"kind": "EndpointSliceList", "metadata": metadata, "items": items}

    def delete(self, name: str) -> Json:
        """Delete a slice; returns the event of it."""
        self.version += 1
        slice_ = self.slices.pop(name)
        slice_ = {**slice_, "metadata": {**slice_["metadata"], "resourceVersion": str(self.version)}}
        return {"type": "DELETED", "object": slice_}


GONE: Json = {"type": "ERROR", "object": {"kind": "Status", "apiVersion": "v1", "code": 410, "message": "too old"}}


def _handler(script: Script) -> type[BaseHTTPRequestHandler]:  # noqa: C901 - a class
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            url = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(url.query).items()}
            script.requests.append((url.path, query))
            if script.silences:
                script.silences -= 1
                script.over.wait(60)
            elif script.bearer and self.headers["Authorization"] != f"Bearer {script.bearer}":
                self.answer(401, {"kind": "Status", "code": 401})
            elif script.failures:
                self.answer(script.failures.pop(0), {"kind": "Status", "code": 500})
            elif query.get("watch"):
                self.watch()
            elif script.nonsense:
                self.answer(200, script.nonsense.pop(0))
            else:
                begin = int(query.get("continue", "0"))
                names = sorted(script.slices)[begin : begin + script.page]
                following = begin + script.page
                metadata = {"resourceVersion": str(script.version)}
                if following < len(script.slices):
                    metadata["continue"] = str(following)
                self.answer(
                    200, {"kind": "EndpointSliceList", "metadata": metadata, "items": [script.slices[n] for n in names]}
                )

        def answer(self, status: int, body: Json | list[Json] | bytes) -> None:
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def watch(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            is_last = not script.watches
            for event in [] if is_last else script.watches.pop(0):
                line = event if isinstance(event, bytes) else json.dumps(event).encode() + b"\n"
                if line == b"cut":
                    self.close_connection = True
                    self.connection.close()
                    return
                self.wfile.write(b"%x\r\n%b\r\n" % (len(line), line))
                self.wfile.flush()
            if is_last:
                script.over.wait(60)
            self.wfile.write(b"0\r\n\r\n")

        def log_message(self, *_: object) -> None:
            pass

    return Handler


@contextmanager
def serving(script: Script, folder: Path) -> Iterator[str]:
    """Serve until the block ends; yields the path of a kubeconfig."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(script))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "test",
        "clusters": [{"name": "test", "cluster": {"server": f"http://127.0.0.1:{server.server_address[1]}"}}],
        "users": [{"name": "test", "user": {}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
    }
    path = folder / "kubeconfig"
    path.write_text(json.dumps(config))
    try:
        yield str(path)
    finally:
        script.over.set()
        server.shutdown()
        thread.join()
        server.server_close()
