"""A packer of a Service without selector, and a server that accepts each write."""

from itertools import count
from typing import Any, TypeAlias

import epcore

Json: TypeAlias = dict[str, Any]

MANAGED_BY = "sync.example.com"

SERVICE: Json = {
    "kind": "Service",
    "metadata": {"name": "db", "namespace": "shop", "resourceVersion": "5"},
    "spec": {"ports": [{"name": "sql", "port": 5432}]},
}


def made(write: epcore.Write, name: str, version: int) -> Json:
    sent: Json = {**write.to_dict()}
    return {**sent, "metadata": {**sent["metadata"], "name": name, "resourceVersion": str(version)}}


def packer_of(*endpoints: str, **options: Any) -> epcore.Packer:
    packer = epcore.Packer(managed_by=MANAGED_BY, **options)
    packer.apply(SERVICE)
    packer.publish("db", list(endpoints), namespace="shop")
    return packer


def write(packer: epcore.Packer, service: str, versions: "count[int]", trigger_time: str | None = None) -> None:
    """Carry out the plan of a Service, and find nothing left to do. Names of new slices are in another order."""
    for one in packer.plan(service, namespace="shop", trigger_time=trigger_time).writes:
        version = next(versions)
        name = one.name or f"{service}-{version % 3}-{version}"
        packer.answer(one, "accepted", None if one.verb == "delete" else made(one, name, version))
    assert packer.dirty == []


def same(plan: epcore.Plan, whole: epcore.Plan) -> None:
    """Find two plans the same: the bytes, what is there at last, and after each write."""
    assert plan.to_json() == whole.to_json()
    assert plan.result() == whole.result()
    for number in range(len(plan)):
        assert plan.prefix(number) == whole.prefix(number)
