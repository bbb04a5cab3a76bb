"""The benchmarks run, each with its answer checked, and every aim is measured by one of them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from upstream_peer import needs_upstream

ROOT = Path(__file__).parent.parent
BENCHES = ROOT / "benches"
AIMS = """
import sys
sys.path.insert(0, sys.argv[1])
import json
from aims import AIMS
json.dump([[aim.what, aim.peer, aim.text] for aim in AIMS], sys.stdout)
"""


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("benches") / "results.json"
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-c",
        str(BENCHES / "pytest.ini"),
        str(BENCHES),
        f"--benchmark-json={out}",
    ]
    # Where tests run in several processes, nothing would be timed.
    others = {name: value for name, value in os.environ.items() if name != "PYTEST_XDIST_WORKER"}
    environment = {**others, "EPCORE_BENCH": "quick"}
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)
    assert run.returncode == 0, run.stdout
    return out


@needs_upstream
def test_every_aim_is_measured_by_a_row(results: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    command = [sys.executable, str(BENCHES / "report.py"), str(results), str(tmp_path), str(page)]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    rows = [line.split(" | ") for line in page.read_text().splitlines()]
    aims = json.loads(
        subprocess.run([sys.executable, "-c", AIMS, str(BENCHES)], check=True, capture_output=True).stdout
    )
    assert aims
    for what, peer, text in aims:
        found = [row for row in rows if row[0] == f"| {what}"]
        assert found, text
        column = {"Go": 7, None: 2}.get(peer, 3)
        assert all(row[column].strip() for row in found), text
