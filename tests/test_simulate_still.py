"""No planner who leaves ready endpoints where they are and lacks foresight sends less again than the bound of a run."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from epcore.simulate import Event, Load, Settings, build_load, run
from epcore.simulate.load import EventName
from simulate_planner import best_on_average, noted
from simulate_still import USED, Least, Numbers, Run, StillWriter, staying

few = settings(max_examples=max(20, settings().max_examples // 2))

ADD: EventName = "add"
NEXT: dict[EventName, EventName] = {"add": "ready", "ready": "terminate", "terminate": "remove"}


@st.composite
def lives(draw: st.DrawFn, most: int = 4) -> Load:
    """Few Pods that come, become ready, leave and go, each at most once in a batch."""
    ready = draw(st.integers(1, most))
    events = [Event(-1.0, "svc", f"pod-{number}", name) for number in range(ready) for name in ("add", "ready")]
    state: dict[str, EventName] = {f"pod-{number}": "ready" for number in range(ready)}
    time = 0.0
    changed: set[str] = set()
    for number in range(draw(st.integers(1, 8))):
        if draw(st.booleans()):
            time, changed = time + 10, set()
        open_ = sorted(state.keys() - changed)
        if len(state) < most and (not open_ or draw(st.booleans())):
            key, name = f"pod-{9 + number}", ADD
        elif open_:
            key = draw(st.sampled_from(open_))
            name = NEXT[state[key]]
        else:
            continue
        events.append(Event(time, "svc", key, name))
        changed.add(key)
        state[key] = name
        if name == "remove":
            del state[key]
    return build_load("lives", events, "nothing")


def run_of(load: Load, most: int) -> Run:
    writer = StillWriter(most)
    run(load, writer, Settings(batch_period=1.0))
    return writer.runs["svc"]


def some_prices(least: Least, seed: int) -> Numbers:
    random = np.random.default_rng(seed)
    prices = random.uniform(-1, 5, least.there.shape)
    prices[USED] = np.minimum(prices[USED] - 3, 0)
    return prices


@few
@given(lives(), st.integers(2, 3), st.integers(0, 1 << 32))
def test_no_planner_who_leaves_ready_endpoints_alone_is_below_the_bound_whatever_the_prices(
    load: Load, most: int, seed: int
) -> None:
    found = run_of(load, most)
    assert found.is_plain
    least = Least(found, most)
    best = best_on_average(noted(load, most, "nothing", 1.0).steps, most, moves_ready=False)
    assert least.at(some_prices(least, seed))[0] <= best + 1e-9
    assert least.best(30) <= best + 1e-9


@few
@given(lives(most=9), st.integers(1, 4), st.integers(0, 1 << 32))
def test_what_slices_take_says_how_the_bound_grows_with_the_prices(load: Load, most: int, seed: int) -> None:
    least = Least(run_of(load, most), most)
    here, there = some_prices(least, seed), some_prices(least, seed + 1)
    # It is the lowest of planes, of which one touches it at any prices.
    for one, other in [(here, there), (there, here)]:
        bound, slope = least.at(one)
        assert least.at(other)[0] <= bound + float((slope * (other - one)).sum()) + 1e-9


def test_it_is_not_far_below_the_best_planner() -> None:
    bound = best = free = 0.0
    for pods, replaced, most in [(4, 2, 2), (3, 3, 2), (4, 3, 3), (4, 2, 3)]:
        events = [Event(-1.0, "svc", f"pod-{number}", name) for number in range(pods) for name in ("add", "ready")]
        for number in range(replaced):
            time = 40.0 * number
            events += [
                Event(time, "svc", f"pod-{number}", "terminate"),
                Event(time + 10, "svc", f"pod-{number}", "remove"),
                Event(time + 10, "svc", f"pod-{9 + number}", "add"),
                Event(time + 20, "svc", f"pod-{9 + number}", "ready"),
            ]
        load = build_load("replaced", events, "nothing")
        steps = noted(load, most, "nothing", 1.0).steps
        bound += Least(run_of(load, most), most).best(200)
        best += best_on_average(steps, most, moves_ready=False)
        free += best_on_average(steps, most)
    assert free < best
    assert 0.98 * best <= bound <= best + 1e-9


def test_where_it_has_nothing_to_say_it_says_what_the_bound_of_each_sync_says() -> None:
    begin = [Event(-1.0, "svc", f"pod-{number}", name) for number in range(2) for name in ("add", "ready")]
    twice = [Event(10.0, "svc", "pod-0", "unready"), Event(20.0, "svc", "pod-0", "ready")]
    at_once = [Event(10.0, "svc", "pod-2", "add"), Event(10.0, "svc", "pod-2", "ready")]
    # One is ready again, the others are as ever; one was not known before it was ready.
    for events in (twice, at_once):
        writer = StillWriter(1)
        run(build_load("strange", [*begin, *events], "nothing"), writer, Settings())
        assert not writer.runs["svc"].is_plain
        assert writer.least() == writer.resent


@pytest.mark.parametrize(
    ("members", "changing", "held"), [(5, 2, 3), (5, 0, 3), (5, 5, 5), (3, 1, 5), (200, 30, 7), (1, 1, 1)]
)
def test_chances_are_those_of_a_draw_without_replacement(members: int, changing: int, held: int) -> None:
    chances = staying(members, changing, 7)
    assert chances.sum(axis=1) == pytest.approx(1)
    if held <= members:
        expected = held * (members - changing) / members
        assert float(chances[held] @ np.arange(8)) == pytest.approx(expected)
