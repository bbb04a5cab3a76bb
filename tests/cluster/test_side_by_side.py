"""Beside Kubernetes' own controller, on the same Pods at the same time: the same content, or fewer writes and bytes."""

import json
from collections import Counter
from contextlib import ExitStack
from typing import Any

from cluster.api import Api, Json
from cluster.comparison import at_work
from cluster.contenders import KUBERNETES, THEIRS, written_by
from cluster.control_plane import ControlPlane
from cluster.loads import LOADS, Fleet
from cluster.objects import new_namespace, service
from cluster.observer import Observer
from cluster.processes import eventually
from programs import needs

BATCH = 1.5
"""Seconds: a wave of changes fits, so that all plan for the same changes and their counts can be compared."""
POLICIES = {"upstream": "upstream.example.com", "lifecycle": "lifecycle.example.com"}
# Beside the Service `web`, whose writes are counted: others of the same Pods, for what slices say.
OTHERS: dict[str, Json] = {
    "headless": {"clusterIP": "None"},
    "both-families": {"ipFamilyPolicy": "RequireDualStack"},
    "zones": {"trafficDistribution": "PreferSameZone"},
    "nodes": {"trafficDistribution": "PreferSameNode"},
    "not-ready": {"publishNotReadyAddresses": True, "labels": {"team": "shop", "empty": ""}},
    "several-ports": {
        "ports": [
            {"name": "http", "port": 80, "targetPort": 8080, "appProtocol": "kubernetes.io/h2c"},
            {"name": "dns", "port": 53, "protocol": "UDP"},
        ]
    },
}
WEB = "kubernetes.io/service-name=web"


def content(api: Api, namespace: str, manager: str) -> Counter[str]:
    """What slices say, but for who wrote them, what they are called, and who is in which.

    The version of a target is left out: a slice says the one that the Pod had when it was written last.
    """
    found: Counter[str] = Counter()
    for one in api.items("endpointslices", namespace, labels=written_by(manager)):
        metadata: Any = one["metadata"]
        labels = {name: value for name, value in metadata["labels"].items() if not name.endswith("managed-by")}
        # Kubernetes sorts ports by their hash (`NewPortMapKey`), for whom their order has no meaning.
        ports = sorted(one["ports"] or (), key=json.dumps)
        about = [one["addressType"], ports, labels, metadata["ownerReferences"]]
        found[json.dumps(about, sort_keys=True)] = 1
        for endpoint in one["endpoints"] or ():
            endpoint["targetRef"].pop("resourceVersion", None)
            found[json.dumps([*about, endpoint], sort_keys=True)] += 1
    return found


@needs("kube-controller-manager")
def test_upstream_says_the_same_and_lifecycle_writes_and_sends_less(own_control_plane: ControlPlane) -> None:
    api = own_control_plane.admin
    namespace = new_namespace(api)
    fleet = Fleet(api, namespace)
    writers = {KUBERNETES: THEIRS, **POLICIES}
    with ExitStack() as stack:
        for name, manager in writers.items():
            stack.enter_context(at_work(own_control_plane, name, most=20, batch=BATCH, manager=manager))
        observers = {
            name: stack.enter_context(Observer(api, namespace, f"{written_by(manager)},{WEB}"))
            for name, manager in writers.items()
        }

        def is_known() -> bool:
            expected = fleet.expected()
            return all(observer.states() == expected for observer in observers.values())

        def is_settled() -> bool:
            return is_known() and content(api, namespace, writers["upstream"]) == content(api, namespace, THEIRS)

        fleet.is_known = is_known
        fleet.prepare(100)
        eventually(is_settled, "the first slices")
        for name, spec in OTHERS.items():
            api.create(service(name, namespace, selector={"app": "web"}, **spec))
        for load in ("rollout", "drain", "node failure"):
            LOADS[load](fleet)
            try:
                eventually(is_settled, f"slices after {load}")
            except TimeoutError:
                theirs, ours = (content(api, namespace, writers[name]) for name in (KUBERNETES, "upstream"))
                assert not (sorted(ours - theirs)[:2], sorted(theirs - ours)[:2])
                raise
            assert len(content(api, namespace, THEIRS)) > 100 * len(OTHERS)
        kubernetes, lifecycle = observers[KUBERNETES].sent, observers["lifecycle"].sent
        assert lifecycle.events < kubernetes.events
        assert lifecycle.bytes < kubernetes.bytes
        assert lifecycle.protobuf < kubernetes.protobuf
        assert {name: observer.sent.moved for name, observer in observers.items()} == dict.fromkeys(writers, 0)
