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

pytestmark = [
    needs("valgrind"),
    pytest.mark.skipif(not HOT_PATHS.exists(), reason="hot_paths is not built; `make test` builds it"),
]


def counted(path: str, turns: int, out: Path) -> int:
    command = [program("valgrind"), "--tool=callgrind", f"--callgrind-out-file={out}", str(HOT_PATHS), path, str(turns)]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    summary = next(line for line in out.read_text().splitlines() if line.startswith(("summary:", "totals:")))
    return int(summary.split()[1])


def instructions(path: str, folder: Path) -> int:
    """What is the same in every run, as making the input, is not counted."""
    few, many = (counted(path, turns, folder / f"callgrind.{turns}") for turns in TURNS)
    return (many - few) // (TURNS[1] - TURNS[0])


@pytest.mark.parametrize("path", json.loads(COUNTS.read_text()))
def test_a_hot_path_takes_no_more_instructions_than_it_did(path: str, tmp_path: Path) -> None:
    before = json.loads(COUNTS.read_text())[path]
    now = instructions(path, tmp_path)
    assert now <= before * (1 + TOLERANCE), f"{path}: {now:,} instructions instead of {before:,}"
    assert now >= before * 0.8, (
        f"{path}: only {now:,} instructions, {before:,} before: `make instructions` keeps the gain"
    )


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
