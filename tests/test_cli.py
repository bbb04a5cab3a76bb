"""`epcore` on the command line: what goes in, what comes out, and the exit codes of `diff`."""

import bz2
import gzip
import io
import json
import lzma
import os
import re
import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from rich.progress import Progress

import epcore
from epcore.cli import main
from epcore.cli.output import meter
from epcore.testing import judge
from epcore.types import DiffKey, FieldMask

EPCORE = [sys.executable, "-m", "epcore"]

Dict = dict[str, Any]


def endpoints(count: int, first: int = 1) -> list[Dict]:
    return [
        {
            "addresses": [f"10.0.0.{number}"],
            "conditions": {"ready": True, "serving": True, "terminating": False},
            "targetRef": {"kind": "Pod", "namespace": "shop", "name": f"web-{number}", "uid": f"uid-{number}"},
        }
        for number in range(first, first + count)
    ]


def one_slice(members: list[Dict], name: str = "web-1") -> Dict:
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": name,
            "generateName": "web-",
            "namespace": "shop",
            "labels": {"kubernetes.io/service-name": "web"},
            "creationTimestamp": "2026-01-01T00:00:00Z",
        },
        "addressType": "IPv4",
        "endpoints": members,
        "ports": [{"name": "http", "protocol": "TCP", "port": 8080}],
    }


def save(path: Path, value: object) -> str:
    path.write_text(json.dumps(value), encoding="utf-8")
    return str(path)


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    """Slices with three endpoints; the same three wanted, and four others."""
    return {
        "slices": save(tmp_path / "slices.json", [one_slice(endpoints(3))]),
        "same": save(tmp_path / "same.json", endpoints(3)),
        "other": save(tmp_path / "other.json", endpoints(4, first=2)),
        "after": save(tmp_path / "after.json", [one_slice(endpoints(4, first=2))]),
    }


