"""No planner who cannot tell who changes next sends less again, on average, than the bound without foresight."""

from collections.abc import Mapping

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from epcore.simulate import Event, Load, Row, Settings, Telling, Workload, Written, build_load, kubernetes, run
from epcore.simulate.blind import Lives, least_resent
from epcore.simulate.writers import BoundWriter, EngineWriter
from simulate_dealt import Dealt
from simulate_planner import Noted, best_on_average, noted
from simulate_strategies import SMALL, event_lists

MOST = 7
TELLINGS: list[Telling] = ["nothing", "waiting", "node"]
few = settings(max_examples=max(20, settings().max_examples // 2))


@few
@given(event_lists(services=1, most=12), st.integers(1, 3), st.sampled_from(TELLINGS), st.sampled_from([0.0, 0.5, 3.0]))
def test_the_best_planner_who_only_lacks_foresight_is_not_below_the_bound(
    events: list[Event], most: int, telling: Telling, period: float
) -> None:
    found = noted(build_load("random", events), most, telling, period)
    sizes = [sum(map(len, step.becomes.values())) + len(step.comes) for step in found.steps]
    assume(max(sizes) <= 5)
    assert sum(found.resent.values()) <= best_on_average(found.steps, most) + 1e-9


def flapping(pods: int, falls: int) -> Load:
    """Pods that are ready; one after the other falls and gets up."""
    events = [Event(-1.0, "svc", f"pod-{number}", name) for number in range(pods) for name in ("add", "ready")]
    for number in range(falls):
        events += [
            Event(10.0 * number, "svc", f"pod-{number}", "unready"),
            Event(10.0 * number + 5, "svc", f"pod-{number}", "ready"),
        ]
    return build_load("falls", events, "nothing")


def test_the_best_planner_reaches_the_bound_where_one_of_many_falls() -> None:
    found = noted(flapping(6, 1), 2, "nothing", 0.0)
    # Three slices of two: the other one is sent again when it falls, and when it gets up.
    assert sum(found.resent.values()) == pytest.approx(best_on_average(found.steps, 2)) == pytest.approx(2.0)


def test_the_bound_is_not_far_below_the_best_planner() -> None:
    bound = best = 0.0
    for pods, falls, most in [(5, 1, 3), (4, 2, 2), (5, 2, 3), (6, 2, 3)]:
        found = noted(flapping(pods, falls), most, "nothing", 0.0)
        bound += sum(found.resent.values())
        best += best_on_average(found.steps, most)
    assert 0.7 * best <= bound <= best


class Own:
    """A writer, and the bound for as many slices as this writer keeps."""

    def __init__(self, row: Row, telling: Telling) -> None:
        self.least = 0.0
        self.resent = 0
        self._inner = EngineWriter(row)
        self._telling = telling
        self._lives: dict[str, Lives] = {}
        self._slices: dict[str, int] = {}

    def sync(self, service: str, template: bytes, wanted: Mapping[str, bytes]) -> Written:
        classes = self._lives.setdefault(service, Lives(self._telling)).step(wanted)
        written = self._inner.sync(service, template, wanted)
        if service in self._slices:
            self.least += least_resent(classes, self._slices[service], MOST)
            self.resent += written.resent or 0
        self._slices[service] = written.slices
        return written


@pytest.mark.parametrize("workload", SMALL, ids=lambda workload: workload.name)
@pytest.mark.parametrize("policy", ["lifecycle", "upstream"])
def test_our_rules_send_more_again_than_the_bound_where_who_is_next_is_chance(workload: Workload, policy: str) -> None:
    """Of one deal it may be less: the bound is for the mean."""
    row = kubernetes(MOST) if policy == "upstream" else Row(title=policy, policy="lifecycle", max_endpoints=MOST)
    load = workload.load(1)
    least = resent = 0.0
    for seed in range(8):
        own = Own(row, "nothing")
        run(load, Dealt(own, "nothing", seed), Settings())
        least, resent = least + own.least, resent + own.resent
    assert 0 < least <= resent


class Seen:
    """Writes nothing, and notes what classes it sees."""

    def __init__(self, telling: Telling) -> None:
        self.classes: list[list[tuple[int, int]]] = []
        self._lives: dict[str, Lives] = {}
        self._telling = telling

    def sync(self, service: str, template: bytes, wanted: Mapping[str, bytes]) -> Written:
        lives = self._lives.setdefault(service, Lives(self._telling))
        self.classes.append(sorted(lives.step(wanted)))
        return Written(0, len(template), 0)


@pytest.mark.parametrize("workload", SMALL, ids=lambda workload: workload.name)
@pytest.mark.parametrize("telling", TELLINGS)
def test_classes_stay_as_they_are_when_names_are_dealt_anew(workload: Workload, telling: Telling) -> None:
    plain, dealt = Seen(telling), Seen(telling)
    load = workload.load(1)
    run(load, plain, Settings())
    run(load, Dealt(dealt, telling, 5), Settings())
    assert plain.classes == dealt.classes
    if telling != "node":
        assert any(0 < changing < members for classes in plain.classes for members, changing in classes)


@few
@given(event_lists(), st.integers(1, 8), st.sampled_from(TELLINGS))
def test_it_is_never_below_the_offline_bound(events: list[Event], most: int, telling: Telling) -> None:
    load = build_load("random", events)
    blind, bound = (run(load, writer, Settings()) for writer in (Noted(most, telling), BoundWriter(most)))
    services = {sync.service for sync in bound}
    told = [sum(sync.written.resent or 0 for sync in syncs) for syncs in (blind, bound)]
    assert told[0] >= told[1] - len(services)
    for one, other in zip(blind, bound, strict=True):
        assert one.written._replace(resent=0, bytes=0) == other.written._replace(resent=0, bytes=0)
        assert one.written.bytes >= other.written.bytes
