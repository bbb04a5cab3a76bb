"""Whatever goes wrong between the controller and the API server: the slices come right, and nothing is done twice."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from controller_world import Told, address_of, cluster, held, pod, running, service, test, until, web
from epcore import Packer
from epcore.controller import Api, ApiError, Controller, ControllerOptions
from epcore.controller.api import PODS
from epcore.controller.follower import Follower, Pages
from epcore.controller.sources import Assigned, Failed, Found
from epcore.controller.state import State
from fake_cluster import Fault, Json, Request


def once(fault: Fault, *, method: str = "", plural: str = "endpointslices") -> Callable[[Request], Fault | None]:
    """The fault for the first request of this kind, and none for all others."""
    left = [fault]

    def of(request: Request) -> Fault | None:
        is_it = request.plural == plural and request.method == method
        return left.pop() if is_it and left else None

    return of


FAULTS: list[Fault] = ["lost", "cut", "junk", 500, 503, 504, (429, {"Retry-After": "0"}), (500, {"Retry-After": "0"})]


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_a_write_without_a_good_answer_is_looked_at_before_it_is_sent_again(
    method: str, fault: Fault, tmp_path: Path
) -> None:
    async def scenario() -> None:
        server = cluster(("services", service("db", selector=False)))
        source = Told(Found(["10.9.0.1"]))
        async with running(server, tmp_path, [Assigned("shop", "db", source, may_empty=True)]):
            if method != "POST":
                await until(lambda: server.addresses("db"))
            server.fault = once(fault, method=method)
            wanted = {"POST": ["10.9.0.1"], "PUT": ["10.9.0.1", "10.9.0.2"], "DELETE": []}[method]
            if method != "POST":
                source.news.put_nowait(Found([*wanted]))
            await until(lambda: server.addresses("db") == wanted)
            await asyncio.sleep(0.1)
        assert server.addresses("db") == wanted
        type_ = {"POST": "ADDED", "PUT": "MODIFIED", "DELETE": "DELETED"}[method]
        done = [event for event in server.history["endpointslices"] if event["type"] == type_]
        assert len(done) == 1, "it is done once"
        asked = [request for request in server.requests if request.plural == "endpointslices"]
        sent = [place for place, request in enumerate(asked) if request.method == method]
        if isinstance(fault, tuple) and fault[0] == 429:
            assert len(sent) == 2, "it was not done, for sure"
        elif isinstance(fault, str) and method != "POST":
            # The client itself sends again what may be, where a connection that it kept is closed.
            assert len(sent) <= 2
        else:
            looks = [place for place, request in enumerate(asked) if request.method == "GET" and request.name]
            assert len(sent) == (1 if fault == "lost" else 2)
            assert sent[0] < looks[0] < (sent[-1] if len(sent) == 2 else len(asked))

    test(scenario)


def test_what_another_writer_did_is_taken_in_and_planned_again(tmp_path: Path) -> None:
    async def scenario() -> None:
        server = web()

        def meddle(request: Request) -> None:
            """Write each slice of ours just before we do."""
            if request.method == "PUT" and len(server.writes()) < 30:
                (item,) = server.slices("web")
                server.put("endpointslices", {**item, "endpoints": [{"addresses": ["10.66.0.1"]}]})

        async with running(server, tmp_path):
            await until(lambda: len(held(server)) == 3)
            server.on_write = meddle
            server.put("pods", pod("web", 9))
            await until(lambda: sorted(held(server)) == ["10.3.0.1", "10.3.0.10", "10.3.0.2", "10.3.0.3"])
        assert max(held(server).values()) == 1

    test(scenario)


def test_a_slice_that_somebody_deletes_or_empties_is_made_again(tmp_path: Path) -> None:
    async def scenario() -> None:
        server = web()
        async with running(server, tmp_path):
            await until(lambda: len(held(server)) == 3)
            (item,) = server.slices("web")
            server.delete("endpointslices", ("shop", item["metadata"]["name"]))
            await until(lambda: len(held(server)) == 3)
            (item,) = server.slices("web")
            server.put("endpointslices", {**item, "endpoints": []})
            await until(lambda: len(held(server)) == 3)

    test(scenario)


def test_a_name_that_another_writer_has_taken_is_passed_over(tmp_path: Path) -> None:
    async def scenario() -> None:
        server = web()
        async with server.serving(tmp_path) as config, Api(kubeconfig=config) as api:
            (change,) = await Controller(api, ControllerOptions()).changes()
        labels = {"endpointslice.kubernetes.io/managed-by": "somebody", "kubernetes.io/service-name": "web"}
        theirs = server.put(
            "endpointslices",
            {
                "metadata": {"name": change.name[1], "namespace": "shop", "labels": labels},
                "addressType": "IPv4",
                "endpoints": [],
                "ports": [],
            },
        )
        async with running(server, tmp_path):
            await until(lambda: len(held(server)) == 3)
        assert server.objects["endpointslices"][change.name] == theirs

    test(scenario)


@pytest.mark.parametrize("kind", ["pods", "endpointslices", "services"])
@pytest.mark.parametrize("fault", ["cut", 410, "junk"])
def test_a_watch_that_ends_goes_on_where_it_was(kind: str, fault: Fault, tmp_path: Path) -> None:
    async def scenario() -> None:
        server = web()
        async with running(server, tmp_path):
            await until(lambda: len(held(server)) == 3)
            server.fault = once(fault, method="WATCH", plural=kind)
            server.put("pods", pod("web", 3))
            (item,) = server.slices("web")
            server.put("endpointslices", {**item, "metadata": {**item["metadata"], "generation": 7}})
            server.put("services", service("more"))
            server.put("pods", pod("more", 1))
            await until(lambda: len(held(server)) == 4 and len(held(server, "more")) == 1)

    test(scenario)


def test_a_list_whose_pages_are_gone_is_read_anew(tmp_path: Path) -> None:
    async def scenario() -> None:
        server = web(7)
        left = [1]

        def expire(request: Request) -> Fault | None:
            return 410 if request.plural == "pods" and "continue" in request.query and left and left.pop() else None

        server.fault = expire
        async with running(server, tmp_path, page=2):
            await until(lambda: len(held(server)) == 7)

    test(scenario)


@pytest.mark.parametrize("answer", ["junk", (200, {})])
@pytest.mark.parametrize("kind", ["pods", "nodes", "endpointslices", "services"])
def test_a_page_that_is_no_list_is_not_taken_for_an_empty_one(kind: str, answer: Fault, tmp_path: Path) -> None:
    async def scenario() -> None:
        server = web()
        async with running(server, tmp_path):
            await until(lambda: len(held(server)) == 3)
            left = [1, 2]

            def junk(request: Request) -> Fault | None:
                if request.plural != kind or not left:
                    return None
                return left.pop() and (410 if request.method == "WATCH" else answer)

            server.fault = junk
            server.put(kind, next(iter(server.objects[kind].values())))
            await until(lambda: not left)
            server.put("pods", pod("web", 3))
            await until(lambda: len(held(server)) == 4)
        sizes = [len(event["object"].get("endpoints") or []) for event in server.history["endpointslices"]]
        assert min(sizes[1:]) >= 3

    test(scenario)


def test_a_watch_that_says_nothing_is_begun_anew(tmp_path: Path) -> None:
    async def scenario() -> None:
        server = web()
        left = [1]

        def hang(request: Request) -> Fault | None:
            return "hang" if request.is_watch and request.plural == "pods" and left and left.pop() else None

        server.fault = hang
        async with running(server, tmp_path, watch_silence=0.2):
            await until(lambda: len(held(server)) == 3)
            await asyncio.sleep(0.1)
            server.put("pods", pod("web", 3))
            await until(lambda: len(held(server)) == 4)

    test(scenario)


def test_a_server_that_is_put_back_to_an_older_state_is_followed_from_there(tmp_path: Path) -> None:
    async def scenario() -> None:
        server = web()
        server.version = 100_000
        async with running(server, tmp_path, watch_silence=0.7):
            await until(lambda: len(held(server)) == 3)
            server.put("pods", pod("web", 3))
            await until(lambda: len(held(server)) == 4)
            server.fault = lambda request: "cut" if request.method == "WATCH" else None
            server.version = 200
            for plural, objects in server.objects.items():
                server.history[plural] = []
                for item in [*objects.values()]:
                    server.put(plural, item)
            server.delete("pods", ("shop", "web-3"))
            await asyncio.sleep(0.05)
            server.fault = lambda _: None
            await until(lambda: len(held(server)) == 3)
            server.put("pods", pod("web", 3))
            await until(lambda: len(held(server)) == 4)

    test(scenario)


class Troubled:
    """Hears of trouble alone."""

    def __init__(self) -> None:
        self.troubles: list[str] = []

    def listed(self, pages: Pages) -> None:
        pass

    def told(self, events: bytes) -> None:
        pass

    def troubled(self, error: ApiError) -> None:
        self.troubles.append(error.message)


@pytest.mark.parametrize(
    ("fault", "life", "said"),
    [
        ((200, {}), 240, "a watch that ended in the middle of an event"),
        (None, 0, "a watch that ended at once and told nothing"),
    ],
)
def test_somebody_between_who_knows_no_watches_is_told(
    fault: Fault | None, life: int, said: str, tmp_path: Path
) -> None:
    async def scenario() -> None:
        server, hearer = web(), Troubled()
        server.fault = lambda request: fault if request.is_watch else None
        async with server.serving(tmp_path) as config, Api(kubeconfig=config) as api:
            task = asyncio.create_task(Follower(api, PODS, hearer, life=life).run())
            await until(lambda: hearer.troubles)
            task.cancel()
        assert hearer.troubles[0] == said

    test(scenario)


def test_an_object_that_cannot_be_read_does_not_keep_others_back(tmp_path: Path) -> None:
    async def scenario() -> None:
        server = web()
        bad = pod("web", 8)
        bad["spec"] = "nonsense"
        server.put("pods", bad)
        async with running(server, tmp_path) as controller:
            await until(lambda: len(held(server)) == 3)
            server.put("pods", {**pod("web", 9), "status": [1]})
            server.put("pods", pod("web", 5))
            await until(lambda: len(held(server)) == 4)
            unreadable = controller.metrics.registry.get_sample_value(
                "epcore_controller_unreadable_objects_total", {"kind": "Pod"}
            )
            assert unreadable == 2

    test(scenario)


def test_a_stop_waits_no_longer_than_its_grace_though_all_workers_hang(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("epcore.controller.worker._GRACE", 0.2)

    async def scenario() -> None:
        server = web()
        server.fault = once("hang", method="POST")
        stop = asyncio.Event()
        async with server.serving(tmp_path) as config, Api(kubeconfig=config) as api:
            task = asyncio.create_task(Controller(api, ControllerOptions(concurrency=1)).run(stop))
            await until(server.writes)
            stop.set()
            async with asyncio.timeout(5):
                await task

    test(scenario)


def test_a_stop_waits_only_some_seconds_for_events(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("epcore.controller.recorder._PATIENCE", 0.2)

    async def scenario() -> None:
        server = cluster(("services", service("db", selector=False)))
        server.fault = lambda request: "hang" if request.plural == "events" else None
        stop = asyncio.Event()
        async with server.serving(tmp_path) as config, Api(kubeconfig=config) as api:
            sources = [Assigned("shop", "db", Told(Failed("down")))]
            task = asyncio.create_task(Controller(api, ControllerOptions(), sources=sources).run(stop))
            await until(lambda: server.writes("events"))
            stop.set()
            async with asyncio.timeout(5):
                await task

    test(scenario)


class CountingPacker:
    """A packer that counts the objects that it is given in lists."""

    given = 0

    def __init__(self, **options: Any) -> None:
        self._packer = Packer(**options)

    def replace(self, objects: bytes | list[Json], **of: Any) -> None:
        CountingPacker.given += len(objects) if isinstance(objects, list) else 0
        self._packer.replace(objects, **of)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._packer, name)


def test_a_list_of_which_many_cannot_be_read_is_looked_at_twice_and_not_once_for_each(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("epcore.controller.state.Packer", CountingPacker)
    monkeypatch.setattr(CountingPacker, "given", 0)
    pods = [pod("web", number) for number in range(100)]
    for bad in pods[::4]:
        bad["status"] = "nonsense"
    # Only beside the first of its name a second one is wrong.
    pods += [pod("web", 1), pod("web", 2)]
    told: list[str] = []
    state = State(ControllerOptions(), {}, lambda kind, message: told.append(f"{kind} {message.split(':')[0]}"))
    state.listed("Service", Pages([json.dumps({"items": [service("web")]}).encode()], "1"))
    state.listed("Node", Pages([json.dumps({"items": [{"metadata": {"name": "n1"}}]}).encode()], "1"))
    CountingPacker.given = 0
    state.listed("Pod", Pages([json.dumps({"items": pods}).encode()], "1"))
    assert told == [*(f"Pod shop/web-{number}" for number in range(0, 100, 4)), "Pod shop/web-1", "Pod shop/web-2"]
    (plan,) = state.plans(("shop", "web"))
    assert len(plan.result()[0]) == 75
    assert CountingPacker.given <= 102 + 77 + 76 + 75


def test_a_list_that_fails_is_logged_with_its_kind_and_why(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        server = web()
        server.fault = once(500, method="GET", plural="pods")
        async with running(server, tmp_path):
            await until(lambda: len(held(server)) == 3)

    test(scenario)
    assert "a list or a watch of kind Pod failed: API server: fault 500" in caplog.messages


def test_an_api_server_that_is_away_for_a_while_is_waited_for(tmp_path: Path) -> None:
    async def scenario() -> None:
        server = web()
        stop = asyncio.Event()
        async with server.serving(tmp_path) as config:
            port = int(address_of(config).rsplit(":", 1)[1])
        async with Api(kubeconfig=config) as api:
            task = asyncio.create_task(Controller(api, ControllerOptions(retry_base=0.02)).run(stop))
            await asyncio.sleep(0.3)
            for _ in range(2):
                server.put("pods", pod("web", server.version))
                pods = len(server.objects["pods"])
                async with server.serving(tmp_path, port=port):
                    await until(lambda pods=pods: len(held(server)) == pods)  # type: ignore[misc]
            stop.set()
            await task

    test(scenario)


def test_in_a_namespace_that_goes_away_nothing_is_tried_again(tmp_path: Path) -> None:
    async def scenario() -> None:
        server = web()
        server.gone.add("shop")
        async with running(server, tmp_path):
            await until(server.writes)
            await asyncio.sleep(0.3)
            assert len(server.writes()) == 1

    test(scenario)


def test_a_page_that_a_proxy_does_not_find_is_no_namespace_that_is_gone(tmp_path: Path) -> None:
    async def scenario() -> None:
        server = web()
        server.fault = once(404, method="POST")
        async with running(server, tmp_path):
            await until(lambda: len(held(server)) == 3)

    test(scenario)


def test_a_service_that_cannot_be_written_is_told_by_one_event_and_left_after_some_tries(tmp_path: Path) -> None:
    async def scenario() -> None:
        server = web()
        server.fault = lambda request: 422 if request.method == "POST" and request.plural == "endpointslices" else None
        async with running(server, tmp_path, retries=3, retry_base=0.01):
            await until(lambda: len(server.writes()) == 4)
            await asyncio.sleep(0.3)
            assert len(server.writes()) == 4, "given up"
            (event,) = server.objects["events"].values()
            assert (event["reason"], event["message"]) == ("FailedToUpdateEndpointSlices", "API server: fault 422")
            server.fault = lambda _: None
            server.put("pods", pod("web", 7))
            await until(lambda: len(held(server)) == 4)

    test(scenario)


def test_a_stop_ends_the_plan_that_is_being_written(tmp_path: Path) -> None:
    async def scenario() -> None:
        server = web(9)
        stop = asyncio.Event()
        async with server.serving(tmp_path) as config, Api(kubeconfig=config) as api:
            controller = Controller(api, ControllerOptions(max_endpoints=2))
            server.on_write = lambda _: stop.set()
            await controller.run(stop)
            assert len(held(server)) == 9
            assert not controller.is_ready

    test(scenario)


def test_a_service_that_is_another_replicas_is_left_at_the_next_write(tmp_path: Path) -> None:
    async def scenario() -> None:
        server = web(9)
        stop = asyncio.Event()
        async with server.serving(tmp_path) as config, Api(kubeconfig=config, qps=1000, burst=1000) as api:
            controller = Controller(api, ControllerOptions(max_endpoints=2), owns=lambda *_: len(server.writes()) < 2)
            task = asyncio.create_task(controller.run(stop))
            await until(lambda: len(server.writes()) == 2)
            await asyncio.sleep(0.2)
            assert len(server.writes()) == 2
            controller.reconsider()
            await asyncio.sleep(0.1)
            assert len(server.writes()) == 2
            stop.set()
            await task

    test(scenario)


def test_fields_of_a_newer_api_survive_though_protobuf_has_no_number_for_them(tmp_path: Path) -> None:
    async def scenario() -> None:
        server = web()
        async with running(server, tmp_path):
            await until(lambda: len(held(server)) == 3)
            (item,) = server.slices("web")
            ends = [{**end, "weight": 7} for end in item["endpoints"]]
            server.put("endpointslices", {**item, "endpoints": ends})
            await asyncio.sleep(0.1)
            server.put("pods", pod("web", 3))
            await until(lambda: len(held(server)) == 4)
            (item,) = server.slices("web")
            assert [end.get("weight") for end in item["endpoints"]] == [7, 7, 7, None]

    test(scenario)


def test_an_event_from_before_a_restart_is_counted_on(tmp_path: Path) -> None:
    async def scenario() -> None:
        server = cluster(("services", service("db", selector=False)))
        for _ in range(2):
            asked = len(server.writes("events"))
            async with running(server, tmp_path, [Assigned("shop", "db", Told(Failed("down")))]):
                await until(lambda asked=asked: len(server.writes("events")) > asked)  # type: ignore[misc]
        assert [request.method for request in server.writes("events")] == ["POST", "POST", "PATCH"]
        assert len(server.objects["events"]) == 1

    test(scenario)
