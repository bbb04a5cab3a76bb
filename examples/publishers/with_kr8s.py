"""Publish the endpoints of a JSON file, with kr8s: ``python with_kr8s.py shop/db db.json``."""

import asyncio
import json
import sys
from http import HTTPStatus
from pathlib import Path

import kr8s.asyncio
from kr8s.asyncio.objects import Service

import epcore

MANAGED_BY = "publisher.example.com"
TRIES = 5
SLICES = "discovery.k8s.io/v1"


async def publish(namespace: str, name: str, endpoints: list[str]) -> int:
    """Make the slices of a Service hold these endpoints; returns the number of writes."""
    api = await kr8s.asyncio.api()
    ours = f"kubernetes.io/service-name={name},endpointslice.kubernetes.io/managed-by={MANAGED_BY}"
    service = await Service.get(name, namespace=namespace)
    query = {"namespace": namespace, "params": {"labelSelector": ours}}
    async with api.call_api("GET", SLICES, url="endpointslices", **query) as answer:
        slices = answer.content
    plan = epcore.publish(service.raw, endpoints, slices, managed_by=MANAGED_BY, naming="deterministic")
    for write in plan.writes:
        method = {"create": "POST", "update": "PUT", "delete": "DELETE"}[write.verb]
        url = "endpointslices" if write.verb == "create" else f"endpointslices/{write.name}"
        body = write.to_json() if write.verb != "delete" else precondition(write)
        headers = {"Content-Type": "application/json"}
        async with api.call_api(method, SLICES, url=url, namespace=namespace, content=body, headers=headers):
            pass
    return len(plan.writes)


def precondition(write: epcore.Write) -> str:
    """Delete the slice that was seen, and no later one."""
    return json.dumps({"preconditions": {"resourceVersion": write.to_dict()["metadata"]["resourceVersion"]}})


async def main(service: str, endpoints: list[str]) -> None:
    """Publish once; what somebody else wrote meanwhile is read and planned again."""
    namespace, _, name = service.partition("/")
    for tries_left in reversed(range(TRIES)):
        try:
            print(f"{await publish(namespace, name, endpoints)} writes")
        except kr8s.ServerError as error:
            is_conflict = error.response is not None and error.response.status_code == HTTPStatus.CONFLICT
            if not is_conflict or not tries_left:
                raise
        else:
            return


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], json.loads(Path(sys.argv[2]).read_text())))
