"""Compares epcore's controller with Kubernetes' own on a real API server: `make compare` writes the page it names.

Every figure comes from one run on one machine, on which etcd, the API server, the load and the watcher run too. Each
controller has the control plane for itself, with the options that it has by default.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

TESTS = Path(__file__).parent.parent
sys.path.insert(0, str(TESTS))

import epcore  # noqa: E402 - after the path is set
from cluster.comparison import Measured, at_work, measure  # noqa: E402
from cluster.contenders import KUBERNETES  # noqa: E402
from cluster.control_plane import ControlPlane  # noqa: E402
from cluster.crowd import Crowd  # noqa: E402
from cluster.loads import LOADS  # noqa: E402
from cluster.objects import new_namespace  # noqa: E402
from cluster.processes import Program  # noqa: E402

CONTENDERS = [KUBERNETES, "upstream", "balanced", "lifecycle"]
SIZED = [KUBERNETES, "balanced"]
ETCD = "go.etcd.io/etcd/server/v3"
PAGE = Path(__file__).with_suffix(".md")


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Format a table; the first two columns are words."""
    rule = ["---", "---", *["---:"] * (len(head) - 2)] if len(head) > 2 else ["---", "---:"]
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, rule, *rows))


def machine() -> str:
    """Tell on what, and of what versions."""
    model = next((line for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line), ": unknown")
    # The programs do not know their version, as they were built without Kubernetes' own scripts.
    required = (TESTS / "cluster" / "programs" / "go.mod").read_text().split()
    names = [required[required.index(name, required.index("require")) + 1] for name in ("k8s.io/kubernetes", ETCD)]
    load = os.getloadavg()[0]
    return (
        f"{os.cpu_count()} cores, {model.rpartition(': ')[2]}; Kubernetes {names[0]}, etcd {names[1]}, "
        f"epcore {epcore.__version__}, CPython {platform.python_version()}; load average before the run {load:.1f}."
    )


def loads(control_plane: ControlPlane, size: int, pause: float) -> Iterator[tuple[str, str, Measured]]:
    """Measure each load with each controller."""
    for name in CONTENDERS:
        with at_work(control_plane, name) as running:
            for load in LOADS:
                yield load, name, measure(control_plane, running, load, size, pause)


def row_of(load: str, name: str, measured: Measured) -> list[str]:
    """Write down one measurement."""
    sent, delays = measured.sent, measured.delays
    figures = [
        f"{sent.events}",
        f"{sent.bytes / 1000:.0f}",
        f"{sent.protobuf / 1000:.0f}",
        f"{delays.quantile(0.5) * 1000:.0f}",
        f"{delays.quantile(0.99) * 1000:.0f}",
        f"{measured.cpu:.2f} s",
        f"{measured.memory / 1e6:.0f} MB",
        f"{measured.slices}",
    ]
    return [load, _called(name), *figures]


def sizes(control_plane: ControlPlane, services: int, each: int, turns: int) -> Iterator[list[str]]:
    """Measure each controller with many Services and with one of all their Pods."""
    api = control_plane.admin
    crowd = Crowd(api, new_namespace(api), each)
    crowd.prepare(services)
    few = services // 10
    steps: list[tuple[str, Callable[[], None]]] = [
        (f"{few:,} Services of {each}", lambda: crowd.open(0, few)),
        (f"{services:,} Services of {each}", lambda: crowd.open(few, services)),
        (f"one Service of {services * each:,}", crowd.open_large),
    ]
    for name in SIZED:
        with at_work(control_plane, name) as running:
            time.sleep(5.0)
            for what, step in steps:
                if step == crowd.open_large:
                    crowd.close()
                yield [what, _called(name), *_sized(crowd, running, step, turns)]
            crowd.close()


def _sized(crowd: Crowd, running: Program, step: Callable[[], None], turns: int) -> list[str]:
    began, before = time.monotonic(), running.cpu_seconds()
    step()
    crowd.wait()
    took, cpu = time.monotonic() - began, running.cpu_seconds() - before
    change = crowd.cost_of_change(running, turns)
    return [f"{took:.0f}", f"{cpu:.1f} s", f"{change * 1000:.1f} ms", f"{running.memory('VmHWM') / 1e6:.0f} MB"]


def faults() -> Iterator[list[str]]:
    """Run the tests of faults, which write down how long it took."""
    with tempfile.NamedTemporaryFile() as file:
        command = [sys.executable, "-m", "pytest", "-q", str(TESTS / "cluster" / "test_faults.py")]
        subprocess.run(command, check=True, env={**os.environ, "EPCORE_RECOVERY": file.name}, stdout=sys.stderr)
        for line in Path(file.name).read_text().splitlines():
            told = json.loads(line)
            yield [told["fault"], f"{told['seconds']:.1f}"]


def _called(name: str) -> str:
    return name if name == KUBERNETES else f"epcore `{name}`"


def main() -> None:
    """Measure, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("page", type=Path)
    parser.add_argument("--size", type=int, default=400, help="Pods of the Service under load")
    parser.add_argument("--pause", type=float, default=0.3, help="seconds between two waves of a load")
    parser.add_argument("--services", type=int, default=1000)
    parser.add_argument("--each", type=int, default=20, help="Pods of each of them")
    parser.add_argument("--turns", type=int, default=100, help="changes of a Pod that are measured")
    given = parser.parse_args()
    about = machine()
    with tempfile.TemporaryDirectory() as folder, ControlPlane(Path(folder)) as control_plane:
        measured = []
        for load, name, found in loads(control_plane, given.size, given.pause):
            sys.stderr.write(" | ".join(row_of(load, name, found)) + "\n")
            measured.append((load, name, found))
    rows = [row_of(*one) for load in LOADS for one in measured if one[0] == load]
    with tempfile.TemporaryDirectory() as folder, ControlPlane(Path(folder)) as control_plane:
        sized = []
        for row in sizes(control_plane, given.services, given.each, given.turns):
            sys.stderr.write(" | ".join(row) + "\n")
            sized.append(row)
    moved = sum(found.sent.moved for _, _, found in measured)
    page = PAGE.read_text().format(
        machine=about,
        size=given.size,
        moved=f"Endpoints that take traffic and were moved to another slice: {moved}.",
        loads=table(
            ["load", "controller", "writes", "KB", "protobuf KB", "median", "p99", "CPU", "memory", "slices at last"],
            rows,
        ),
        pods=given.services * given.each,
        sizes=table(["what", "controller", "until right", "CPU", "a change", "most memory"], sorted(sized, key=_order)),
        faults=table(["fault", "seconds"], faults()),
    )
    given.page.write_text(page)


def _order(row: Sequence[str]) -> tuple[bool, bool, str]:
    return "one " in row[0], "," in row[0], row[0]


if __name__ == "__main__":
    main()
