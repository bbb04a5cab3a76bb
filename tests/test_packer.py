"""The writer's state: the stateless plan at every moment, the right slices at last, whatever is lost or comes twice."""

import json
import threading
from collections import Counter
from collections.abc import Sequence
from typing import Any, TypeAlias

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

import epcore
from epcore.types import Outcome
from kube_strategies import nodes, pods, services
from packer_parts import MANAGED_BY, SERVICE, Json, made, packer_of

Name: TypeAlias = tuple[str, str]

KINDS = ("EndpointSlice", "Service", "Pod", "Node")
NAMES = ("web", "api", "db")
"""Two Services with selector (which may take each other's Pods), and one without."""

REACHED: Counter[str] = Counter()
"""How often each thing happened, so that a test of nothing is found out."""

FATES = ["told", "told", "told", "seen, then told", "seen, then lost", "lost", "never sent", "killed"]

OUTSIDE = st.lists(
    st.sampled_from(["10.9.0.1", "10.9.0.2:5433", "10.9.0.3", "fd00::9", "10.9.0.4"]), unique=True, max_size=5
)


class Server:
    """An API server: objects with versions, the events of each write, and answers."""

    def __init__(self) -> None:
        self.version = 0
        self.objects: dict[str, dict[Name, Json]] = {kind: {} for kind in KINDS}
        self.events: dict[str, list[Json]] = {kind: [] for kind in KINDS}

    def put(self, kind: str, item: Json) -> Json:
        self.version += 1
        item = json.loads(json.dumps({**item, "kind": kind}))
        item["metadata"]["resourceVersion"] = str(self.version)
        name = (item["metadata"].get("namespace", ""), item["metadata"]["name"])
        event = "MODIFIED" if name in self.objects[kind] else "ADDED"
        self.objects[kind][name] = item
        self.events[kind].append({"type": event, "object": item})
        return item

    def delete(self, kind: str, name: Name) -> None:
        item = self.objects[kind].pop(name)
        self.version += 1
        item = {**item, "metadata": {**item["metadata"], "resourceVersion": str(self.version)}}
        self.events[kind].append({"type": "DELETED", "object": item})

    def write(self, write: epcore.Write) -> tuple[Outcome, Json | None]:
        """Carry out a write of a plan, if it is of the slice as it is now."""
        sent: Json = {**write.to_dict()}
        metadata = sent["metadata"]
        if write.verb == "create":
            name = metadata.get("name") or f"{metadata['generateName']}{self.version + 1}"
            if (metadata["namespace"], name) in self.objects["EndpointSlice"]:
                return "conflict", None
            return "accepted", self.put("EndpointSlice", {**sent, "metadata": {**metadata, "name": name}})
        name = (metadata["namespace"], metadata["name"])
        held = self.objects["EndpointSlice"].get(name)
        if held is None:
            return "gone", None
        if write.verb == "delete":
            self.delete("EndpointSlice", name)
            return "accepted", None
        if held["metadata"]["resourceVersion"] != metadata["resourceVersion"]:
            return "conflict", None
        return "accepted", self.put("EndpointSlice", sent)

    def listed(self, kind: str) -> Json:
        items = list(self.objects[kind].values())
        return {"kind": f"{kind}List", "metadata": {"resourceVersion": str(self.version)}, "items": items}


