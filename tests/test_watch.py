"""`epcore watch`: what a log or standard input says reaches the screen or a file, whatever happens on the way."""

import json
import math
import os
import re
import shlex
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

import epcore
from epcore.cli import main
from epcore.cli.watch import sources, targets
from watching import PATIENCE, added, addresses, is_said, nested, pod_added, save, send, slice_of, until, watching

ROLLOUT = str(Path(__file__).parent.parent / "examples" / "rollout.jsonl.xz")


def test_each_event_of_a_log_is_told_with_the_time_of_the_recording(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    leaving = slice_of("web-1", 1, 2)
    leaving["endpoints"][0]["conditions"] = {"ready": False, "serving": True, "terminating": True}
    events = [
        {"t": 1.0, **added(slice_of("web-1", 1))},
        {"t": 1.5, "kind": "Pod", "type": "ADDED", "object": {"metadata": {"name": "web-0"}}},
        {"t": 2.25, "type": "MODIFIED", "object": leaving},
        {"t": 3.0, "type": "DELETED", "object": leaving},
    ]
    assert main(["watch", save(tmp_path / "log.jsonl", events)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "   1.000 + shop/web 10.0.0.1 http TCP 80 ready  [web-1]",
        "   1.000 ! shop/web http TCP: 1 ready now, 0 before",
        "   2.250 + shop/web 10.0.0.2 http TCP 80 ready  [web-1]",
        "   2.250 ~ shop/web 10.0.0.1 http TCP 80 not ready, terminating (conditions)  [web-1]",
        "   3.000 - shop/web 10.0.0.1 http TCP 80  [web-1]",
        "   3.000 - shop/web 10.0.0.2 http TCP 80  [web-1]",
        "   3.000 ! shop/web http TCP: 0 ready now, 1 before",
    ]


def test_json_lines_add_up_to_what_diff_says(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["watch", ROLLOUT, "-o", "json"]) == 0
    held: set[str] = set()
    for line in capsys.readouterr().out.splitlines():
        told = json.loads(line)
        held |= {one["key"] for one in told["added"]}
        held -= {one["key"] for one in told["removed"]}
    assert main(["watch", ROLLOUT, "-o", "json", "--once"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert {one["key"] for one in json.loads(line)["added"]} == held
    assert len(held) == 1200, "600 Pods, two ports"


def test_only_the_services_that_are_named_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    slices = [slice_of("web-1", 1), slice_of("db-1", 2, service="db"), slice_of("x", 3, namespace="y")]
    events = [added(one) for one in slices]
    log = save(tmp_path / "log.jsonl", events)
    assert main(["watch", log, "--service", "shop/db"]) == 0
    assert "10.0.0.2" in (out := capsys.readouterr().out)
    assert "10.0.0.1" not in out
    assert main(["watch", log, "-n", "y"]) == 0
    assert set(re.findall(r"10\.\S+", capsys.readouterr().out)) == {"10.0.0.3"}
    assert main(["watch", log, "-n", "shop", "--service", "web:http", "--once", "-o", "nginx"]) == 0
    assert capsys.readouterr().out == "upstream shop_web_http {\n    server 10.0.0.1:80;\n}\n"


def test_lines_of_json_say_the_same_where_the_output_is_ascii(tmp_path: Path) -> None:
    there = slice_of("web-1", 1)
    there["endpoints"][0]["zone"] = "zürich-łódź-😀"
    command = [sys.executable, "-m", "epcore", "watch", save(tmp_path / "log", [added(there)]), "-o", "json"]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(command, capture_output=True, env=environment, timeout=PATIENCE, check=True)
    (one,) = json.loads(done.stdout)["added"]
    assert one["after"]["zone"] == "zürich-łódź-😀"


@pytest.mark.parametrize("output", ["table", "json"])
def test_of_a_port_that_is_named_no_other_port_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], output: str
) -> None:
    two = slice_of("web-1", 1)
    two["ports"] += [{"name": "dns", "port": 53, "protocol": "UDP"}, {"name": "http2", "port": 81}]
    log = save(tmp_path / "log.jsonl", [added(two), added(slice_of("db-1", 2, service="db"))])
    for services, ports in [
        (["shop/web:http"], {"http"}),
        (["shop/web:dns/UDP", "shop/web:http2"], {"dns", "http2"}),
        (["shop/web:dns"], set()),
        (["shop/web:http", "shop/web"], {"http", "dns", "http2"}),
    ]:
        options = [option for one in services for option in ("--service", one)]
        assert main(["watch", log, "-o", output, *options]) == 0
        out = capsys.readouterr().out
        assert set(re.findall(r"10\.0\.0\.1 (\w+)", out)) == ports
        assert set(re.findall(r"web (\w+) (?:TCP|UDP): 1 ready", out)) == (ports if output == "table" else set())
        assert "10.0.0.2" not in out


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "line 2: not JSON"),
        ("[]", "line 2: no watch event"),
        ('{"type": "ADDED"}', "line 2: events[0].object (byte 0): required"),
        ('{"type": "CHANGED", "object": {"kind": "EndpointSlice"}}', "line 2: events[0].type"),
        (json.dumps(added({**slice_of("a", 1), "addressType": "IPv9"})), "line 2: events[0].object.addressType"),
        (json.dumps(added({**slice_of("a", 1), "kind": {}})), "line 2: events[0].object.kind"),
        (json.dumps(added({**slice_of("a", 1), "kind": ["Pod"]})), "line 2: events[0].object.kind"),
        (json.dumps(added(slice_of("", 1))), "line 2: events[0].object.metadata.name"),
        (json.dumps({**added(slice_of("b", 1)), "x": nested(200)}), "line 2: events[0].x"),
        *((json.dumps({**added(slice_of("b", 1)), "t": t}), "line 2: ") for t in (math.nan, math.inf, 1e300, 10**400)),
    ],
)
def test_garbage_in_a_log_is_told_with_its_line_and_the_file_stays_as_it_was(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], line: str, message: str
) -> None:
    log, target = tmp_path / "log.jsonl", tmp_path / "web.conf"
    log.write_text(json.dumps(added(slice_of("web-1", 1))) + "\n" + line + "\n" + json.dumps(added(slice_of("b", 2))))
    assert main(["watch", str(log), "-o", "nginx", "--to", str(target)]) == 2
    assert message in capsys.readouterr().err
    assert addresses(target) == ["10.0.0.1"]


