"""Endpoints and slices as a real controller writes them."""

from dataclasses import dataclass
from functools import cache
from typing import Any

import orjson

import epcore

Json = dict[str, Any]

TEMPLATE: Json = {
    "metadata": {"generateName": "web-", "namespace": "shop", "labels": {"kubernetes.io/service-name": "web"}},
    "addressType": "IPv4",
    "ports": [{"name": "http", "protocol": "TCP", "port": 80}],
    "endpoints": [],
}


def endpoint(number: int) -> Json:
    return {
        "addresses": [f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"],
        "conditions": {"ready": True, "serving": True, "terminating": False},
        "targetRef": {
            "kind": "Pod",
            "namespace": "shop",
            "name": f"web-7d9c5f6b8d-{number:05x}",
            "uid": f"76aab8c4-8e74-4648-8491-{number:012x}",
        },
        "nodeName": f"ip-10-0-0-{number * 7 % 300}.eu-central-1.compute.internal",
        "zone": f"eu-central-1{'abc'[number % 3]}",
    }


@dataclass(frozen=True)
class Load:
    """What is wanted and what is there, in each form."""

    wanted: list[Json]
    slices: list[Json]

    @property
    def wanted_bytes(self) -> bytes:
        return orjson.dumps(self.wanted)

    @property
    def slices_bytes(self) -> bytes:
        return orjson.dumps(self.slices)


@cache
def load(size: int, case: str) -> Load:
    """Make ``same`` (nothing changed), ``one percent`` (as many went as came) or ``cold`` (no slices yet)."""
    before = [endpoint(number) for number in range(1, size + 1)]
    if case == "cold":
        return Load(before, [])
    packed = epcore.pack(before, template=TEMPLATE, naming="deterministic").result()
    slices: list[Json] = orjson.loads(packed.to_json())["items"]
    changed = max(1, size // 100) if case == "one percent" else 0
    step = size // changed if changed else 0
    gone = {number * step for number in range(changed)}
    wanted = [one for index, one in enumerate(before) if index not in gone]
    wanted += [endpoint(number) for number in range(size + 1, size + 1 + changed)]
    return Load(wanted, slices)
