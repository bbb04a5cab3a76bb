"""`epcore simulate`: what it prints and draws is what the simulation came to."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args
from xml.etree import ElementTree as ET

import pytest
import yaml

from epcore import Policy
from epcore.cli import drawing, main
from epcore.cli.page import front
from epcore.simulate import (
    BLIND,
    BOUND,
    CONTROL,
    KUBERNETES,
    WORKLOADS,
    Flapping,
    Plan,
    Row,
    Settings,
    study,
    write_trace,
)
from epcore.types import PolicyName

FLAPPING = ["flapping", "--set", "pods=40", "--set", "restless=10", "--set", "seconds=60"]
TITLES = [KUBERNETES, CONTROL, "first-fit", "sort-and-chunk", "one Endpoints object", BOUND, BLIND]


def out_of(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    code = main(arguments)
    captured = capsys.readouterr()
    assert (code, captured.err) == (0, "")
    return captured.out


@pytest.mark.parametrize("form", ["json", "yaml"])
def test_it_prints_for_programs_what_the_simulation_came_to(capsys: pytest.CaptureFixture[str], form: str) -> None:
    options = ["--max-endpoints", "10", "--policy", "lean", "--policy", "0.5", "--seed", "5", "--seeds", "2"]
    options += ["--batch-period", "2", "--copies", "2", "--watchers", "7", "-o", form]
    out = out_of(["simulate", *FLAPPING, *options], capsys)
    rows = [
        Row(title="epcore lean", policy="lean", max_endpoints=10),
        Row(title="epcore 0.5", policy=Policy(threshold=0.5), max_endpoints=10),
    ]
    load = Flapping(pods=40, restless=10, seconds=60.0)
    plan = Plan(sources=[load], rows=rows, settings=Settings(batch_period=2.0), seeds=(5, 6), copies=2)
    told = json.loads(out) if form == "json" else yaml.safe_load(out)
    assert told == study(plan, 10, watchers=7).to_dict()
    assert [one["seed"] for one in told["loads"]] == [5, 6]
    row = told["loads"][0]["rows"][0]
    assert row["bytes_to_all"] == 7 * row["bytes"] > 0


def test_a_rate_limit_reaches_the_clock(capsys: pytest.CaptureFixture[str]) -> None:
    def delay(*options: str) -> float:
        told = json.loads(out_of(["simulate", *FLAPPING, *options, "-o", "json"], capsys))
        found: float = told["loads"][0]["rows"][0]["delay_most"]
        return found

    assert delay() <= 1.0
    assert delay("--qps", "0.1", "--burst", "1") > 5.0
    assert 1.5 <= delay("--latency", "0.7") <= 10


def test_the_table_has_a_row_for_each_writer_and_the_mean_of_the_seeds(capsys: pytest.CaptureFixture[str]) -> None:
    out = out_of(["simulate", *FLAPPING, "--seeds", "2"], capsys)
    assert "flapping, mean of 2 seeds" in out
    assert "geometric mean over 2 loads and seeds" in out
    for title in [*TITLES, "epcore balanced", "epcore dense", "epcore lean"]:
        assert len(re.findall(rf"^{re.escape(title)}  +1?,?[01]0+ ", out, re.MULTILINE)) == 1
        assert len(re.findall(rf"^{re.escape(title)}  +\d\.\d\d\d ", out, re.MULTILINE)) == 1
    told = json.loads(out_of(["simulate", *FLAPPING, "--seeds", "2", "-o", "json"], capsys))
    writes = [one["rows"][0]["writes"] for one in told["loads"]]
    assert re.search(rf"^Kubernetes' rule +100 +{round(sum(writes) / 2)} ", out, re.MULTILINE)


def test_several_watchers_have_a_column_of_their_own(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    out = out_of(["simulate", *FLAPPING, "--watchers", "700"], capsys)
    told = json.loads(out_of(["simulate", *FLAPPING, "--watchers", "700", "-o", "json"], capsys))
    assert "700 watchers" in out
    assert all(f" {row['bytes'] * 700:,}\n" in out for row in told["loads"][0]["rows"])
    assert "700 watchers" in page(tmp_path, capsys, *FLAPPING, "--watchers", "700")
    assert "watchers" not in out_of(["simulate", *FLAPPING], capsys)


def test_a_trace_is_simulated_as_the_workload_it_was_made_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "trace.csv"
    path.write_text("\n".join(write_trace(Flapping(pods=40, restless=10, seconds=60.0).events(1))), encoding="utf-8")
    by_file = json.loads(out_of(["simulate", str(path), "-o", "json"], capsys))
    by_name = json.loads(out_of(["simulate", *FLAPPING, "-o", "json"], capsys))
    # Of a file nobody knows what its past tells, so the bound that depends on it is lower.
    (file_rows, file_bound), (rows, bound) = (apart(told["loads"][0]["rows"]) for told in (by_file, by_name))
    assert file_rows == rows
    assert file_bound["endpoints_resent"] <= bound["endpoints_resent"]


def apart(rows: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    (bound,) = (row for row in rows if row["row"] == BLIND)
    return [row for row in rows if row != bound], bound


def page(tmp_path: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    path = tmp_path / "report.html"
    out_of(["simulate", *arguments, "--html", str(path)], capsys)
    return path.read_text(encoding="utf-8")


def test_the_report_is_one_small_file_that_needs_nothing_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = page(tmp_path, capsys, *FLAPPING, "--seeds", "2")
    assert len(text) < 150_000
    assert not re.search(r"https?:|src=|href=|@import|url\(", text)
    assert "prefers-color-scheme: dark" in text
    assert text == page(tmp_path, capsys, *FLAPPING, "--seeds", "2")


def test_each_plot_is_sound_and_shows_every_row(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = page(tmp_path, capsys, *FLAPPING)
    plots = [ET.fromstring(found) for found in re.findall(r'<svg class="plot".*?</svg>', text, re.DOTALL)]  # noqa: S314
    assert [plot.get("aria-label") for plot in plots] == [
        "writes, bytes to one watcher",
        "writes so far",
        "bytes so far",
        "slices",
        "fill",
    ]
    rows = len(TITLES) + len(get_args(PolicyName)) - 1
    assert len(plots[0].findall("circle")) == rows
    lines = [len(plot.findall("path[@class='row']")) for plot in plots[1:]]
    assert lines == [rows, rows, rows, rows - 1]  # one Endpoints object has no slices to fill


def places(path: str) -> list[tuple[str, float]]:
    return [(letter, float(number)) for letter, number in re.findall(r"([HV])(-?[\d.]+)", path)]


def test_a_line_steps_where_the_value_does() -> None:
    mark = drawing.Mark("mine", "#123456")
    plot = ET.fromstring(drawing.steps("n", [(mark, [0, 0, 5, None, 10])], [0.0, 1.0, 2.0, 3.0, 4.0]))  # noqa: S314
    (path,) = plot.findall("path[@class='row']")
    drawn = path.get("d", "")
    assert drawn.count("M") == 2
    (across, x), (up, y) = places(drawn)
    assert (across, up) == ("H", "V")
    assert x == pytest.approx((62 + drawing.WIDTH - 14) / 2)
    assert y == pytest.approx((12 + drawing.HEIGHT - 38) / 2)


def test_the_front_joins_those_that_no_other_beats(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    marks = {name: drawing.Mark(name, "#000") for name in "abcd"}
    points: list[Any] = [(marks["a"], 1, 9), (marks["b"], 5, 5), (marks["c"], 6, 6), (marks["d"], 9, 1)]
    assert [mark.title for mark in front(points)] == ["a", "b", "d"]
    assert 'class="front"' in page(tmp_path, capsys, "flapping", "--set", "seconds=90")


TROUBLE: dict[str, tuple[list[str], str]] = {
    "an unknown load": (["bogus"], "bogus: neither a file nor one of rolling-update, node-drain"),
    "an unknown parameter": (["flapping", "--set", "bogus=1"], "--set bogus: no load that was asked for has this"),
    "no parameter": (["flapping", "--set", "pods"], "--set pods: not NAME=VALUE"),
    "no number": (["flapping", "--set", "pods=many"], "--set pods=many: not a number as 500 is"),
    "a fraction of a pod": (["flapping", "--set", "pods=1.5"], "--set pods=1.5: not a number as 500 is"),
    "a negative number": (["flapping", "--set", "pods=-1"], "pods must be"),
    "an endless wait": (["flapping", "--set", "up=inf"], "up must be"),
    "endless Pods": (["rolling-update", "--set", f"pods={10**20}"], "pods must be"),
    "no address for each": (["flapping", "--set", "pods=31000"], "flapping has 31,000 Pods, and 30 nodes have"),
    "more Pods than can be held": (["flapping", "--set", "nodes=99999", "--set", "pods=17000000"], "about 1.7e+07"),
    "endless swings": (["autoscaler", "--set", "swings=999999"], "--set: autoscaler with these parameters would be"),
    "endless looks": (["autoscaler", "--set", "interval=1e-5"], "about 2.4e+08 changes, more than 10,000,000"),
    "endless turns": (["flapping", "--set", "up=1e-6", "--set", "down=1e-6"], "--set: flapping with these parameters"),
    "endless steps": (["huge-service", "--set", "steps=1e12"], "--set: huge-service with these parameters"),
    "endless copies": (["flapping", "--copies", str(10**20)], "--copies"),
    "endless seeds": (["flapping", "--seeds", str(10**20)], "--seeds"),
    "endless loads": (["flapping", "--seeds", "99999", "--copies", "2"], "199,998 loads, with all seeds and copies"),
    "endless jobs": (["flapping", "--jobs", str(10**20)], "--jobs"),
    "no period": (["flapping", "--batch-period", "-1"], "--batch-period"),
    "no rate": (["flapping", "--qps", "0"], "--qps"),
    "no seeds": (["flapping", "--seeds", "0"], "--seeds"),
    "an unknown policy": (["flapping", "--policy", "bogus"], "--policy bogus: "),
    "a bad trace": (["bad.csv"], "bad.csv: line 2 knows no event 'born'"),
    "stdin": (["flapping", "-"], "stdin (-) can be read once only"),
    "no scheduler": (["flapping", "--dask", "tcp://127.0.0.1:1"], "--dask tcp://127.0.0.1:1: no scheduler answers"),
}


@pytest.mark.parametrize("case", TROUBLE)
def test_trouble_is_one_clear_line_and_exit_code_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], case: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("bad.csv").write_text("0,web,a,add\n1,web,b,born\n", encoding="utf-8")
    arguments, complaint = TROUBLE[case]
    assert main(["simulate", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("epcore: ")
    assert complaint in captured.err
    assert captured.err.count("\n") == 1
    assert not captured.out


def test_a_report_that_cannot_be_written_is_told_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("epcore.simulate.study", lambda *_: pytest.fail("worked for nothing"))
    for place in (tmp_path, tmp_path / "no" / "page.html"):
        assert main(["simulate", *FLAPPING, "--html", str(place)]) == 2
        assert capsys.readouterr().err.startswith(f"epcore: {place}: ")


def test_a_report_that_does_not_fit_is_told_with_its_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", *FLAPPING, "--html", "/dev/full"]) == 2
    assert capsys.readouterr().err == "epcore: /dev/full: No space left on device\n"


@pytest.mark.parametrize(("address", "why"), [("foo", "missing port"), ("x://a:1", "unknown address scheme")])
def test_what_is_no_address_of_a_scheduler_is_one_line_and_nothing_comes_after_it(address: str, why: str) -> None:
    command = [sys.executable, "-m", "epcore", "simulate", "flapping", "--dask", address]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert done.stderr.startswith(f"epcore: --dask {address}: no scheduler answers ({why}")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("name", WORKLOADS)
def test_help_names_every_workload(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    out = " ".join(out_of(["simulate", "--help"], capsys).split())
    assert name in out
    assert "epcore simulate rolling-update" in out
