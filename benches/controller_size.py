"""What a controller costs: CPU for each event and memory, by how many Services there are that nothing happens to.

The API server is the one of the tests, in this process; the controller is the program, in another one, and its CPU is
what the system counts for it. Prints a table; the figures in ``docs/controller.md`` are from here.
"""

import argparse
import asyncio
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from controller_world import pod, service, until
from fake_cluster import FakeCluster, Json

TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Size:
    """One measurement."""

    services: int
    endpoints: int
    start_seconds: float
    """CPU until all slices are there."""
    event_seconds: float
    """CPU for one event: a Pod that changes its readiness, and the write that follows."""
    memory: int
    """Bytes, at the end."""


def made(services: int, endpoints: int) -> FakeCluster:
    server = FakeCluster()
    server.put("nodes", {"metadata": {"name": "n1", "labels": {"topology.kubernetes.io/zone": "a"}}})
    for number in range(services):
        server.put("services", service(f"web-{number}"))
        for place in range(endpoints):
            server.put("pods", numbered(number, place, endpoints))
    for history in server.history.values():
        history.clear()
    return server


def numbered(number: int, place: int, endpoints: int, *, ready: bool = True) -> Json:
    item = pod(f"web-{number}", place, ready=ready)
    place += number * endpoints
    address = f"10.{place >> 16}.{place >> 8 & 255}.{place & 255}"
    item["status"] |= {"podIP": address, "podIPs": [{"ip": address}]}
    # As large as Pods are: what nobody reads is sent all the same.
    item["metadata"]["managedFields"] = [{"manager": "kubelet", "fieldsV1": {f"f:{key}": {} for key in range(60)}}]
    return item


def cpu_of(process: int) -> float:
    parts = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(parts[11]) + int(parts[12])) / TICKS


def memory_of(process: int) -> int:
    line = next(line for line in Path(f"/proc/{process}/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) * 1024


async def measured(services: int, endpoints: int, events: int) -> Size:
    server = made(services, endpoints)
    with tempfile.TemporaryDirectory() as folder:
        async with server.serving(Path(folder)) as config:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "epcore", "controller", "--kubeconfig", config),
                *("--kube-api-qps", "100000", "--kube-api-burst", "100000", "--concurrent-service-syncs", "50"),
                *("--metrics-address", "none", "--log-level", "error"),
            )
            try:
                size = await looked_at(server, process.pid, services, endpoints, events)
            finally:
                process.terminate()
                await process.wait()
    return size


async def looked_at(server: FakeCluster, process: int, services: int, endpoints: int, events: int) -> Size:
    """Measure a controller from its start."""
    slices = services * -(-endpoints // 100)
    await until(lambda: len(server.objects["endpointslices"]) == slices, 120)
    await asyncio.sleep(1.0)
    start = cpu_of(process)
    for number in range(events):
        turn, place = divmod(number // services, endpoints)
        before = len(server.history["endpointslices"])
        server.put("pods", numbered(number % services, place, endpoints, ready=turn % 2 == 1))
        await until(lambda before=before: len(server.history["endpointslices"]) > before, 60)  # type: ignore[misc]
    return Size(services, endpoints, start, (cpu_of(process) - start) / events, memory_of(process))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=500)
    parser.add_argument("sizes", nargs="*", default=["1x20", "100x20", "1000x20", "1x20000"])
    given = parser.parse_args()
    sys.stdout.write("| Services | endpoints of each | CPU to start | CPU for an event | memory |\n")
    sys.stdout.write("| --: | --: | --: | --: | --: |\n")
    for text in given.sizes:
        services, endpoints = map(int, text.split("x"))
        size = asyncio.run(measured(services, endpoints, given.events))
        sys.stdout.write(
            f"| {size.services:,} | {size.endpoints:,} | {size.start_seconds:.1f} s "
            f"| {size.event_seconds * 1000:.2f} ms | {size.memory / 1e6:.0f} MB |\n"
        )
        sys.stdout.flush()


if __name__ == "__main__":
    main()