class PackerMachine(RuleBasedStateMachine):
    """Watches run ahead or behind, events come twice, answers are lost, processes die."""

    policy: Any = "balanced"
    naming: Any = "generate"

    def __init__(self) -> None:
        super().__init__()
        self.server = Server()
        self.outside: list[str] | None = None
        self.start()

    def start(self) -> None:
        self.options: Any = {"policy": self.policy, "naming": self.naming, "max_endpoints": 2}
        self.packer = epcore.Packer(managed_by=MANAGED_BY, **self.options)
        self.told: set[Name] = set()
        self.never_made = False
        """A create was lost on its way, and no list has said so."""
        self.seen: dict[str, dict[Name, Json]] = {kind: {} for kind in KINDS}
        self.cursor = dict.fromkeys(KINDS, 0)

    def list_kind(self, kind: str) -> None:
        self.packer.replace(json.dumps(self.server.listed(kind)).encode())
        self.never_made &= kind != "EndpointSlice"
        self.seen[kind] = dict(self.server.objects[kind])
        self.cursor[kind] = len(self.server.events[kind])

    @initialize(all_nodes=nodes(), some=st.lists(st.integers(0, 7).flatmap(pods), max_size=5), service=services())
    def begin(self, all_nodes: list[Json], some: list[Json], service: Json) -> None:
        for node in all_nodes:
            self.server.put("Node", node)
        for pod in some:
            self.server.put("Pod", pod)
        for name in NAMES:
            self.put_service(service, name)
        for kind in KINDS:
            self.list_kind(kind)

    @rule(service=services(), name=st.sampled_from(NAMES))
    def put_service(self, service: Json, name: str) -> None:
        metadata = {**service["metadata"], "name": name, "uid": f"u-{name}"}
        metadata.pop("deletionTimestamp", None)
        # Sharing by CPU remembers what it did, which a stateless plan cannot.
        metadata["annotations"] = {
            key: value for key, value in metadata["annotations"].items() if "topology" not in key
        }
        spec = {**service["spec"]}
        if name == "db":
            spec.pop("selector")
            spec["ports"] = [{"name": "sql", "port": 5432}]
        self.server.put("Service", {**service, "metadata": metadata, "spec": spec})

    @rule(pod=st.integers(0, 7).flatmap(pods))
    def put_pod(self, pod: Json) -> None:
        self.server.put("Pod", pod)

    @rule(kind=st.sampled_from(["Pod", "Pod", "Service", "Node"]), data=st.data())
    def delete_something(self, kind: str, data: st.DataObject) -> None:
        names = sorted(self.server.objects[kind])
        if names:
            self.server.delete(kind, data.draw(st.sampled_from(names)))

    @rule(all_nodes=nodes())
    def put_nodes(self, all_nodes: list[Json]) -> None:
        for node in all_nodes:
            self.server.put("Node", node)

    @rule()
    def watch_everything(self) -> None:
        for kind in KINDS:
            self.watch(kind, 1000, 0)

    @rule(endpoints=OUTSIDE)
    def publish(self, endpoints: list[str]) -> None:
        self.outside = sorted(endpoints)
        self.packer.publish("db", endpoints, namespace="shop")

    @rule(endpoints=OUTSIDE, is_removal=st.booleans())
    def change_outside(self, endpoints: list[str], is_removal: bool) -> None:  # noqa: FBT001
        if self.outside is None:
            return
        known = set(self.outside)
        if is_removal:
            self.packer.remove("db", endpoints, namespace="shop")
            self.outside = sorted(known - set(endpoints))
        else:
            self.packer.upsert("db", endpoints, namespace="shop")
            self.outside = sorted(known | set(endpoints))

    @rule(kind=st.sampled_from(KINDS), count=st.integers(1, 4), again=st.integers(0, 3))
    def watch(self, kind: str, count: int, again: int) -> None:
        """Deliver some events of a watch, the last ones before them once more."""
        begin = self.cursor[kind]
        events = self.server.events[kind][begin : begin + count]
        self.packer.apply([*self.server.events[kind][max(0, begin - again) : begin], *events])
        for event in events:
            self.take(kind, event)
        self.cursor[kind] += len(events)

    def take(self, kind: str, event: Json) -> None:
        metadata = event["object"]["metadata"]
        name = (metadata.get("namespace", ""), metadata["name"])
        if event["type"] == "DELETED":
            self.seen[kind].pop(name, None)
        else:
            self.seen[kind][name] = event["object"]

    @rule(data=st.data(), is_deletion=st.booleans())
    def meddle(self, data: st.DataObject, is_deletion: bool) -> None:  # noqa: FBT001
        """Somebody else writes a slice of ours."""
        names = sorted(self.server.objects["EndpointSlice"])
        if not names:
            return
        name = data.draw(st.sampled_from(names))
        if is_deletion:
            self.server.delete("EndpointSlice", name)
            return
        slice_ = self.server.objects["EndpointSlice"][name]
        self.server.put("EndpointSlice", {**slice_, "endpoints": (slice_["endpoints"] or [])[1:] or None})

    @rule(data=st.data(), is_deletion=st.booleans(), pod=st.integers(0, 7).flatmap(pods), fate=st.sampled_from(FATES))
    def collide(self, data: st.DataObject, is_deletion: bool, pod: Json, fate: str) -> None:  # noqa: FBT001
        """Somebody else writes a slice of ours just before we do."""
        self.write([])
        self.meddle(data, is_deletion)
        self.server.put("Pod", pod)
        for number in range(3):
            if ("shop", f"web-{number}") in self.server.objects["Pod"]:
                self.server.delete("Pod", ("shop", f"web-{number}"))
        self.watch("Pod", 1000, 0)
        self.write([fate])

    @rule(kind=st.sampled_from(KINDS))
    def relist(self, kind: str) -> None:
        self.list_kind(kind)

    @rule()
    def restart(self) -> None:
        self.start()
        for kind in KINDS:
            self.list_kind(kind)
        if self.outside is not None:
            self.packer.publish("db", self.outside, namespace="shop")

    @rule(fate=st.lists(st.sampled_from(FATES), max_size=8))
    def write(self, fate: list[str]) -> None:
        """Carry out the plans, with answers that are told, late or lost, and a process that may die in between."""
        fates = iter(fate)
        for namespace, name in self.packer.dirty:
            for write in self.packer.plan(name, namespace=namespace).writes:
                what = next(fates, "told")
                if what == "killed":
                    self.restart()
                    return
                if what == "never sent":
                    self.never_made |= write.name is None
                    self.packer.answer(write, "unknown")
                    continue
                outcome, made = self.server.write(write)
                REACHED[f"{write.verb} {outcome} {what}"] += 1
                if what.startswith("seen"):
                    self.watch("EndpointSlice", 1000, 0)
                    self.every_plan_is_the_stateless_one()
                if what.endswith("lost"):
                    self.packer.answer(write, "unknown")
                else:
                    self.packer.answer(write, outcome, made)

    @invariant()
    def whoever_only_hears_news_knows_what_is_dirty(self) -> None:
        self.told |= {*self.packer.take_news()}
        dirty = {*self.packer.dirty}
        assert dirty <= self.told
        self.told = dirty

    @invariant()
    def every_plan_is_the_stateless_one(self) -> None:
        dirty, waiting = set(self.packer.dirty), set(self.packer.waiting)
        for namespace, name in self.seen["Service"]:
            stateless = self.stateless(name)
            if stateless is None:
                continue
            plan = self.packer.plan(name, namespace=namespace)
            assert plan.to_json() == stateless.to_json()
            if (namespace, name) not in dirty | waiting:
                assert not stateless, "what needs a write is dirty"

    def stateless(self, name: str) -> epcore.Plan | None:
        service = self.seen["Service"].get(("shop", name))
        if service is None:
            return None
        slices = self.packer.slices(name, namespace="shop")
        if service["spec"].get("selector"):
            pods_, nodes_ = (list(self.seen[kind].values()) for kind in ("Pod", "Node"))
            return epcore.reconcile(service, pods_, nodes_, slices, **self.options)
        if self.outside is None or service["spec"].get("type") == "ExternalName":
            return None
        return epcore.publish(service, self.outside, slices, managed_by=MANAGED_BY, **self.options)

    def teardown(self) -> None:
        """Let everything arrive: then all is right, nothing is there twice, and nothing is left to do."""
        for kind in KINDS:
            self.watch(kind, 1000, 0)
        assert self.never_made or self.packer.waiting == [], "watches alone tell how it is"
        for kind in KINDS:
            self.list_kind(kind)
        for _ in range(3):
            for namespace, name in self.packer.dirty:
                for write in self.packer.plan(name, namespace=namespace).writes:
                    outcome, made = self.server.write(write)
                    assert outcome == "accepted"
                    self.packer.answer(write, "accepted", made)
        assert self.packer.dirty == self.packer.waiting == []
        known = {(one.namespace, one.name) for name in NAMES for one in self.packer.slices(name, namespace="shop")}
        assert known == set(self.server.objects["EndpointSlice"])
        for name in NAMES:
            stateless = self.stateless(name)
            assert not stateless, "nothing is left to do"
            if stateless is not None:
                held = Counter(
                    (slice_.address_type, endpoint.addresses[0], endpoint.target_name, str(slice_.to_dict()["ports"]))
                    for slice_ in stateless.result()
                    for endpoint in slice_.endpoints
                )
                assert not held or max(held.values()) == 1
        # What the watches still have to say is known already.
        for kind in KINDS:
            self.packer.apply(self.server.events[kind])
        assert self.packer.dirty == []


