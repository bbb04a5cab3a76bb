"""Publish the endpoints of a JSON file, with the official client: ``python with_official.py shop/db db.json``."""

import json
import sys
from http import HTTPStatus
from pathlib import Path

from kubernetes import client, config
from kubernetes.client.exceptions import ApiException

import epcore

MANAGED_BY = "publisher.example.com"
TRIES = 5


def publish(namespace: str, name: str, endpoints: list[str]) -> int:
    """Make the slices of a Service hold these endpoints; returns the number of writes."""
    core, discovery = client.CoreV1Api(), client.DiscoveryV1Api()
    ours = f"kubernetes.io/service-name={name},endpointslice.kubernetes.io/managed-by={MANAGED_BY}"
    service = core.read_namespaced_service(name, namespace)
    slices = discovery.list_namespaced_endpoint_slice(namespace, label_selector=ours).items
    plan = epcore.publish(service, endpoints, slices, managed_by=MANAGED_BY, naming="deterministic")
    for write in plan.writes:
        made = write.to_dict()
        if write.verb == "create":
            discovery.create_namespaced_endpoint_slice(namespace, made)
        elif write.verb == "update":
            discovery.replace_namespaced_endpoint_slice(write.name, namespace, made)
        else:
            conditions = {"preconditions": {"resourceVersion": made["metadata"]["resourceVersion"]}}
            discovery.delete_namespaced_endpoint_slice(write.name, namespace, body=conditions)
    return len(plan.writes)


def main(service: str, file: str) -> None:
    """Publish once; what somebody else wrote meanwhile is read and planned again."""
    config.load_config()
    namespace, _, name = service.partition("/")
    for tries_left in reversed(range(TRIES)):
        try:
            print(f"{publish(namespace, name, json.loads(Path(file).read_text()))} writes")
        except ApiException as error:
            if error.status != HTTPStatus.CONFLICT or not tries_left:
                raise
        else:
            return


if __name__ == "__main__":
    main(*sys.argv[1:])
