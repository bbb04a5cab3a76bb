"""``epcore sync``: slices of a folder of manifests, right after one run, with every other byte left as it was."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import epcore
from epcore.atomic import write_atomically
from epcore.cli import main
from epcore.controller.folder import Change, Folder, FolderError, StaleError
from epcore.controller.sync import Sync, SyncOptions
from epcore.manifest import documents_of, rewritten, to_yaml
from kube_strategies import pods

Json: TypeAlias = dict[str, Any]

ASKS = {"epcore.dev/reconcile": "true"}
NODES = "".join(f"---\napiVersion: v1\nkind: Node\nmetadata: {{name: node-{number}}}\n" for number in range(3))


def service(name: str = "web", **spec: object) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "shop", "labels": ASKS},
        "spec": {"selector": {"app": name}, "ports": [{"name": "http", "port": 80, "targetPort": 8080}], **spec},
    }


def database() -> Json:
    """A Service without selector."""
    made = service("db", ports=[{"name": "sql", "port": 5432}])
    del made["spec"]["selector"]
    return made


def pod(number: int, *, app: str = "web", ready: bool = True) -> Json:
    address = f"10.0.{number // 250}.{number % 250 + 1}"
    conditions = [{"type": "Ready", "status": str(ready)}]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": f"{app}-{number}", "namespace": "shop", "labels": {"app": app}, "uid": f"u{number}"},
        "spec": {"nodeName": "node-0", "containers": [{"name": "main", "ports": [{"containerPort": 8080}]}]},
        "status": {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}], "conditions": conditions},
    }


def put(path: Path, *objects: Json) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("---\n".join(to_yaml(item) for item in objects))


def replace_at_once(path: Path, *objects: Json) -> None:
    hidden = path.with_name(f".{path.name}")
    put(hidden, *objects)
    hidden.replace(path)


def slices_of(folder: Path) -> list[Json]:
    return Folder(folder).read()["EndpointSlice"]


def addresses_of(folder: Path) -> list[str]:
    return sorted(one["addresses"][0] for item in slices_of(folder) for one in item["endpoints"] or [])


def synced(folder: Path, **options: Any) -> list[Change]:
    return Sync(Folder(folder), SyncOptions(**options)).run()


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    put(tmp_path / "web.yaml", service(), pod(0), pod(1))
    (tmp_path / "nodes.yaml").write_text(NODES)
    return tmp_path


def test_the_command_shows_a_diff_then_writes_then_has_nothing_to_write(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sync", "--dir", str(shop), "--dry-run"]) == 1
    shown = capsys.readouterr().out
    assert "create shop/web-" in shown
    assert "+  - 10.0.0.1" in shown
    assert shown.endswith("1 write to do\n")
    assert slices_of(shop) == []
    assert main(["sync", "--dir", str(shop)]) == 0
    assert addresses_of(shop) == ["10.0.0.1", "10.0.0.2"]
    capsys.readouterr()
    assert main(["sync", "--dir", str(shop)]) == 0
    assert capsys.readouterr().out == "nothing to write\n"
    put(shop / "web.yaml", service(), pod(0, ready=False), pod(1))
    assert main(["sync", "--dir", str(shop), "--dry-run"]) == 1
    shown = capsys.readouterr().out
    assert "-    ready: true" in shown
    assert "+    ready: false" in shown
    assert main(["sync", "--dir", str(shop), "-o", "json"]) == 0
    (told,) = json.loads(capsys.readouterr().out)
    assert (told["verb"], told["reasons"]) == ("update", ["endpoints-updated"])
    assert slices_of(shop) == [told["object"]]


def test_each_pod_that_is_left_out_is_told_also_where_nothing_is_to_be_written(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = 'epcore: warning: shop/web: Pod shop/web-1 is left out: its node "node-1" is not there\n'
    elsewhere = pod(1)
    elsewhere["spec"]["nodeName"] = "node-1"
    put(shop / "web.yaml", service(), pod(0), elsewhere)
    assert main(["sync", "--dir", str(shop)]) == 0
    assert capsys.readouterr().err == ""
    put(shop / "nodes.yaml", {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-0"}})
    for option, code in [("--dry-run", 1), ("--allow-empty", 0), ("--dry-run", 0)]:
        assert main(["sync", "--dir", str(shop), option]) == code
        assert capsys.readouterr().err == said
    assert addresses_of(shop) == ["10.0.0.1"]


def test_the_slices_are_those_of_reconcile(shop: Path) -> None:
    put(shop / "web.yaml", service(), *(pod(number) for number in range(25)))
    changes = synced(shop, max_endpoints=10)
    assert [change.verb for change in changes] == ["create"] * 3
    assert len(addresses_of(shop)) == 25
    made = slices_of(shop)
    assert {item["metadata"]["labels"]["endpointslice.kubernetes.io/managed-by"] for item in made} == {"epcore"}
    assert all("service.kubernetes.io/headless" not in item["metadata"]["labels"] for item in made)
    assert epcore.lint(made) == []


def test_documents_that_are_not_written_keep_every_byte(shop: Path) -> None:
    synced(shop)
    (made,) = (shop / "endpointslices" / "shop").iterdir()
    before = (
        "%YAML 1.1\n---   # the first\n# about x\nkind: Other\nx:   [ 1,2 ]   # odd\n--- |\n  text\n   --- no marker\n"
    )
    after = "---\n# the last\nkind:    Other\n...\n"
    together = shop / "together.yml"
    together.write_text(f"{before}---\n# ours\n\n{made.read_text()}{after}")
    together.chmod(0o600)
    made.unlink()
    put(shop / "web.yaml", service(), pod(0), pod(1), pod(2))
    (change,) = synced(shop)
    assert change.verb == "update"
    text = together.read_text()
    assert text.startswith(f"{before}---\n# ours\n\napiVersion: discovery.k8s.io/v1\n")
    assert text.endswith(after)
    assert together.stat().st_mode & 0o777 == 0o600
    assert addresses_of(shop) == ["10.0.0.1", "10.0.0.2", "10.0.0.3"]
    (shop / "web.yaml").unlink()
    assert [change.reasons for change in synced(shop)] == [("service-gone",)]
    assert together.read_text() == before + after


def test_endpoints_of_a_service_without_selector_come_from_a_file(
    shop: Path, tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    put(shop / "web.yaml", database())
    file = tmp_path_factory.mktemp("endpoints") / "db.yaml"
    file.write_text("- 10.9.0.1\n- 10.9.0.2:5433\n- {addresses: [10.9.0.3], zone: a}\n")
    command = ["sync", "--dir", str(shop), "--endpoints", f"shop/db={file}"]
    assert main(command) == 0
    assert addresses_of(shop) == ["10.9.0.1", "10.9.0.2", "10.9.0.3"]
    assert {port["port"] for item in slices_of(shop) for port in item["ports"]} == {5432, 5433}
    made = slices_of(shop)
    for text, said in [
        ("[]", "--allow-empty is not given"),
        ("- 10.0.0.300", "10.0.0.300"),
        ("[", "not YAML"),
        (None, "No such file"),
    ]:
        if text is None:
            file.unlink()
        else:
            file.write_text(text)
        capsys.readouterr()
        assert main(command) == 2
        assert said in capsys.readouterr().err
        assert slices_of(shop) == made, "a source that fails changes nothing"
    file.write_text("[]")
    assert main([*command, "--allow-empty"]) == 0
    assert addresses_of(shop) == []
    for wrong in ["db", "=x", "a/b/c=x", f"shop/none={file}", "db=-"]:
        assert main(["sync", "--dir", str(shop), "--endpoints", wrong, "--allow-empty"]) == 2


def test_line_ends_of_other_documents_stay(shop: Path) -> None:
    synced(shop)
    (made,) = (shop / "endpointslices" / "shop").iterdir()
    others = b"kind: Other\r\nx: |\r\n  1\r\n---\r\n# ours\r\n\r\n"
    (shop / "other.yaml").write_bytes(others + made.read_bytes())
    made.unlink()
    put(shop / "web.yaml", service(), pod(4))
    assert [change.verb for change in synced(shop)] == ["update"]
    text = (shop / "other.yaml").read_bytes()
    assert text.startswith(others.replace(b"---\r\n#", b"---\n#"))
    assert addresses_of(shop) == ["10.0.0.5"]


def test_a_file_that_is_not_text_is_named(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (shop / "z.yaml").write_bytes(b"kind: \xff\xfe")
    assert main(["sync", "--dir", str(shop)]) == 2
    assert f"{shop / 'z.yaml'}: not UTF-8 at byte 6" in capsys.readouterr().err


def test_slices_in_lists_and_in_json_stay_where_they_are(shop: Path) -> None:
    synced(shop)
    (made,) = slices_of(shop)
    (shop / "endpointslices" / "shop" / f"{made['metadata']['name']}.yaml").unlink()
    listed = {"apiVersion": "v1", "kind": "List", "items": [made, {"kind": "Other", "x": 1}]}
    path = shop / "list.json"
    path.write_text(json.dumps(listed))
    put(shop / "web.yaml", service(), pod(1))
    assert [change.verb for change in synced(shop)] == ["update"]
    items = json.loads(path.read_text())["items"]
    assert [one["addresses"] for one in items[0]["endpoints"]] == [["10.0.0.2"]]
    assert items[1] == {"kind": "Other", "x": 1}
    (shop / "web.yaml").unlink()
    synced(shop)
    assert json.loads(path.read_text())["items"] == [{"kind": "Other", "x": 1}]


def test_a_file_of_many_slices_is_written_once_for_those_that_follow_each_other(
    shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(shop / "web.yaml", service(), *(pod(number) for number in range(20)))
    synced(shop, max_endpoints=1)
    slices = slices_of(shop)
    assert len(slices) == 20
    shutil.rmtree(shop / "endpointslices")
    put(shop / "all.yaml", {"apiVersion": "v1", "kind": "List", "items": slices[:10]}, *slices[10:])
    written: list[Path] = []

    def counted(path: Path, text: str) -> None:
        written.append(path)
        write_atomically(path, text)

    monkeypatch.setattr("epcore.controller.folder.write_atomically", counted)
    put(shop / "web.yaml", service(), *(pod(number, ready=False) for number in range(0, 20, 2)))
    verbs = [change.verb for change in synced(shop, max_endpoints=1)]
    assert sorted(verbs) == ["delete"] * 10 + ["update"] * 10
    assert written == [shop / "all.yaml"]
    assert addresses_of(shop) == sorted(f"10.0.0.{number + 1}" for number in range(0, 20, 2))
    assert not any(one["endpoints"][0]["conditions"]["ready"] for one in slices_of(shop))
    assert synced(shop, max_endpoints=1) == []


def test_a_folder_that_changes_while_it_is_read_is_read_again(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced(shop)
    before = (shop / "web.yaml").read_bytes()
    read = Folder.read

    def half(self: Folder) -> Any:
        # As while Git checks out another branch: the file is away for a moment.
        (shop / "web.yaml").unlink()
        monkeypatch.setattr(Folder, "read", read)
        found = self.read()
        (shop / "web.yaml").write_bytes(before)
        return found

    monkeypatch.setattr(Folder, "read", half)
    assert synced(shop) == []


class OverError(BaseException):
    """Ends what would go on for ever."""


def test_watch_waits_until_the_folder_rests(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced(shop)
    before, (slice_,) = (shop / "web.yaml").read_bytes(), (shop / "endpointslices" / "shop").iterdir()
    turns = iter(range(6))

    def sleep(seconds: float) -> None:
        assert slice_.exists()
        turn = next(turns, None)
        if turn is None:
            raise OverError
        if turn == 2:  # it has been looked at once
            (shop / "web.yaml").unlink()
        elif turn == 3:
            assert seconds < 1, "it is looked at again soon"
            (shop / "web.yaml").write_bytes(before)

    monkeypatch.setattr("epcore.cli.manifests.time.sleep", sleep)
    with pytest.raises(OverError):
        main(["sync", "--dir", str(shop), "--watch"])


def test_watch_sees_what_changes_inside_of_a_folder_of_endpoints(
    shop: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(shop / "web.yaml", database())
    file = tmp_path_factory.mktemp("endpoints") / "a.txt"
    file.write_text("10.9.0.1\n")
    turns = iter(range(9))

    def sleep(_: float) -> None:
        turn = next(turns, None)
        if turn is None:
            raise OverError
        if turn == 5:
            assert addresses_of(shop) == ["10.9.0.1"]
            file.write_text("10.9.0.1\n10.9.0.2\n")

    monkeypatch.setattr("epcore.cli.manifests.time.sleep", sleep)
    with pytest.raises(OverError):
        main(["sync", "--dir", str(shop), "--endpoints", f"shop/db={file.parent}", "--watch"])
    assert addresses_of(shop) == ["10.9.0.1", "10.9.0.2"]


def test_a_pipe_among_the_manifests_is_told_and_not_waited_for(shop: Path) -> None:
    os.mkfifo(shop / "a.yaml")
    command = [sys.executable, "-m", "epcore", "sync", "--dir", str(shop)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stderr) == (2, f"epcore: {shop / 'a.yaml'}: is a pipe, not a file\n")


def test_watch_tells_of_a_folder_that_never_rests(
    shop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    slept = 0.0

    def sleep(seconds: float) -> None:
        nonlocal slept
        slept += seconds
        if slept > 100:
            raise OverError
        put(shop / "other.yaml", {"slept": slept})

    monkeypatch.setattr("epcore.cli.manifests.time.sleep", sleep)
    with pytest.raises(OverError):
        main(["sync", "--dir", str(shop), "--watch"])
    assert capsys.readouterr().err == f"epcore: {shop}: has been changing for more than 30 seconds\n"


def test_only_slices_of_ours_are_touched(shop: Path) -> None:
    foreign = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": "web-theirs", "namespace": "shop", "labels": {"kubernetes.io/service-name": "web"}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["10.9.9.9"]}],
        "ports": [],
    }
    put(shop / "theirs.yaml", foreign)
    text = (shop / "theirs.yaml").read_text()
    assert [change.verb for change in synced(shop)] == ["create"]
    (shop / "web.yaml").unlink()
    synced(shop)
    assert (shop / "theirs.yaml").read_text() == text
    assert slices_of(shop) == [foreign]


def test_a_service_with_selector_must_ask(shop: Path) -> None:
    one = service()
    del one["metadata"]["labels"]
    put(shop / "web.yaml", one, pod(0))
    assert synced(shop) == []
    assert len(synced(shop, with_selector=True)) == 1
    dual = synced(shop, with_selector=True, families=("IPv4", "IPv6"))
    assert [change.after["addressType"] for change in dual if change.after] == ["IPv6"], "the placeholder of the other"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\n---\nb: [\n", "not YAML at line 4"),
        ("kind: Service\napiVersion: v1\n", "a Service without usable metadata.name"),
        ("{kind: Pod, apiVersion: v1, metadata: {name: ../../up}}", "without usable metadata.name"),
        (
            "{kind: Pod, apiVersion: v1, metadata: {name: a}}\n---\n{kind: Pod, apiVersion: v1, metadata: {name: a}}",
            "second Pod",
        ),
        (to_yaml(service("bad", ports="none")), "spec.ports: expected"),
        ("x: !!python/object:os.system {}", "not YAML"),
        ("\x00", "not YAML"),
    ],
)
def test_a_manifest_that_cannot_be_read_is_named_and_nothing_is_written(
    shop: Path, text: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (shop / "z.yaml").write_text(text)
    assert main(["sync", "--dir", str(shop)]) == 2
    error = capsys.readouterr().err
    assert f"{shop / 'z.yaml'}: " in error
    assert said in error
    assert not (shop / "endpointslices").exists()


def test_a_folder_that_is_not_there_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sync", "--dir", str(tmp_path / "none")]) == 2
    assert "no such folder" in capsys.readouterr().err


def test_a_folder_below_that_cannot_be_read_is_told_and_not_taken_for_an_empty_one(
    shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (shop / "services").mkdir()
    (shop / "web.yaml").rename(shop / "services" / "web.yaml")
    assert [one.verb for one in synced(shop)] == ["create"]
    scandir = os.scandir

    def refuse(path: str) -> Any:
        if Path(path).name == "services":
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", refuse)
        with pytest.raises(FolderError, match="services: Permission denied"):
            synced(shop)
    assert addresses_of(shop) == ["10.0.0.1", "10.0.0.2"]


def test_a_file_that_changed_since_it_was_read_is_not_overwritten(shop: Path) -> None:
    synced(shop)
    put(shop / "web.yaml", service(), pod(5))
    sync = Sync(Folder(shop))
    (change,) = sync.changes()
    (path,) = (shop / "endpointslices" / "shop").iterdir()
    theirs = f"# mine\n{path.read_text()}"
    path.write_text(theirs)
    with pytest.raises(StaleError):
        sync.folder.write(change)
    assert path.read_text() == theirs
    assert [one.verb for one in sync.run()] == ["update"]
    assert path.read_text().startswith("# mine\n")
    assert addresses_of(shop) == ["10.0.0.6"]


def test_a_folder_that_cannot_be_written_says_so(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("epcore.controller.folder.write_atomically", full)
    with pytest.raises(FolderError, match="No space left"):
        synced(shop)


@given(st.lists(st.integers(0, 7).flatmap(pods), max_size=6), st.sampled_from(["balanced", "dense", "upstream"]))
def test_one_run_is_enough_and_says_what_reconcile_says(
    tmp_path_factory: pytest.TempPathFactory, some: list[Json], policy: Any
) -> None:
    folder = tmp_path_factory.mktemp("shop")
    named = {one["metadata"]["name"]: {**one, "apiVersion": "v1", "kind": "Pod"} for one in some}
    put(folder / "web.yaml", service(ipFamilies=["IPv4", "IPv6"]), *named.values())
    (folder / "nodes.yaml").write_text(NODES)
    synced(folder, policy=policy, max_endpoints=2)
    assert synced(folder, policy=policy, max_endpoints=2) == []
    objects = Folder(folder).read()
    given = {**objects["Service"][0]}
    given["spec"] = {**given["spec"], "clusterIP": "192.0.2.1"}
    plan = epcore.reconcile(given, objects["Pod"], objects["Node"], max_endpoints=2, controller="epcore")
    wanted = sorted(one.addresses for item in plan.result() for one in item.endpoints)
    assert sorted(one["addresses"] for item in objects["EndpointSlice"] for one in item["endpoints"]) == wanted


@given(st.text(alphabet="-.#%a: \n[]|>'\"\t", max_size=60))
def test_cutting_a_stream_loses_nothing(text: str) -> None:
    assert "".join(documents_of(text)) == text
    try:
        whole = list(yaml.safe_load_all(text))
    except yaml.YAMLError:
        return
    parts = [one for document in documents_of(text) for one in yaml.safe_load_all(document)]
    assert [one for one in parts if one is not None] == [one for one in whole if one is not None]
    for document in documents_of(text):
        assert yaml.safe_load(rewritten(document, {"a": 1})) == {"a": 1}


def test_watch_follows_the_folder_and_survives_bad_manifests(shop: Path) -> None:
    command = [sys.executable, "-m", "epcore", "sync", "--dir", str(shop), "--watch", "--interval", "0.05"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        try:
            wait_for(lambda: addresses_of(shop) == ["10.0.0.1", "10.0.0.2"])
            (shop / "bad.yaml").write_text("a: [")
            assert process.stderr is not None
            assert "not YAML" in process.stderr.readline()
            (shop / "bad.yaml").unlink()
            lost = pod(4)
            lost["spec"]["nodeName"] = "none"
            replace_at_once(shop / "web.yaml", service(), pod(3), lost)
            wait_for(lambda: addresses_of(shop) == ["10.0.0.4"])
            replace_at_once(shop / "web.yaml", service(), pod(5), lost)
            wait_for(lambda: addresses_of(shop) == ["10.0.0.6"])
            process.send_signal(signal.SIGINT)
            assert process.wait(20) == 130
            assert process.stderr.read().count("shop/web-4 is left out") == 1, "what goes on is told once"
        finally:
            process.kill()


def test_kill_9_leaves_whole_files_and_the_next_run_goes_on(shop: Path) -> None:
    chance = random.Random(7)
    command = [sys.executable, "-m", "epcore", "sync", "--dir", str(shop), "--max-endpoints", "2"]
    made = shop / "endpointslices" / "shop"
    for turn in range(6):
        numbers = chance.sample(range(400), 120)
        put(shop / "web.yaml", service(), *(pod(number) for number in numbers))
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
            wait_for(lambda: made.is_dir() and any(made.iterdir()))
            time.sleep(0.01 * turn)
            os.kill(process.pid, signal.SIGKILL)
        Folder(shop).read()  # every file is whole
    synced(shop, max_endpoints=2)
    assert len(addresses_of(shop)) == 120
    assert synced(shop, max_endpoints=2) == []


def wait_for(holds: Any) -> None:
    for _ in range(400):
        try:
            if holds():
                return
        except (FolderError, FileNotFoundError):
            pass
        time.sleep(0.05)
    pytest.fail("it did not happen in 20 seconds")
