"""Publish the endpoints of a JSON file, with lightkube: ``python with_lightkube.py shop/db db.json``."""

import json
import sys
from http import HTTPStatus
from pathlib import Path

from lightkube import ApiError, Client
from lightkube.resources.core_v1 import Service
from lightkube.resources.discovery_v1 import EndpointSlice

import epcore

MANAGED_BY = "publisher.example.com"
TRIES = 5


def publish(client: Client, namespace: str, name: str, endpoints: list[str]) -> int:
    """Make the slices of a Service hold these endpoints; returns the number of writes."""
    ours = {"kubernetes.io/service-name": name, "endpointslice.kubernetes.io/managed-by": MANAGED_BY}
    service = client.get(Service, name, namespace=namespace)
    slices = list(client.list(EndpointSlice, namespace=namespace, labels=ours))
    plan = epcore.publish(service, endpoints, slices, managed_by=MANAGED_BY, naming="deterministic")
    for write in plan.writes:
        made = EndpointSlice.from_dict(write.to_dict())
        if write.verb == "create":
            client.create(made, namespace=namespace)
        elif write.verb == "update":
            client.replace(made, namespace=namespace)
        else:
            client.delete(EndpointSlice, write.name, namespace=namespace)
    return len(plan.writes)


def main(service: str, file: str) -> None:
    """Publish once; what somebody else wrote meanwhile is read and planned again."""
    client = Client(field_manager="publisher")
    namespace, _, name = service.partition("/")
    for tries_left in reversed(range(TRIES)):
        try:
            print(f"{publish(client, namespace, name, json.loads(Path(file).read_text()))} writes")
        except ApiError as error:
            if error.status.code != HTTPStatus.CONFLICT or not tries_left:
                raise
        else:
            return


if __name__ == "__main__":
    main(*sys.argv[1:])
