"""Instructions of the hot paths, counted: no path takes more of them than it did, on any machine and under any load."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from programs import needs, program

ROOT = Path(__file__).parent.parent
HOT_PATHS = ROOT / "target" / "release" / "examples" / "hot_paths"
COUNTS = ROOT / "tests" / "instructions.json"
"""Instructions of one turn of each path of ``rust/epcore/examples/hot_paths.rs``. ``make instructions`` writes them; a
new path is a new name with any number."""
TOLERANCE = 0.05
"""Another compiler and another seed of a hash may make so much of a difference."""
TURNS = (2, 12)
ON_CHANGES = [
    "a slice into a view",
    "a slice into a view that keeps removals back",
    "an event as JSON into a view",
    "one change of a packer",
    "one change told to a packer and planned",
    "pack slices that are known without change",
    "publish slices that are known without change",
]
"""Paths whose work is a change, or none, in a Service of many endpoints."""
GROWTH = 1.2
"""Lists and maps that double in size leave steps of so much."""

pytestmark = [
    needs("valgrind"),
    pytest.mark.skipif(not HOT_PATHS.exists(), reason="hot_paths is not built; `make test` builds it"),
]


def counted(path: str, endpoints: int, turns: int, out: Path) -> int:
    # As many bytes for few turns as for many: where the stack begins decides what hash tables are seeded with.
    turn = [str(HOT_PATHS), path, str(endpoints), f"{turns:02}"]
    command = [program("valgrind"), "--tool=callgrind", f"--callgrind-out-file={out}", *turn]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    summary = next(line for line in out.read_text().splitlines() if line.startswith(("summary:", "totals:")))
    return int(summary.split()[1])


def instructions(path: str, folder: Path, endpoints: int = 1_000) -> int:
    """What is the same in every run, as making the input, is not counted."""
    few, many = (counted(path, endpoints, turns, folder / f"callgrind.{turns}") for turns in TURNS)
    return (many - few) // (TURNS[1] - TURNS[0])


@pytest.mark.parametrize("path", json.loads(COUNTS.read_text()))
def test_a_hot_path_takes_no_more_instructions_than_it_did(path: str, tmp_path: Path) -> None:
    before = json.loads(COUNTS.read_text())[path]
    now = instructions(path, tmp_path)
    assert now <= before * (1 + TOLERANCE), f"{path}: {now:,} instructions instead of {before:,}"
    assert now >= before * 0.8, (
        f"{path}: only {now:,} instructions, {before:,} before: `make instructions` keeps the gain"
    )


@pytest.mark.parametrize("path", [path for path in json.loads(COUNTS.read_text()) if path not in ON_CHANGES])
def test_an_endpoint_takes_as_many_instructions_however_many_there_are(path: str, tmp_path: Path) -> None:
    few, many = (instructions(path, tmp_path, endpoints) for endpoints in (1_000, 10_000))
    assert many <= 10 * few * GROWTH, f"{few / 1_000:,.0f} instructions became {many / 10_000:,.0f}"


@pytest.mark.parametrize("path", ON_CHANGES)
def test_a_change_or_none_takes_as_many_instructions_however_many_endpoints_there_are(
    path: str, tmp_path: Path
) -> None:
    few, many = (instructions(path, tmp_path, endpoints) for endpoints in (1_000, 10_000))
    assert many <= few * GROWTH, f"{few:,} instructions became {many:,}"


def main() -> None:
    """Write what is counted now."""
    counts = {}
    with tempfile.TemporaryDirectory() as folder:
        for path, before in json.loads(COUNTS.read_text()).items():
            counts[path] = instructions(path, Path(folder))
            sys.stdout.write(f"{path}: {before:,} -> {counts[path]:,}\n")
    COUNTS.write_text(json.dumps(counts, indent=2) + "\n")


if __name__ == "__main__":
    main()
