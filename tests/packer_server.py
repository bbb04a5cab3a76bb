"""An API server as far as a packer sees it: objects with versions, the events of each write, and answers."""

import json
from typing import TypeAlias

import epcore
from epcore.types import Outcome
from packer_parts import Json

Name: TypeAlias = tuple[str, str]

KINDS = ("EndpointSlice", "Service", "Pod", "Node")


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
