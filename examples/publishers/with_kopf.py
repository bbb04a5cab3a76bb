"""Publish the endpoints that an annotation of a Service lists, with kopf: ``kopf run -A with_kopf.py``.

The annotation is ``publisher.example.com/endpoints: "10.0.0.5:5432 10.0.0.6:5432"``.
"""

import asyncio
import logging
from http import HTTPStatus
from typing import Any

import kopf
from kubernetes import client, config
from kubernetes.client.exceptions import ApiException

import epcore

MANAGED_BY = "publisher.example.com"
ANNOTATION = f"{MANAGED_BY}/endpoints"


@kopf.on.startup()
def log_in(settings: kopf.OperatorSettings, **_: Any) -> None:
    """Take the same credentials as kopf, and keep kopf's own notes out of the way of others."""
    config.load_config()
    settings.persistence.finalizer = f"{MANAGED_BY}/finalizer"
    settings.posting.enabled = False


@kopf.on.resume("v1", "services", annotations={ANNOTATION: kopf.PRESENT})
@kopf.on.create("v1", "services", annotations={ANNOTATION: kopf.PRESENT})
@kopf.on.update("v1", "services", annotations={ANNOTATION: kopf.PRESENT})
async def publish(body: kopf.Body, namespace: str, name: str, logger: logging.Logger, **_: Any) -> None:
    """Make the slices of a Service hold these endpoints; kopf tries again what somebody else was faster with."""
    endpoints = body["metadata"]["annotations"][ANNOTATION].split()
    try:
        writes = await asyncio.to_thread(write, {**body}, namespace, name, endpoints)
    except ApiException as error:
        if error.status == HTTPStatus.CONFLICT:
            raise kopf.TemporaryError("somebody else wrote meanwhile", delay=1) from error
        raise
    except epcore.InvalidInputError as error:
        raise kopf.PermanentError(f"{ANNOTATION}: {error}") from error
    logger.info("%d writes", writes)


def write(service: dict[str, Any], namespace: str, name: str, endpoints: list[str]) -> int:
    """Carry out one plan; returns the number of writes."""
    discovery = client.DiscoveryV1Api()
    ours = f"kubernetes.io/service-name={name},endpointslice.kubernetes.io/managed-by={MANAGED_BY}"
    slices = discovery.list_namespaced_endpoint_slice(namespace, label_selector=ours).items
    plan = epcore.publish(service, endpoints, slices, managed_by=MANAGED_BY, naming="deterministic")
    for one in plan.writes:
        made = one.to_dict()
        if one.verb == "create":
            discovery.create_namespaced_endpoint_slice(namespace, made)
        elif one.verb == "update":
            discovery.replace_namespaced_endpoint_slice(one.name, namespace, made)
        else:
            conditions = {"preconditions": {"resourceVersion": made["metadata"]["resourceVersion"]}}
            discovery.delete_namespaced_endpoint_slice(one.name, namespace, body=conditions)
    return len(plan.writes)
