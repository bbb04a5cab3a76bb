"""The API as the tests speak it: JSON over HTTP, many requests at a time, no client that would hide anything."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias, TypeVar
from urllib.parse import urlencode

import urllib3

Json: TypeAlias = dict[str, Any]
T = TypeVar("T")
R = TypeVar("R")

# The group of each resource that the tests touch.
GROUPS = {
    "endpointslices": "apis/discovery.k8s.io/v1",
    "leases": "apis/coordination.k8s.io/v1",
    "deployments": "apis/apps/v1",
    "poddisruptionbudgets": "apis/policy/v1",
    "validatingadmissionpolicies": "apis/admissionregistration.k8s.io/v1",
    "validatingadmissionpolicybindings": "apis/admissionregistration.k8s.io/v1",
    "selfsubjectaccessreviews": "apis/authorization.k8s.io/v1",
    "roles": "apis/rbac.authorization.k8s.io/v1",
    "rolebindings": "apis/rbac.authorization.k8s.io/v1",
    "clusterroles": "apis/rbac.authorization.k8s.io/v1",
    "clusterrolebindings": "apis/rbac.authorization.k8s.io/v1",
}
KINDS = {
    "EndpointSlice": "endpointslices",
    "Lease": "leases",
    "Deployment": "deployments",
    "PodDisruptionBudget": "poddisruptionbudgets",
    "ValidatingAdmissionPolicy": "validatingadmissionpolicies",
    "ValidatingAdmissionPolicyBinding": "validatingadmissionpolicybindings",
    "SelfSubjectAccessReview": "selfsubjectaccessreviews",
    "Role": "roles",
    "RoleBinding": "rolebindings",
    "ClusterRole": "clusterroles",
    "ClusterRoleBinding": "clusterrolebindings",
    "Service": "services",
    "Node": "nodes",
    "Pod": "pods",
    "Endpoints": "endpoints",
    "Namespace": "namespaces",
    "ServiceAccount": "serviceaccounts",
    "ConfigMap": "configmaps",
    "Event": "events",
}
WORKERS = 16


class ApiError(Exception):
    """The API server refused; ``status`` is that of HTTP."""

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__(f"{status}: {body.decode(errors='replace')[:2000]}")
        self.status = status


def path(resource: str, namespace: str | None = None, name: str | None = None, subresource: str | None = None) -> str:
    """Tell where something is: all of a resource, those of a namespace, or one."""
    parts = [GROUPS.get(resource, "api/v1")]
    parts += ["namespaces", namespace] if namespace else []
    parts += [part for part in (resource, name, subresource) if part]
    return "/" + "/".join(parts)


class Api:
    """One user's view of an API server."""

    def __init__(self, server: str, authority: Path, *, certificate: Path | None = None, token: str = "") -> None:
        self.server = server
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._pool = urllib3.PoolManager(
            maxsize=WORKERS * 2,
            ca_certs=str(authority),
            cert_file=str(certificate) if certificate else None,
            timeout=urllib3.Timeout(30.0),
            retries=False,
        )

    def close(self) -> None:
        self._pool.clear()

    def request(
        self,
        method: str,
        where: str,
        body: Any = None,
        *,
        query: Mapping[str, str] | None = None,
        content_type: str = "application/json",
    ) -> Json:
        """Send one request and read the answer; bytes are sent as they are. Raises ``ApiError``."""
        sent = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"Content-Type": content_type, "Accept": "application/json"}
        found: Json = json.loads(self._send(method, where + _query(query), sent, headers))
        return found

    def raw(self, where: str, form: str = "*/*") -> bytes:
        """Read something as it comes: ``/readyz``, or objects in another form. Raises ``ApiError``."""
        return self._send("GET", where, None, {"Accept": form})

    def _send(self, method: str, where: str, body: bytes | None, headers: Mapping[str, str]) -> bytes:
        answer = self._pool.request(method, self.server + where, body=body, headers={**self._headers, **headers})
        if answer.status >= 300:
            raise ApiError(answer.status, answer.data)
        return answer.data

    def create(self, object_: Json, *, query: Mapping[str, str] | None = None) -> Json:
        metadata = object_["metadata"]
        return self.request("POST", path(KINDS[object_["kind"]], metadata.get("namespace")), object_, query=query)

    def update(self, object_: Json, subresource: str | None = None) -> Json:
        return self.request("PUT", where(object_, subresource), object_)

    def patch(self, object_: Json, patch: Json, subresource: str | None = None) -> Json:
        """Merge a patch into an object, of which kind and name are looked at."""
        kind = "application/merge-patch+json"
        return self.request("PATCH", where(object_, subresource), patch, content_type=kind)

    def apply(self, object_: Json, *, dry_run: bool = False) -> Json:
        """Let an object be so, as `kubectl apply --server-side` does; fields that the API does not know are refused."""
        query = {"fieldManager": "test", "fieldValidation": "Strict", "force": "true"}
        query |= {"dryRun": "All"} if dry_run else {}
        kind = "application/apply-patch+yaml"
        return self.request("PATCH", where(object_), object_, query=query, content_type=kind)

    def delete(self, object_: Json, *, grace: int | None = None) -> Json:
        query = None if grace is None else {"gracePeriodSeconds": str(grace)}
        return self.request("DELETE", where(object_), query=query)

    def get(self, resource: str, namespace: str | None, name: str) -> Json:
        return self.request("GET", path(resource, namespace, name))

    def items(self, resource: str, namespace: str | None = None, *, labels: str = "") -> list[Json]:
        found = self.request("GET", path(resource, namespace), query={"labelSelector": labels})
        kind = {"kind": found["kind"].removesuffix("List"), "apiVersion": found["apiVersion"]}
        return [kind | item for item in found["items"]]

    def each(self, act: Callable[[T], R], items: Iterable[T]) -> list[R]:
        """Do something with each item, many at a time, and return what came of it, in order."""
        with ThreadPoolExecutor(WORKERS) as workers:
            return list(workers.map(act, items))

    @contextmanager
    def watching(
        self,
        resource: str,
        namespace: str | None = None,
        *,
        version: str = "",
        labels: str = "",
        form: str = "application/json",
    ) -> Iterator[urllib3.BaseHTTPResponse]:
        """Open a watch; the answer is to be read while the block lasts."""
        query = {"watch": "1", "resourceVersion": version, "allowWatchBookmarks": "true", "timeoutSeconds": "3600"}
        query["labelSelector"] = labels
        answer = self._pool.request(
            "GET",
            self.server + path(resource, namespace) + _query(query),
            headers={**self._headers, "Accept": form},
            preload_content=False,
            timeout=urllib3.Timeout(connect=30.0, read=None),
        )
        if answer.status >= 300:
            raise ApiError(answer.status, answer.data)
        try:
            yield answer
        finally:
            answer.close()


def where(object_: Json, subresource: str | None = None) -> str:
    """Tell where an object is."""
    metadata = object_["metadata"]
    return path(KINDS[object_["kind"]], metadata.get("namespace"), metadata["name"], subresource)


def _query(query: Mapping[str, str] | None) -> str:
    wanted = {name: value for name, value in (query or {}).items() if value}
    return "?" + urlencode(wanted) if wanted else ""
