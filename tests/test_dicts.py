"""Dicts are read as their JSON is: the same slices, or the same error, whichever way they take."""

import copy
import datetime as dt
import json
from collections import OrderedDict, UserDict, defaultdict
from collections.abc import Callable
from enum import StrEnum
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import epcore
from strategies import Json

ENDPOINT: Json = {
    "addresses": ["10.0.0.1"],
    "conditions": {"ready": True, "serving": True, "terminating": False},
    "hostname": "web-0",
    "targetRef": {"kind": "Pod", "namespace": "shop", "name": "web-7d9c5f6b8d-x2x2x", "uid": "u-1"},
    "nodeName": "node-1.example.com",
    "zone": "a",
    "hints": {"forZones": [{"name": "a"}], "forNodes": [{"name": "node-1"}]},
}
SLICE: Json = {
    "apiVersion": "discovery.k8s.io/v1",
    "kind": "EndpointSlice",
    "metadata": {"name": "web-1", "namespace": "shop", "resourceVersion": "7", "labels": {"app": "web"}},
    "addressType": "IPv4",
    "endpoints": [ENDPOINT],
    "ports": [{"name": "http", "protocol": "TCP", "port": 80}],
}
OTHER_ENDPOINTS: list[Json] = [
    {"addresses": ["10.0.0.2"]},
    {"zone": "b", "nodeName": "n", "addresses": ["010.0.0.3"], "conditions": {"serving": False}},
    {"addresses": ["10.0.0.4", "10.0.0.5"], "targetRef": {"name": "p", "resourceVersion": "8"}},
    {"addresses": ["::ffff:10.0.0.6"], "hints": {"forZones": [{"name": "b"}]}, "conditions": {"ready": None}},
    {"addresses": ["10.0.0.7"], "hints": {"forZones": []}, "x-weight": {"b": 1, "a": [1.5, "é"]}},
    {"addresses": ["10.0.0.8"], "hints": {"forZones": [{"name": "a", "x": 1}]}, "targetRef": {"x": 1}},
    {"addresses": ["10.0.0.9"], "hostname": None, "zone": "", "nodeName": None, "targetRef": None, "conditions": None},
    {"addresses": ["10.0.0.10"], "conditions": {}, "targetRef": {}, "hints": {}},
]
VALUES: list[Any] = [
    *(None, True, 0, 1.5, 2**70, "", "a", "A_b", "é", "a" * 300, "10.0.0.9", "2001:db8::1", "127.0.0.1"),
    *([], {}, [""], ["10.0.0.11"], [None], ["a.b"], [[]], {"name": "a"}, [{"name": "a"}], {"endpoints": [ENDPOINT]}),
    *(("10.0.0.12",), OrderedDict(ready=True), defaultdict(str, name="x"), [ENDPOINT], (ENDPOINT,)),
]
SERVICE: Json = {"metadata": {"name": "web", "namespace": "shop"}, "spec": {"ports": [{"name": "http", "port": 80}]}}
NAMES = [*ENDPOINT, *SLICE, *SLICE["metadata"], *ENDPOINT["conditions"], *ENDPOINT["targetRef"], *ENDPOINT["hints"]]
NAMES += ["items", "object", "type", "x-own", "deprecatedTopology", "fieldPath", ""]


def containers(value: Any) -> list[Any]:
    """All dicts and lists in a value."""
    inner = [*value.values()] if isinstance(value, dict) else value if isinstance(value, list) else ()
    found = [one for each in inner for one in containers(each)]
    return [value, *found] if isinstance(value, dict | list) else found


@st.composite
def documents(draw: st.DrawFn) -> Any:
    """Slices or endpoints in all forms, with some values that are others, are gone or are new."""
    more = st.lists(st.sampled_from([ENDPOINT, *OTHER_ENDPOINTS]), max_size=5)
    slices = [{**SLICE, "endpoints": draw(more)} for _ in range(draw(st.integers(1, 3)))]
    head = {"kind": "EndpointSliceList", "metadata": {"resourceVersion": "9"}}
    endpoints = slices[0]["endpoints"]
    value = copy.deepcopy(draw(st.sampled_from([slices, slices[0], {**head, "items": slices}, endpoints, ENDPOINT])))
    for _ in range(draw(st.sampled_from([0, 0, 1, 1, 2]))):
        place = draw(st.sampled_from(containers(value)))
        other = copy.deepcopy(draw(st.sampled_from(VALUES)))
        if isinstance(place, list):
            if len(place) > 0 and draw(st.booleans()):
                place[draw(st.integers(0, len(place) - 1))] = other
            else:
                place.append(other)
        else:
            name = draw(st.sampled_from([*place, *NAMES]))
            if draw(st.integers(0, 3)) == 0:
                place.pop(name, None)
            elif draw(st.booleans()):
                place[name] = other
            else:
                # What comes first may tell the form.
                rest = {key: value for key, value in place.items() if key != name}
                place.clear()
                place.update({name: other, **rest})
    return value


