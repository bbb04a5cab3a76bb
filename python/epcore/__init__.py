"""epcore: pack endpoints into EndpointSlices with the least churn, and tell readers what changed.

The engine is native; this package names its parts. See :func:`pack`, :func:`reconcile` and :func:`diff` first.
"""

from collections.abc import Sequence

from epcore._epcore import (
    Assignment,
    Batch,
    Change,
    Compaction,
    Delta,
    Endpoint,
    EndpointSet,
    EndpointSlice,
    Finding,
    Move,
    Plan,
    Policy,
    ServiceIndex,
    SliceSet,
    SliceTracker,
    Stats,
    Transition,
    TriggerTimes,
    Write,
    __version__,
    assign,
    cohort_of,
    diff,
    lint,
    pack,
    publish,
    reconcile,
)
from epcore.errors import EpcoreError, InvalidInputError, LimitError

__all__ = [
    "Assignment",
    "Batch",
    "Change",
    "Compaction",
    "Delta",
    "Endpoint",
    "EndpointSet",
    "EndpointSlice",
    "EpcoreError",
    "Finding",
    "InvalidInputError",
    "LimitError",
    "Move",
    "Plan",
    "Policy",
    "ServiceIndex",
    "SliceSet",
    "SliceTracker",
    "Stats",
    "Transition",
    "TriggerTimes",
    "Write",
    "__version__",
    "assign",
    "cohort_of",
    "diff",
    "lint",
    "pack",
    "publish",
    "reconcile",
]

Sequence.register(SliceSet)
Sequence.register(EndpointSet)
