"""Hypothesis strategies for groups of slices and what is wanted in them: bad, and small so that limits bite."""

from typing import Any

from hypothesis import strategies as st

Json = dict[str, Any]

ADDRESSES = [f"10.0.0.{number}" for number in range(1, 31)]


@st.composite
def endpoints(draw: st.DrawFn) -> Json:
    """Draw an endpoint in canonical field order; the target follows from the address, so that they meet again."""
    number = draw(st.integers(0, len(ADDRESSES) - 1))
    other = draw(st.integers(0, 9)) == 0
    endpoint: Json = {"addresses": [ADDRESSES[number]]}
    conditions: Json = {}
    mood = draw(st.integers(0, 9))
    if mood > 1:
        conditions["ready"] = mood != 2
    if mood == 3:
        conditions = {"ready": False, "serving": True, "terminating": True}
    if conditions:
        endpoint["conditions"] = conditions
    if draw(st.integers(0, 7)) == 0:
        endpoint["hostname"] = draw(st.sampled_from(["a", "b"]))
    owner = draw(st.integers(0, 11))
    if owner:
        name = f"web-{'new' if other else 'old'}{number % 2}-{number}{'x' if other else ''}"
        endpoint["targetRef"] = {"kind": "Pod", "namespace": "shop", "name": name, "uid": f"u{number}"}
    endpoint["nodeName"] = f"node-{number % 3}"
    if draw(st.booleans()):
        endpoint["zone"] = draw(st.sampled_from(["a", "b"])) if mood == 4 else "a"
    return endpoint


def slice_of(
    name: str, held: list[Json], *, port: int = 80, label: str = "x", version: int = 1, **more: object
) -> Json:
    """A slice of the Service ``web``."""
    labels = {"app": label, "kubernetes.io/service-name": "web"}
    metadata = {"name": name, "namespace": "shop", "resourceVersion": str(version), "labels": labels, **more}
    listed = [{"name": "http", "protocol": "TCP", "port": port}]
    return {"metadata": metadata, "addressType": "IPv4", "endpoints": held, "ports": listed}


TEMPLATE: Json = slice_of("", [])
TEMPLATE["metadata"] = {
    "generateName": "web-",
    "namespace": "shop",
    "labels": {"app": "x", "kubernetes.io/service-name": "web"},
}


@st.composite
def groups(draw: st.DrawFn) -> tuple[list[Json], list[Json]]:
    """Wanted endpoints and existing slices that overlap."""
    pool = draw(st.lists(endpoints(), min_size=1, max_size=24))
    some = st.lists(st.sampled_from(pool), max_size=8)
    existing = []
    for index in range(draw(st.integers(0, 6))):
        held = draw(some) + draw(st.lists(endpoints(), max_size=2))
        kind = draw(st.integers(0, 19))
        more: Json = {"deletionTimestamp": "2026-01-01T00:00:00Z"} if kind == 0 else {}
        slice_ = slice_of(
            f"web-{index}",
            [] if kind == 1 else held,
            port=81 if kind in (1, 2) else 80,
            label="y" if kind == 3 else "x",
            version=index,
            **more,
        )
        existing.append(slice_)
        if kind == 4:
            existing.append(slice_of(f"web-{index}", draw(some), version=index + 100))
    return draw(st.lists(st.one_of(st.sampled_from(pool), endpoints()), max_size=24)), existing
