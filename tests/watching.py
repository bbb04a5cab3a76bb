"""`epcore watch` as a user runs it, and what it is given, for its tests."""

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

Json = dict[str, Any]
PATIENCE = 30.0


def slice_of(name: str, *numbers: int, service: str = "web", namespace: str = "shop") -> Json:
    labels = {"kubernetes.io/service-name": service}
    return {
        "kind": "EndpointSlice",
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": 80}],
        "endpoints": [{"addresses": [f"10.0.0.{number}"]} for number in numbers],
    }


def added(slice_: Json) -> Json:
    return {"type": "ADDED", "object": slice_}


def pod_added() -> Json:
    return {"type": "ADDED", "object": {"kind": "Pod", "metadata": {"name": "web-0", "namespace": "shop"}}}


def save(path: Path, events: list[Json]) -> str:
    path.write_text("".join(json.dumps(event) + "\n" for event in events))
    return str(path)


@contextmanager
def watching(*arguments: str, **more: Any) -> Iterator["subprocess.Popen[str]"]:
    """`epcore watch` as a user runs it, ended by its own id."""
    command = [sys.executable, "-m", "epcore", "watch", *arguments]
    process = subprocess.Popen(command, stdin=-1, stdout=-1, stderr=-1, text=True, **more)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()


def until(is_so: Callable[[], object], process: "subprocess.Popen[str]") -> None:
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < deadline, "it takes too long"
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)


def addresses(path: Path) -> list[str]:
    return re.findall(r"server (10\.[\d.]+):80;", path.read_text()) if path.exists() else ["no file"]


def is_said(path: Path, wanted: list[str]) -> bool:
    return addresses(path) == wanted


def nested(levels: int) -> object:
    value: object = 0
    for _ in range(levels):
        value = [value]
    return value


def send(process: "subprocess.Popen[str]", *events: Json) -> None:
    assert process.stdin is not None
    process.stdin.write("".join(json.dumps(event) + "\n" for event in events))
    process.stdin.flush()
