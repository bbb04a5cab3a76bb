"""A small, simulated control plane whose watches are recorded: Kubernetes' rule, written slowly, and its Pods."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

Dict = dict[str, Any]


@dataclass
class ControlPlane:
    """Records what watches of a small cluster see."""

    maximum: int = 10
    families: tuple[str, ...] = ("IPv4",)
    with_pods: bool = True
    restless: float = 0.0
    """How likely a Pod changes after each write of a slice."""
    time: float = 0.0
    count: int = 0
    revision: int = 100
    lines: list[Dict] = field(default_factory=list)
    pods: dict[str, Dict] = field(default_factory=dict)
    services: dict[str, Dict] = field(default_factory=dict)
    slices: dict[str, Dict] = field(default_factory=dict)
    ends: list[list[str]] = field(default_factory=list)
    """The revisions written by each sync of a Service and family that wrote anything."""
    random: Random = field(default_factory=lambda: Random(1))

    def see(self, kind: str, verb: str, item: Dict, pause: float = 0.001) -> None:
        self.revision += 1
        self.time += pause * self.random.uniform(0.5, 1.5)
        item["metadata"]["resourceVersion"] = str(self.revision)
        if kind != "Pod" or self.with_pods:
            self.lines.append(
                {"t": round(self.time, 4), "kind": kind, "type": verb, "object": json.loads(json.dumps(item))}
            )

    def service(self, name: str, **spec: object) -> None:
        verb = "MODIFIED" if name in self.services else "ADDED"
        default: Dict = {"selector": {"app": name}, "ports": [{"name": "http", "port": 80, "targetPort": "http"}]}
        metadata = {"name": name, "namespace": "shop", "uid": f"uid-{name}"}
        self.services[name] = {"metadata": metadata, "spec": default | {"ipFamilies": list(self.families)} | spec}
        self.see("Service", verb, self.services[name])

    def node(self, name: str) -> None:
        self.see("Node", "ADDED", {"metadata": {"name": name}})

    def pod(self, app: str, number: int, port: int = 8080) -> str:
        name = f"{app}-{number}"
        addresses = [f"10.1.{number // 250}.{number % 250 + 1}", f"fd00::{number + 1:x}"]
        self.pods[name] = {
            "metadata": {
                "name": name,
                "namespace": "shop",
                "uid": str(UUID(int=self.random.getrandbits(128))),
                "labels": {"app": app},
            },
            "spec": {"nodeName": "node", "containers": [{"ports": [{"name": "http", "containerPort": port}]}]},
            "status": {
                "podIP": addresses[0],
                "podIPs": [{"ip": address} for address in addresses[: len(self.families)]],
            },
        }
        self.see("Pod", "ADDED", self.pods[name])
        return name

    def ready(self, name: str, *, ready: bool = True) -> None:
        self.pods[name]["status"]["conditions"] = [{"type": "Ready", "status": str(ready)}]
        self.see("Pod", "MODIFIED", self.pods[name])

    def terminate(self, name: str) -> None:
        self.pods[name]["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
        self.see("Pod", "MODIFIED", self.pods[name])

    def remove(self, name: str) -> None:
        self.see("Pod", "DELETED", self.pods.pop(name))

    def wanted(self, service: str, family: str) -> dict[str, dict[str, Dict]]:
        """Endpoints by ports and by Pod."""
        groups: dict[str, dict[str, Dict]] = {}
        for name, pod in self.pods.items():
            if pod["metadata"]["labels"]["app"] != service:
                continue
            serving = any(c["status"] == "True" for c in pod["status"].get("conditions", ()))
            terminating = "deletionTimestamp" in pod["metadata"]
            ports = [
                {
                    "name": port["name"],
                    "protocol": "TCP",
                    "port": pod["spec"]["containers"][0]["ports"][0]["containerPort"],
                }
                for port in self.services[service]["spec"]["ports"]
            ]
            endpoint: Dict = {
                "addresses": [a["ip"] for a in pod["status"]["podIPs"] if (":" in a["ip"]) == (family == "IPv6")],
                "conditions": {"ready": serving and not terminating, "serving": serving, "terminating": terminating},
                "targetRef": {"kind": "Pod", "namespace": "shop", "name": name, "uid": pod["metadata"]["uid"]},
                "nodeName": "node",
            }
            if self.services[service]["spec"].get("trafficDistribution") and endpoint["conditions"]["ready"]:
                endpoint["hints"] = {"forZones": [{"name": "a"}]}
            groups.setdefault(json.dumps(ports), {})[name] = endpoint
        return groups

    def sync(self, service: str) -> None:
        """Reconcile a Service by Kubernetes' rule; Pods may change between its writes, but it does not look again."""
        for family in self.families:
            seen: list[str] = []
            writes = self.rule(service, family)
            for verb, item in writes:
                metadata = item["metadata"]
                metadata["generation"] = metadata.get("generation", 0) + 1
                self.see("EndpointSlice", verb, item, pause=0.01)
                seen.append(item["metadata"]["resourceVersion"])
                self.slices.pop(metadata["name"], None)
                if verb != "DELETED":
                    self.slices[metadata["name"]] = json.loads(json.dumps(item))
                if self.random.random() < self.restless:
                    self.disturb(service)
            if writes:
                self.ends.append(seen)

    def rule(self, service: str, family: str) -> list[tuple[str, Dict]]:
        """Return the writes that Kubernetes' rule makes now: creates, updates, deletes."""
        mine = [
            json.loads(json.dumps(one))
            for one in self.slices.values()
            if one["addressType"] == family and one["metadata"]["labels"]["kubernetes.io/service-name"] == service
        ]
        wanted = self.wanted(service, family)
        creates: list[Dict] = []
        updates: list[Dict] = []
        deletes = [one for one in mine if json.dumps(one["ports"]) not in wanted]
        for ports, missing in sorted(wanted.items()):
            group = [one for one in mine if json.dumps(one["ports"]) == ports]
            new = partial(self.new, service, family, json.loads(ports))
            self.place(group, missing, new, creates, updates, deletes)
        if len(deletes) == len(mine) and not creates:
            if len(deletes) == 1 and deletes[0]["ports"] is None:
                deletes.clear()
            else:
                creates.append(self.new(service, family, None))
        while creates and deletes:
            kept, taken = creates.pop(), deletes.pop(0)
            kept["metadata"] = taken["metadata"]
            updates.append(kept)
        gone = [self.slices[one["metadata"]["name"]] for one in deletes]
        verbs = {"ADDED": creates, "MODIFIED": updates, "DELETED": gone}
        return [(verb, one) for verb, items in verbs.items() for one in items]

    def place(
        self,
        group: list[Dict],
        missing: dict[str, Dict],
        new: Callable[[], Dict],
        creates: list[Dict],
        updates: list[Dict],
        deletes: list[Dict],
    ) -> None:
        """Keep what is there, fill what is written anyway, put the rest where it fits best."""
        clean: list[Dict] = []
        for one in group:
            old = one["endpoints"]
            one["endpoints"] = [missing.pop(e["targetRef"]["name"]) for e in old if e["targetRef"]["name"] in missing]
            kind = clean if one["endpoints"] == old else updates if one["endpoints"] else deletes
            kind.append(one)
        rest = list(missing.values())
        self.random.shuffle(rest)
        for one in sorted((one for one in updates if one in group), key=lambda one: -len(one["endpoints"])):
            self.fill(one, rest)
        while rest:
            fits = [one for one in clean if len(one["endpoints"]) + len(rest) <= self.maximum]
            one = max(fits, key=lambda one: len(one["endpoints"])) if fits else new()
            (updates if fits else creates).append(one)
            self.fill(one, rest)

    def fill(self, one: Dict, rest: list[Dict]) -> None:
        while rest and len(one["endpoints"]) < self.maximum:
            one["endpoints"].append(rest.pop())

    def new(self, service: str, family: str, ports: list[Dict] | None) -> Dict:
        labels = {
            "kubernetes.io/service-name": service,
            "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
        }
        name = f"{service}-{self.random.randrange(16**6):06x}"
        return {
            "kind": "EndpointSlice",
            "apiVersion": "discovery.k8s.io/v1",
            "metadata": {
                "name": name,
                "generateName": f"{service}-",
                "namespace": "shop",
                "labels": labels,
                "uid": f"slice-{name}",
            },
            "addressType": family,
            "endpoints": [],
            "ports": ports,
        }

    def write(self, path: Path) -> Path:
        path.write_text("".join(json.dumps(line) + "\n" for line in self.lines), encoding="utf-8")
        return path

    def disturb(self, app: str) -> None:
        """Let one Pod come, become ready, leave or go."""
        mine = [name for name in self.pods if name.rpartition("-")[0] == app]
        dice = self.random.random()
        if dice < 0.45 or len(mine) < 5:
            self.count += 1
            self.pod(app, self.count, port=self.random.choice([8080, 8080, 9090]))
        elif dice < 0.7:
            self.ready(self.random.choice(mine), ready=self.random.random() < 0.9)
        elif dice < 0.85:
            self.terminate(self.random.choice(mine))
        else:
            self.remove(self.random.choice(mine))

    def churn(self, apps: list[str], rounds: int) -> None:
        """Let Pods change, and sync after each few changes."""
        for _ in range(rounds):
            for _ in range(self.random.randrange(1, 12)):
                self.disturb(self.random.choice(apps))
            for app in apps:
                self.sync(app)
            self.time += self.random.choice([0.0, 0.02, 0.5])
