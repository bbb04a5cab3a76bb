"""Whose a Service is, and where its endpoints come from: Pods, a source, Endpoints that somebody wrote, or nobody."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from controller_world import LABEL, Told, cluster, pod, running, service, test, until
from epcore.controller.options import ControllerOptions
from epcore.controller.services import SELECTOR_ANNOTATION, service_of
from epcore.controller.sources import Assigned, Found
from fake_cluster import FakeCluster, Json


def role(item: Json, **options: Any) -> tuple[str | None, str]:
    found = service_of(item, ControllerOptions(**options), {("shop", "db")})
    return found.role, found.trouble


def annotated(name: str, selector: str) -> Json:
    return service(name, selector=False, annotations={SELECTOR_ANNOTATION: selector})


def test_a_service_is_ours_by_its_label_its_annotation_its_source_or_an_option() -> None:
    quiet = service("web", labels={})
    assert role(quiet) == (None, "")
    assert role(quiet, with_selector=True) == ("pods", "")
    assert role(service("web")) == ("pods", "")
    assert role(service("web", labels={LABEL: "false"})) == (None, "")
    assert role(annotated("web", "app=web, tier=one")) == ("pods", "")
    assert role(service("db", selector=False)) == ("source", "")
    assert role(service("other", selector=False)) == (None, "")
    assert role(service("other", selector=False), mirror=True) == ("mirror", "")
    external = service("web")
    external["spec"]["type"] = "ExternalName"
    assert role(external, with_selector=True) == (None, "")


def test_what_cannot_be_is_told() -> None:
    assert role(service("db")) == ("pods", "has a selector, so that its endpoints cannot come from a source")
    external = service("db", selector=False)
    external["spec"]["type"] = "ExternalName"
    assert role(external) == (None, "is of type ExternalName, so that its endpoints cannot come from a source")
    assert role(annotated("web", "app in (web)")) == (
        None,
        "the annotation epcore.dev/selector is not LABEL=VALUE,...: app in (web)",
    )


def test_what_cannot_be_is_an_event_on_the_service(tmp_path: Path) -> None:
    async def scenario() -> None:
        server = cluster(("services", annotated("web", "app in (web)")), ("services", service("db", labels={})))
        async with running(server, tmp_path, [Assigned("shop", "db", Told(Found(["10.9.0.1"])))]):
            await until(lambda: len(server.objects["events"]) == 2)
        events = server.objects["events"].values()
        assert {event["reason"] for event in events} == {"ServiceNotUsable"}
        assert {event["involvedObject"]["name"] for event in events} == {"web", "db"}
        assert not server.slices()

    test(scenario)


def test_a_selector_for_us_alone_is_followed_and_kept_from_kubernetes(tmp_path: Path) -> None:
    async def scenario() -> None:
        server = cluster(("services", annotated("web", "app=web")), ("pods", pod("web", 1)), ("pods", pod("other", 1)))
        async with running(server, tmp_path):
            await until(lambda: server.addresses("web") == ["10.3.0.2"])
            server.put("services", annotated("web", "app=other"))
            await until(lambda: server.addresses("web") == ["10.5.0.2"])
            assert "selector" not in server.objects["services"]["shop", "web"]["spec"]

    test(scenario)


def test_a_service_that_does_not_ask_any_more_keeps_its_slices_as_they_are(tmp_path: Path) -> None:
    async def scenario() -> None:
        server = cluster(("services", service("web")), ("pods", pod("web", 1)))
        async with running(server, tmp_path):
            await until(lambda: server.addresses("web"))
            server.put("services", service("web", labels={}))
            await asyncio.sleep(0.1)
            server.put("pods", pod("web", 2))
            await asyncio.sleep(0.3)
            assert server.addresses("web") == ["10.3.0.2"]
            server.put("services", service("web"))
            await until(lambda: server.addresses("web") == ["10.3.0.2", "10.3.0.3"])

    test(scenario)


def test_only_the_namespace_that_is_named_is_looked_at(tmp_path: Path) -> None:
    async def scenario() -> None:
        other = service("web")
        other["metadata"]["namespace"] = "bank"
        server = cluster(("services", service("web")), ("services", other), ("pods", pod("web", 1)))
        async with running(server, tmp_path, namespace="shop"):
            await until(lambda: server.addresses("web"))
            await asyncio.sleep(0.1)
        assert {item["metadata"]["namespace"] for item in server.slices()} == {"shop"}

    test(scenario)


def test_a_service_that_is_made_anew_gets_slices_of_its_own(tmp_path: Path) -> None:
    async def scenario() -> None:
        server = cluster(("services", service("db", selector=False)))
        async with running(server, tmp_path, [Assigned("shop", "db", Told(Found(["10.9.0.1"])))]):
            await until(lambda: server.addresses("db"))
            server.delete("services", ("shop", "db"))
            await asyncio.sleep(0.1)
            uid = server.put("services", service("db", selector=False))["metadata"]["uid"]
            await until(lambda: owner(server, "db") == uid)

    test(scenario)


def owner(server: FakeCluster, name: str) -> str:
    slices = server.slices(name)
    return "" if len(slices) != 1 else slices[0]["metadata"]["ownerReferences"][0]["uid"]


def endpoints(name: str, *addresses: str, **labels: str) -> Json:
    subset = {"addresses": [{"ip": one} for one in addresses], "ports": [{"name": "http", "port": 80}]}
    return {"apiVersion": "v1", "metadata": {"name": name, "namespace": "shop", "labels": labels}, "subsets": [subset]}


MIRRORED = "epcore-mirroring"


def test_endpoints_of_a_service_without_selector_are_mirrored_where_it_is_asked_for(tmp_path: Path) -> None:
    async def scenario() -> None:
        server = cluster(("services", service("old", selector=False)), ("endpoints", endpoints("old", "10.8.0.1")))
        async with running(server, tmp_path):
            await asyncio.sleep(0.2)
            assert not server.slices("old")
            assert "endpoints" not in {request.plural for request in server.requests}
        async with running(server, tmp_path, mirror=True):
            await until(lambda: server.addresses("old", MIRRORED) == ["10.8.0.1"])
            server.put("endpoints", endpoints("old", "10.8.0.1", "10.8.0.2"))
            await until(lambda: server.addresses("old", MIRRORED) == ["10.8.0.1", "10.8.0.2"])
            server.put("endpoints", endpoints("late", "10.8.0.3"))
            await asyncio.sleep(0.1)
            assert not server.slices("late")
            server.put("services", service("late", selector=False))
            await until(lambda: server.addresses("late", MIRRORED) == ["10.8.0.3"])
            server.delete("endpoints", ("shop", "late"))
            await until(lambda: not server.slices("late"))

    test(scenario)


@pytest.mark.parametrize("way", ["skip-mirror", "a selector", "no Service"])
def test_what_is_mirrored_no_more_is_taken_away(way: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        server = cluster(("services", service("old", selector=False)), ("endpoints", endpoints("old", "10.8.0.1")))
        async with running(server, tmp_path, mirror=True):
            await until(lambda: server.addresses("old", MIRRORED))
            if way == "skip-mirror":
                labels = {"endpointslice.kubernetes.io/skip-mirror": "true"}
                server.put("endpoints", endpoints("old", "10.8.0.1", **labels))
            elif way == "a selector":
                server.put("services", service("old", labels={}))
            else:
                server.delete("services", ("shop", "old"))
            await until(lambda: not server.slices("old", MIRRORED))

    test(scenario)


def test_addresses_that_cannot_be_mirrored_are_told_by_an_event(tmp_path: Path) -> None:
    async def scenario() -> None:
        bad = endpoints("old", "10.8.0.1", "127.0.0.1")
        server = cluster(("services", service("old", selector=False)), ("endpoints", bad))
        async with running(server, tmp_path, mirror=True):
            await until(lambda: server.addresses("old", MIRRORED) == ["10.8.0.1"])
            await until(lambda: server.objects["events"])
            (event,) = server.objects["events"].values()
            assert event["message"] == '"127.0.0.1" is no address that a slice may have: not mirrored'

    test(scenario)


def test_what_another_source_says_is_not_mixed_with_what_is_mirrored(tmp_path: Path) -> None:
    async def scenario() -> None:
        server = cluster(("services", service("db", selector=False)), ("endpoints", endpoints("db", "10.8.0.1")))
        async with running(server, tmp_path, [Assigned("shop", "db", Told(Found(["10.9.0.1"])))], mirror=True):
            await until(lambda: server.addresses("db") == ["10.9.0.1"])
            await asyncio.sleep(0.2)
            assert not server.slices("db", MIRRORED)

    test(scenario)


def test_with_the_name_of_kubernetes_controller_its_slices_are_taken_over_as_they_are(tmp_path: Path) -> None:
    async def scenario() -> None:
        theirs = "endpointslice-controller.k8s.io"
        server = cluster(("services", service("web")), ("pods", pod("web", 1)))
        async with running(server, tmp_path, controller=theirs, trigger_time=False):
            await until(lambda: server.addresses("web", theirs))
        before = server.slices("web")
        async with running(server, tmp_path, controller=theirs):
            await asyncio.sleep(0.3)
        assert server.slices("web") == before
        assert len(server.writes()) == 1

    test(scenario)
