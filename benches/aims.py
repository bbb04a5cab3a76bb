"""What the engine is meant to reach, as ratios in one run."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One line of the table: least seconds of ours and of each peer."""

    what: str
    size: int
    seconds: float
    peers: Mapping[str, float]


@dataclass(frozen=True)
class Aim:
    """At least so many times faster than a peer; or, without one, at most so many seconds."""

    text: str
    what: str
    peer: str | None
    bound: float
    size: int = 100_000

    def judge(self, row: Row) -> tuple[float, bool]:
        if self.peer is None:
            return row.seconds, row.seconds <= self.bound
        times = row.peers[self.peer] / row.seconds
        return times, times >= self.bound


ORJSON = "orjson, collector off"
AIMS = [
    Aim("JSON to a handle, 15 times as fast as `orjson.loads`", "read JSON", ORJSON, 15),
    Aim("and 40 times as fast as Go's decoder", "read JSON", "Go", 40),
    Aim("protobuf to a handle, 5 times as fast as Go's decoder", "read protobuf", "Go", 5),
    Aim(
        "pack handles without change, shuffled: 200 times Go's step",
        "pack handles without change (shuffled)",
        "Go",
        200,
    ),
    Aim("in order: 5,000 times", "pack handles without change (in order)", "Go", 5_000),
    Aim("JSON of Pods in, plan out: 40 times Go's decoder and sync", "reconcile from JSON", "Go", 40),
    Aim("JSON of endpoints in, writes out: 40 times Go", "pack JSON to writes (without change)", "Go", 40),
    Aim(
        "one change in 100,000 planned, from Python, by itself: 2 us",
        "plan changes by themselves (1 from JSON)",
        None,
        2e-6,
    ),
    Aim("in turns with Go, a hundred each: 2 us", "plan changes (1 from JSON)", None, 2e-6),
    Aim("and 100,000 times as fast as Go's sync", "plan changes (1 from JSON)", "Go", 100_000),
    Aim("a step of a view by itself, 5 times as fast as `orjson.loads` of it", "view step by itself", ORJSON, 5),
    Aim("in turns with kube-proxy, a hundred each: 5 times", "view step (bytes)", ORJSON, 5),
]
