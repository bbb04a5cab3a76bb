"""A writer as short as one can be: carries out plans on an API server, and reads what is there then."""

from typing import Literal, TypeAlias

import epcore
from cluster.api import Api, path

Form: TypeAlias = Literal["application/json", "application/vnd.kubernetes.protobuf"]
FORMS: tuple[Form, ...] = ("application/json", "application/vnd.kubernetes.protobuf")


def carry_out(api: Api, plan: epcore.Plan, form: Form = "application/json") -> None:
    """Send the writes of a plan, in its order. Raises ``ApiError`` with the first that is refused."""
    for write in plan.writes:
        where = path("endpointslices", write.namespace, None if write.verb == "create" else write.name)
        body = write.to_json() if form == "application/json" else write.to_protobuf()
        if write.verb == "delete":
            api.request("DELETE", where)
        else:
            api.request("POST" if write.verb == "create" else "PUT", where, body, content_type=form)


def slices(api: Api, namespace: str, form: Form = "application/json") -> epcore.SliceSet:
    """Read all slices of a namespace."""
    return epcore.SliceSet.from_json(api.raw(path("endpointslices", namespace), form))
