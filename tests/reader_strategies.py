"""Hypothesis strategies for slices as readers meet them.

What a slice or an endpoint is, is drawn as one number: to draw each field takes most of the time of a test.
"""

import math
from collections.abc import Sequence
from copy import deepcopy
from itertools import product
from typing import Any

from hypothesis import strategies as st

from strategies import Json, slice_of

TRUTHS = [None, True, False]
CONDITIONS: list[Json | None] = [
    *[None] * 5,
    *[dict(zip(("ready", "serving", "terminating"), truths, strict=True)) for truths in product(TRUTHS, repeat=3)],
]
TARGETS = [None, None, "u1", "u2", ""]
ZONE_HINT = {"forZones": [{"name": "z"}]}
ENDPOINT: dict[str, Sequence[Any]] = {
    "number": [1, 2, 3, 4],
    "zeros": ["", "00"],
    "conditions": CONDITIONS,
    "hostname": [..., ..., "a", ""],
    "nodeName": [..., ..., "n", "m"],
    "zone": [..., ..., "z", None],
    "weight": [..., ..., 1, 2],
    "uid": TARGETS,
    "hints": [..., ..., ZONE_HINT, None],
    "more": [False, False, False, True],
}
"""What each field may be; ``...`` is not there."""
SLICE: dict[str, Sequence[Any]] = {
    "label": "xxy",
    "service": ["web", "web", "db"],
    "second": [0, 1, 2],
    "port": [80, 81],
    "ports": ["none", "empty", "one", "two"],
}


def picked(fields: dict[str, Sequence[Any]], number: int) -> Json:
    """What a number says of each field."""
    found: Json = {}
    for name, values in fields.items():
        number, at = divmod(number, len(values))
        found[name] = values[at]
    return found


def numbers(fields: dict[str, Sequence[Any]]) -> st.SearchStrategy[int]:
    return st.integers(0, math.prod(map(len, fields.values())) - 1)


def endpoint_of(number: int) -> Json:
    picks = picked(ENDPOINT, number)
    last = picks["number"]
    endpoint: Json = {"addresses": [f"10.0.0.{picks['zeros']}{last}"], "conditions": picks["conditions"]}
    if picks["more"]:
        endpoint["addresses"].append("10.0.1.1")
    names = ("hostname", "nodeName", "zone", "weight", "hints")
    endpoint |= {name: picks[name] for name in names if picks[name] is not ...}
    if picks["uid"] is not None:
        target = {"name": f"pod-{last}", "namespace": "shop", "uid": picks["uid"], "resourceVersion": "1"}
        endpoint["targetRef"] = target
    return deepcopy(endpoint)


def slice_with(name: str, number: int, held: list[int]) -> Json:
    picks = picked(SLICE, number)
    slice_ = slice_of(name, [endpoint_of(one) for one in held], label=picks["label"])
    slice_["metadata"]["labels"]["kubernetes.io/service-name"] = picks["service"]
    slice_["metadata"]["annotations"] = {
        "endpoints.kubernetes.io/last-change-trigger-time": f"2026-01-01T00:00:0{picks['second']}Z",
    }
    http: Json = {"name": "http", "port": picks["port"]}
    everything: Json = {"name": "any", "port": None, "appProtocol": "x"}
    slice_["ports"] = {"none": None, "empty": [], "one": [http], "two": [http, everything]}[picks["ports"]]
    return slice_


contents = st.tuples(numbers(SLICE), st.lists(numbers(ENDPOINT), max_size=5))


def readable() -> st.SearchStrategy[list[Json]]:
    """Slices of two Services, with duplicates, unset conditions and several spellings."""
    return st.lists(contents, max_size=4).map(
        lambda slices: [slice_with(f"web-{index}", *content) for index, content in enumerate(slices)]
    )


def edited(slices: list[Json], kind: int, at: int, with_: Json) -> None:
    """Let something become what it is in another slice; or put that there, take one away, or reorder."""
    one = slices[at % len(slices)] if slices else None
    held, new = (one or with_)["endpoints"], with_["endpoints"]
    if one is None or kind == 0:
        slices.append(with_)
    elif kind == 1:
        slices.remove(one)
    elif kind == 2:
        slices.reverse()
    elif kind == 3:
        one["metadata"]["name"] = with_["metadata"]["name"]
    elif kind == 4:
        one["metadata"]["uid"] = with_["metadata"]["name"]
    elif kind == 5:
        one["ports"] = with_["ports"]
    elif kind in (6, 7):
        part = ("labels", "annotations")[kind - 6]
        one["metadata"][part] = with_["metadata"][part]
    elif kind == 8:
        held.extend(new)
    elif kind == 9:
        del held[at % (len(held) + 1) :]
    else:
        held[at % (len(held) + 1) :][:1] = new[:1]


EDITS = 14


@st.composite
def successive(draw: st.DrawFn) -> tuple[list[Json], list[Json]]:
    """Slices before and after, of which much is the same."""
    before = draw(readable())
    after = deepcopy(before)
    edits = st.lists(st.tuples(st.integers(0, EDITS), st.integers(0, 20), contents), max_size=4)
    for index, (kind, at, content) in enumerate(draw(edits)):
        edited(after, kind, at, slice_with(f"web-{index}-new", *content))
    return before, after
