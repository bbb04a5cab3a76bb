"""The watcher that controllers are compared by sees what is written, and counts it."""

from cluster.api import Api, Json
from cluster.objects import service
from cluster.observer import Observer
from cluster.processes import eventually


def written(namespace: str, name: str, pods: dict[str, bool]) -> Json:
    labels = {"kubernetes.io/service-name": "web", "endpointslice.kubernetes.io/managed-by": "test"}
    endpoints = [
        {
            "addresses": [f"10.0.0.{pod.removeprefix('web-')}"],
            "conditions": {"ready": ready, "serving": ready, "terminating": False},
            "targetRef": {"kind": "Pod", "name": pod, "namespace": namespace, "uid": pod},
        }
        for pod, ready in pods.items()
    ]
    return {
        "kind": "EndpointSlice",
        "apiVersion": "discovery.k8s.io/v1",
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "addressType": "IPv4",
        "ports": [],
        "endpoints": endpoints,
    }


def test_it_tells_when_it_knew_what_and_which_live_endpoints_moved(api: Api, namespace: str) -> None:
    api.create(service("web", namespace))
    with Observer(api, namespace) as observer:
        api.create(written(namespace, "a", {"web-1": True, "web-2": False}))
        eventually(lambda: observer.sent.events == 1, "the first slice")
        assert observer.states() == {"web-1": (True, True, False), "web-2": (False, False, False)}
        assert observer.sent.moved == 0
        # A live endpoint and one that is not go to another slice, and the latter is ready then.
        api.create(written(namespace, "b", {"web-1": True, "web-2": True}))
        api.update(written(namespace, "a", {}))
        eventually(lambda: observer.sent.events == 3, "all writes")
        assert observer.sent.moved == 1
        since = observer.last
        api.delete(written(namespace, "b", {}))
        eventually(lambda: not observer.states(), "the end of the slice")
        delay = observer.delay("web-1", None, since)
        assert delay is not None
        assert delay > 0
        assert observer.delay("web-1", (True, True, False), since) == 0.0
        assert observer.delay("web-1", (False, True, True), since) is None
        eventually(lambda: observer.sent.protobuf > 500, "the same as protobuf")
        assert observer.sent.protobuf < observer.sent.bytes