class DeterministicMachine(PackerMachine):
    """The same with names that follow from the content, so that a create that was lost may be sent again."""

    policy = "lean"
    naming = "deterministic"


class LifecycleMachine(PackerMachine):
    """The same where idle endpoints move."""

    policy = "lifecycle"


@pytest.mark.parametrize("machine", [PackerMachine, DeterministicMachine, LifecycleMachine])
def test_plans_are_the_stateless_ones_and_all_is_right_at_last(machine: type[PackerMachine]) -> None:
    REACHED.clear()
    steps = settings(max_examples=2 * settings().max_examples, stateful_step_count=40)
    run_state_machine_as_test(machine, settings=steps)
    # That was not a test of nothing.
    assert {key.split()[0] for key in REACHED} == {"create", "update", "delete"}
    assert {"accepted", "conflict", "gone"} <= {key.split()[1] for key in REACHED}, REACHED


def test_a_service_whose_writes_were_accepted_is_clean_without_being_planned_again() -> None:
    packer = packer_of("10.9.0.1")
    assert packer.dirty == packer.take_news() == [("shop", "db")]
    assert packer.take_news() == [], "it is dirty still, but that is no news"
    (write,) = packer.plan("db", namespace="shop").writes
    packer.answer(write, "accepted", made(write, "db-1", 6))
    assert packer.dirty == packer.take_news() == [], "an answer to what was asked for is no news"
    packer.apply({"type": "ADDED", "object": {**made(write, "db-1", 6), "kind": "EndpointSlice"}})
    assert packer.dirty == [], "the event says what is known"
    assert repr(packer) == "<Packer: 0 dirty, 0 waiting>"
    packer.upsert("db", ["10.9.0.1"], namespace="shop")
    packer.remove("db", ["10.9.0.7"], namespace="shop")
    assert packer.dirty == [], "nothing changed"
    packer.upsert("db", [{"addresses": ["10.9.0.1"], "zone": "a"}], namespace="shop")
    (write,) = packer.plan("db", namespace="shop").writes
    assert (write.verb, write.reasons) == ("update", ["endpoints-updated"])


