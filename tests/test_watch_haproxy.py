"""`epcore watch -o haproxy`: HAProxy and its file are kept right, whether it is there or not."""

import os
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest

import epcore
from epcore.cli import main
from epcore.cli.watch import haproxy as targets
from epcore.cli.watch.selection import Selection
from epcore.proxy import ServicePort, haproxy
from ports import free_port
from programs import needs, program
from watching import added, save, send, slice_of, until, watching


def test_a_haproxy_that_is_not_there_begins_with_what_is_right(tmp_path: Path) -> None:
    file = tmp_path / "web.cfg"
    selection = Selection(["shop/web:http"])
    options: Any = {"block": 2, "options": ["balance leastconn"], "family": "IPv4"}
    target = targets.HAProxy(selection, str(file), None, address=str(tmp_path / "none.sock"), **options)
    view = epcore.View()
    for numbers, slots in (
        ((1, 2, 3), ["10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80", "127.0.0.1:1 disabled"]),
        ((2, 3), ["127.0.0.1:1 disabled", "10.0.0.2:80", "10.0.0.3:80", "127.0.0.1:1 disabled"]),
    ):
        target.update(view, view.replace(slice_of("web-1", *numbers)), 0.0)
        assert re.findall(r"server s\d (.*)", file.read_text()) == slots
        assert "balance leastconn" in file.read_text()


def test_a_haproxy_whose_reload_takes_long_is_told_later(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    slots: list[tuple[str, int] | None] = [None, None]
    sent: list[str] = []
    monkeypatch.setattr(targets, "_START", 0.0)
    monkeypatch.setattr(targets, "AGAIN", 0.0)
    monkeypatch.setattr(haproxy.Runtime, "servers", lambda *_: [*slots])
    monkeypatch.setattr(haproxy.Runtime, "send", lambda _, commands: sent.extend(commands))
    options: Any = {"block": 2, "options": [], "family": "IPv4"}
    target = targets.HAProxy(Selection(["shop/web:http"]), str(tmp_path / "web.cfg"), "true", address="s", **options)
    view = epcore.View()
    target.update(view, view.replace(slice_of("web-1", 1, 2, 3)), 0.0)
    said = "epcore: HAProxy has not 4 slots in shop_web_http after its reload; trying again\n"
    assert capsys.readouterr().err == said
    slots[:] = [("10.0.0.1", 80), ("10.0.0.2", 80), ("10.0.0.3", 80), None]
    target.update(view, view.replace(slice_of("web-1", 1, 2, 4)), 0.0)
    assert "set server shop_web_http/s3 addr 10.0.0.4 port 80" in sent
    assert capsys.readouterr().err == ""
    assert "10.0.0.4:80" in (tmp_path / "web.cfg").read_text()


def test_a_haproxy_that_does_not_answer_is_asked_again_at_the_end_and_then_is_trouble(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(targets, "AGAIN", 0.0)
    log = save(tmp_path / "log.jsonl", [added(slice_of("web-1", 1))])
    socket = str(tmp_path / "none.sock")
    assert main(["watch", log, "--once", "-o", "haproxy", "--socket", socket]) == 2
    *again, last = capfd.readouterr().err.splitlines()
    assert len(again) == 3
    assert all(line.endswith("trying again") for line in again)
    assert last == "epcore: HAProxy was told nothing"


MAIN = """
global
    stats socket "{folder}/socket" level admin
    pidfile "{folder}/pid"
defaults
    mode http
    timeout connect 1s
    timeout client 1s
    timeout server 1s
frontend main
    bind 127.0.0.1:{port}
    default_backend shop_web_http
"""


class Started:
    """A HAProxy in a folder, with a command that starts it or has a new one take over."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        (folder / "main.cfg").write_text(MAIN.format(folder=folder, port=free_port()))
        self.reload = folder / "reload"
        start = f"{shlex.quote(str(program('haproxy')))} -D -f main.cfg -f web.cfg -p pid"
        old = "$(test -e pid && echo -sf $(cat pid))"
        self.reload.write_text(f"#!/bin/sh\ncd {shlex.quote(str(folder))}\necho reload >>reloads\n{start} {old}\n")
        self.reload.chmod(0o755)
        self.runtime = haproxy.Runtime(str(folder / "socket"))

    def serves(self, *numbers: int) -> bool:
        try:
            servers = self.runtime.servers(ServicePort("shop", "web", "http").joined("_"))
        except haproxy.HAProxyError:
            return False
        return {one[0] for one in servers if one} == {f"10.0.0.{number}" for number in numbers}

    @property
    def reloads(self) -> int:
        return len((self._folder / "reloads").read_text().split())

    @property
    def pid(self) -> int:
        return int((self._folder / "pid").read_text() or 0)


@needs("haproxy")
def test_haproxy_is_started_by_the_command_and_then_kept_right_through_its_socket(tmp_path: Path) -> None:
    started = Started(tmp_path)
    arguments = ["-", "--service", "shop/web:http", "-o", "haproxy", "--to", str(tmp_path / "web.cfg"), "--slots", "4"]
    arguments += [
        "--socket",
        str(tmp_path / "socket"),
        "--on-change",
        shlex.quote(str(started.reload)),
        "--option",
        "balance leastconn",
    ]
    pids: list[int] = []
    try:
        with watching(*arguments) as process:
            # The socket is not there yet: epcore says so and tries again once HAProxy runs.
            send(process, added(slice_of("web-1", 1, 2)))
            (tmp_path / "web.cfg").write_text("backend shop_web_http\n    server s1 127.0.0.1:1 disabled\n")
            subprocess.run([str(started.reload)], check=True)
            pids.append(started.pid)
            until(lambda: started.serves(1, 2), process)
            assert started.reloads == 2, "one slot was there, and four are needed"
            send(process, added(slice_of("web-1", 1, 2, 3, 4)))
            until(lambda: started.serves(1, 2, 3, 4), process)
            assert started.reloads == 2
            send(process, added(slice_of("web-1", 2, 3, 4, 5, 6)))
            until(lambda: started.serves(2, 3, 4, 5, 6), process)
            assert started.reloads == 3
        assert "balance leastconn" in (tmp_path / "web.cfg").read_text()
        # Killed; while it was away an endpoint went. The next one asks HAProxy what it serves.
        with watching(*arguments) as process:
            before = started.runtime.servers("shop_web_http")
            send(process, added(slice_of("web-1", 2, 3, 5, 6, 7)))
            until(lambda: {one[0] for one in started.runtime.servers("shop_web_http") if one} >= {"10.0.0.7"}, process)
            after = started.runtime.servers("shop_web_http")
            assert started.reloads == 3
            assert [was for was, now in zip(before, after, strict=True) if was != now] == [("10.0.0.4", 80)]
    finally:
        for pid in {*pids, started.pid} - {0}:
            try:
                os.kill(pid, 15)
            except ProcessLookupError:
                continue
