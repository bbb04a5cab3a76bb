"""`epcore watch` of a cluster: what the API server says is followed, whatever it does."""

import json
import sys
from pathlib import Path

import pytest

from api_server import GONE, Script, serving
from epcore.cli import main
from epcore.cli.watch import sources
from watching import Json, addresses, slice_of, until, watching


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