def test_plan_exits_with_0_where_nothing_is_to_be_written(
    files: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", "--endpoints", files["same"], "--existing", files["slices"]]) == 0
    assert "nothing to do" in capsys.readouterr().out


def test_plan_exits_with_1_and_shows_each_write_with_its_reasons(
    files: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", "--endpoints", files["other"], "--existing", files["slices"]]) == 1
    out = capsys.readouterr().out
    assert re.search(r"1 +update +web-1 +4 +[\d,]+ +endpoints-added, endpoints-removed", out)
    assert "0 to create, 1 to update, 0 to delete" in out
    assert "2 added, 0 updated, 1 removed, 0 moved, 2 sent again unchanged" in out


@pytest.mark.parametrize("form", ["json", "yaml"])
def test_plan_prints_for_programs_what_the_engine_says(
    files: dict[str, str], capsys: pytest.CaptureFixture[str], form: str
) -> None:
    assert main(["plan", "--endpoints", files["other"], "--existing", files["slices"], "-o", form]) == 1
    out = capsys.readouterr().out
    plan = epcore.pack(Path(files["other"]).read_bytes(), Path(files["slices"]).read_bytes())
    assert (json.loads(out) if form == "json" else yaml.safe_load(out)) == plan.to_dict()


def test_plan_hands_every_option_to_the_engine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wanted, slices = endpoints(9), [one_slice(endpoints(2, first=3 * n + 1), f"web-{n}") for n in range(3)]
    arguments = [
        "plan",
        "--endpoints",
        save(tmp_path / "e.json", wanted),
        "--existing",
        save(tmp_path / "s.json", slices),
    ]
    arguments += ["--template", save(tmp_path / "t.json", slices[:1]), "--max-endpoints", "4", "--policy", "0.5"]
    arguments += ["--cohort", "none", "--compact", "0.0", "--address-reuse", "strict", "--replace", "recycle"]
    arguments += ["--naming", "deterministic", "-o", "json"]
    assert main(arguments) == 1
    plan = epcore.pack(
        wanted,
        slices,
        template=slices[0],
        max_endpoints=4,
        policy=epcore.Policy(threshold=0.5),
        cohort=None,
        compaction=epcore.Compaction(epsilon=0.0),
        address_reuse="strict",
        replace="recycle",
        naming="deterministic",
    )
    assert json.loads(capsys.readouterr().out) == plan.to_dict()


def test_plan_tells_which_readers_lose_what(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    slices = [one_slice(endpoints(2, first=10 * n + 1), f"web-{n}") for n in range(4)]
    held = [endpoint for slice_ in slices for endpoint in slice_["endpoints"]]
    arguments = ["plan", "--readers", "--endpoints", save(tmp_path / "e.json", held)]
    arguments += ["--existing", save(tmp_path / "s.json", slices)]
    assert main(arguments) == 0
    assert "readers:   nothing is lost" in capsys.readouterr().out
    assert main([*arguments, "--compact", "0.0"]) == 1
    assert re.search(r"Linkerd +lost +/?\S* \S+ \S* *TCP \d+ +\d+ +for good", capsys.readouterr().out)
    assert main([*arguments, "--compact", "0.0", "-o", "json"]) == 1
    told = json.loads(capsys.readouterr().out)["readers"]
    plan = epcore.pack(held, slices, compaction=epcore.Compaction(epsilon=0.0))
    assert told == [one.to_dict() for one in judge(plan)]
    assert {one["kind"] for one in told} == {"lost"}


def test_plan_needs_no_existing_slices_if_there_is_a_template(
    files: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", "--endpoints", files["same"], "--template", files["slices"]]) == 1
    assert re.search(r"1 +create +web-\* +3 ", capsys.readouterr().out)


def as_list(items: list[Dict]) -> bytes:
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items}).encode()


def as_lines(items: list[Dict]) -> bytes:
    return b"".join(json.dumps(item).encode() + b"\n" for item in items)


def as_yaml(items: list[Dict]) -> bytes:
    return yaml.safe_dump_all(items).encode() + b"---\n"


FORMS: dict[str, Callable[[list[Dict]], bytes]] = {
    "array.json": lambda items: json.dumps(items).encode(),
    "list.json": as_list,
    "lines.jsonl": as_lines,
    "documents.yaml": as_yaml,
    "list.yml": lambda items: yaml.safe_dump(json.loads(as_list(items))).encode(),
    "lines.json.gz": lambda items: gzip.compress(as_lines(items)),
    "documents.yaml.xz": lambda items: lzma.compress(as_yaml(items)),
    "no-suffix-json": as_list,
    "no-suffix-yaml": as_yaml,
    "no-suffix-gzip": lambda items: gzip.compress(as_yaml(items)),
}


@pytest.mark.parametrize("name", FORMS)
def test_every_form_of_file_is_read_alike(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    slices = [one_slice(endpoints(3), "web-1"), one_slice(endpoints(2, first=10), "web-2")]
    path = tmp_path / name
    path.write_bytes(FORMS[name](slices))
    after = save(tmp_path / "after.json", slices[:1])
    assert main(["diff", str(path), after, "-o", "json"]) == 1
    delta = json.loads(capsys.readouterr().out)
    assert [change["address"] for change in delta["removed"]] == ["10.0.0.10", "10.0.0.11"]
    assert not delta["added"] + delta["updated"] + delta["moved"]


@pytest.mark.parametrize("name", FORMS)
def test_every_form_is_read_from_stdin_too(tmp_path: Path, name: str) -> None:
    slices = [one_slice(endpoints(3))]
    after = save(tmp_path / "after.json", slices)
    done = subprocess.run([*EPCORE, "diff", "-", after], input=FORMS[name](slices), capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_time_in_yaml_stays_the_text_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = yaml.safe_dump(one_slice(endpoints(1))).replace("'2026-01-01T00:00:00Z'", "2026-01-01T00:00:00Z")
    (tmp_path / "slice.yaml").write_text(text, encoding="utf-8")
    arguments = ["plan", "--endpoints", save(tmp_path / "wanted.json", []), "--existing", str(tmp_path / "slice.yaml")]
    assert main([*arguments, "-o", "json"]) == 1
    item = json.loads(capsys.readouterr().out)["writes"][0]["object"]
    assert item["metadata"]["creationTimestamp"] == "2026-01-01T00:00:00Z"


def test_diff_exits_with_0_where_no_endpoint_changed(
    tmp_path: Path, files: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    slices = one_slice(endpoints(3))
    slices["metadata"]["resourceVersion"] = "7"
    assert main(["diff", files["slices"], save(tmp_path / "touched.json", slices)]) == 0
    assert capsys.readouterr().out == "no endpoint changed\n"


def test_diff_tells_an_endpoint_that_only_changed_its_slice(
    tmp_path: Path, files: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    halves = [one_slice(endpoints(2), "web-2"), one_slice(endpoints(1, first=3), "web-1")]
    assert main(["diff", files["slices"], save(tmp_path / "halves.json", halves)]) == 1
    assert "0 added, 0 removed, 0 updated, 2 moved" in capsys.readouterr().out


def test_diff_exits_with_1_and_shows_each_endpoint(files: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["diff", files["slices"], files["after"]]) == 1
    out = capsys.readouterr().out
    assert re.search(r"added +shop/web 10\.0\.0\.4 http TCP 8080 +– +web-1", out)  # noqa: RUF001
    assert re.search(r"removed +shop/web 10\.0\.0\.1 http TCP 8080 +web-1 +–", out)  # noqa: RUF001
    assert "2 added, 1 removed, 0 updated, 0 moved" in out


@pytest.mark.parametrize("form", ["json", "yaml"])
@pytest.mark.parametrize("key", ["address", "address-port", "target"])
@pytest.mark.parametrize("fields", ["dns", "proxy", "envoy", "all"])
def test_diff_prints_for_programs_what_the_engine_says(
    files: dict[str, str], capsys: pytest.CaptureFixture[str], form: str, key: DiffKey, fields: FieldMask
) -> None:
    assert main(["diff", files["slices"], files["after"], "--key", key, "--fields", fields, "-o", form]) == 1
    out = capsys.readouterr().out
    delta = epcore.diff(Path(files["slices"]).read_bytes(), Path(files["after"]).read_bytes(), key=key, fields=fields)
    assert (json.loads(out) if form == "json" else yaml.safe_load(out)) == delta.to_dict()


TROUBLE: dict[str, tuple[list[str], str]] = {
    "no such file": (["diff", "missing.json", "good.json"], "missing.json: No such file or directory"),
    "a directory": (["diff", ".", "good.json"], "Is a directory"),
    "no JSON": (["diff", "bad.json", "good.json"], "bad.json: "),
    "no YAML": (["diff", "bad.yaml", "good.json"], "bad.yaml: not YAML at line 3"),
    "no text": (["diff", "good.json", "binary.yaml"], "binary.yaml: not YAML"),
    "cut short": (["diff", "cut.json.gz", "good.json"], "cut.json.gz: "),
    "cut short too": (["diff", "cut.json.xz", "good.json"], "cut.json.xz: "),
    "no slice": (["diff", "numbers.yaml", "good.json"], "numbers.yaml: "),
    "a bad slice": (["diff", "invalid.json", "good.json"], "invalid.json: "),
    "an unknown option": (["diff", "good.json", "good.json", "--bogus"], "--bogus"),
    "an unknown option of replay": (["replay", "good.json", "--bogus=1"], "unknown option --bogus"),
    "an unknown command": (["bogus"], "bogus"),
    "an unknown key": (["diff", "good.json", "good.json", "--key", "bogus"], "bogus"),
    "an unknown policy": (["plan", "--endpoints", "good.json", "--policy", "bogus"], "--policy bogus: "),
    "a policy out of range": (["plan", "--endpoints", "good.json", "--policy", "-3"], "-3"),
    "an unknown cohort": (["plan", "--endpoints", "good.json", "--existing", "good.json", "--cohort", "x.y"], "x.y"),
    "no room at all": (["plan", "--endpoints", "good.json", "--max-endpoints", "0"], "--max-endpoints"),
    "too much room": (["plan", "--endpoints", "good.json", "--max-endpoints", "9" * 30], "--max-endpoints"),
    "no number": (["plan", "--endpoints", "good.json", "--max-endpoints", "x"], "--max-endpoints"),
    "a room below nothing": (["plan", "--endpoints", "good.json", "--compact", "-1"], "--compact"),
    "a room without end": (["plan", "--endpoints", "good.json", "--compact", "inf"], "--compact"),
    "no room to speak of": (["plan", "--endpoints", "good.json", "--compact", "nan"], "--compact"),
    "no Services": (["lint", "good.json", "--services", "numbers.yaml"], "numbers.yaml: services[0]"),
    "no Pods": (["lint", "good.json", "--pods", "bad.json"], "bad.json: pods"),
    "a missing argument": (["diff", "good.json"], "AFTER"),
    "a missing option": (["plan"], "--endpoints"),
    "no recording": (["replay"], "replay needs a recording"),
    "a recording of nothing": (["replay", "good.json"], "good.json: "),
    "nested too deep": (["lint", "deep.json"], "deep.json: slices[0]"),
    "stdin twice": (["diff", "-", "-"], "stdin (-) can be read once only"),
    "a report in place of a folder": (["replay", "recording.jsonl", "--html", "."], "epcore: .: Is a directory"),
    "a report to nowhere": (
        ["replay", "recording.jsonl", "--html", "no/such/dir.html"],
        "epcore: no/such/dir.html: No such",
    ),
}


@pytest.mark.parametrize("case", TROUBLE)
def test_trouble_is_one_clear_line_and_exit_code_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], case: str
) -> None:
    monkeypatch.chdir(tmp_path)
    save(Path("good.json"), [one_slice(endpoints(3))])
    Path("bad.json").write_text('{"kind": ', encoding="utf-8")
    Path("bad.yaml").write_text("a: b\nc: [", encoding="utf-8")
    Path("binary.yaml").write_bytes(b"\x00\xff\xfe\x01")
    Path("deep.json").write_text("[" * 200)
    Path("cut.json.gz").write_bytes(gzip.compress(b"[" * 9_999)[:-20])
    Path("cut.json.xz").write_bytes(lzma.compress(b"[" * 9_999)[:-20])
    Path("numbers.yaml").write_text("- 1\n- 2\n", encoding="utf-8")
    save(Path("invalid.json"), [one_slice([{"addresses": ["10.0.0.300"]}])])
    event = {"kind": "EndpointSlice", "type": "ADDED", "object": one_slice(endpoints(3))}
    Path("recording.jsonl").write_text(json.dumps(event) + "\n", encoding="utf-8")
    arguments, complaint = TROUBLE[case]
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("epcore: ")
    assert complaint in captured.err
    assert captured.err.count("\n") == 1
    assert not captured.out


EMPTY = [("e.json", "\n"), ("e.yaml", ""), ("e.yaml", "# nothing yet\n---\n"), ("e", ""), ("-", "")]
TAKES = ["plan --endpoints FILE --existing good.json", "diff good.json FILE", "lint FILE", "lint good.json --pods FILE"]


@pytest.mark.parametrize(("name", "text"), EMPTY)
@pytest.mark.parametrize("command", TAKES)
def test_an_empty_file_is_not_taken_for_one_that_says_that_there_is_nothing(
    name: str,
    text: str,
    command: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    save(Path("good.json"), [one_slice(endpoints(3))])
    if name == "-":
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(text.encode()))))
    else:
        Path(name).write_text(text)
    assert main(command.replace("FILE", name).split()) == 2
    assert capsys.readouterr().err == f"epcore: {name}: is empty; write [] where there is nothing\n"


@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress, bytes], ids=["gz", "xz", "plain"])
@pytest.mark.parametrize("command", ["lint", "diff NONE", "plan --endpoints"])
def test_a_file_that_holds_more_than_fits_anywhere_is_told_before_all_of_it_is_read(
    command: str,
    pack: Callable[[bytes], bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("epcore.cli.inputs._LARGEST", 1 << 22)
    monkeypatch.setattr("epcore.cli.inputs._LARGEST_PACKED", 1 << 20)
    none = tmp_path / "none.json"
    none.write_text("[]")
    bomb = tmp_path / "bomb"
    bomb.write_bytes(pack(b"[" + b" " * (5 << 20) + b"]"))
    assert main([*command.replace("NONE", str(none)).split(), str(bomb)]) == 2
    said = "4,194,304 bytes" if pack is bytes else "1,048,576 bytes, compressed; if that is right, decompress it first"
    assert capsys.readouterr().err == f"epcore: {bomb}: holds more than {said}\n"


@pytest.mark.parametrize("command", ["lint", "diff NONE", "plan --endpoints", "replay", "watch", "simulate"])
def test_what_is_compressed_in_another_way_is_told_so(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (none := tmp_path / "none.json").write_text("[]")
    bundle = io.BytesIO()
    with zipfile.ZipFile(bundle, "w") as file:
        file.writestr("slices.json", "[]")
    for name, content in (
        ("bzip2", bz2.compress(b"[]")),
        ("zstd", b"\x28\xb5\x2f\xfd\x00"),
        ("zip", bundle.getvalue()),
    ):
        (packed := tmp_path / "packed.json").write_bytes(content)
        assert main([*command.replace("NONE", str(none)).split(), str(packed)]) == 2
        said = f"{packed}: is compressed by {name}, not by gzip or xz; decompress it first"
        assert capsys.readouterr().err == f"epcore: {said}\n"


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_byte_order_mark_is_passed_over(
    files: dict[str, str], tmp_path: Path, pack: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / "marked"
    content = Path(files["slices"]).read_bytes()
    event = {"kind": "EndpointSlice", "type": "ADDED", "object": one_slice(endpoints(1))}
    for text, arguments in (
        (content, ["diff", str(path), files["slices"]]),
        (yaml.safe_dump(json.loads(content)).encode(), ["diff", str(path), files["slices"]]),
        (json.dumps(event).encode(), ["replay", str(path)]),
        (json.dumps(event).encode(), ["watch", str(path)]),
    ):
        path.write_bytes(pack(b"\xef\xbb\xbf" + text))
        assert main(arguments) == 0


@pytest.mark.parametrize("text", ["[]", "items: []", "---\n[]\n"])
def test_a_list_without_members_says_that_there_is_nothing(tmp_path: Path, files: dict[str, str], text: str) -> None:
    (tmp_path / "none.yaml").write_text(text)
    assert main(["plan", "--endpoints", str(tmp_path / "none.yaml"), "--existing", files["slices"]]) == 1
    assert main(["lint", str(tmp_path / "none.yaml")]) == 0


def test_tells_its_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.strip() == epcore.__version__


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
@pytest.mark.parametrize("form", ["json", "yaml"])
def test_what_programs_read_says_the_same_in_every_encoding(
    files: dict[str, str], tmp_path: Path, form: str, encoding: str
) -> None:
    zone = "zürich-łódź-😀"
    wanted = save(tmp_path / "wanted.json", [{"addresses": ["10.0.0.1"], "zone": zone}])
    command = [*EPCORE, "plan", "--endpoints", wanted, "--existing", files["slices"], "-o", form]
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    done = subprocess.run(command, capture_output=True, env=environment, timeout=60, check=False)
    assert done.stderr == b""
    written = (json.loads if form == "json" else yaml.safe_load)(done.stdout.decode())["writes"]
    assert [one["zone"] for write in written for one in write["object"]["endpoints"] if "zone" in one] == [zone]


@pytest.mark.parametrize("columns", ["0", "1", "2"])
def test_help_is_there_where_there_is_hardly_a_column(columns: str) -> None:
    command = [sys.executable, "-m", "epcore", "plan", "--help"]
    environment = {**os.environ, "COLUMNS": columns}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=30, check=True)
    assert done.stdout.startswith("Usage: epcore plan")


@pytest.mark.parametrize("command", ["plan", "diff", "replay", "sync", "controller", "simulate", "advise"])
def test_help_of_each_command_shows_an_example_and_tells_every_option(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command, "--help"]) == 0
    out = capsys.readouterr().out
    assert re.search(rf"^ *epcore {command} \S", out, re.MULTILINE)
    assert "Exit code" in out


def test_a_reader_that_goes_away_is_no_trouble(tmp_path: Path) -> None:
    wanted = save(tmp_path / "wanted.json", endpoints(250))
    slices = save(tmp_path / "slices.json", [one_slice([], f"web-{number}") for number in range(200)])
    command = [*EPCORE, "plan", "--endpoints", wanted, "--existing", slices, "--max-endpoints", "1", "-o", "json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(1)
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 128 + signal.SIGPIPE


@pytest.mark.parametrize("arguments", [["--help"], ["watch", "--help"], ["--version"]])
def test_a_reader_of_help_that_goes_away_is_no_trouble(arguments: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([*EPCORE, *arguments], stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (128 + signal.SIGPIPE, b"")


def test_an_interrupt_is_quiet() -> None:
    with subprocess.Popen(
        [*EPCORE, "diff", "-", os.devnull], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        process.stdin.write(b"[" + b" " * 2_000_000)  # more than a pipe holds: it returns once the command reads
        process.stdin.flush()
        process.send_signal(signal.SIGINT)
        _, error = process.communicate()
    assert (process.returncode, error) == (128 + signal.SIGINT, b"")


def test_another_interrupt_at_the_end_of_the_process_is_quiet_too() -> None:
    code = "import os, signal; from epcore.cli import main; assert main() == 130; os.kill(os.getpid(), signal.SIGINT)"
    with subprocess.Popen(
        [sys.executable, "-c", code, "watch", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps({"type": "ADDED", "object": one_slice(endpoints(1))}).encode() + b"\n")
        process.stdin.flush()
        assert process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, error = process.communicate()
    assert (process.returncode, error) == (-signal.SIGINT, b"")


def test_an_interrupt_waits_until_progress_is_taken_from_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    stop, stopped = Progress.stop, []

    def interrupted(progress: Progress) -> None:
        signal.raise_signal(signal.SIGINT)  # of this thread: what runs the tests has others
        stop(progress)
        stopped.append(progress)

    monkeypatch.setattr(Progress, "stop", interrupted)
    with pytest.raises(KeyboardInterrupt), meter():
        pass
    assert len(stopped) == 1


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_stream_that_is_closed_is_like_one_to_nowhere(tmp_path: Path, closed: str) -> None:
    before, after = (save(tmp_path / name, [one_slice(endpoints(count))]) for name, count in (("a", 1), ("b", 2)))
    for arguments, code in ((["diff", before, after], 1), (["diff", before, before], 0), (["diff", before, "no"], 2)):
        command = ["sh", "-c", f'"$@" {closed}', "sh", *EPCORE, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == code
        assert "Traceback" not in done.stdout + done.stderr


def test_what_an_encoding_does_not_have_is_replaced_in_tables(files: dict[str, str]) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    command = [*EPCORE, "diff", files["slices"], files["after"]]
    done = subprocess.run(command, env=environment, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (1, b"")
    assert done.stdout.isascii()


@pytest.mark.parametrize("scalar", ["x", "x" * 30_000])
def test_aliases_that_stand_for_more_than_fits_anywhere_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], scalar: str
) -> None:
    lines = [f"a0: &a0 {scalar}", *(f"a{one}: &a{one} [{', '.join([f'*a{one - 1}'] * 9)}]" for one in range(1, 10))]
    merged = [
        "a0: &a0 {b: c}",
        *(f"a{one}: &a{one} {{<<: [{', '.join([f'*a{one - 1}'] * 9)}]}}" for one in range(1, 10)),
    ]
    for text in (lines, merged):
        path = tmp_path / "slices.yaml"
        path.write_text("\n".join([*text, ""]))
        for arguments in (["lint", str(path)], ["diff", str(path), str(path)], ["sync", "--dir", str(tmp_path)]):
            assert main(arguments) == 2
            assert f"{path}: not YAML at line 1: aliases stand for too much" in capsys.readouterr().err


@pytest.mark.parametrize("columns", [1, 20, 50, 200])
def test_no_figure_and_no_column_is_cut_however_narrow_the_terminal(
    files: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    columns: int,
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("TERM", "dumb")
    many = save(tmp_path / "many.json", endpoints(250))
    assert main(["plan", "--endpoints", many, "--existing", files["slices"], "--max-endpoints", "1000"]) == 1
    assert re.search(r"update +web-1 +250 +\d\d,\d{3} ", capsys.readouterr().out)
    assert main(["diff", files["slices"], save(tmp_path / "none.json", [])]) == 1
    assert re.search(r"shop/web +http +TCP +\d+ +0 +\d+ +0\n", capsys.readouterr().out)


@pytest.mark.parametrize("control", ["\x1b[31m", "\x1b]0;x\x07", "\r", "\x9b2J", "\x7f", "\n"])
def test_nothing_that_others_wrote_moves_the_cursor(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], control: str
) -> None:
    target: Dict = {"kind": "Pod", "namespace": f"a{control}", "name": f"b{control}"}
    there = save(tmp_path / "there.json", [one_slice([{"addresses": ["10.0.0.1"], "targetRef": target}])])
    bad = save(tmp_path / "bad.json", [one_slice(endpoints(1), name=f"a{control}b")])
    none = save(tmp_path / "none.json", [])
    for arguments in (["lint", bad], ["diff", none, bad], ["diff", none, there, "--key", "target"]):
        assert main(arguments) != 0
        said = "".join(capsys.readouterr())
        assert not [letter for letter in said if letter != "\n" and not letter.isprintable()]
        assert f"a{control}" not in said


def test_a_missing_library_is_told_with_the_extra_that_brings_it() -> None:
    script = "import sys; sys.modules['cyclopts'] = None; from epcore.cli import main; sys.exit(main(['--help']))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == "epcore: the command line needs cyclopts: pip install '.[cli]' from a checkout\n"


def test_a_fault_of_ours_is_not_taken_for_a_difference(
    files: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise AssertionError("a fault")

    monkeypatch.setattr(epcore, "diff", fail)
    assert main(["diff", files["slices"], files["after"]]) == 2
    assert "a fault" in capsys.readouterr().err
