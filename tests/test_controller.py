"""The controller against an API server in the test: what it follows, what it writes, and what it leaves alone."""

import asyncio
from pathlib import Path

import pytest

from controller_world import Told, cluster, pod, running, service, test, until
from epcore.controller import Api, Controller, ControllerError, ControllerOptions
from epcore.controller.sources import Assigned, Failed, Found
from fake_cluster import FakeCluster, Fault, Json, Request


def test_a_service_that_asks_for_it_gets_slices_of_its_pods(tmp_path: Path) -> None:
    async def scenario() -> None:
        server = cluster(("services", service("web")), ("services", service("other", labels={})))
        for number in range(3):
            server.put("pods", pod("web", number))
            server.put("pods", pod("other", number))
        async with running(server, tmp_path) as controller:
            await until(lambda: len(server.addresses("web")) == 3)
            assert controller.is_ready
            server.put("pods", pod("web", 3))
            await until(lambda: len(server.addresses("web")) == 4)
            server.delete("pods", ("shop", "web-0"))
            await until(lambda: "10.3.0.1" not in server.addresses("web"))
            assert server.addresses("other") == []
            (item,) = server.slices("web")
            assert item["endpoints"][0]["zone"] == "a"
            assert item["metadata"]["annotations"]["endpoints.kubernetes.io/last-change-trigger-time"]

    test(scenario)


def test_pods_and_nodes_are_watched_only_where_a_service_needs_them(tmp_path: Path) -> None:
    async def scenario() -> None:
        server = cluster(("services", service("db", selector=False)), ("pods", pod("web", 1)))
        source = Told(Found(["10.9.0.1"]))
        async with running(server, tmp_path, [Assigned("shop", "db", source)]):
            await until(lambda: server.addresses("db") == ["10.9.0.1"])
            assert not {"pods", "nodes"} & {request.plural for request in server.requests}
            server.put("services", service("web"))
            await until(lambda: server.addresses("web"))

    test(scenario)


def test_a_service_without_pods_gets_its_placeholder(tmp_path: Path) -> None:
    async def scenario() -> None:
        server = cluster(("services", service("web")))
        async with running(server, tmp_path):
            await until(lambda: len(server.slices("web")) == 1)
            assert not server.slices("web")[0].get("endpoints")

    test(scenario)


def test_a_source_that_fails_or_turns_empty_changes_nothing_and_says_so(tmp_path: Path) -> None:
    async def scenario() -> None:
        server = cluster(("services", service("db", selector=False)))
        source = Told(Found(["10.9.0.1", "10.9.0.2"]))
        async with running(server, tmp_path, [Assigned("shop", "db", source)]):
            await until(lambda: len(server.addresses("db")) == 2)
            for news in (Failed("no such file"), Found([]), Found(["10.9.0.1", "nonsense:99999"])):
                source.news.put_nowait(news)
            await until(lambda: len(server.objects["events"]) == 3)
            assert {event["reason"] for event in server.objects["events"].values()} == {"SourceFailed"}
            assert all(event["involvedObject"]["name"] == "db" for event in server.objects["events"].values())
            assert server.addresses("db") == ["10.9.0.1", "10.9.0.2"]
            source.news.put_nowait(Found(["10.9.0.3"]))
            await until(lambda: server.addresses("db") == ["10.9.0.3"])

    test(scenario)


def test_what_a_source_tells_before_its_service_is_known_is_an_event_too(tmp_path: Path) -> None:
    async def scenario() -> None:
        server = cluster()
        source = Told(Failed("no such file"))
        async with running(server, tmp_path, [Assigned("shop", "db", source)]):
            await until(source.news.empty)
            server.put("services", service("db", selector=False))
            await until(lambda: len(server.objects["events"]) == 1)
            [event] = server.objects["events"].values()
            assert event["involvedObject"]["name"] == "db"
            assert event["message"] == "no such file"

    test(scenario)


def test_trouble_that_a_source_is_over_before_its_service_is_known_is_no_event(tmp_path: Path) -> None:
    async def scenario() -> None:
        server = cluster()
        source = Told(Failed("no such file"), Found(["10.9.0.1"]))
        async with running(server, tmp_path, [Assigned("shop", "db", source)]):
            await until(source.news.empty)
            server.put("services", service("db", selector=False))
            await until(lambda: server.addresses("db"))
        assert not server.objects["events"]

    test(scenario)


def test_what_became_of_a_service_that_is_gone_is_not_told_of_a_new_one_of_its_name(tmp_path: Path) -> None:
    async def scenario() -> None:
        server = cluster(("services", service("web")), ("pods", pod("web", 1)))
        async with running(server, tmp_path) as controller:
            await until(lambda: server.addresses("web"))
            server.slowness, server.fault = 0.3, lambda request: 422 if request.method == "PUT" else None
            server.put("pods", pod("web", 2))
            await until(lambda: any(request.method == "PUT" for request in server.requests))
            server.delete("services", ("shop", "web"))
            metrics, name = controller.metrics.registry, "endpoint_slice_controller_syncs_total"
            await until(lambda: metrics.get_sample_value(name, {"result": "error"}))
            server.slowness, server.fault = 0.0, lambda _: None
            server.put("services", service("web"))
            await until(lambda: len(server.addresses("web")) == 2)
        assert not server.objects["events"]

    test(scenario)


