"""`epcore watch`: what a log or a cluster says reaches the screen or a file, whatever happens on the way."""

import errno
import io
import json
import math
import os
import random
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import epcore
from api_server import GONE, Script, serving
from epcore.cli import main
from epcore.cli.watch import sources, targets
from epcore.cli.watch.selection import Selection
from epcore.proxy import ServicePort, haproxy
from ports import free_port
from programs import needs, program

Json = dict[str, Any]
PATIENCE = 30.0
ROUNDS = 8
ACCESS = "system.posix_acl_access"
ROLLOUT = str(Path(__file__).parent.parent / "examples" / "rollout.jsonl.xz")


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


def test_a_cluster_is_followed_through_cuts_errors_and_a_list_that_is_needed_again(tmp_path: Path) -> None:
    script = Script()
    for number in range(1, 6):
        script.set(slice_of(f"web-{number}", number))
    target = tmp_path / "web.conf"
    with serving(script, tmp_path) as kubeconfig:
        changed = slice_of("web-1", 1, 7)
        changed["metadata"]["resourceVersion"] = "106"
        bookmark: Json = {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "150"}}}
        script.watches = [[{"type": "MODIFIED", "object": changed}, b"cut"], [bookmark, GONE]]
        arguments = ["--kubeconfig", kubeconfig, "--service", "shop/web:http", "-o", "nginx", "--to", str(target)]
        with watching(*arguments) as process:
            until(lambda: addresses(target)[:1] == ["10.0.0.1"], process)
            # After the cut it goes on from what it saw; after 410 it lists, and finds that web-2 is gone.
            script.delete("web-2")
            script.version = 151
            until(lambda: sum("watch" in query for _, query in script.requests) >= 3, process)
            until(lambda: addresses(target) == ["10.0.0.1", "10.0.0.3", "10.0.0.4", "10.0.0.5"], process)
        paths = {path for path, _ in script.requests}
        assert paths == {"/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices"}
        queries = [query for _, query in script.requests]
        assert all(query["labelSelector"] == "kubernetes.io/service-name in (web)" for query in queries)
        watches = [query for query in queries if query.get("watch")]
        assert [query["resourceVersion"] for query in watches] == ["105", "106", "151"]
        assert watches[0]["allowWatchBookmarks"] in {"true", "True"}
        assert [query.get("continue") for query in queries[:3]] == [None, "2", "4"]


def test_a_cluster_that_fails_is_asked_again_and_the_file_stays(tmp_path: Path) -> None:
    script = Script(page=100)
    script.set(slice_of("web-1", 1))
    target = tmp_path / "web.conf"
    target.write_text("upstream old {}\n")
    script.failures = [500, 429, 503]
    script.watches = [[]]
    with serving(script, tmp_path) as kubeconfig:
        arguments = ["--kubeconfig", kubeconfig, "-n", "shop", "-o", "nginx", "--to", str(target)]
        with watching(*arguments) as process:
            until(lambda: len(script.failures) < 2, process)
            assert target.read_text() == "upstream old {}\n"
            until(lambda: addresses(target) == ["10.0.0.1"], process)
            process.terminate()
            _, err = process.communicate()
        assert "API server: 500" in err
        assert "trying again" in err


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_cluster_that_refuses_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str], status: int) -> None:
    script = Script(failures=[status])
    with serving(script, tmp_path) as kubeconfig:
        assert main(["watch", "--kubeconfig", kubeconfig]) == 2
    assert f"API server: {status}" in capsys.readouterr().err


def test_once_writes_the_list_and_ends_and_an_empty_cluster_is_an_empty_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script = Script()
    with serving(script, tmp_path) as kubeconfig:
        arguments = ["watch", "--once", "--kubeconfig", kubeconfig, "-o", "prometheus"]
        arguments += ["--to", str(tmp_path / "p.json")]
        assert main(arguments) == 0
        assert json.loads((tmp_path / "p.json").read_text()) == []
        script.set(slice_of("web-1", 1, 2))
        assert main(arguments) == 0
        assert len(json.loads((tmp_path / "p.json").read_text())) == 1
        script.failures = [500]
        assert main(arguments) == 2
    assert "API server: 500" in capsys.readouterr().err
    assert len(json.loads((tmp_path / "p.json").read_text())) == 1