@pytest.mark.parametrize("tell", ["publish", "upsert"])
@pytest.mark.parametrize("count", [0, 1, 40])
def test_an_endpoint_that_the_api_refuses_is_refused_when_it_is_told(tell: str, count: int) -> None:
    packer = packer_of("10.9.0.1")
    before = packer.plan("db", namespace="shop").to_json()
    others = [f"10.9.1.{number}" for number in range(count)]
    for wrong in ("127.0.0.1", "10.0.0.300"):
        with pytest.raises(epcore.InvalidInputError) as caught:
            getattr(packer, tell)("db", ["10.9.0.1", *others, wrong], namespace="shop")
        assert caught.value.path == f"endpoints[{1 + count}].addresses[0]"
        with pytest.raises(epcore.InvalidInputError) as caught:
            getattr(packer, tell)("db", [wrong], namespace="shop")
        assert caught.value.path == "endpoints[0].addresses[0]"
    assert packer.plan("db", namespace="shop").to_json() == before


@pytest.mark.parametrize("managed_by", ["", "bad value!", "endpointslice-controller.k8s.io"])
def test_a_packer_that_could_publish_nothing_is_none(managed_by: str) -> None:
    with pytest.raises(epcore.InvalidInputError) as caught:
        epcore.Packer(managed_by=managed_by)
    assert caught.value.path == "managed_by"