def test_the_same_trouble_of_a_service_that_is_made_anew_is_told_again(tmp_path: Path) -> None:
    async def scenario() -> None:
        broken = service("web", selector=False, annotations={"epcore.dev/selector": "app in (web)"})
        server = cluster(("services", broken))
        async with running(server, tmp_path):
            await until(lambda: len(server.objects["events"]) == 1)
            server.delete("services", ("shop", "web"))
            made = server.put("services", broken)
            await until(lambda: len(server.objects["events"]) == 2)
        concerned = {event["involvedObject"]["uid"] for event in server.objects["events"].values()}
        assert made["metadata"]["uid"] in concerned
        assert len(concerned) == 2

    test(scenario)


def test_a_source_may_empty_a_service_where_it_is_allowed(tmp_path: Path) -> None:
    async def scenario() -> None:
        server = cluster(("services", service("db", selector=False)))
        source = Told(Found(["10.9.0.1"]))
        async with running(server, tmp_path, [Assigned("shop", "db", source, may_empty=True)]):
            await until(lambda: server.addresses("db"))
            source.news.put_nowait(Found([]))
            await until(lambda: not server.slices("db"))

    test(scenario)


def test_slices_of_others_are_never_touched(tmp_path: Path) -> None:
    async def scenario() -> None:
        server = cluster(("services", service("web")), ("pods", pod("web", 1)))
        theirs = server.put(
            "endpointslices",
            {
                "metadata": {
                    "name": "web-theirs",
                    "namespace": "shop",
                    "labels": {
                        "kubernetes.io/service-name": "web",
                        "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
                    },
                },
                "addressType": "IPv4",
                "endpoints": [{"addresses": ["10.7.7.7"]}],
                "ports": [],
            },
        )
        async with running(server, tmp_path):
            await until(lambda: server.addresses("web"))
            server.delete("pods", ("shop", "web-1"))
            await until(lambda: not server.addresses("web"))
        assert server.objects["endpointslices"]["shop", "web-theirs"] == theirs

    test(scenario)


def test_a_single_run_writes_what_is_needed_and_a_second_one_nothing(tmp_path: Path) -> None:
    async def scenario() -> None:
        server = cluster(("services", service("web")), ("services", service("db", selector=False)))
        for number in range(7):
            server.put("pods", pod("web", number))

        def made(api: Api) -> Controller:
            assigned = Assigned("shop", "db", Told(Found(["10.9.0.1"])))
            return Controller(api, ControllerOptions(max_endpoints=5, page=2), sources=[assigned])

        async with server.serving(tmp_path) as config, Api(kubeconfig=config) as api:
            planned = await made(api).changes()
            assert not server.writes()
            assert sorted(change.verb for change in planned) == ["create"] * 3
            assert {change.name for change in await made(api).run_once()} == {change.name for change in planned}
            assert len(server.addresses("web")) == 7
            assert await made(api).run_once() == []

    test(scenario)


def test_a_single_run_tells_what_could_not_be_made_right_after_the_rest(tmp_path: Path) -> None:
    async def scenario() -> None:
        server = cluster(
            ("services", service("web")), ("services", service("db", selector=False)), ("pods", pod("web", 1))
        )
        async with server.serving(tmp_path) as config, Api(kubeconfig=config) as api:
            sources = [Assigned("shop", "db", Told(Failed("down"))), Assigned("shop", "lost", Told())]
            with pytest.raises(ControllerError, match="shop/db: down; shop/lost: no such Service") as raised:
                await Controller(api, ControllerOptions(), sources=sources).run_once()
            assert [change.verb for change in raised.value.changes] == ["create"]
            assert server.addresses("web")

    test(scenario)