def test_a_cluster_whose_trouble_takes_its_time_is_asked_ever_more_rarely(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, waits = 0.0, list[float]()

    def overloaded(_: object) -> None:
        nonlocal now
        now += 20
        raise OSError("no answer")

    with serving(Script(), tmp_path) as kubeconfig:
        cluster = sources.Cluster(kubeconfig=kubeconfig, context=None, namespace=None, services=[], wait=waits.append)
    monkeypatch.setattr(sources.Cluster, "listed", overloaded)
    monkeypatch.setattr("epcore.cli.watch.sources.time.monotonic", lambda: now)
    told = cluster.follow(lambda: None)
    for _ in range(2000):
        assert "no answer" in str(next(told))
    assert waits[0] <= 0.5
    assert all(15 <= wait <= 30 for wait in waits[8:])


def test_credentials_that_were_renewed_are_read_again(tmp_path: Path) -> None:
    script = Script(bearer="first", watches=[[]])
    with serving(script, tmp_path) as kubeconfig:
        file = Path(kubeconfig)
        config = json.loads(file.read_text())

        def renew(token: str) -> None:
            config["users"][0]["user"] = {"token": token}
            file.write_text(json.dumps(config))

        renew("first")
        cluster = sources.Cluster(kubeconfig=kubeconfig, context=None, namespace=None, services=[], wait=lambda _: None)
        told = cluster.follow(lambda: None)
        assert isinstance(next(told), sources.Listed)
        script.bearer = "second"
        assert "401" in str(next(told))
        file.write_text("{")  # half written
        assert "401" in str(next(told))
        renew("second")
        assert "401" in str(next(told))
        assert isinstance(next(told), sources.Listed)


def test_a_server_that_does_not_answer_at_all_is_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "_SILENCE", 0.1)
    script = Script(silences=8)  # the client itself asks four times
    script.set(slice_of("web-1", 1))
    with serving(script, tmp_path) as kubeconfig:
        cluster = sources.Cluster(kubeconfig=kubeconfig, context=None, namespace=None, services=[], wait=lambda _: None)
        told = cluster.follow(lambda: None)
        while not isinstance(one := next(told), sources.Listed):
            assert "timed out" in str(one)
        assert len(one.slices) == 1
        assert script.silences == 0


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"items": []},
        {"kind": "EndpointSliceList", "metadata": {}, "items": []},
        {"metadata": None, "items": []},
        {"metadata": {"resourceVersion": ""}, "items": []},
        [],
        b"<html>maintenance</html>",
        b"",
    ],
)
def test_an_answer_that_is_no_list_is_not_taken_for_an_empty_one(
    answer: Json | list[Json] | bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script, target = Script(nonsense=[answer]), tmp_path / "p.json"
    with serving(script, tmp_path) as kubeconfig:
        options = ["--once", "--kubeconfig", kubeconfig, "-o", "prometheus", "--to", str(target)]
        assert main(["watch", *options]) == 2
    assert capsys.readouterr().err == "epcore: API server: an answer that is no list: it has no resourceVersion\n"
    assert not target.exists()


def test_a_kubeconfig_that_cannot_be_read_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, text in (("bad", "{}"), ("half", 'clusters: ["'), ("list", "[1]"), ("nul", "\0")):
        (tmp_path / name).write_text(text)
    for name in ("none", "bad", "half", "list", "nul"):
        assert main(["watch", "--kubeconfig", str(tmp_path / name)]) == 2
        (said,) = capsys.readouterr().err.splitlines()
        assert said.startswith(f"epcore: kubeconfig {tmp_path / name}: ")


def test_inside_of_a_pod_its_account_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("kubernetes.config.KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "none"))
    assert main(["watch"]) == 2
    assert f"kubeconfig {tmp_path / 'none'}: " in capsys.readouterr().err
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "1")
    monkeypatch.setattr("kubernetes.config.incluster_config.SERVICE_TOKEN_FILENAME", str(tmp_path / "token"))
    assert main(["watch"]) == 2
    assert "account of the Pod: Service token file does not exist" in capsys.readouterr().err


def test_without_the_client_a_cluster_cannot_be_read_and_that_is_said(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "kubernetes", None)
    assert main(["watch"]) == 2
    assert "pip install '.[cli,kubernetes]' from a checkout" in capsys.readouterr().err


def test_what_a_server_sends_that_is_no_event_ends_the_watch_with_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script = Script(watches=[[b"garbage\n"]])
    script.set(slice_of("web-1", 1))
    with serving(script, tmp_path) as kubeconfig:
        assert main(["watch", "--kubeconfig", kubeconfig]) == 2
    assert "watch: " in capsys.readouterr().err


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log, target = save(tmp_path / "log", [added(slice_of("web-1", 1))]), tmp_path / "no" / "web.conf"
    assert main(["watch", log, "-o", "nginx", "--to", str(target)]) == 2
    assert capsys.readouterr().err == f"epcore: {target}: No such file or directory\n"


# An owner may also be one that is not known where we run, as in a container of its own users.
@pytest.mark.parametrize("refusal", [errno.EPERM, errno.EINVAL])
@pytest.mark.parametrize("may", [{"owner", "group"}, {"group"}, set()], ids=["both", "group", "none"])
def test_whoever_could_read_a_file_can_read_the_one_in_its_place(
    may: set[str], refusal: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[tuple[int, int]] = []

    def chown(_: int, owner: int, group: int) -> None:
        if not may >= ({"group"} if owner == -1 else {"owner", "group"}):
            raise OSError(refusal, "refused")
        given.append((owner, group))

    monkeypatch.setattr(os, "fchown", chown)
    log, target = save(tmp_path / "log", [added(slice_of("web-1", 1))]), tmp_path / "web.conf"
    target.write_text("")
    target.chmod(0o640)
    status = target.stat()
    assert main(["watch", log, "-o", "nginx", "--to", str(target)]) == 0
    owners = {"both": status.st_uid, "group": -1}
    kind = "both" if "owner" in may else "group"
    assert given == ([(owners[kind], status.st_gid)] if may else [])
    assert target.stat().st_mode & 0o777 == 0o640
    assert addresses(target) == ["10.0.0.1"]


@pytest.mark.skipif(not hasattr(os, "setxattr"), reason="access control lists are those of Linux")
def test_whoever_a_file_was_opened_to_by_name_can_read_the_one_in_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, target = save(tmp_path / "log", [added(slice_of("web-1", 1))]), tmp_path / "web.conf"
    target.write_text("")
    held, given = {(target, ACCESS): b"user:nginx:r--"}, {}
    monkeypatch.setattr(os, "getxattr", lambda path, name: held[path, name])
    monkeypatch.setattr(
        os, "setxattr", lambda handle, name, value: given.update({(os.fstat(handle).st_ino, name): value})
    )
    assert main(["watch", log, "-o", "nginx", "--to", str(target)]) == 0
    assert given == {(target.stat().st_ino, ACCESS): b"user:nginx:r--"}


@pytest.mark.parametrize("option", ["--to", "--state"])
def test_a_disk_that_is_full_is_told_with_the_file(
    option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    log, target = save(tmp_path / "log", [added(slice_of("web-1", 1))]), tmp_path / "file"
    assert main(["watch", log, "-o", "nginx", option, str(target)]) == 2
    assert capsys.readouterr().err == f"epcore: {target}: No space left on device\n"
    assert [path.name for path in tmp_path.iterdir()] == ["log"]


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


def test_a_command_that_fails_is_told_and_run_again(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(targets, "_AGAIN", 0.0)
    flag = tmp_path / "flag"
    command = targets.Command(f"test -e '{flag}'")
    assert not command.run()
    assert "test: exit code 1; trying again" in capfd.readouterr().err
    command.retry()
    flag.touch()
    command.retry()
    capfd.readouterr()
    flag.unlink()
    command.retry()
    assert capfd.readouterr().err == "", "it is run again until it succeeded, and not after that"
    assert not targets.Command(str(tmp_path / "missing")).run()
    assert "No such file" in capfd.readouterr().err


def test_a_command_that_does_not_end_is_ended_and_run_again(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(targets, "_LONGEST", 0.2)
    monkeypatch.setattr(targets, "_AGAIN", 0.0)
    hangs = tmp_path / "hangs"
    hangs.touch()
    command = targets.Command(f"sh -c 'test ! -e {shlex.quote(str(hangs))} || exec sleep 60'")
    assert not command.run()
    assert capfd.readouterr().err == "epcore: sh: has not ended in 0.2 seconds; trying again\n"
    hangs.unlink()
    monkeypatch.setattr(targets, "_LONGEST", PATIENCE)
    command.retry()
    assert capfd.readouterr().err == ""
    command.finish()


@pytest.mark.parametrize("is_there", [True, False])
@pytest.mark.parametrize("option", ["--to", "--state"])
def test_a_link_stays_and_the_file_behind_it_is_written(tmp_path: Path, option: str, *, is_there: bool) -> None:
    (tmp_path / "config").mkdir()
    file, link = tmp_path / "config" / "file", tmp_path / "link"
    link.symlink_to("config/file")
    log = save(tmp_path / "log.jsonl", [added(slice_of("web-1", 1))])
    options = ["-o", "nginx", option, str(link), *([] if option == "--to" else ["--to", str(tmp_path / "web.conf")])]
    if is_there:
        assert main(["watch", log, *options]) == 0
        file.chmod(0o640)
        log = save(tmp_path / "log.jsonl", [added(slice_of("web-1", 1, 2))])
    assert main(["watch", log, *options]) == 0
    assert link.is_symlink()
    assert "10.0.0.1" in file.read_text()
    assert file.stat().st_mode & 0o777 == (0o640 if is_there else 0o644)
    assert sorted(path.name for path in file.parent.iterdir()) == ["file"]


@pytest.mark.parametrize("option", ["--to", "--state"])
def test_what_is_no_file_is_refused_and_stays(tmp_path: Path, option: str) -> None:
    log = save(tmp_path / "log.jsonl", [added(slice_of("web-1", 1))])
    pipe, folder = tmp_path / "pipe", tmp_path / "folder"
    os.mkfifo(pipe)
    folder.mkdir()
    for path in ("/proc/self/fd/1", str(pipe), str(folder)):
        with watching(log, "-o", "nginx", option, path) as process:
            out, err = process.communicate(timeout=PATIENCE)
        assert (process.returncode, out) == (2, "")
        assert path in err
        assert "is no regular file, and cannot be replaced" in err
    assert pipe.is_fifo()
    assert not list(folder.iterdir())


@pytest.mark.parametrize("how", ["log", "once", "stdin"])
@pytest.mark.parametrize(("failures", "runs", "code"), [(0, 1, 0), (1, 2, 0), (2, 3, 0), (3, 3, 2)])
def test_a_command_that_fails_at_the_end_is_run_twice_more_and_then_is_trouble(
    how: str,
    failures: int,
    runs: int,
    code: int,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(targets, "_AGAIN", 0.1)
    command = tmp_path / "reload"
    command.write_text(f"#!/bin/sh\ncd {shlex.quote(str(tmp_path))}\necho >>runs\ntest $(wc -l <runs) -gt {failures}\n")
    command.chmod(0o755)
    log = save(tmp_path / "log.jsonl", [added(slice_of("web-1", 1))])
    if how == "stdin":
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(Path(log).read_bytes()))))
    options = ["-o", "nginx", "--to", str(tmp_path / "web.conf"), "--on-change", shlex.quote(str(command))]
    options += ["--once"] if how == "once" else []
    assert main(["watch", "-" if how == "stdin" else log, *options]) == code
    assert len((tmp_path / "runs").read_text().splitlines()) == runs
    assert addresses(tmp_path / "web.conf") == ["10.0.0.1"]
    *again, last = [*capfd.readouterr().err.splitlines(), ""][: failures + 1]
    assert all(line == f"epcore: {command}: exit code 1; trying again" for line in again[:2])
    assert last == "" if code == 0 else again[2] == f"epcore: {command}: exit code 1"


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
    monkeypatch.setattr(targets, "_AGAIN", 0.0)
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
    monkeypatch.setattr(targets, "_AGAIN", 0.0)
    log = save(tmp_path / "log.jsonl", [added(slice_of("web-1", 1))])
    socket = str(tmp_path / "none.sock")
    assert main(["watch", log, "--once", "-o", "haproxy", "--socket", socket]) == 2
    *again, last = capfd.readouterr().err.splitlines()
    assert len(again) == 3
    assert all(line.endswith("trying again") for line in again)
    assert last == "epcore: HAProxy was told nothing"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--to", "x"], "--to does nothing with --output table"),
        (["--on-change", "x", "-o", "nginx"], "--on-change does nothing without --to"),
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
            for output in ("nginx", "envoy")
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


def test_a_file_keeps_its_mode_and_is_not_touched_where_nothing_changed(tmp_path: Path) -> None:
    log = save(tmp_path / "log.jsonl", [added(slice_of("web-1", 1))])
    target = tmp_path / "web.conf"
    target.write_text("")
    target.chmod(0o640)
    arguments = [
        "watch",
        log,
        "-o",
        "nginx",
        "--to",
        str(target),
        "--on-change",
        shlex.join(["touch", str(tmp_path / "told")]),
    ]
    assert main(arguments) == 0
    assert target.stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "told").exists()
    (tmp_path / "told").unlink()
    before = target.stat()
    assert main(arguments) == 0
    after = target.stat()
    # It may have been read.
    assert (after.st_ino, after.st_mtime_ns, after.st_ctime_ns) == (
        before.st_ino,
        before.st_mtime_ns,
        before.st_ctime_ns,
    )
    assert not (tmp_path / "told").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log.jsonl", "web.conf"]


def test_a_kill_at_any_moment_leaves_a_whole_file_and_no_removal_is_lost(tmp_path: Path) -> None:
    """Killed again and again while events come: each new process goes on from the state, and all is right at last."""
    target, state = tmp_path / "targets.json", tmp_path / "state"
    told = tmp_path / "told"
    chance = random.Random(7)
    held: set[int] = set()
    known: set[str] = set()
    for round_ in range(ROUNDS):
        arguments = ["-", "-o", "json", "--state", str(state), "--batch", "0"]
        also = ["-", "-o", "prometheus", "--to", str(target), "--batch", "0"]
        with told.open("a") as out, watching(*also) as process:
            shown = subprocess.Popen(
                [sys.executable, "-m", "epcore", "watch", *arguments], stdin=-1, stdout=out, text=True
            )
            try:
                assert shown.stdin is not None
                for _ in range(40):
                    held = held ^ {chance.randint(1, 200)}
                    send(process, added(slice_of("web-1", *sorted(held))))
                    send(shown, added(slice_of("web-1", *sorted(held))))
                    time.sleep(chance.random() / 100)
                if round_ == 9:
                    until(partial(has_targets, target, held), process)
                    shown.stdin.close()
                    assert shown.wait(PATIENCE) == 0
                else:
                    time.sleep(chance.random())
            finally:
                shown.kill()
                shown.wait()
                if shown.stdin is not None:
                    with suppress(BrokenPipeError):
                        shown.stdin.close()
        assert not target.exists() or read_targets(target) <= set(range(1, 201)), "never half a file"
    for line in told.read_text().splitlines():
        if not line.endswith("}"):
            continue  # the kill came in the middle of a line
        delta = json.loads(line)
        known |= {one["address"] for one in delta["added"]}
        known -= {one["address"] for one in delta["removed"]}
    assert known == {f"10.0.0.{number}" for number in held}


def read_targets(path: Path) -> set[int]:
    targets = [target for group in json.loads(path.read_text()) for target in group["targets"]]
    return {int(target.partition(":")[0].rpartition(".")[2]) for target in targets}


def has_targets(path: Path, numbers: set[int]) -> bool:
    return path.exists() and read_targets(path) == numbers


@needs("haproxy")
def test_haproxy_is_started_by_the_command_and_then_kept_right_through_its_socket(tmp_path: Path) -> None:
    port = free_port()
    main_file = f"""
global
    stats socket "{tmp_path}/socket" level admin
    pidfile "{tmp_path}/pid"
defaults
    mode http
    timeout connect 1s
    timeout client 1s
    timeout server 1s
frontend main
    bind 127.0.0.1:{port}
    default_backend shop_web_http
"""
    (tmp_path / "main.cfg").write_text(main_file)
    reload = tmp_path / "reload"
    start = f"{shlex.quote(str(program('haproxy')))} -D -f main.cfg -f web.cfg -p pid"
    old = "$(test -e pid && echo -sf $(cat pid))"
    reload.write_text(f"#!/bin/sh\ncd {shlex.quote(str(tmp_path))}\necho reload >>reloads\n{start} {old}\n")
    reload.chmod(0o755)
    runtime = haproxy.Runtime(str(tmp_path / "socket"))

    def serves(*numbers: int) -> bool:
        try:
            servers = runtime.servers(ServicePort("shop", "web", "http").joined("_"))
        except haproxy.HAProxyError:
            return False
        return {one[0] for one in servers if one} == {f"10.0.0.{number}" for number in numbers}

    def reloads() -> int:
        return len((tmp_path / "reloads").read_text().split())

    arguments = ["-", "--service", "shop/web:http", "-o", "haproxy", "--to", str(tmp_path / "web.cfg"), "--slots", "4"]
    arguments += [
        "--socket",
        str(tmp_path / "socket"),
        "--on-change",
        shlex.quote(str(reload)),
        "--option",
        "balance leastconn",
    ]
    pids: list[int] = []
    try:
        with watching(*arguments) as process:
            # The socket is not there yet: epcore says so and tries again once HAProxy runs.
            send(process, added(slice_of("web-1", 1, 2)))
            (tmp_path / "web.cfg").write_text("backend shop_web_http\n    server s1 127.0.0.1:1 disabled\n")
            subprocess.run([str(reload)], check=True)
            pids.append(int((tmp_path / "pid").read_text()))
            until(lambda: serves(1, 2), process)
            assert reloads() == 2, "one slot was there, and four are needed"
            send(process, added(slice_of("web-1", 1, 2, 3, 4)))
            until(lambda: serves(1, 2, 3, 4), process)
            assert reloads() == 2
            send(process, added(slice_of("web-1", 2, 3, 4, 5, 6)))
            until(lambda: serves(2, 3, 4, 5, 6), process)
            assert reloads() == 3
        assert "balance leastconn" in (tmp_path / "web.cfg").read_text()
        # Killed; while it was away an endpoint went. The next one asks HAProxy what it serves.
        with watching(*arguments) as process:
            before = runtime.servers("shop_web_http")
            send(process, added(slice_of("web-1", 2, 3, 5, 6, 7)))
            until(lambda: {one[0] for one in runtime.servers("shop_web_http") if one} >= {"10.0.0.7"}, process)
            after = runtime.servers("shop_web_http")
            assert reloads() == 3
            assert [was for was, now in zip(before, after, strict=True) if was != now] == [("10.0.0.4", 80)]
    finally:
        for pid in {*pids, int((tmp_path / "pid").read_text() or 0)} - {0}:
            try:
                os.kill(pid, 15)
            except ProcessLookupError:
                continue