def test_a_line_without_end_is_refused_and_not_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "LARGEST_EVENT", 1000)
    for text in ("{" + " " * 5000, "{\n" + " \n" * 5000):
        (tmp_path / "log").write_text(text)
        assert main(["watch", str(tmp_path / "log")]) == 2
        assert "line 1: an event of more than 1,000 bytes" in capsys.readouterr().err
    with pytest.raises(epcore.EpcoreError, match="more than 1,000"):
        list(sources.split_lines(iter([b"x" * 600, b"y" * 600])))
    assert list(sources.split_lines(iter([b"a\nb", b"c\n", b"d"]))) == [b"a", b"bc"]


def test_stdin_is_followed_as_kubectl_prints_it(tmp_path: Path) -> None:
    target = tmp_path / "web.conf"
    with watching("-", "-o", "nginx", "--to", str(target), "--service", "shop/web:http") as process:
        assert process.stdin is not None
        for numbers in [(1,), (1, 2), (2,)]:
            process.stdin.write(json.dumps(added(slice_of("web-1", *numbers)), indent=4) + "\n")
            process.stdin.flush()
            wanted = [f"10.0.0.{one}" for one in numbers]
            until(partial(is_said, target, wanted), process)
        send(process, {"type": "DELETED", "object": slice_of("web-1", 2)})
        until(lambda: "127.0.0.1:1 down" in target.read_text(), process)
        process.stdin.close()
        assert process.wait(PATIENCE) == 0


