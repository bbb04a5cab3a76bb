"""The commands that work on a cluster, run as people run them."""

import asyncio
import json
import logging
import signal
import subprocess
import sys
from io import StringIO
from pathlib import Path
from typing import Literal

import aiohttp
import pytest

from controller_world import cluster, pod, service, test, until
from epcore.cli import main
from epcore.controller.logs import configure_logs
from fake_cluster import FakeCluster
from ports import free_port

EPCORE = [sys.executable, "-m", "epcore"]


async def epcore(*arguments: str) -> tuple[int | None, str, str]:
    """Run a command to its end: its exit code, and what it wrote."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*EPCORE, *arguments, stdout=pipe, stderr=pipe)
    out, error = await process.communicate()
    return process.returncode, out.decode(), error.decode()


def shop(folder: Path) -> tuple[FakeCluster, list[str]]:
    """A cluster with a Service of each kind, and the options of its source."""
    addresses = folder / "db.yaml"
    addresses.write_text("[10.9.0.1, 10.9.0.2]\n")
    server = cluster(("services", service("web")), ("services", service("db", selector=False)), ("pods", pod("web", 1)))
    return server, ["--endpoints", f"shop/db={addresses}"]


def test_a_dry_run_shows_a_diff_and_a_run_writes_it(tmp_path: Path) -> None:
    async def scenario() -> None:
        server, source = shop(tmp_path)
        async with server.serving(tmp_path) as config:
            sync = ["sync", "--kubeconfig", config, *source]
            code, out, error = await epcore(*sync, "--dry-run")
            assert (code, error) == (1, "")
            assert out.startswith("create shop/db-")
            assert "  +- addresses: [10.9.0.1]" in out or "10.9.0.1" in out
            assert out.endswith("2 writes to do\n")
            assert not server.writes()
            code, out, error = await epcore(*sync)
            assert (code, out.splitlines()[-1], error) == (0, "2 writes done", "")
            assert server.addresses("db") == ["10.9.0.1", "10.9.0.2"]
            assert await epcore(*sync, "--dry-run") == (0, "nothing to write\n", "")
            code, out, _ = await epcore(*sync, "--managed-by", "other", "--dry-run", "-o", "json")
            assert code == 1
            assert [change["verb"] for change in json.loads(out)] == ["create", "create"]

    test(scenario)


def test_a_run_that_cannot_do_all_does_the_rest_and_says_so(tmp_path: Path) -> None:
    async def scenario() -> None:
        server, _ = shop(tmp_path)
        async with server.serving(tmp_path) as config:
            code, out, error = await epcore(
                "sync", "--kubeconfig", config, "--endpoints", f"shop/db={tmp_path / 'none.yaml'}"
            )
            assert (code, out.splitlines()[-1]) == (2, "1 write done")
            assert error.startswith("epcore: shop/db: ")
            assert "none.yaml" in error
            assert error.count("\n") == 1

    test(scenario)


@pytest.mark.parametrize("host", ["127.0.0.1", ""])
def test_the_controller_serves_how_it_is_and_ends_by_a_signal(host: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        server, source = shop(tmp_path)
        async with server.serving(tmp_path) as config:
            process = await asyncio.create_subprocess_exec(
                *EPCORE,
                *("controller", "--kubeconfig", config, *source, "--log-format", "json"),
                # Without a host each family would get a port of its own.
                *("--metrics-address", f"{host}:{0 if host else free_port()}"),
                stderr=asyncio.subprocess.PIPE,
            )
            assert process.stderr is not None
            serves = json.loads(await process.stderr.readline())
            assert serves["event"] == "serving"
            await until(lambda: server.addresses("web") and server.addresses("db"), 30)
            async with aiohttp.ClientSession(f"http://127.0.0.1:{serves['port']}") as http:
                for path in ("/healthz", "/readyz"):
                    async with http.get(path) as answer:
                        assert (answer.status, await answer.text()) == (200, "ok")
                async with http.get("/metrics") as answer:
                    metrics = await answer.text()
            assert 'endpoint_slice_controller_changes_total{operation="create"} 2.0' in metrics
            assert 'epcore_controller_services{role="pods"} 1.0' in metrics
            process.send_signal(signal.SIGTERM)
            lines = [json.loads(line) for line in (await process.stderr.read()).decode().splitlines()]
            assert await process.wait() == 0
            written = [line for line in lines if line["event"] == "a slice was written"]
            assert {line["namespace"] for line in written} == {"shop"}
            assert all(line["level"] == "info" and line["timestamp"] for line in written)

    test(scenario)


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_of_either_kind_ends_at_once(second: signal.Signals, tmp_path: Path) -> None:
    async def scenario() -> None:
        server, source = shop(tmp_path)
        server.fault = lambda request: "hang" if request.method == "POST" else None
        async with server.serving(tmp_path) as config, aiohttp.ClientSession() as http:
            process = await asyncio.create_subprocess_exec(
                *EPCORE,
                *("controller", "--kubeconfig", config, *source, "--log-format", "json"),
                *("--metrics-address", "127.0.0.1:0"),
                stderr=asyncio.subprocess.PIPE,
            )
            assert process.stderr is not None
            address = f"http://127.0.0.1:{json.loads(await process.stderr.readline())['port']}/readyz"
            await until(server.writes, 30)
            process.send_signal(signal.SIGINT)
            is_ready = True
            while is_ready:
                async with http.get(address) as answer:
                    is_ready = answer.status == 200
            process.send_signal(second)
            async with asyncio.timeout(10):
                assert await process.wait() != 0

    test(scenario)


def test_sync_with_watch_goes_on_until_it_is_interrupted(tmp_path: Path) -> None:
    async def scenario() -> None:
        server, source = shop(tmp_path)
        async with server.serving(tmp_path) as config:
            process = await asyncio.create_subprocess_exec(
                *EPCORE, "sync", "--watch", "--kubeconfig", config, *source, stderr=asyncio.subprocess.DEVNULL
            )
            await until(lambda: len(server.addresses("db")) == 2, 30)
            (tmp_path / "db.yaml").write_text("[10.9.0.7]\n")
            await until(lambda: server.addresses("db") == ["10.9.0.7"], 30)
            process.send_signal(signal.SIGINT)
            assert await process.wait() == 0

    test(scenario)


@pytest.mark.parametrize("options", [["--leader-elect"], ["--shards", "3", "--lease-name", "ours"]])
def test_a_replica_takes_the_services_by_leases_and_gives_them_free_at_its_end(
    options: list[str], tmp_path: Path
) -> None:
    async def scenario() -> None:
        server, source = shop(tmp_path)
        async with server.serving(tmp_path) as config:
            process = await asyncio.create_subprocess_exec(
                *EPCORE,
                *("controller", "--kubeconfig", config, *source, "--metrics-address", "none"),
                *(*options, "--lease-namespace", "bank"),
                stderr=asyncio.subprocess.DEVNULL,
            )
            await until(lambda: server.addresses("web") and server.addresses("db"), 30)
            names = {name for namespace, name in server.objects["leases"] if namespace == "bank"}
            group, buckets = ("ours", 3) if "--shards" in options else ("epcore", 1)
            assert {f"{group}-bucket-{number}" for number in range(buckets)} < names
            process.send_signal(signal.SIGTERM)
            assert await process.wait() == 0
            held = [lease for lease in server.objects["leases"].values() if "-bucket-" in lease["metadata"]["name"]]
            assert not [lease for lease in held if lease["spec"].get("holderIdentity")]

    test(scenario)


TROUBLE = {
    "no kubeconfig": (["controller", "--kubeconfig", "nowhere"], "kubeconfig: "),
    "no context": (["sync", "--kubeconfig", "kubeconfig", "--context", "other"], "kubeconfig: "),
    "no such source": (["controller", "--endpoints", "shop/db=nothing:x"], "--endpoints nothing:x: no kind of source"),
    "no such service": (["sync", "--endpoints", "db=db.yaml"], "--endpoints db=db.yaml: not NAMESPACE/SERVICE=SOURCE"),
    "two sources": (["controller", "--endpoints", "a/b=db.yaml", "--endpoints", "a/b=db.yaml"], "two sources for a/b"),
    "no address": (["controller", "--metrics-address", "here"], "--metrics-address here: not HOST:PORT"),
    "no label": (["controller", "--managed-by", "a b"], "managed_by: 'a b' cannot be the value of a label"),
    "too many workers": (["controller", "--concurrent-service-syncs", "51"], "51"),
    "a source that is no file": (
        ["sync", "--dir", ".", "--endpoints", "shop/db=dns:db.example.org"],
        "--endpoints shop/db=dns:db.example.org: with --dir endpoints come from files alone",
    ),
    "a source by its URL": (["sync", "--dir", ".", "--endpoints", "shop/db=file:///db.yaml"], "each named by its path"),
    "an interval of nothing": (["sync", "--dir", ".", "--interval", "3"], "--interval has no meaning without --watch"),
    "an endless interval": (["sync", "--dir", ".", "--watch", "--interval", "1e20"], 'Invalid value "1e+20" for'),
    "a folder's option": (["sync", "--family", "IPv6"], "--family has no meaning without --dir"),
    "a cluster's option": (["sync", "--dir", ".", "--mirror"], "--mirror has no meaning with --dir"),
    "a dry watch": (["sync", "--dry-run", "--watch"], "--dry-run has no meaning with --watch of a cluster"),
}


@pytest.mark.parametrize("case", TROUBLE)
def test_trouble_is_one_line_and_exit_code_2(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "db.yaml").write_text("[10.9.0.1]\n")
    contexts = {"clusters": [], "users": [], "contexts": [], "current-context": ""}
    (tmp_path / "kubeconfig").write_text(json.dumps({"apiVersion": "v1", "kind": "Config", **contexts}))
    arguments, complaint = TROUBLE[case]
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("epcore: ")
    assert complaint in captured.err
    assert captured.err.count("\n") == 1
    assert not captured.out


@pytest.mark.parametrize(
    "source", {"dns": "dns:db.example.org", "watchfiles": "db.yaml", "aiohttp": "https://x.org/db.json"}.items()
)
@pytest.mark.parametrize("form", ["--endpoints", "--config"])
def test_a_source_whose_library_is_missing_is_told_with_the_extra_that_brings_it(
    form: str, source: tuple[str, str], tmp_path: Path
) -> None:
    library, text = source
    config = tmp_path / "sources.yaml"
    config.write_text(json.dumps({"services": [{"service": "shop/db", "source": text}]}))
    given = {"--endpoints": f"shop/db={text}", "--config": str(config)}[form]
    script = f"import sys; sys.modules[{library!r}] = None; from epcore.cli import main; sys.exit(main(sys.argv[1:]))"
    done = subprocess.run(
        [sys.executable, "-c", script, "controller", form, given], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr == f"epcore: a cluster needs {library}: pip install '.[cli,controller]' from a checkout\n"


@pytest.mark.parametrize("form", ["console", "json"])
def test_a_fault_is_logged_without_what_variables_hold(form: Literal["console", "json"]) -> None:
    def breaks(token: str) -> None:
        raise ZeroDivisionError(len(token))

    root, told = logging.getLogger(), StringIO()
    before = [*root.handlers], root.level
    try:
        configure_logs(form, stream=told)
        try:
            breaks("secret")
        except ZeroDivisionError:
            logging.getLogger("epcore.controller").exception("a fault")
    finally:
        root.handlers[:] = before[0]
        root.setLevel(before[1])
        logging.getLogger("epcore").setLevel(logging.NOTSET)
    assert "ZeroDivisionError: 6" in told.getvalue()
    assert "'secret'" not in told.getvalue()
