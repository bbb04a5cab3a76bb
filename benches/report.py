"""Turn the results into the page of ratios: ``python benches/report.py results.json target/criterion page.md``."""

import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from aims import AIMS, Row

ROOT = Path(__file__).parent.parent

INTRODUCTION = """# Benchmarks

Made by `make bench`: ours and the peers in turns in one run on one machine, so that each finds the processor's caches
as another left them. Time is that of the processor, the least of some turns, since other work on a machine only adds to
it; for Go, whose collector works beside it, it is the lesser of that and of the clock. Each row checks its answer.

The peers: `orjson` and what a Python user would write with it (`benches/peer.py`), which checks nothing of its input,
with Python's garbage collector off and on; and Kubernetes' own library in Go (`tests/upstream`), by its own clock: the
decoders of `k8s.io/apimachinery`, one sync of `k8s.io/endpointslice`, its packing step alone (`reconcileByPortMapping`
and the set that it needs), and kube-proxy's cache of slices. epcore checks every field as the API server does.

Endpoints are numbered, so that addresses, names and UIDs rise, and all are ready; those that are `mixed` come in no
order, and some are not ready. Pods have 1,300 bytes; `whole Pods` have what an API server says of them too, 2,400. Each
change is of the same endpoint or slice as the one before, which finds it in the caches of the processor; one `anywhere`
does not, where there are many.
"""


def machine(info: dict[str, Any]) -> str:
    cpu = info.get("cpu", {})
    modules = dict(
        line.split()[:2] for line in (ROOT / "tests/upstream/go.mod").read_text().splitlines() if " v" in line
    )
    go = first_line("go", "version", str(ROOT / "tests/upstream/upstream")).rpartition(" ")[2]
    return (
        f"{cpu.get('brand_raw', 'unknown processor')}, {cpu.get('count', '?')} cores, {platform.system()}; load of the "
        f"last 15 minutes: {os.getloadavg()[2]:.1f}. CPython {platform.python_version()}, orjson {version('orjson')}, "
        f"{first_line('rustc', '--version').partition(' (')[0]}, {go or 'Go'} with "
        f"k8s.io/endpointslice {modules['k8s.io/endpointslice']}. The code is that of "
        f"{first_line('git', '-C', str(ROOT), 'rev-parse', '--short', 'HEAD') or version('epcore')}."
    )