def outcome(read: Callable[[Any], Any], value: Any) -> Any:
    """What is read, or the exception but for the place in bytes."""
    try:
        return [read(value)]
    except (epcore.InvalidInputError, epcore.LimitError) as error:
        return type(error), error.path, error.message


def assert_same(read: Callable[[Any], Any], value: Any) -> None:
    before = copy.deepcopy(value)
    assert outcome(read, value) == outcome(read, json.dumps(value))
    assert value == before


@pytest.mark.parametrize("handle", [epcore.SliceSet, epcore.EndpointSet])
@example({"endpoints": [], "items": [SLICE]})
@example({"kind": "ServiceList", "items": [SLICE]})
@example({"addressType": "IPv4", "items": [SLICE]})
@example({"object": SLICE, **SLICE})
@example([{"endpoints": [ENDPOINT], **ENDPOINT}])
@given(documents())
def test_dicts_are_what_their_json_is(handle: Any, value: Any) -> None:
    def read(value: Any) -> Any:
        found = handle.from_objects(value)
        return found, found.to_json()

    assert_same(read, value)


@example([{"addresses": [None]}])
@given(documents())
def test_endpoints_to_publish_are_what_their_json_is(value: Any) -> None:
    def published(endpoints: Any) -> epcore.SliceSet:
        return epcore.publish(SERVICE, endpoints, managed_by="me", naming="deterministic").result()

    assert_same(published, value)


@example({**SLICE, "metadata": {}}, "ADDED")
@given(documents(), st.sampled_from(["ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR", "x", 7, None, ...]))
def test_events_are_what_their_json_is(value: Any, kind: Any) -> None:
    def told(events: Any) -> Any:
        view = epcore.View()
        view.feed(SLICE)
        view.feed(events)
        return view.slices(), view.resource_version, view.expired

    events: Any = value
    if isinstance(value, list):
        events = [{"type": "ADDED", "object": one} for one in value]
    elif kind is not ...:
        events = {"type": kind, "object": value}
    assert_same(told, events)


@given(documents())
def test_the_version_of_a_list_is_that_of_its_json(value: Any) -> None:
    def version(slices: Any) -> tuple[str | None, int]:
        view = epcore.View()
        view.feed_list(slices)
        return view.resource_version, len(view.slices())

    assert_same(version, value)


class Counted(UserDict[str, Any]):
    """A mapping that is no dict, and counts who asks."""

    asked = 0

    def items(self) -> Any:
        type(self).asked += 1
        return super().items()


def test_code_of_objects_runs_once_where_nothing_is_wrong() -> None:
    Counted.asked = 0
    endpoints = [ENDPOINT, {**ENDPOINT, "x-own": Counted(a=1)}, {**ENDPOINT, "hints": Counted(ENDPOINT["hints"])}]
    slices = [{**SLICE, "endpoints": endpoints, "metadata": Counted(SLICE["metadata"])}]
    read: Json = {**epcore.SliceSet.from_objects(slices)[0].endpoints[1].to_dict()}
    assert read["x-own"] == {"a": 1}
    assert Counted.asked == 3


def test_names_and_texts_may_be_of_classes_of_their_own() -> None:
    class Text(str):
        __slots__ = ()

    class Kind(StrEnum):
        POD = "Pod"

    for text in (Text, str):
        own = {text(name): text(value) if isinstance(value, str) else value for name, value in ENDPOINT.items()}
        own["targetRef"] = {**ENDPOINT["targetRef"], "kind": Kind.POD}
        assert epcore.EndpointSet.from_objects([own] * 20) == epcore.EndpointSet.from_objects([ENDPOINT] * 20)


def test_names_that_are_other_objects_in_each_dict_are_the_same_names() -> None:
    texts = [json.dumps({**ENDPOINT, "addresses": [f"10.0.1.{number}"]}) for number in range(40)]
    read = epcore.EndpointSet.from_objects([json.loads(text) for text in texts])
    assert read == epcore.EndpointSet.from_json("\n".join(texts))


class Odd(str):
    """Equals every name, and is none."""

    __slots__ = ()
    __hash__ = str.__hash__

    def __eq__(self, _other: object) -> bool:
        return True


def test_names_that_compare_in_their_own_way_are_texts_all_the_same() -> None:
    endpoints: list[Json] = [{"addresses": ["10.0.0.1"], Odd("zone"): "a", Odd("x"): "b"}]
    assert epcore.EndpointSet.from_objects(endpoints)[0].to_dict() == {"addresses": ["10.0.0.1"], "zone": "a", "x": "b"}


