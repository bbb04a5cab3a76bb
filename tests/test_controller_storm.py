"""A controller in a storm of changes and faults, killed in its middle: the slices come right."""

import asyncio
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import epcore
from controller_world import Told, cluster, pod, service, test
from epcore.controller import Api, Controller, ControllerOptions
from epcore.controller.sources import Assigned, Found
from fake_cluster import Fault, Json, Request

SERVICES = ("web", "api", "db")


class Storm:
    """Random changes of a cluster, and random faults of its API server, all from one seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.server = cluster(*(("services", service(name, selector=name != "db")) for name in SERVICES))
        self.theirs = self.server.put("endpointslices", foreign("web"))
        self.sources: list[Told] = []
        self.outside = ["10.9.0.1"]
        self.rate = 0.0

    def fault(self, request: Request) -> Fault | None:
        if self.random.random() >= self.rate:
            return None
        faults: list[Fault] = ["lost", "cut", 500, 503, (429, {"Retry-After": "0.01"}), (503, {"Retry-After": "0.01"})]
        if request.method == "WATCH":
            faults = ["cut", 410]
        return self.random.choice(faults)

    def meddle(self, request: Request) -> None:
        """Another writer, who is there before us now and then."""
        ours = self.server.slices(managed_by="epcore")
        if ours and request.plural == "endpointslices" and self.random.random() < self.rate:
            item = self.random.choice(ours)
            if self.random.random() < 0.3:
                self.server.delete("endpointslices", ("shop", item["metadata"]["name"]))
            else:
                self.server.put("endpointslices", {**item, "endpoints": (item.get("endpoints") or [])[1:]})

    def change(self) -> None:
        app, number = self.random.choice(["web", "api"]), self.random.randrange(8)
        name = ("shop", f"{app}-{number}")
        match self.random.randrange(5):
            case 0 | 1:
                self.server.put("pods", pod(app, number, ready=self.random.random() < 0.7))
            case 2 if name in self.server.objects["pods"]:
                self.server.delete("pods", name)
            case 3:
                self.outside = sorted({f"10.9.0.{self.random.randrange(1, 8)}" for _ in range(5)})
                for source in self.sources:
                    source.news.put_nowait(Found([*self.outside]))
            case _:
                labels = {"epcore.dev/reconcile": "true", "version": str(self.random.randrange(3))}
                self.server.put("services", service(app, labels=labels))

    def wanted(self) -> dict[str, list[str]]:
        pods = self.server.objects["pods"].values()
        return {
            "db": self.outside,
            **{
                app: sorted(one["status"]["podIP"] for one in pods if one["metadata"]["labels"]["app"] == app)
                for app in ("web", "api")
            },
        }

    def is_right(self) -> bool:
        return all(self.server.addresses(name) == wanted for name, wanted in self.wanted().items())

    async def needs_nothing(self, api: Api, options: ControllerOptions) -> bool:
        """What somebody who comes anew thinks of it."""
        sources = [Assigned("shop", "db", Told(Found([*self.outside])))]
        return self.is_right() and await Controller(api, options, sources=sources).changes() == []

    async def rage(self, folder: Path, options: dict[str, Any]) -> None:
        """Run controllers that are killed and begun anew while everything changes and fails; now and then two."""
        self.server.fault, self.server.on_write = self.fault, self.meddle
        made = ControllerOptions(retry_base=0.005, retry_rate=10_000, retry_burst=10_000, **options)
        async with self.server.serving(folder) as config:
            for rate in (0.3, 0.3, 0.0):
                self.rate = rate
                async with Api(kubeconfig=config, qps=10_000, burst=10_000) as api:
                    self.sources = [Told(Found([*self.outside])) for _ in range(self.random.choice([1, 1, 2]))]
                    stop = asyncio.Event()
                    tasks = [
                        asyncio.create_task(Controller(api, made, sources=[Assigned("shop", "db", source)]).run(stop))
                        for source in self.sources
                    ]
                    for _ in range(12):
                        self.change()
                        await asyncio.sleep(self.random.choice([0.0, 0.002, 0.02]))
                    if rate:
                        for task in tasks:
                            task.cancel()
                        await asyncio.gather(*tasks, return_exceptions=True)
                        continue
                    async with asyncio.timeout(30):
                        while not await self.needs_nothing(api, made):  # noqa: ASYNC110 - nobody tells
                            await asyncio.sleep(0.05)
                    stop.set()
                    await asyncio.gather(*tasks)


def foreign(name: str) -> Json:
    labels = {
        "kubernetes.io/service-name": name,
        "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
    }
    return {
        "metadata": {"name": f"{name}-theirs", "namespace": "shop", "labels": labels},
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["10.7.7.7"]}],
        "ports": [],
    }


@settings(max_examples=max(8, settings().max_examples // 5), deadline=None)
@given(
    seed=st.integers(0, 2**32),
    policy=st.sampled_from(["balanced", "lifecycle", "upstream"]),
    most=st.sampled_from([2, 100]),
)
def test_after_any_storm_the_slices_are_right_and_those_of_others_untouched(
    tmp_path_factory: pytest.TempPathFactory, seed: int, policy: Any, most: int
) -> None:
    async def scenario() -> None:
        storm = Storm(seed)
        await storm.rage(tmp_path_factory.mktemp("storm"), {"policy": policy, "max_endpoints": most})
        assert storm.server.objects["endpointslices"]["shop", "web-theirs"] == storm.theirs
        findings = epcore.lint(storm.server.slices(managed_by="epcore"), max_endpoints=most)
        assert not [one for one in findings if one.severity == "error" or one.rule == "duplicate-endpoint"]

    test(scenario)