def test_changes_are_collected_and_removals_held_back(tmp_path: Path) -> None:
    log = tmp_path / "versions"
    keep = tmp_path / "keep"
    keep.write_text(f"#!/bin/sh\ncd {shlex.quote(str(tmp_path))}\ntr '\\n' ' ' <web.conf >>versions\necho >>versions\n")
    keep.chmod(0o755)
    arguments = ["-", "-o", "nginx", "--to", str(tmp_path / "web.conf"), "--service", "shop/web:http"]
    with watching(*arguments, "--batch", "0.5", "--hold", "1", "--on-change", shlex.quote(str(keep))) as process:
        send(process, *[added(slice_of("web-1", *range(1, number))) for number in range(2, 6)])
        until(log.exists, process)
        send(process, added(slice_of("web-1", 2, 3, 4)))
        time.sleep(0.7)
        assert "10.0.0.1" in addresses(tmp_path / "web.conf")
        until(lambda: addresses(tmp_path / "web.conf") == [f"10.0.0.{number}" for number in (2, 3, 4)], process)
    assert len(log.read_text().splitlines()) <= 3, "four events at once are one change"


@pytest.mark.parametrize("once", [["--once"], []])
@pytest.mark.parametrize(
    "text",
    ["", "\n", json.dumps({"type": "ERROR", "object": {"kind": "Status", "code": 410}}), json.dumps(pod_added())],
)
def test_a_log_that_tells_nothing_is_refused_and_the_file_stays(tmp_path: Path, text: str, once: list[str]) -> None:
    target, log = tmp_path / "web.conf", tmp_path / "log"
    target.write_text("as it was")
    log.write_text(text)
    arguments = ["-o", "nginx", "--to", str(target), "--service", "shop/web:http", *once]
    for source in (str(log), "-"):
        with watching(source, *arguments) as process:
            _, error = process.communicate(text, timeout=PATIENCE)
        assert process.returncode == 2
        assert error == f"epcore: {source}: tells of no EndpointSlice, so that nothing is known\n"
    assert target.read_text() == "as it was"


def test_a_log_in_which_all_slices_go_and_one_with_nothing_new_are_as_good_as_any(tmp_path: Path) -> None:
    target, state = tmp_path / "web.conf", str(tmp_path / "state")
    log = save(tmp_path / "log", [added(slice_of("web-1", 1))])
    arguments = ["-o", "nginx", "--to", str(target), "--state", state]
    assert main(["watch", log, *arguments]) == 0
    assert addresses(target) == ["10.0.0.1"]
    assert main(["watch", save(tmp_path / "none", []), *arguments]) == 0
    assert addresses(target) == ["10.0.0.1"]
    assert (
        main(["watch", save(tmp_path / "gone", [{"type": "DELETED", "object": slice_of("web-1", 1)}]), *arguments]) == 0
    )
    assert addresses(target) == []


@pytest.mark.parametrize("output", ["envoy", "haproxy", "nginx", "prometheus", "hosts", "dns"])
def test_what_is_held_back_stays_in_the_file_whatever_else_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, output: str
) -> None:
    written: list[str] = []
    monkeypatch.setattr(targets, "write_atomically", lambda _, text: written.append(text))
    gone = {"type": "DELETED", "object": slice_of("web-1", 1, 2)}
    events = [
        added(slice_of("web-1", 1, 2)),
        gone,
        *(added(slice_of(f"db-{one}", one, service="db")) for one in (8, 9)),
    ]
    log = save(tmp_path / "log", [{**event, "t": seconds} for seconds, event in enumerate(events)])
    assert main(["watch", log, "-o", output, "--to", str(tmp_path / "file"), "--hold", "10"]) == 0
    assert ["10.0.0.1" in text for text in written] == [True, True, True, False]