def test_services_without_selector_and_endpoints_are_left_alone() -> None:
    packer = epcore.Packer(managed_by=MANAGED_BY)
    packer.apply(SERVICE)
    by_hand = made(packer_of("10.9.0.9").plan("db", namespace="shop").writes[0], "db-1", 6)
    packer.apply(by_hand, kind="EndpointSlice")
    assert not packer.plan("db", namespace="shop")
    packer.publish("db", [], namespace="shop")
    assert [write.verb for write in packer.plan("db", namespace="shop").writes] == ["delete"], "none was asked for"


def test_slices_of_a_service_whose_endpoints_are_forgotten_are_left_alone() -> None:
    packer = packer_of("10.9.0.1")
    (create,) = packer.plan("db", namespace="shop").writes
    packer.answer(create, "accepted", made(create, "db-x", 6))
    packer.forget("db", namespace="shop")
    packer.forget("web", namespace="shop")
    assert not packer.plan("db", namespace="shop")
    assert packer.dirty == []
    packer.publish("db", ["10.9.0.2"], namespace="shop")
    assert [write.name for write in packer.plan("db", namespace="shop").writes] == ["db-x"], "they are there still"


@pytest.mark.parametrize("tell", ["publish", "upsert"])
@pytest.mark.parametrize("other", [{}, {"y": 1}])
def test_a_null_that_is_told_later_takes_a_field_away(tell: str, other: Json) -> None:
    endpoint = {"addresses": ["10.9.0.1"], **other}
    held = epcore.publish(SERVICE, [{**endpoint, "x": 1}], managed_by=MANAGED_BY, naming="deterministic").result()
    packer = packer_of()
    packer.publish("db", [endpoint], namespace="shop")
    packer.replace(held, kind="EndpointSlice")
    assert not packer.plan("db", namespace="shop")
    getattr(packer, tell)("db", [{**endpoint, "x": None}], namespace="shop")
    (write,) = packer.plan("db", namespace="shop").writes
    (only,) = write.to_dict()["endpoints"] or []
    assert "x" not in only


def test_a_name_that_follows_from_the_content_is_not_that_of_another_writers_slice() -> None:
    first = epcore.publish(SERVICE, ["10.9.0.1"], managed_by="one.example.com", naming="deterministic").result()
    second = epcore.publish(SERVICE, ["10.9.0.1"], first, managed_by="two.example.com", naming="deterministic")
    assert [write.verb for write in second.writes] == ["create"]
    assert second.writes[0].name != first[0].name


@pytest.mark.parametrize(
    ("given", "kind", "path"),
    [
        (b'{"type": "ADDED", "object": {"metadata": {"name": "x"}}}', None, "events[0].object.kind"),
        (b'{"type": "ADDED", "object": {"kind": "Secret"}}', None, "events[0].object.kind"),
        (b'{"type": "ADDED", "object": {"kind": "PodList"}}', None, "events[0].object.kind"),
        (b'{"type": "ERROR", "object": {"kind": "Status", "code": 410}}', None, "events[0].object"),
        (b'{"type": "CHANGED", "object": {"kind": "Pod"}}', None, "events[0].type"),
        (b'{"type": "ADDED", "object": {"metadata": {}}}', "Pod", "events[0].object.metadata.name"),
        (b'{"type": "ADDED", "object": {"kind": "Node", "metadata": {"name": 7}}}', None, "events[0].object.metadata"),
        (json.dumps(SERVICE).encode() + b"{", None, "events[1]"),
    ],
)
def test_what_is_wrong_in_an_event_is_told_with_its_place_and_nothing_changes(
    given: bytes, kind: Any, path: str
) -> None:
    packer = packer_of("10.9.0.1")
    before = packer.plan("db", namespace="shop").to_json()
    with pytest.raises(epcore.InvalidInputError) as error:
        packer.apply(given, kind=kind)
    assert error.value.path.startswith(path)
    assert packer.plan("db", namespace="shop").to_json() == before
    assert packer.resource_version("Service") == "5"


