"""Turn the results of pytest-benchmark into a table: ``python benches/report.py results.json docs/benchmarks.md``."""

import json
import platform
import sys
from pathlib import Path
from typing import Any

FORMS = ["bytes", "mappings", "handles"]

INTRODUCTION = """# Benchmarks

Made by `make bench`: medians of pytest-benchmark, both sides in one run on one machine. The peer is what a Python
user would write: `orjson` and dicts, from the same input to the same written bodies (`benches/peer.py`).
It checks nothing of its input; epcore checks every field as the API server does. Handles stand beside the peer's work
on parsed mappings.
"""

HEAD = [
    "| what | endpoints | input | orjson + Python, ms | epcore, ms | ratio |",
    "| --- | ---: | --- | ---: | ---: | ---: |",
]


def milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:,.3f}" if seconds < 0.01 else f"{seconds * 1000:,.1f}"


def table(results: list[Any]) -> list[str]:
    """One line for each group and form: the peer, epcore, and how many times faster."""
    median = {(one["group"], one["name"].partition("[")[0]): one["stats"]["median"] for one in results}
    lines = []
    for group in dict.fromkeys(group for group, _ in median):
        what, _, size = group.rpartition(" ")
        # A handle has no peer of its own: beside it stands the work on mappings, which is already parsed, too.
        peers = {form: f"bench_peer_from_{'bytes' if form == 'bytes' else 'mappings'}" for form in FORMS}
        pairs = [("", f"bench_peer_{what}", f"bench_epcore_{what}")]
        pairs += [(form, peer, f"bench_epcore_from_{form}") for form, peer in peers.items()]
        for form, peer, ours in pairs:
            if (group, ours) in median and (group, peer) in median:
                slow, fast = median[group, peer], median[group, ours]
                cells = [what, size, form, milliseconds(slow), milliseconds(fast), f"{slow / fast:,.1f}"]
                lines.append(f"| {' | '.join(cells)} |")
    return lines


LIBRARY = [
    "",
    "## Beside Kubernetes' own library",
    "",
    "One sync of a Service that needs no write: `k8s.io/endpointslice` 0.37 (Go) from JSON by `encoding/json` and from",
    "objects that are decoded already, beside `epcore.reconcile` from the same JSON. All look at every Pod and slice.",
    "",
    "| Pods | Go from JSON, ms | Go from objects, ms | epcore from JSON, ms | ratio | to objects |",
    "| ---: | ---: | ---: | ---: | ---: | ---: |",
]


def library_table(results: list[Any]) -> list[str]:
    """One line for each number of Pods."""
    median = {(one["group"], one["name"].partition("[")[0]): one["stats"]["median"] for one in results}
    lines = []
    for group in dict.fromkeys(group for group, _ in median if group.startswith("reconcile")):
        names = ["bench_library_from_json", "bench_library_from_objects", "bench_epcore_reconcile"]
        times = [median[group, name] for name in names]
        ratios = [f"{time / times[2]:,.1f}" for time in times[:2]]
        lines.append(f"| {' | '.join([group.rpartition(' ')[2], *map(milliseconds, times), *ratios])} |")
    return [*LIBRARY, *lines] if lines else []


CHANGE = [
    "",
    "## One changed Pod",
    "",
    "`Packer`: from the event, as JSON, to the plan of one write, from Python. The Go library looks at every Pod and",
    "slice at each sync, from objects that are decoded already; here it does not even have a write to make.",
    "",
    "| Pods of the Service | Go, ms | epcore, ms | ratio |",
    "| ---: | ---: | ---: | ---: |",
]


def change_table(results: list[Any]) -> list[str]:
    """One line for each number of Pods."""
    median = {(one["group"], one["name"].partition("[")[0]): one["stats"]["median"] for one in results}
    lines = []
    for group in dict.fromkeys(group for group, _ in median if group.startswith("change ")):
        go, ours = (median[group, f"bench_{who}_change"] for who in ("library", "epcore"))
        cells = [group.rpartition(" ")[2], milliseconds(go), f"{ours * 1000:,.4f}", f"{go / ours:,.0f}"]
        lines.append(f"| {' | '.join(cells)} |")
    return [*CHANGE, *lines] if lines else []


READ = [
    "",
    "## Beside a client of the API",
    "",
    "Slices from JSON by Go's `encoding/json` into the types of `k8s.io/api` 0.37, and by `SliceSet.from_json`, which",
    "checks every field too; `SliceSet.refresh` where nothing changed.",
    "",
    "| endpoints | Go, ms | orjson, ms | epcore, ms | ratio to Go | to orjson | refresh, ms |",
    "| ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
]


def read_table(results: list[Any]) -> list[str]:
    """One line for each number of endpoints."""
    median = {(one["group"], one["name"].partition("[")[0]): one["stats"]["median"] for one in results}
    lines = []
    for group in dict.fromkeys(group for group, _ in median if group.startswith("read ")):
        size = group.rpartition(" ")[2]
        go, dicts, ours = (median[group, f"bench_{who}_read"] for who in ("library", "peer", "epcore"))
        again = median[f"refresh {size}", "bench_epcore_refresh"]
        ratios = [f"{time / ours:,.1f}" for time in (go, dicts)]
        lines.append(f"| {' | '.join([size, *map(milliseconds, (go, dicts, ours)), *ratios, milliseconds(again)])} |")
    return [*READ, *lines] if lines else []


PROXY = [
    "",
    "## Beside kube-proxy",
    "",
    "One changed endpoint: its slice of 100 folded into what is known of its Service. kube-proxy 1.37 (Go) begins with",
    "the decoded slice and ends with its new list of endpoints (`pkg/proxy`); `View.apply` ends with what changed.",
    "",
    "| endpoints of the Service | input | kube-proxy, ms | epcore, ms | ratio |",
    "| ---: | --- | ---: | ---: | ---: |",
]


def proxy_table(results: list[Any]) -> list[str]:
    """One line for each size and form."""
    lines = []
    for one in results:
        if one["group"].startswith("fold"):
            slow, fast = one["extra_info"]["kube_proxy"], one["stats"]["median"]
            size, form = one["group"].rpartition(" ")[2], one["extra_info"]["form"]
            cells = [size, form, milliseconds(slow), milliseconds(fast), f"{slow / fast:,.0f}"]
            lines.append(f"| {' | '.join(cells)} |")
    return [*PROXY, *lines] if lines else []


def main(source: str, target: str) -> None:
    data = json.loads(Path(source).read_text())
    cpu = data["machine_info"].get("cpu", {})
    machine = f"{cpu.get('brand_raw', 'unknown processor')}, {cpu.get('count', '?')} cores"
    versions = f"CPython {platform.python_version()}; {platform.system()}."
    text = [
        INTRODUCTION,
        f"{machine}; {versions}",
        "",
        *HEAD,
        *table(data["benchmarks"]),
        *read_table(data["benchmarks"]),
        *library_table(data["benchmarks"]),
        *change_table(data["benchmarks"]),
        *proxy_table(data["benchmarks"]),
        "",
    ]
    Path(target).write_text("\n".join(text))


if __name__ == "__main__":
    main(*sys.argv[1:3])
