"""Whatever fails, in the end the slices are right, no endpoint is held twice, and nothing of others was touched.

What is told of each fault is the time until the slices were right again.
"""

import itertools
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cluster.api import Api, ApiError
from cluster.contenders import OURS, written_by
from cluster.control_plane import ControlPlane
from cluster.loads import rollout
from cluster.processes import eventually
from cluster.proxy import Fault, Proxy, Request
from cluster.scene import PATIENCE, SIZE, Scene, again_and_again


@pytest.fixture
def scene(own_control_plane: ControlPlane) -> Iterator[Scene]:
    made = Scene(own_control_plane)
    yield made
    for program in made.programs:
        program.stop()


@pytest.fixture
def proxy(own_control_plane: ControlPlane) -> Iterator[Proxy]:
    with Proxy(own_control_plane) as started:
        yield started


@pytest.fixture
def tell(request: pytest.FixtureRequest) -> Callable[[float], None]:
    """Write down how long it took, where `make compare` asks for it."""

    def told(seconds: float) -> None:
        assert seconds < PATIENCE
        if os.environ.get("EPCORE_RECOVERY"):
            name = request.node.name.removeprefix("test_").replace("_", " ")
            with Path(os.environ["EPCORE_RECOVERY"]).open("a") as file:
                file.write(json.dumps({"fault": name, "seconds": round(seconds, 2)}) + "\n")

    return told


def writes(request: Request) -> bool:
    return request.writes_slice


def creates(request: Request) -> bool:
    return request.method == "POST" and request.writes_slice


def test_killed_in_the_middle_of_a_plan(
    own_control_plane: ControlPlane, proxy: Proxy, tell: Callable[[float], None]
) -> None:
    scene = Scene(own_control_plane, 250)
    slow = Fault(writes, delay=0.3)
    proxy.faults.append(slow)
    first = scene.controller(proxy, max_endpoints=25)
    first.wait_until(lambda: proxy.count(creates) >= 4, "some of ten slices")
    first.kill()
    proxy.faults.clear()
    assert 0 < len(scene.held()[0]) < 250
    since = time.monotonic()
    second = scene.controller(max_endpoints=25)
    tell(scene.recovers(since))
    assert len(scene.versions()) == 1 + 10
    assert second.stop() == 0


def test_the_api_server_is_restarted(
    scene: Scene, own_control_plane: ControlPlane, tell: Callable[[float], None]
) -> None:
    running = scene.controller()
    scene.recovers(time.monotonic())
    own_control_plane.api_server.kill()
    time.sleep(1.0)
    own_control_plane.start_api_server()
    rollout(scene.fleet)
    tell(scene.recovers(time.monotonic()))
    assert running.process.poll() is None


def test_etcd_is_restarted(scene: Scene, own_control_plane: ControlPlane, tell: Callable[[float], None]) -> None:
    running = scene.controller()
    scene.recovers(time.monotonic())
    own_control_plane.etcd.kill()
    time.sleep(1.0)
    own_control_plane.etcd.start()
    own_control_plane.api_server.wait_until(lambda: _answers(scene.api), "an API server with etcd")
    rollout(scene.fleet)
    tell(scene.recovers(time.monotonic()))
    assert running.process.poll() is None


def _answers(api: Api) -> bool:
    try:
        return bool(api.items("namespaces"))
    except (ApiError, OSError):
        return False


def test_watches_are_cut(scene: Scene, proxy: Proxy, tell: Callable[[float], None]) -> None:
    scene.controller(proxy)
    scene.recovers(time.monotonic())
    with again_and_again(proxy.cut, 0.3):
        rollout(scene.fleet)
    tell(scene.recovers(time.monotonic()))


def test_a_watch_is_too_old_to_go_on(
    scene: Scene, proxy: Proxy, own_control_plane: ControlPlane, tell: Callable[[float], None]
) -> None:
    """The network is away while Pods change, etcd forgets, and the API server comes up anew: 410."""
    scene.controller(proxy)
    scene.recovers(time.monotonic())

    def lists(request: Request) -> bool:
        return request.method == "GET" and "/pods" in request.path and not request.is_watch

    listed = proxy.count(lists)
    gone = Fault(lambda _: True, status=503)
    proxy.faults.append(gone)
    proxy.cut()
    scene.fleet.end(list(scene.fleet.pods)[:10])
    scene.fleet.start(10)
    own_control_plane.compact()
    own_control_plane.api_server.kill()
    own_control_plane.start_api_server()
    since = time.monotonic()
    proxy.faults.clear()
    tell(scene.recovers(since))
    assert proxy.count(lists) > listed


def test_another_writer_touches_our_slices_all_the_time(scene: Scene, tell: Callable[[float], None]) -> None:
    """It annotates them, takes endpoints away and deletes them; in the end all is as if it had not."""
    scene.controller(policy="balanced", max_endpoints=10)
    scene.recovers(time.monotonic())
    turns = itertools.count()

    def touch() -> None:
        turn = next(turns)
        labels = written_by(OURS)
        for one in scene.api.items("endpointslices", scene.namespace, labels=labels):
            try:
                if turn % 10 == 5:
                    scene.api.patch(one, {"endpoints": one["endpoints"][1:]})
                elif turn % 20 == 12:
                    scene.api.delete(one)
                else:
                    scene.api.patch(one, {"metadata": {"annotations": {"turn": str(turn)}}})
            except ApiError as error:
                assert error.status == 404, error

    with again_and_again(touch, 0.02):
        rollout(scene.fleet)
    assert next(turns) > 10
    tell(scene.recovers(time.monotonic()))
    assert scene.is_quiet()


