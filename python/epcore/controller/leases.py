"""Leases of one group of replicas, as the API server has them."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, TypeAlias, TypeVar

from epcore.controller.api import ApiError, Resource

if TYPE_CHECKING:
    from collections.abc import Callable

    from epcore.controller.api import Api

T = TypeVar("T")

LEASES: Final = Resource("Lease", "/apis/coordination.k8s.io/v1", "leases")
GROUP_LABEL: Final = "epcore.dev/replicas"
ROLE_LABEL: Final = "epcore.dev/lease"
BUCKETS_LABEL: Final = "epcore.dev/buckets"
STATE_LABEL: Final = "epcore.dev/state"

Role: TypeAlias = Literal["group", "member", "bucket"]
State: TypeAlias = Literal["leaving", "dead"]
"""Of a replica that wants nothing any more, or that others have taken for dead. One of which nothing is said lives."""


@dataclass(frozen=True)
class Lease:
    """One Lease. Times in it are for people: nobody's clock is compared with another's."""

    role: Role
    name: str
    holder: str | None = None
    """Identity of the replica that has it."""
    seconds: int = 0
    state: State | None = None
    buckets: int = 0
    uid: str | None = None
    version: str | None = None
    """``resourceVersion``: of what is written, that of what it stands on."""


class LeaseStore(Protocol):
    """Where Leases are kept. Every method may raise ``ApiError``."""

    async def listed(self) -> list[Lease]:
        """List all Leases of the group, as they are after the call began."""

    async def read(self, lease: Lease) -> Lease:
        """Read one."""

    async def create(self, lease: Lease) -> Lease:
        """Create one. 409 if it is there."""

    async def update(self, lease: Lease) -> Lease:
        """Put one in the place of the version that it names. 409 if there is another, 404 if there is none."""

    async def delete(self, lease: Lease) -> None:
        """Delete the version that it names. 409 if there is another, 404 if there is none."""


@dataclass(frozen=True)
class Leases:
    """The Leases of a group in a namespace.

    :param api: one of its own, with a short ``timeout``: a renewal must not wait behind other requests.
    """

    api: "Api"
    namespace: str
    group: str

    async def listed(self) -> list[Lease]:
        """List all Leases of the group, as they are after the call began."""
        # Without a resourceVersion: the answer is as new as can be, and not of a cache.
        query = [("labelSelector", f"{GROUP_LABEL}={self.group}")]
        content = await self.api.request("GET", LEASES.path(self.namespace), query=query)
        found = _parsed(content, lambda answer: [_read(item) for item in answer["items"] or []])
        return [lease for lease in found if lease is not None]

    async def read(self, lease: Lease) -> Lease:
        """Read one."""
        return self._taken(await self.api.request("GET", self._path(lease)))

    async def create(self, lease: Lease) -> Lease:
        """Create one. 409 if it is there."""
        path = LEASES.path(self.namespace)
        return self._taken(await self.api.request("POST", path, body=self._object(lease)))

    async def update(self, lease: Lease) -> Lease:
        """Put one in the place of the version that it names. 409 if there is another, 404 if there is none."""
        return self._taken(await self.api.request("PUT", self._path(lease), body=self._object(lease)))

    async def delete(self, lease: Lease) -> None:
        """Delete the version that it names. 409 if there is another, 404 if there is none."""
        conditions = {"uid": lease.uid, "resourceVersion": lease.version}
        body = {"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": conditions}
        await self.api.request("DELETE", self._path(lease), body=body)

    def _path(self, lease: Lease) -> str:
        return LEASES.path(self.namespace, lease.name)

    def _object(self, lease: Lease) -> dict[str, Any]:
        labels = {GROUP_LABEL: self.group, ROLE_LABEL: lease.role}
        if lease.state is not None:
            labels[STATE_LABEL] = lease.state
        if lease.buckets:
            labels[BUCKETS_LABEL] = str(lease.buckets)
        metadata: dict[str, Any] = {"name": lease.name, "namespace": self.namespace, "labels": labels}
        if lease.version is not None:
            metadata |= {"uid": lease.uid, "resourceVersion": lease.version}
        spec: dict[str, Any] = {"renewTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")}
        if lease.holder is not None:
            spec["holderIdentity"] = lease.holder
        if lease.seconds:
            spec["leaseDurationSeconds"] = lease.seconds
        return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": spec}

    @staticmethod
    def _taken(content: bytes) -> Lease:
        lease = _parsed(content, _read)
        if lease is None:
            # Somebody has a Lease of this name for something else, or has taken ours over.
            raise ApiError(HTTPStatus.CONFLICT, "a Lease of this name has not our labels")
        return lease


def _parsed(content: bytes, read: "Callable[[Any], T]") -> T:
    """Read an answer. Raises ``ApiError`` for what is none of an API server's, as a page of a proxy."""
    try:
        return read(json.loads(content))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ApiError(0, f"an answer that cannot be read: {type(error).__name__}: {error}") from None


def _read(item: dict[str, Any]) -> Lease | None:
    """Read a Lease; ``None`` if it is none of ours, or was broken by somebody."""
    metadata, spec = item["metadata"], item.get("spec") or {}
    labels = metadata.get("labels") or {}
    role, buckets, state = labels.get(ROLE_LABEL), labels.get(BUCKETS_LABEL, "0"), labels.get(STATE_LABEL)
    if role not in {"group", "member", "bucket"} or not (buckets.isascii() and buckets.isdigit()):
        return None
    return Lease(
        role,
        metadata["name"],
        spec.get("holderIdentity") or None,
        spec.get("leaseDurationSeconds") or 0,
        state if state in {"leaving", "dead"} else None,
        int(buckets),
        metadata.get("uid"),
        metadata.get("resourceVersion"),
    )
