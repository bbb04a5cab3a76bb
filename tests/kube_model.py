"""What tests of Kubernetes' rules ask of slices, and how they call ``reconcile`` on a case."""

import json
from collections import Counter
from itertools import count
from typing import Any

import epcore
from kube_strategies import HEADLESS, Json

NUMBERS = count()


def ports_of(slice_: Json) -> str:
    return json.dumps(sorted(json.dumps(port, sort_keys=True) for port in slice_["ports"]))


def canonical(slices: list[Json]) -> list[Json]:
    return [dict(one) for one in epcore.SliceSet.from_objects(slices).to_dicts()]


def comparable(endpoint: Json, *, shared_zones: bool) -> str:
    """The version of a target is never compared, and dropped by the library where it happens to rewrite a slice."""
    shown = {name: value for name, value in endpoint.items() if name != "hints" or not shared_zones}
    target = {name: value for name, value in endpoint.get("targetRef", {}).items() if name != "resourceVersion"}
    return json.dumps({**shown, "targetRef": target}, sort_keys=True)


def summary(slices: list[Json], *, shared_zones: bool) -> Any:
    """What must be equal whatever Go's maps decide: endpoints of each group, and the slices but for who is in which."""
    endpoints: Counter[str] = Counter()
    shapes: Counter[str] = Counter()
    for slice_ in slices:
        group = f"{slice_['addressType']} {ports_of(slice_)}"
        for endpoint in slice_["endpoints"]:
            endpoints[group + comparable(endpoint, shared_zones=shared_zones)] += 1
        metadata = slice_["metadata"]
        # The library leaves a wrong headless label on a slice that it only appends to; we mend it.
        labels = {key: value for key, value in metadata["labels"].items() if key != HEADLESS}
        owners = sorted(owner["uid"] for owner in metadata["ownerReferences"])
        shape = [group, len(slice_["endpoints"]), labels, metadata.get("annotations", {}), owners]
        shapes[json.dumps(shape, sort_keys=True)] += 1
    return endpoints, shapes


def hints_by_zone(slices: list[Json]) -> Counter[Any]:
    found: Counter[Any] = Counter()
    for slice_ in slices:
        for endpoint in slice_["endpoints"]:
            zones = [hint["name"] for hint in endpoint.get("hints", {}).get("forZones", [])]
            found[(slice_["addressType"], tuple(zones))] += 1
    return found


def asks_for_topology(service: Json) -> bool:
    annotations = service["metadata"]["annotations"]
    names = ["service.kubernetes.io/topology-aware-hints", "service.kubernetes.io/topology-mode"]
    value = next((annotations[name] for name in names if name in annotations), "")
    return value in ("Auto", "auto")


def reconciled(case: Json, state: Any = None, **options: Any) -> epcore.Plan:
    hints: Any = state or ({"populated": True, "zones": case["hints"]} if case["hints"] else None)
    return epcore.reconcile(
        case["service"],
        case["pods"],
        case["nodes"],
        case["slices"],
        hints=hints,
        max_endpoints=case["max"],
        trigger_time=case["triggerTime"] or None,
        **options,
    )


def stored(slices: epcore.SliceSet) -> list[Json]:
    """As the API server has them afterwards: with names."""
    found: list[Json] = [dict(one) for one in slices.to_dicts()]
    for one in found:
        one["metadata"].setdefault("name", f"new-{next(NUMBERS)}")
    return found
