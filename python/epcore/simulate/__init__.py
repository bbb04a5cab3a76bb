"""A laboratory: what each way of writing slices would cost under a load, before it is tried on a cluster.

A *load* is what endpoints do, from a :class:`Workload` with parameters and a seed or from a file. It is put through
*rows*, each a way of writing slices, by a clock that batches and waits as Kubernetes' controller does. The same
parameters and seed give the same figures, to the byte, wherever and on how many workers it runs.

>>> from epcore.simulate import Flapping, Plan, Row, Settings, study
>>> load = Flapping(pods=200, restless=10, seconds=120.0)
>>> found = study(Plan(sources=[load], rows=[Row(title="balanced")], settings=Settings(batch_period=5.0)))
>>> [outcome.row.title for outcome in found.outcomes][:2]
["Kubernetes' rule", "Kubernetes' rule, smaller max"]
"""

from epcore.simulate.advice import Advice, Choice, advise
from epcore.simulate.engine import Settings, Sync, run
from epcore.simulate.load import Change, Event, Load, LoadError, Telling, build_load
from epcore.simulate.outcome import Measures, Outcome, Point, compare
from epcore.simulate.tasks import Plan, Source, Study, Task, study, sweep
from epcore.simulate.trace import TraceFile, read_recording, read_trace, write_trace
from epcore.simulate.workload import Workload
from epcore.simulate.workloads import (
    WORKLOADS,
    Autoscaler,
    ClusterLoad,
    Flapping,
    HugeService,
    NodeDrain,
    NodeFailure,
    Replacement,
    RollingUpdate,
)
from epcore.simulate.writers import (
    BLIND,
    BOUND,
    BOUNDS,
    CONTROL,
    KUBERNETES,
    Row,
    Writer,
    Written,
    baselines,
    kubernetes,
)

__all__ = [
    "BLIND",
    "BOUND",
    "BOUNDS",
    "CONTROL",
    "KUBERNETES",
    "WORKLOADS",
    "Advice",
    "Autoscaler",
    "Change",
    "Choice",
    "ClusterLoad",
    "Event",
    "Flapping",
    "HugeService",
    "Load",
    "LoadError",
    "Measures",
    "NodeDrain",
    "NodeFailure",
    "Outcome",
    "Plan",
    "Point",
    "Replacement",
    "RollingUpdate",
    "Row",
    "Settings",
    "Source",
    "Study",
    "Sync",
    "Task",
    "Telling",
    "TraceFile",
    "Workload",
    "Writer",
    "Written",
    "advise",
    "baselines",
    "build_load",
    "compare",
    "kubernetes",
    "read_recording",
    "read_trace",
    "run",
    "study",
    "sweep",
    "write_trace",
]