@pytest.mark.parametrize("around", [{"apiVersion": "v1", "kind": "List"}, {}])
def test_a_list_of_kubectl_tells_its_kind_by_its_objects(around: Json) -> None:
    packer = epcore.Packer(managed_by=MANAGED_BY)
    listed = {**around, "items": [{**SERVICE, "kind": "Service"}], "metadata": {"resourceVersion": ""}}
    for given in (json.dumps(listed), listed):
        packer.replace(given)
        packer.publish("db", ["10.9.0.1"], namespace="shop")
        assert packer.dirty == [("shop", "db")]


def test_what_is_wrong_in_a_list_or_an_answer_is_refused() -> None:
    packer = packer_of("10.9.0.1")
    (write,) = packer.plan("db", namespace="shop").writes
    with pytest.raises(epcore.InvalidInputError, match="nothing tells of which kind"):
        packer.replace([])
    with pytest.raises(epcore.InvalidInputError, match="a second Service"):
        packer.replace([SERVICE, SERVICE], kind="Service")
    with pytest.raises(epcore.InvalidInputError, match="kind"):
        packer.replace([SERVICE], kind="Pod")
    with pytest.raises(ValueError, match="kind must be one of"):
        packer.replace([], kind="Secret")  # type: ignore[arg-type]
    elsewhere = made(write, "db-x", 6)
    elsewhere["metadata"]["namespace"] = "other"
    for answer, field in ((made(write, "", 6), "name"), (elsewhere, "namespace")):
        with pytest.raises(epcore.InvalidInputError, match="not that of the slice that was written") as caught:
            packer.answer(write, "accepted", answer)
        assert caught.value.path == f"object.metadata.{field}"
    with pytest.raises(ValueError, match="outcome must be one of"):
        packer.answer(write, "lost")  # type: ignore[arg-type]
    with pytest.raises(epcore.LimitError):
        epcore.Packer(max_endpoints=0)
    assert packer.dirty == [("shop", "db")]
    packer.apply({"type": "ERROR", "object": {"kind": "Status"}}, kind="Pod")
    assert [packer.expired(kind) for kind in ("Pod", "Node")] == [True, False]
    packer.replace(b'{"kind": "PodList", "metadata": {"resourceVersion": "77"}, "items": []}')
    assert (packer.expired("Pod"), packer.resource_version("Pod")) == (False, "77")


def test_only_the_services_that_an_event_concerns_are_dirty() -> None:
    packer = epcore.Packer()
    services_: list[Json] = [
        {"metadata": {"name": f"s{number}", "namespace": "shop"}, "spec": {"selector": {"app": f"a{number}"}}}
        for number in range(1000)
    ]
    packer.replace(services_, kind="Service")
    for namespace, name in packer.dirty:
        for write in packer.plan(name, namespace=namespace).writes:
            packer.answer(write, "accepted", made(write, f"{name}-1", 1))
    assert packer.dirty == []
    metadata = {"name": "p", "namespace": "shop", "labels": {"app": "a7"}, "uid": "u"}
    status = {"podIP": "10.0.0.7", "conditions": [{"type": "Ready", "status": "True"}]}
    pod: Json = {"kind": "Pod", "metadata": metadata, "spec": {"nodeName": "n"}, "status": status}
    packer.apply({"type": "ADDED", "object": pod})
    assert packer.dirty == [("shop", "s7")]
    assert packer.plan("s7", namespace="shop").errors, "its Node is not there"
    packer.apply({"kind": "Node", "metadata": {"name": "n"}})
    assert packer.dirty == [("shop", "s7")]
    for write in packer.plan("s7", namespace="shop").writes:
        packer.answer(write, "accepted", made(write, write.name or "s7-2", 2))
    assert packer.dirty == []
    packer.apply({"type": "MODIFIED", "object": {**pod, "metadata": {**metadata, "labels": {"app": "a8"}}}})
    assert packer.dirty == [("shop", "s7"), ("shop", "s8")], "the selector of one lost it, that of the other found it"


