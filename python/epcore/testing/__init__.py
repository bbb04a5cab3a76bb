"""For the tests of those who write slices: how the readers of this world see a sequence of writes.

kube-proxy, Istio, Cilium and Linkerd keep books about slices, each in its own way, and each goes wrong in its own way:
one loses an endpoint that moves, another one whose address changes hands. :func:`judge` runs the writes of a plan
through models of their books, event by event, and says who would lose what.

>>> import epcore
>>> from epcore.testing import judge
>>> slice = {"metadata": {"name": "web-1", "namespace": "shop", "labels": {"kubernetes.io/service-name": "web"}},
...          "addressType": "IPv4", "ports": [{"port": 80}], "endpoints": [{"addresses": ["10.0.0.1"]}]}
>>> judge(epcore.pack([{"addresses": ["10.0.0.1"]}, {"addresses": ["10.0.0.2"]}], [slice]))
[]
"""

from epcore.testing.judge import Trouble, TroubleKind, judge, judge_events
from epcore.testing.readers import (
    READERS,
    Entry,
    FirstWins,
    FlatSet,
    Key,
    Reader,
    SliceState,
    SliceUnion,
    Windowed,
)

__all__ = [
    "READERS",
    "Entry",
    "FirstWins",
    "FlatSet",
    "Key",
    "Reader",
    "SliceState",
    "SliceUnion",
    "Trouble",
    "TroubleKind",
    "Windowed",
    "judge",
    "judge_events",
]
