"""A Deployment of the laboratory stops Pods in the order in which Kubernetes' ReplicaSet controller does."""

from functools import partial
from random import Random

import pytest

from epcore.simulate.cluster import Cluster, Deployment, Pod

SEEDS = range(20)


def deployment(seed: int, replicas: int, nodes: int) -> Deployment:
    """Pods on nodes in turn, so that one more than nodes makes the first node the most crowded."""
    return Deployment(Cluster(Random(seed), nodes, startup=5.0, grace=30.0, rate=20.0), "web", replicas)


def leaving(web: Deployment) -> list[Pod]:
    return [pod for pod in web.pods if pod.leaving]


def test_what_is_alone_on_its_node_stays_and_chance_decides_between_neighbours() -> None:
    taken = set()
    for seed in SEEDS:
        web = deployment(seed, replicas=4, nodes=3)
        web.scale(3)
        (pod,) = leaving(web)
        assert pod.node == "node-0"
        taken.add(list(web.pods).index(pod))
    assert taken == {0, 3}


@pytest.mark.parametrize("seed", SEEDS)
def test_pods_of_another_revision_crowd_a_node_too(seed: int) -> None:
    web = deployment(seed, replicas=4, nodes=8)
    web.max_surge, web.max_unavailable = 1.0, 0.25
    others = list(web.pods)
    web.cluster.cordoned = {f"node-{number}" for number in range(8) if number != 2}
    web.update()
    (pod,) = leaving(web)
    assert pod is others[2]


@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_not_ready_goes_before_the_crowded_and_what_has_no_address_first_of_all(seed: int) -> None:
    web = deployment(seed, replicas=4, nodes=3)
    unready = list(web.pods)[1]
    web.turn(unready, ready=False)
    web.scale(5)
    *_, new = web.pods
    web.scale(4)
    assert leaving(web) == [new]
    web.scale(3)
    assert set(leaving(web)) == {unready, new}


def stayed(seed: int, at: float) -> int:
    """How many of ten old Pods outlive a shrinking, beside ten that are a thousand seconds younger."""
    web = deployment(seed, replicas=10, nodes=100)
    old = list(web.pods)
    web.cluster.after(1000.0, partial(web.scale, 20))
    web.cluster.after(at, partial(web.scale, 10))
    web.cluster.run()
    assert len(web.pods) == 10
    return sum(pod in web.pods for pod in old)


def test_the_younger_go_first_while_their_age_has_a_lower_power_of_two() -> None:
    assert {stayed(seed, 1100.0) for seed in SEEDS} == {10}


@pytest.mark.parametrize("seed", SEEDS)
def test_of_those_that_are_not_ready_the_one_created_last_goes_first(seed: int) -> None:
    web = deployment(seed, replicas=1, nodes=100)
    web.cluster.startup = 1e6
    web.cluster.after(0.0, partial(web.scale, 2))
    web.cluster.after(2000.0, partial(web.scale, 3))
    web.cluster.after(2100.0, partial(web.scale, 2))
    web.cluster.run(until=2100.0)
    (pod,) = leaving(web)
    assert pod is list(web.pods)[-1]


def test_chance_decides_between_ages_of_one_power_of_two() -> None:
    # 10,000 and 9,000 seconds are both between 2^43 and 2^44 nanoseconds.
    found = [stayed(seed, 10_000.0) for seed in SEEDS]
    assert 3 < sum(found) / len(found) < 7


def test_chance_decides_the_order_where_all_go() -> None:
    first = set()
    for seed in SEEDS:
        web = deployment(seed, replicas=4, nodes=3)
        web.scale(0)
        events = web.cluster.run()
        first.add(next(event.node for event in events if event.event == "terminate"))
    assert first == {"node-0", "node-1", "node-2"}