def test_threads_may_feed_and_ask_at_once() -> None:
    packer = packer_of()
    failures: list[BaseException] = []

    def feed(part: int) -> None:
        try:
            for number in range(50):
                packer.upsert("db", [f"10.{part}.0.{number + 1}"], namespace="shop")
                packer.plan("db", namespace="shop")
        except BaseException as error:  # noqa: BLE001 - told by the test
            failures.append(error)

    threads = [threading.Thread(target=feed, args=(part,)) for part in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert packer.plan("db", namespace="shop").stats.endpoints_added == 200


HTTP = [{"name": "http", "protocol": "TCP", "containerPort": 8080}]


def pod_of_web(name: str, version: int, ip: str, *, ready: bool = True, ports: Sequence[Json] = ()) -> Json:
    return {
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": "shop",
            "uid": f"u-{name}",
            "labels": {"app": "web"},
            "resourceVersion": str(version),
        },
        "spec": {"nodeName": "node-0", "containers": [{"name": "main", "ports": [*ports]}]},
        "status": {
            "phase": "Running",
            "podIP": ip,
            "podIPs": [{"ip": ip}],
            "conditions": [{"type": "Ready", "status": str(ready)}],
        },
    }


def carried_out(packer: epcore.Packer, most: int | None = None) -> list[tuple[str, str | None]]:
    writes = packer.plan("web", namespace="shop").writes[:most]
    for number, write in enumerate(writes):
        packer.answer(
            write, "accepted", None if write.verb == "delete" else made(write, write.name or f"web-{number}", 6)
        )
    return [(write.verb, write.name) for write in writes]


def service_of_web(*families: str, cluster_ip: str = "10.96.0.1") -> Json:
    spec = {
        "selector": {"app": "web"},
        "clusterIP": cluster_ip,
        "ipFamilies": [*families],
        "ports": [{"name": "http", "protocol": "TCP", "port": 80, "targetPort": "http"}],
    }
    return {"kind": "Service", "metadata": {"name": "web", "namespace": "shop", "uid": "u-web"}, "spec": spec}


def test_an_empty_slice_goes_with_the_last_pod_that_wants_it_whatever_else_changes() -> None:
    """A Pod without address of the family still asks for a slice of its ports, which none of its addresses leads to."""
    packer = epcore.Packer()
    packer.apply([service_of_web("IPv4"), {"kind": "Node", "metadata": {"name": "node-0"}}])
    packer.apply(pod_of_web("six", 1, "fd00::1"))
    assert carried_out(packer) == [("create", None)], "a placeholder without ports"
    packer.apply({"type": "ADDED", "object": pod_of_web("four", 2, "10.0.0.1", ports=HTTP)})
    (write,) = packer.plan("web", namespace="shop").writes
    packer.answer(write, "accepted", made(write, "web-9", 7))
    packer.apply(
        [
            {"type": "DELETED", "object": pod_of_web("six", 3, "fd00::1")},
            {"type": "MODIFIED", "object": pod_of_web("four", 4, "10.0.0.1", ready=False, ports=HTTP)},
        ]
    )
    assert carried_out(packer) == [("update", "web-9"), ("delete", "web-0")]


def test_a_plan_that_is_half_done_is_finished_though_what_is_left_holds_no_endpoint() -> None:
    packer = epcore.Packer()
    packer.apply([service_of_web("IPv4", "IPv6"), {"kind": "Node", "metadata": {"name": "node-0"}}])
    assert carried_out(packer) == [("create", None), ("create", None)], "two placeholders"
    packer.apply(service_of_web("IPv4", "IPv6", cluster_ip="None"))
    assert carried_out(packer) == [], "their labels are not compared"
    packer.apply(pod_of_web("four", 2, "10.0.0.1"))
    assert carried_out(packer, 1) == [("update", "web-0")]
    assert carried_out(packer) == [("update", "web-1")], "it is the slice of a group, whose labels are"
