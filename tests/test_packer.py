"""The writer's state: the stateless plan at every moment, the right slices at last, whatever is lost or comes twice."""

import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

import epcore
from kube_strategies import nodes, pods, services
from packer_parts import MANAGED_BY, Json
from packer_server import KINDS, Name, Server

NAMES = ("web", "api", "db")
"""Two Services with selector (which may take each other's Pods), and one without."""

REACHED: Counter[str] = Counter()
"""How often each thing happened, so that a test of nothing is found out."""

FATES = ["told", "told", "told", "seen, then told", "seen, then lost", "lost", "never sent", "killed"]

OUTSIDE = st.lists(
    st.sampled_from(["10.9.0.1", "10.9.0.2:5433", "10.9.0.3", "fd00::9", "10.9.0.4"]), unique=True, max_size=5
)


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
        known = set(self.outside or ())
        if is_removal:
            self.packer.remove("db", endpoints, namespace="shop")
            known -= set(endpoints)
        else:
            self.packer.upsert("db", endpoints, namespace="shop")
            known |= set(endpoints)
        if known or self.outside is not None:
            self.outside = sorted(known)

    @rule()
    def forget(self) -> None:
        self.packer.forget("db", namespace="shop")
        self.outside = None

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
            plan = self.packer.plan(name, namespace=namespace)
            stateless = self.stateless(name)
            if stateless is None:
                assert not plan, "its slices are left alone"
                continue
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
    wanted = {"create", "update", "delete", "accepted", "conflict", "gone"}
    for _ in range(5):
        run_state_machine_as_test(machine, settings=steps)
        # That was not a test of nothing; chance may leave out what is rare.
        if wanted <= {word for key in REACHED for word in key.split()[:2]}:
            return
    pytest.fail(f"not all was reached: {REACHED}")
