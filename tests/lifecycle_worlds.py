"""Groups whose endpoints change, as tests of ``policy="lifecycle"`` pack them one after the other."""

from collections.abc import Callable, Iterator
from typing import Any

import epcore

Json = dict[str, Any]
State = tuple[bool, bool, bool]
"""Ready, serving, terminating."""
World = dict[int, State]
"""What is wanted of each endpoint."""

READY: State = (True, True, False)
TEMPLATE: Json = {
    "metadata": {"generateName": "web-", "namespace": "shop", "labels": {"kubernetes.io/service-name": "web"}},
    "addressType": "IPv4",
    "endpoints": [],
    "ports": [{"name": "http", "port": 80}],
}


def packed(
    worlds: list[World], endpoint: Callable[[int, State], Json], policy: Any, most: int, **options: Any
) -> Iterator[epcore.Plan]:
    """Pack world after world, each time from what is there then."""
    existing = epcore.SliceSet.from_json(b"[]")
    for world in worlds:
        wanted = [endpoint(number, state) for number, state in world.items()]
        plan = epcore.pack(
            wanted, existing, template=TEMPLATE, policy=policy, max_endpoints=most, naming="deterministic", **options
        )
        yield plan
        existing = plan.result()