def first_line(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[0]
    except (OSError, subprocess.CalledProcessError, IndexError):
        return ""


def rows_of(results: Iterable[Any]) -> list[Row]:
    rows = []
    for one in results:
        about = one["extra_info"]
        if "peers" in about and "endpoints" not in about:
            what = " ".join([about["row"], *([f"({about['case']})"] if "case" in about else [])])
            ours = one["stats"]["min"] / about["calls"]
            rows.append(Row(what, one["params"]["size"], ours, about["peers"]))
    return rows


def duration(seconds: float) -> str:
    for unit, scale in [("s", 1.0), ("ms", 1e-3), ("us", 1e-6)]:
        if seconds >= scale:
            return f"{seconds / scale:.{2 if seconds < 10 * scale else 1 if seconds < 100 * scale else 0}f} {unit}"
    return f"{seconds * 1e9:.0f} ns"


def ratio(value: float) -> str:
    return f"{value:.2f}" if value < 2 else f"{value:,.1f}" if value < 100 else f"{value:,.0f}"


def table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> list[str]:
    rule = ["---", *["---:"] * (len(head) - 1)]
    return ["", *(f"| {' | '.join(cells)} |" for cells in [head, rule, *lines])]


HANDLES = """At 100,000 endpoints. Handles keep what was asked of them once: a plan of handles that were planned
with before compares two numbers, where Go looks at each endpoint. What the first plan of new handles costs is a row of
its own below."""


def aims(rows: list[Row]) -> list[str]:
    by_name = {(row.what, row.size): row for row in rows}
    lines = []
    for aim in AIMS:
        row = by_name.get((aim.what, aim.size))
        if row is not None:
            measured, reached = aim.judge(row)
            shown = duration(measured) if aim.peer is None else ratio(measured)
            lines.append((aim.text, shown, "reached" if reached else "**not reached**"))
    return ["", "## The aims", "", HANDLES, *table(["aim", "measured", ""], lines)] if lines else []


@dataclass(frozen=True)
class Column:
    """One kind of peer in the table of all."""

    title: str
    peers: tuple[str, ...]

    def cells(self, row: Row) -> list[str]:
        found = [row.peers[name] for name in self.peers if name in row.peers]
        return [duration(found[0]), ratio(found[0] / row.seconds)] if found else ["", ""]


COLUMNS = [
    Column(
        "orjson + Python",
        ("orjson, collector off", "orjson + Python, collector off", "orjson.dumps, then from_json"),
    ),
    Column("collector on", ("orjson, collector on", "orjson + Python, collector on")),
    Column("Go", ("Go", "kube-proxy")),
]


def all_rows(rows: list[Row]) -> list[str]:
    head = ["what", "endpoints", "epcore", *(cell for column in COLUMNS for cell in (column.title, "ratio"))]
    order = [row.what for row in rows]
    lines = []
    for row in sorted(rows, key=lambda row: (order.index(row.what), row.size)):
        cells = [cell for column in COLUMNS for cell in column.cells(row)]
        lines.append([row.what, f"{row.size:,}", duration(row.seconds), *cells])
    return ["", "## From Python", "", "A ratio above 1: epcore is so many times faster.", *table(head, lines)]


def from_rust(folder: Path) -> list[str]:
    """Criterion leaves a folder for each row; the least of its samples."""
    times: dict[str, dict[int, float]] = {}
    for path in sorted(folder.glob("*/*/new/benchmark.json")):
        about = json.loads(path.read_text())
        sample = json.loads((path.parent / "sample.json").read_text())
        least = min(time / count for time, count in zip(sample["times"], sample["iters"], strict=True))
        times.setdefault(about["group_id"], {})[int(about["value_str"])] = least / 1e9
    if not times:
        return []
    sizes = sorted({size for found in times.values() for size in found})
    lines = [
        [what, *(duration(found[size]) if size in found else "" for size in sizes)] for what, found in times.items()
    ]
    head = ["what", *(f"{size:,} endpoints" for size in sizes)]
    return [
        "",
        "## From Rust",
        "",
        "By criterion (`rust/epcore/benches/`), each by itself: the least sample, in time of the processor.",
        *table(head, lines),
    ]


GROWTH = """
## Growth

Time for each endpoint, each work by itself; and that of one change or one slice, whatever the Service holds.
Instructions for each endpoint are flat (`tests/test_instructions.py` holds them to it); what grows here is the wait for
memory: the work of 1,000 endpoints fits the processor's caches, that of 100,000 does not, and tables of a million are
made on fresh pages. `read again` compares each byte of two documents, as `same bytes` does, which is Python's `==`
of the two and nothing else (`memcmp`): that grows as much. A `diff` looks at each byte that two handles keep of their
endpoints, and at what their slices say of themselves; `same lists` is Python's `==` of as many bytes in as many pieces,
which fit the caches at 1,000 endpoints and not at 100,000: that grows more, so that no diff of handles which have not
met before can be flat. Of changes `anywhere` each is of another endpoint or slice than the one before: what grows is
the wait for what is known of it."""


def growth(results: Iterable[Any]) -> list[str]:
    times: dict[str, dict[int, float]] = {}
    for one in results:
        about = one["extra_info"]
        if "endpoints" in about:
            each = one["stats"]["min"] / about["calls"] / about["endpoints"]
            times.setdefault(about["case"], {})[one["params"]["size"]] = each
    sizes = sorted({size for found in times.values() for size in found})
    lines = []
    for what, found in times.items():
        lines.append([what, *(duration(found[size]) for size in sizes), ratio(found[sizes[-1]] / found[sizes[0]])])
    return [GROWTH, *table(["what", *(f"{size:,}" for size in sizes), "last to first"], lines)] if lines else []


def memory(results: Iterable[Any]) -> list[str]:
    lines = []
    for one in results:
        weights = one["extra_info"].get("weights")
        if weights:
            lines.append(
                [f"{one['params']['size']:,}", *(f"{weights[who]:,.0f}" for who in ("epcore", "orjson", "Go"))]
            )
    head = ["endpoints", "`SliceSet`", "dicts by orjson", "Go objects"]
    text = [
        "",
        "## Memory",
        "",
        "Bytes for each endpoint of slices that were read, of 100,000 endpoints in as many handles as that takes;",
        "beside them a thread keeps what it remembers of the reading. Those of `View` and `Packer` are in the",
    ]
    return [*text, "[guide](guide.md#memory).", *table(head, lines)] if lines else []


def main(source: str, criterion: str, target: str) -> None:
    data = json.loads(Path(source).read_text())
    results, rows = data["benchmarks"], rows_of(data["benchmarks"])
    page = [INTRODUCTION, machine(data["machine_info"]), *aims(rows), *all_rows(rows), *from_rust(Path(criterion))]
    text = "\n".join([*page, *growth(results), *memory(results), ""])
    Path(target).write_text(text)
    sys.stdout.write(text)


if __name__ == "__main__":
    main(*sys.argv[1:4])
