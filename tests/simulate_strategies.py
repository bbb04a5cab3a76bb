"""Random events of a few Services, and workloads small enough to look at closely."""

from hypothesis import strategies as st

from epcore.simulate import (
    Autoscaler,
    ClusterLoad,
    Event,
    Flapping,
    HugeService,
    NodeDrain,
    NodeFailure,
    Replacement,
    RollingUpdate,
    Workload,
)
from epcore.simulate.load import EventName

SMALL: list[Workload] = [
    RollingUpdate(pods=40, nodes=5, batches=2),
    NodeDrain(pods=40, nodes=5, drained=3),
    Autoscaler(pods=5, most=60, nodes=5, period=600.0, swings=1),
    Flapping(pods=40, restless=10, seconds=200.0),
    Replacement(pods=40, nodes=5, seconds=100.0),
    NodeFailure(pods=40, nodes=5, failures=2),
    ClusterLoad(pods=80, big=20, middle=8, small=3),
    HugeService(pods=90, nodes=5, rate=20.0),
]
"""Every workload, at a size at which a maximum of 7 makes several slices."""

_NEXT: dict[str, list[EventName]] = {
    "add": ["ready", "terminate", "remove"],
    "ready": ["unready", "terminate"],
    "unready": ["ready", "terminate", "remove"],
    "terminate": ["remove"],
}


@st.composite
def event_lists(draw: st.DrawFn, services: int = 2, most: int = 60) -> list[Event]:
    """Events that can happen, some of them at the same moment, some before the beginning."""
    state: dict[tuple[str, str], EventName] = {}
    events: list[Event] = []
    time = -1.0
    for number in range(draw(st.integers(1, most))):
        if time >= 0 or draw(st.integers(0, 9)) == 0:
            time = max(time, 0.0) + draw(st.sampled_from([0.0, 0.0, 0.3, 1.0, 5.0]))
        places = sorted(state)
        if not places or draw(st.booleans()):
            place = f"svc-{draw(st.integers(1, services))}", f"pod-{number}"
            event: EventName = "add"
        else:
            place = draw(st.sampled_from(places))
            event = draw(st.sampled_from(_NEXT[state[place]]))
        if event == "remove":
            del state[place]
        else:
            state[place] = event
        events.append(Event(time, *place, event, f"node-{number % 3}"))
    return events
