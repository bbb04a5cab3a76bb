"""A real Envoy takes every endpoint as a resource of its own, and each change as one message with just what changed."""

import json
import queue
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeAlias

import grpc
import pytest
from envoy.config.endpoint.v3 import endpoint_pb2  # noqa: F401 - registers the messages inside of Any
from envoy.service.discovery.v3 import discovery_pb2
from google.protobuf import json_format

import epcore
from epcore.proxy import envoy
from ports import free_port
from programs import needs, program
from test_real_proxies import PATIENCE, PORT, Envoy, batches, running

Json: TypeAlias = dict[str, Any]

AUTHORITY = "epcore.example"
METHOD = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources"
ADS: Json = {"ads": {}, "resource_api_version": "V3"}


class ControlPlane(grpc.GenericRpcHandler):  # type: ignore[misc] # grpc has no types
    """Aggregated discovery, incremental, for one proxy: answers what is asked for, then sends what it is given."""

    def __init__(self, view: epcore.View) -> None:
        self.view = view
        self.refused: list[str] = []
        self.asked: list[str] = []
        self._waiting: queue.Queue[Json | None] = queue.Queue()
        self._lock = threading.Lock()
        self._nonce = 0

    def service(self, details: Any) -> Any:
        if details.method != METHOD:
            return None
        return grpc.stream_stream_rpc_method_handler(
            self.talk,
            request_deserializer=discovery_pb2.DeltaDiscoveryRequest.FromString,
            response_serializer=discovery_pb2.DeltaDiscoveryResponse.SerializeToString,
        )

    def talk(self, requests: Iterator[Any], context: Any) -> Iterator[Any]:
        del context
        threading.Thread(target=self.listen, args=(requests,), daemon=True).start()
        while (message := self._waiting.get()) is not None:
            self._nonce += 1
            yield json_format.ParseDict({**message, "nonce": str(self._nonce)}, discovery_pb2.DeltaDiscoveryResponse())

    def listen(self, requests: Iterator[Any]) -> None:
        try:
            for request in requests:
                if request.HasField("error_detail"):
                    self.refused.append(request.error_detail.message)
                names = list(request.resource_names_subscribe)
                if names:
                    self.asked += names
                    self.answer(request.type_url)
        except grpc.RpcError:
            pass  # the proxy has ended

    def answer(self, kind: str) -> None:
        with self._lock:
            if kind == envoy.ENDPOINT:
                self.send(envoy.leds(self.view, [PORT], authority=AUTHORITY))
            else:
                self.send(self.assignment())

    def assignment(self) -> Json:
        made = envoy.leds_assignment(self.view, PORT, authority=AUTHORITY, config=ADS)
        resource = {"name": made["cluster_name"], "version": json.dumps(made), "resource": made}
        return {"resources": [resource], "type_url": envoy.ASSIGNMENT}

    def send(self, message: Json) -> None:
        self._waiting.put(message)

    def change(self, delta: epcore.Delta) -> Json:
        with self._lock:
            message = envoy.delta_leds(delta, authority=AUTHORITY)
            self.send(message)
        return message

    def end(self) -> None:
        self._waiting.put(None)


def bootstrap(proxy: Envoy, port: int) -> Json:
    address = {"socket_address": {"address": "127.0.0.1", "port_value": port}}
    http2 = "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
    options = {"@type": http2, "explicit_http_config": {"http2_protocol_options": {}}}
    xds = {
        "name": "xds",
        "type": "STATIC",
        "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options},
        "load_assignment": {
            "cluster_name": "xds",
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}],
        },
    }
    cluster = {
        "name": proxy.cluster,
        "type": "EDS",
        "eds_cluster_config": {"service_name": proxy.cluster, "eds_config": ADS},
    }
    services = [{"envoy_grpc": {"cluster_name": "xds"}}]
    ads = {"api_type": "DELTA_GRPC", "transport_api_version": "V3", "grpc_services": services}
    return {
        "node": {"id": "epcore", "cluster": "epcore"},
        "admin": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": proxy.admin}}},
        "dynamic_resources": {"ads_config": ads},
        "static_resources": {"clusters": [xds, cluster]},
    }


@needs("envoy")
def test_envoy_holds_what_the_resources_add_up_to_after_each_step_of_a_rollout(tmp_path: Path) -> None:
    steps = batches()
    steps = [[event for step in steps[begin : begin + 5] for event in step] for begin in range(0, len(steps), 5)]
    view, port, proxy = epcore.View(), free_port(), Envoy(tmp_path)
    view.apply(steps[0])
    plane = ControlPlane(view)
    server = grpc.server(ThreadPoolExecutor(4), handlers=[plane])
    server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    (tmp_path / "envoy.json").write_text(json.dumps(bootstrap(proxy, port)))
    command = (program("envoy"), "-c", "envoy.json", "--concurrency", "1", "--log-level", "error")
    try:
        with running(*command, "--disable-hot-restart", folder=tmp_path):
            holds(proxy, view, plane)
            for step in steps[1:]:
                delta = view.apply(step)
                zones = {change.after.zone for change in delta.added if change.after}
                message = plane.change(delta)
                changed = {one.key for one in (*delta.added, *delta.updated, *delta.removed)}
                assert len(message["resources"]) + len(message["removed_resources"]) == len(changed)
                if zones - plane_zones(plane):
                    plane.send(plane.assignment())
                holds(proxy, view, plane)
            plane.end()
    finally:
        plane.end()
        server.stop(0).wait()
    assert plane.refused == []
    assert any(name.startswith("xdstp://") and name.endswith("/*") for name in plane.asked)


def plane_zones(plane: ControlPlane) -> set[str]:
    return {name.split("/")[-2] for name in plane.asked if name.startswith("xdstp://")}


def holds(proxy: Envoy, view: epcore.View, plane: ControlPlane) -> None:
    """Wait until Envoy has the endpoints of the view, those that are ready as healthy ones."""
    everything = view.endpoints(PORT.service, PORT.name)
    wanted = frozenset(f"{one.address}:{one.port}" for one in everything if one.ready)
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            found = proxy.hosts()
        except OSError:
            found = frozenset()
        if found == wanted:
            return
        if time.monotonic() > deadline:
            pytest.fail(f"Envoy has {len(found)} of {len(wanted)}; {plane.refused}; {plane.asked}")
        time.sleep(0.02)