def test_what_is_held_back_is_held_back_after_a_restart_too(tmp_path: Path) -> None:
    target, state = tmp_path / "web.conf", tmp_path / "state"
    view = epcore.View(hold=600)
    view.replace([slice_of("web-1", 1), slice_of("web-2", 2)])
    view.replace([slice_of("web-2", 2)])
    state.write_bytes(view.snapshot())
    arguments = ["-", "-o", "nginx", "--to", str(target), "--batch", "0", "--hold", "600", "--state", str(state)]
    with watching(*arguments) as process:
        for numbers in ((1, 2, 3), (1, 2, 3, 4)):
            send(process, added(slice_of(f"web-{numbers[-1]}", numbers[-1])))
            until(partial(is_said, target, [f"10.0.0.{number}" for number in numbers]), process)
    # A log ends, and with it what is held back in it.
    log = save(tmp_path / "log", [])
    assert main(["watch", log, "-o", "nginx", "--to", str(target), "--hold", "600", "--state", str(state)]) == 0
    assert addresses(target) == ["10.0.0.2", "10.0.0.3", "10.0.0.4"]


def test_trouble_while_stdin_is_silent_ends_as_trouble_does(tmp_path: Path) -> None:
    event = json.dumps(added(slice_of("web-1", 1))) + "\n"
    for options, code in ((["-o", "nginx", "--to", str(tmp_path / "no" / "web.conf")], 2), ([], 141)):
        with watching("-", *options) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdout.close()
            process.stdin.write(event)
            process.stdin.flush()
            assert process.wait(PATIENCE) == code
            assert process.stderr is not None
            assert "Fatal" not in process.stderr.read()


SAME = ("nginx", "envoy")
"""Outputs in which the name of a port has no protocol."""


@pytest.mark.parametrize("output", SAME)
def test_a_port_that_a_proxy_cannot_tell_from_another_is_left_out_and_the_others_are_served(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], output: str
) -> None:
    """Of a Service all ports of TCP are followed, be it one that comes later and is called as the one of UDP."""
    udp = {**slice_of("web-1", 1), "ports": [{"name": "http", "port": 53, "protocol": "UDP"}]}
    slices = [udp, slice_of("web-2", 2), slice_of("web-3", 3), slice_of("other-1", 4, service="other")]
    log = save(tmp_path / "log", [added(one) for one in slices])
    services = [part for name in ("web:http/UDP", "web", "other") for part in ("--service", f"shop/{name}")]
    target = tmp_path / "target"
    assert main(["watch", log, *services, "-o", output, "--to", str(target)]) == 0
    assert re.findall(r"10\.0\.0\.\d", target.read_text()) == ["10.0.0.4", "10.0.0.1"]
    assert capsys.readouterr().err == "epcore: shop/web/http/TCP is left out: its port of UDP has the same name\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--to", "x"], "--to does nothing with --output table"),
        (["--on-change", "x", "-o", "nginx"], "--on-change does nothing without --to"),
        *((["--on-change", one, "--to", "x", "-o", "nginx"], "--on-change needs a command") for one in ("", " ")),
        (["--on-change", "'x", "--to", "x", "-o", "nginx"], "--on-change 'x: No closing quotation"),
        (["--socket", "x", "-o", "nginx"], "--socket does nothing with --output nginx"),
        (["--option", "x", "-o", "dns"], "--option does nothing with --output dns"),
        (["--context", "x"], "--context does nothing with a log"),
        (["--service", "web"], "is not NAMESPACE/SERVICE"),
        (["--service", "shop/web:http/tcp"], "with one of TCP, UDP, SCTP"),
        (["--service", ":http/UDP", "-n", "shop"], "is not NAMESPACE/SERVICE"),
        (["--service", "shop/web:80"], "--service shop/web:80: PORT is the name of a port, not its number"),
        (["--service", "shop/web:dns/UDP", "-o", "haproxy"], "shop/web:dns/UDP: HAProxy passes on no UDP"),
        *(
            (["--service", "shop/web:dns/UDP", "--service", "shop/web:dns", "-o", output], "as its port of TCP")
            for output in SAME
        ),
        (["--batch", "-1"], "--batch"),
        (["--state", "/dev/null/x"], "Not a directory"),
        (["-o", "nginx", "--to", "/nowhere/x"], "/nowhere"),
    ],
)
def test_options_that_cannot_be_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    log = save(tmp_path / "log.jsonl", [added(slice_of("web-1", 1))])
    assert main(["watch", log, *arguments]) == 2
    assert message in capsys.readouterr().err
