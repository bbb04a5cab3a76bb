"""Kubernetes' own library in Go: ``tests/upstream``, which keeps an input and times its own turns."""

import base64
import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data import MANAGER, cluster, dump

PROGRAM = Path(__file__).parent.parent / "tests" / "upstream" / "upstream"


@dataclass
class Library:
    """The running program, one question a line."""

    process: "subprocess.Popen[bytes]"
    loaded: tuple[int, bool] = (0, False)
    """How many Pods the cluster has that it has, and whether they are whole."""

    def ask(self, operation: str, **parts: bytes) -> dict[str, Any]:
        """Ask with parts that are JSON already."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        members = b"".join(b',"%s":%s' % (name.encode(), part) for name, part in parts.items())
        self.process.stdin.write(b'{"op":"%s"%s}\n' % (operation.encode(), members))
        self.process.stdin.flush()
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        assert "error" not in answer, answer
        return answer

    def load(self, size: int, *, whole: bool = False) -> None:
        """Let it have a Service of so many Pods, with the slices that they want: syncs write nothing."""
        if self.loaded != (size, whole):
            self.ask("load", max=b"100", controller=dump(MANAGER), **cluster(size, whole=whole))
            self.loaded = size, whole

    def encoded(self, size: int) -> dict[str, bytes]:
        """The same, written by it in Kubernetes' protobuf."""
        self.load(size)
        return {kind: base64.b64decode(data) for kind, data in self.ask("encode").items()}

    def seconds(self, operation: str, **parts: bytes) -> float:
        seconds: float = self.ask(operation, **parts)["seconds"]
        return seconds


def quoted(data: bytes) -> bytes:
    """Bytes as Go reads them from JSON."""
    return b'"%s"' % base64.b64encode(data)


@contextmanager
def running() -> Iterator[Library]:
    with subprocess.Popen([PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        try:
            yield Library(process)
        finally:
            process.stdin.close()