@pytest.mark.parametrize("name", ["addresses", "zone", "conditions", "targetRef", "hints", "ready", "uid"])
def test_what_a_name_raises_that_is_compared_is_raised(name: str) -> None:
    """Also where it is Ctrl-C, which may come at any time."""

    class Raising(str):
        __slots__ = ()
        __hash__ = str.__hash__

        def __eq__(self, _other: object) -> bool:
            raise KeyboardInterrupt(name)

    def raising(value: Json) -> Json:
        inner = {key: raising(of) if isinstance(of, dict) else of for key, of in value.items()}
        return {Raising(key) if key == name else key: of for key, of in inner.items()}

    hints = {"forZones": [{"name": "a"}]}
    endpoint = raising({**ENDPOINT, "conditions": {"ready": True}, "hints": hints})
    with pytest.raises(KeyboardInterrupt, match=name):
        epcore.EndpointSet.from_objects([endpoint])
    with pytest.raises(KeyboardInterrupt, match=name):
        epcore.publish(SERVICE, [endpoint], managed_by="me")
    with pytest.raises(KeyboardInterrupt, match=name):
        epcore.SliceSet.from_objects([{**SLICE, "endpoints": [ENDPOINT] * 20 + [endpoint]}])


class Twin(str):
    """Equals no other."""

    __slots__ = ()
    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other


@pytest.mark.parametrize("name", ["metadata", "endpoints", "items"])
def test_a_second_member_of_one_name_is_refused(name: str) -> None:
    value: Json = {"items": [SLICE]} if name == "items" else SLICE
    with pytest.raises(epcore.InvalidInputError, match="second member"):
        epcore.SliceSet.from_objects({**value, Twin(name): value[name]})


@pytest.mark.parametrize("place", ["metadata", "endpoints", "conditions"])
def test_what_code_of_an_object_raises_is_raised(place: str) -> None:
    class Raising:
        calls = 0

        def to_dict(self) -> Json:
            Raising.calls += 1
            raise LookupError(place)

    wrong: Json = {**SLICE, place: Raising()}
    if place not in SLICE:
        wrong = {**SLICE, "endpoints": [{**ENDPOINT, place: Raising()}]}
    for value in (wrong, [wrong], {"items": [SLICE, wrong]}):
        Raising.calls = 0
        with pytest.raises(LookupError, match=place):
            epcore.SliceSet.from_objects(value)
        assert Raising.calls == 1
    with pytest.raises(LookupError, match=place):
        epcore.View().feed({"type": "ADDED", "object": wrong})


def test_text_with_half_of_a_surrogate_pair_is_refused_with_its_place() -> None:
    for field, path in (("zone", "zone"), ("x\ud800", ""), ("targetRef", "targetRef.name")):
        value: Any = {"name": "\ud800"} if field == "targetRef" else "\ud800"
        with pytest.raises(epcore.InvalidInputError, match="surrogate") as caught:
            epcore.SliceSet.from_objects([{**SLICE, "endpoints": [ENDPOINT, {**ENDPOINT, field: value}]}])
        assert caught.value.path == f"slices[0].endpoints[1].{path}".rstrip(".")


def test_a_list_that_somebody_else_empties_is_no_harm() -> None:
    endpoints: list[Any] = [copy.deepcopy(ENDPOINT) for _ in range(10)]

    class Meddler:
        def to_dict(self) -> Json:
            endpoints.clear()
            return {"ready": True}

    endpoints[3]["conditions"] = Meddler()
    assert len(epcore.SliceSet.from_objects([{**SLICE, "endpoints": endpoints}])[0].endpoints) <= 10


def nested(levels: int) -> Any:
    value: Any = "end"
    for _ in range(levels):
        value = [value]
    return value


def test_times_and_deep_fields_go_by_way_of_json() -> None:
    metadata = {**SLICE["metadata"], "creationTimestamp": dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)}
    value = [{**SLICE, "metadata": metadata, "endpoints": [{**ENDPOINT, "x-deep": nested(120)}]}]
    read: Json = {**epcore.SliceSet.from_objects(value)[0].to_dict()}
    assert read["metadata"]["creationTimestamp"] == "2026-01-02T03:04:05Z"
    assert read["endpoints"][0]["x-deep"] == nested(120)


@pytest.mark.parametrize("levels", range(118, 130))
def test_what_is_nested_too_deep_for_json_is_so_in_dicts(levels: int) -> None:
    for one in ({**SLICE, "x": nested(levels)}, {**SLICE, "endpoints": [{**ENDPOINT, "x": nested(levels)}]}):
        for value in (one, [one], {"items": [one]}):
            by_json = outcome(epcore.SliceSet.from_json, json.dumps(value))
            # Python's objects may have a level less.
            assert outcome(epcore.SliceSet.from_objects, value) == by_json or levels > 120
            assert isinstance(by_json, list) or isinstance(outcome(epcore.SliceSet.from_objects, value), tuple)
