"""Plans carried out: one write after the other, and never a second time before it is known what became of the first."""

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from epcore import InvalidInputError
from epcore.controller.api import JSON, PROTOBUF, SLICES, ApiError, WithheldError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from epcore import Plan, Write
    from epcore.controller.api import Api
    from epcore.controller.state import State

End: TypeAlias = Literal["done", "stale", "not-ours", "ending"]
"""How a plan ended: all is written; the slices are not what was thought, so plan again; the Service is another's; its
namespace is going away."""

_ACCEPT: Final = f"{PROTOBUF}, {JSON}"


class Writer:
    """Carries out plans, and tells the state what became of each write."""

    def __init__(self, api: "Api", state: "State") -> None:
        self._api, self._state = api, state

    async def carry_out(self, plan: "Plan", may_go_on: "Callable[[], bool]", wrote: "Callable[[Write], None]") -> End:
        """Write in the order of the plan. Raises ``ApiError``; the state is right then, and a new plan goes on from it.

        :param may_go_on: asked right before each write is sent.
        :param wrote: told of each write that was accepted.
        """
        for write in plan.writes:
            end = await self._write(write, may_go_on, wrote)
            if end != "done":
                return end
        return "done"

    async def _write(self, write: "Write", may_go_on: "Callable[[], bool]", wrote: "Callable[[Write], None]") -> End:
        try:
            try:
                self._accepted(write, await self._send(write, may_go_on))
            except ApiError as error:
                return await self._failed(write, error, may_go_on)
        except WithheldError:
            return "not-ours"
        wrote(write)
        return "done"

    def _accepted(self, write: "Write", content: bytes) -> None:
        """Take the answer to a write in. What is none of an API server's, as a page of a proxy, tells nothing."""
        try:
            if write.verb == "delete":
                json.loads(content)["kind"]
            self._state.answer(write, "accepted", None if write.verb == "delete" else content)
        except (ValueError, TypeError, KeyError) as error:
            raise _nonsense(error) from None

    async def _failed(self, write: "Write", error: ApiError, may_look: "Callable[[], bool]") -> End:
        if error.status == HTTPStatus.NOT_FOUND and write.verb != "create":
            self._state.answer(write, "gone")
            return "done" if write.verb == "delete" else "stale"
        if write.verb == "create" and _is_ending(error):
            return "ending"
        if error.status == HTTPStatus.CONFLICT:
            await self._look(write, may_look)
            return "stale"
        if error.is_open:
            await self._look(write, may_look)
        raise error

    async def _look(self, write: "Write", may_look: "Callable[[], bool]") -> None:
        """Read the slice of a write: what is there counts, whoever wrote it. Of a Service of another's events tell."""
        try:
            content = await self._api.request("GET", _path(write), accept=_ACCEPT, may_send=may_look)
        except ApiError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise
            self._state.answer(write, "gone")
            return
        try:
            self._state.saw(content)
        except (ValueError, TypeError, KeyError) as error:
            raise _nonsense(error) from None

    async def _send(self, write: "Write", may_send: "Callable[[], bool]") -> bytes:
        if write.verb == "delete":
            return await self._api.request("DELETE", _path(write), body=_deletion(write), may_send=may_send)
        method, path = ("POST", SLICES.path(write.namespace)) if write.verb == "create" else ("PUT", _path(write))
        try:
            body: bytes | Mapping[str, Any] = write.to_protobuf()
            content_type = PROTOBUF
        except InvalidInputError:
            # A field of a newer API that came as JSON has no number in protobuf.
            body, content_type = write.to_dict(), JSON
        return await self._api.request(
            method, path, body=body, content_type=content_type, accept=_ACCEPT, may_send=may_send
        )


def _path(write: "Write") -> str:
    return SLICES.path(write.namespace, write.name)


def _deletion(write: "Write") -> "Mapping[str, Any]":
    """Delete the slice that is known, and no other of the same name or with later content."""
    metadata = write.to_dict().get("metadata", {})
    conditions = {key: metadata[key] for key in ("uid", "resourceVersion") if metadata.get(key)}
    return {"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": conditions}


def _nonsense(error: Exception) -> ApiError:
    return ApiError(0, f"what it answered cannot be taken: {error}")


def _is_ending(error: ApiError) -> bool:
    """Tell whether nothing can be created since the namespace goes away (upstream ``finalize`` gives up as well)."""
    is_refused = error.status == HTTPStatus.FORBIDDEN and b"NamespaceTerminating" in error.body
    # Any other page that is not found is one of somebody between.
    return is_refused or (error.status == HTTPStatus.NOT_FOUND and b"namespaces" in error.body)