@pytest.mark.parametrize(
    ("fault", "said"), [(409, "somebody else goes on writing"), (422, "fault 422"), ((403, {}), "fault 403")]
)
def test_a_single_run_tells_the_writes_that_were_made_and_no_others(fault: Fault, said: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        server = cluster(("services", service("web")), *(("pods", pod("web", number)) for number in range(9)))
        server.fault = lambda request: fault if request.method == "POST" and len(server.slices("web")) == 2 else None
        async with server.serving(tmp_path) as config, Api(kubeconfig=config) as api:
            with pytest.raises(ControllerError, match=said) as raised:
                await Controller(api, ControllerOptions(max_endpoints=3)).run_once()
            made = {("shop", item["metadata"]["name"]) for item in server.slices("web")}
            assert len(made) == 2
            assert {change.name for change in raised.value.changes} == made
            assert [change.verb for change in raised.value.changes] == ["create", "create"]

    test(scenario)


def test_a_single_run_that_may_not_write_tells_no_write(tmp_path: Path) -> None:
    async def scenario() -> None:
        server = cluster(("services", service("web")), ("pods", pod("web", 1)))
        asked: list[str] = []

        def owns(_: str, name: str) -> bool:
            asked.append(name)
            return len(asked) < 3  # until the plan is made

        async with server.serving(tmp_path) as config, Api(kubeconfig=config) as api:
            assert await Controller(api, ControllerOptions(), owns=owns).run_once() == []
            assert len(asked) == 3
        assert not server.writes()

    test(scenario)


def test_a_single_run_that_must_plan_again_tells_what_it_then_wrote(tmp_path: Path) -> None:
    async def scenario() -> None:
        server = cluster(("services", service("web")), ("pods", pod("web", 1)))
        async with server.serving(tmp_path) as config, Api(kubeconfig=config) as api:
            await Controller(api, ControllerOptions()).run_once()
            (before,) = server.slices("web")
            server.put("pods", pod("web", 2))
            theirs = {**before, "metadata": {**before["metadata"], "annotations": {"theirs": "x"}}}
            waiting = [theirs]

            def write_between(_: Request) -> None:
                for item in waiting:
                    server.put("endpointslices", item)
                waiting.clear()

            server.on_write = write_between
            (change,) = await Controller(api, ControllerOptions()).run_once()
            assert change.before is not None
            assert change.before["metadata"]["annotations"] == {"theirs": "x"}
            assert change.before["endpoints"] == before["endpoints"]
            assert len(server.addresses("web")) == 2

    test(scenario)


def test_a_broken_service_does_not_flood_its_events(tmp_path: Path) -> None:
    async def scenario() -> None:
        server = cluster(("services", service("db", selector=False)), ("services", service("vm", selector=False)))
        source, other = Told(), Told()
        sources = [Assigned("shop", "db", source), Assigned("shop", "vm", other)]
        async with running(server, tmp_path, sources) as controller:
            await until(lambda: controller.is_ready)
            for number in range(100):
                source.news.put_nowait(Failed("down"))
                other.news.put_nowait(Failed(f"down for the {number}th time"))
            await until(lambda: len(server.objects["events"]) == 1 + 25)
            await asyncio.sleep(0.2)
        messages = [event["message"] for event in server.objects["events"].values()]
        assert messages.count("down") == 1
        assert len(messages) == 1 + 25
        assert len(server.writes("events")) == 1 + 25

    test(scenario)


def test_a_pod_on_a_node_that_is_not_there_is_told_and_taken_once_it_is(tmp_path: Path) -> None:
    async def scenario() -> None:
        server = cluster(("services", service("web")), ("pods", pod("web", 1)))
        elsewhere = pod("web", 2)
        elsewhere["spec"]["nodeName"] = "n2"
        server.put("pods", elsewhere)
        async with running(server, tmp_path):
            await until(lambda: server.addresses("web") == ["10.3.0.2"] and server.objects["events"])
            (event,) = server.objects["events"].values()
            assert event["reason"] == "EndpointsLeftOut"
            assert "n2" in event["message"]
            server.put("nodes", {"metadata": {"name": "n2"}})
            await until(lambda: len(server.addresses("web")) == 2)

    test(scenario)


def test_an_event_that_goes_on_is_counted_in_the_one_that_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        monkeypatch.setattr("epcore.controller.recorder._AGAIN", 0.0)
        server = cluster(("services", service("db", selector=False)))
        source = Told(Failed("down"))
        async with running(server, tmp_path, [Assigned("shop", "db", source)]):
            await until(lambda: server.objects["events"])
            for number in (2, 3):
                source.news.put_nowait(Failed("down"))
                await until(lambda number=number: event_of(server)["count"] == number)  # type: ignore[misc]
            server.delete("events", ("shop", event_of(server)["metadata"]["name"]))  # as after an hour
            source.news.put_nowait(Failed("down"))
            await until(lambda: server.objects["events"])
            assert event_of(server)["count"] == 4

    test(scenario)


def event_of(server: FakeCluster) -> Json:
    (event,) = server.objects["events"].values()
    return event


def test_services_and_endpoints_that_cannot_be_read_are_counted_and_leave_others_alone(tmp_path: Path) -> None:
    async def scenario() -> None:
        broken = service("broken")
        broken["spec"]["ports"] = "nonsense"
        server = cluster(("services", broken), ("services", service("web")), ("pods", pod("web", 1)))
        server.put("endpoints", {"metadata": {"name": "old", "namespace": "shop"}, "subsets": "nonsense"})
        async with running(server, tmp_path, mirror=True) as controller:
            await until(lambda: server.addresses("web"))
            server.put("services", broken)
            server.put("pods", pod("web", 2))
            await until(lambda: len(server.addresses("web")) == 2)
            metrics = controller.metrics.registry
            name = "epcore_controller_unreadable_objects_total"
            await until(lambda: metrics.get_sample_value(name, {"kind": "Service"}) == 2)
            assert metrics.get_sample_value(name, {"kind": "Endpoints"}) == 1

    test(scenario)