def test_the_api_server_fails_and_asks_for_time(scene: Scene, proxy: Proxy, tell: Callable[[float], None]) -> None:
    """One write in two is refused by 500, 503 or 429; and what was asked for is granted."""
    turns = itertools.count()
    faults = [
        Fault(lambda request: writes(request) and next(turns) % 4 == 0, status=500),
        Fault(lambda request: writes(request) and next(turns) % 4 == 0, status=503),
    ]
    proxy.faults += faults
    scene.controller(proxy, max_endpoints=10)
    scene.recovers(time.monotonic())
    busy = Fault(writes, status=429, headers={"Retry-After": "2"}, times=1)
    proxy.faults[:] = [busy]
    proxy.requests.clear()
    since = time.monotonic()
    scene.fleet.be(list(scene.fleet.pods)[:1], ready=False)
    took = scene.recovers(since)
    moments = [request.moment for request in proxy.requests if writes(request)]
    assert busy.met == 1
    assert moments[1] - moments[0] >= 2
    proxy.faults[:] = faults
    rollout(scene.fleet)
    tell(scene.recovers(time.monotonic()) + took)


def test_the_api_server_is_slow(scene: Scene, proxy: Proxy, tell: Callable[[float], None]) -> None:
    scene.controller(proxy)
    scene.recovers(time.monotonic())
    proxy.faults.append(Fault(lambda request: not request.is_watch, delay=0.5))
    rollout(scene.fleet)
    tell(scene.recovers(time.monotonic()))


@pytest.mark.parametrize("lost", ["cut", "hang"])
def test_the_answer_is_lost_after_the_write_was_accepted(
    scene: Scene, proxy: Proxy, lost: str, tell: Callable[[float], None]
) -> None:
    """Also that of a create, whose second time would be another slice of the same endpoints."""
    turns = itertools.count()
    fault = Fault(lambda request: writes(request) and next(turns) % 2 == 0, lost=lost, times=6)
    proxy.faults.append(fault)
    since = time.monotonic()
    scene.controller(proxy, max_endpoints=10)
    scene.recovers(since)
    rollout(scene.fleet)
    tell(scene.recovers(time.monotonic()))
    assert fault.met >= 4
    assert proxy.count(creates) <= SIZE // 10 + 4


@pytest.mark.parametrize("policy", ["balanced", "lifecycle"])
def test_two_controllers_think_that_they_lead(scene: Scene, policy: str, tell: Callable[[float], None]) -> None:
    for _ in range(2):
        scene.controller(policy=policy, max_endpoints=10)
    rollout(scene.fleet)
    tell(scene.recovers(time.monotonic()))
    # Neither undoes what the other did.
    assert scene.is_quiet(2.0)
    assert scene.is_right()


def test_the_leader_stands_still_for_a_while(scene: Scene, tell: Callable[[float], None]) -> None:
    """Another takes over when its Lease has ended; when it goes on it has nothing to say any more."""
    replicas = [scene.replica(), scene.replica()]
    scene.recovers(time.monotonic())
    # Of the group, of the one bucket, and of each.
    eventually(lambda: len(scene.api.items("leases", scene.namespace)) == 4, "both in the group")
    took = []
    # Whichever leads, it is among them.
    for turn, replica in enumerate(replicas):
        replica.pause()
        since = time.monotonic()
        scene.fleet.be(list(scene.fleet.pods)[:5], ready=turn % 2 == 1)
        took.append(scene.recovers(since))
        written = scene.versions()
        replica.resume()
        time.sleep(2.0)
        assert scene.versions() == written
    tell(max(took))
    rollout(scene.fleet)
    scene.recovers(time.monotonic())
    assert scene.is_quiet()
    assert [program.stop(patience=30.0) for program in replicas] == [0, 0]


def test_a_token_expires(
    scene: Scene, own_control_plane: ControlPlane, proxy: Proxy, tell: Callable[[float], None]
) -> None:
    """The kubelet writes the next one into the file before; here it comes late."""
    kubeconfig, token_file = scene.account(proxy.server, seconds=12.0)
    scene.controller(kubeconfig=kubeconfig)
    scene.recovers(time.monotonic())
    account = kubeconfig.name.removesuffix(".kubeconfig").removeprefix(f"{scene.namespace}-")
    expired = own_control_plane.api(token=token_file.read_text())
    eventually(lambda: _is_refused(expired), "the end of the token", pause=0.5)
    expired.close()
    proxy.cut()
    scene.fleet.be(list(scene.fleet.pods)[:5], ready=False)
    time.sleep(1.0)
    assert not scene.is_right()
    since = time.monotonic()
    token_file.write_text(own_control_plane.token(scene.namespace, account))
    tell(scene.recovers(since))


def _is_refused(api: Api) -> bool:
    try:
        api.raw("/api/v1/services")
    except ApiError as error:
        return error.status == 401
    return False


def test_a_clean_end_finishes_what_was_begun(scene: Scene, proxy: Proxy) -> None:
    """Told to end in the middle of a write, it waits for the answer and makes no other."""
    proxy.faults.append(Fault(writes, delay=0.5))
    running = scene.controller(proxy, max_endpoints=10, concurrency=1)
    running.wait_until(lambda: proxy.count(writes) >= 2, "a write")
    assert running.stop() == 0
    time.sleep(0.6)
    states, more = scene.held()
    assert not more
    assert len(states) == 10 * proxy.count(creates)
