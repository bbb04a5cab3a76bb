"""One controller under one load, measured by what a watcher of its slices gets and by what it costs itself."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from cluster.api import path
from cluster.contenders import contender
from cluster.control_plane import ControlPlane
from cluster.loads import LOADS, READY, Change, Fleet
from cluster.objects import new_namespace
from cluster.observer import Delays, Observer, Sent
from cluster.processes import Program, eventually


@dataclass
class Measured:
    """What a load cost with a controller."""

    sent: Sent
    delays: Delays
    cpu: float
    """Seconds of CPU of the controller."""
    memory: int
    """The most bytes it ever held."""
    slices: int
    """How many there were at last."""


@contextmanager
def at_work(control_plane: ControlPlane, name: str, **options: Any) -> Iterator[Program]:
    """Run a controller while the block lasts; ``options`` are those of ``contender``."""
    program = contender(control_plane, name, **options)
    program.start()
    try:
        yield program
    finally:
        program.stop()


def measure(control_plane: ControlPlane, program: Program, load: str, size: int, pause: float) -> Measured:
    """Let a load happen to a Service of its own, until a watcher knows all of it; everything is taken away then."""
    api = control_plane.admin
    namespace = new_namespace(api)
    fleet = Fleet(api, namespace, pause=pause)
    with Observer(api, namespace) as observer:
        fleet.prepare(size)
        settle(observer, fleet)
        fleet.changes[:] = [Change(0.0, pod, READY) for pod in fleet.pods]
        observer.sent = Sent()
        before = program.cpu_seconds()
        LOADS[load](fleet)
        settle(observer, fleet)
        cpu = program.cpu_seconds() - before
    delays = [observer.delay(one.pod, one.state, one.since) for one in fleet.last_changes() if one.since]
    slices = len(api.items("endpointslices", namespace))
    for resource in ("services", "pods", "endpointslices"):
        api.request("DELETE", path(resource, namespace), query={"gracePeriodSeconds": "0"})
    known = Delays([delay for delay in delays if delay is not None])
    return Measured(observer.sent, known, cpu, program.memory("VmHWM"), slices)


def settle(observer: Observer, fleet: Fleet) -> None:
    """Wait until the watcher knows all that happened."""
    eventually(lambda: observer.states() == fleet.expected(), "slices that say what is", patience=120.0, pause=0.1)
