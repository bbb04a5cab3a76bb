"""Bad input is the documented exception with its place, never a panic, and changes nothing."""

import copy
import json
import re
from collections import UserDict
from collections.abc import Callable, Iterator
from functools import partial
from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import epcore
from strategies import TEMPLATE, Json, slice_of

EXAMPLES = settings().max_examples

SAMPLE: Json = {
    "apiVersion": "discovery.k8s.io/v1",
    "kind": "EndpointSlice",
    "metadata": {
        "name": "web-1",
        "namespace": "shop",
        "generateName": "web-",
        "uid": "u",
        "resourceVersion": "7",
        "creationTimestamp": "2026-01-01T00:00:00Z",
        "labels": {"kubernetes.io/service-name": "web"},
        "annotations": {"a": "b"},
    },
    "addressType": "IPv4",
    "endpoints": [
        {
            "addresses": ["10.0.0.1"],
            "conditions": {"ready": True, "serving": True, "terminating": False},
            "hostname": "a",
            "targetRef": {"kind": "Pod", "namespace": "shop", "name": "web-1-a", "uid": "u"},
            "nodeName": "n",
            "zone": "z",
            "hints": {"forZones": [{"name": "z"}], "forNodes": [{"name": "n"}]},
        }
    ],
    "ports": [{"name": "http", "protocol": "TCP", "port": 80, "appProtocol": "http"}],
}
TEXT = json.dumps(SAMPLE, indent=1).encode()
DOCUMENTED = (epcore.InvalidInputError, epcore.LimitError)


def refused(call: Callable[[], object]) -> epcore.InvalidInputError | epcore.LimitError:
    with pytest.raises(DOCUMENTED) as caught:
        call()
    return caught.value  # type: ignore[return-value]


def read(data: bytes) -> epcore.SliceSet:
    return epcore.SliceSet.from_json(data)


def with_endpoint(**fields: object) -> Json:
    return {**SAMPLE, "endpoints": [{"addresses": ["10.0.0.1"], **fields}]}


def test_every_truncation_is_refused_at_a_place_in_the_text() -> None:
    for length in range(len(TEXT)):
        error = refused(lambda length=length: read(TEXT[:length]))  # type: ignore[misc]
        assert error.offset is not None
        assert error.offset <= length + 4


def test_every_corrupted_byte_is_refused_or_still_json() -> None:
    for place in range(len(TEXT)):
        for byte in (0x00, 0x22, 0x5C, 0x7B, 0x39, 0xFF):
            text = TEXT[:place] + bytes([byte]) + TEXT[place + 1 :]
            try:
                read(text)
            except DOCUMENTED as error:
                assert error.offset is not None
            else:
                json.loads(text)


def places(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Each place in a document of JSON."""
    yield path
    items: Any = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    for key, inner in items:
        yield from places(inner, (*path, key))


def shown(path: tuple[str | int, ...]) -> str:
    """Write a path as epcore does."""
    text = "slices[0]"
    for key in path:
        if isinstance(key, int):
            text += f"[{key}]"
        elif key.isalnum():
            text += f".{key}"
        else:
            text += f'["{key}"]'
    return text


WRONG = [7, 1.5, "", "no such word \n", True, [], {}, [None], [[]], {"x": 1}]


@pytest.mark.parametrize("path", list(places(SAMPLE))[1:], ids=shown)
def test_a_wrong_type_is_refused_where_it_stands(path: tuple[str | int, ...]) -> None:
    *way, last = path
    for wrong in WRONG:
        document = copy.deepcopy(SAMPLE)
        inner: Any = document
        for key in way:
            inner = inner[key]
        right, inner[last] = inner[last], wrong
        text = json.dumps([document]).encode()
        try:
            read(text)
        except DOCUMENTED as error:
            assert error.path.startswith(shown(path)) or isinstance(wrong, str | list | dict)
            assert error.offset is not None
            assert error.path.startswith("slices[0]")
        else:
            # What passes is of the right type, or stands for "not set".
            assert isinstance(wrong, type(right)) or (isinstance(wrong, str) and isinstance(right, str))


@pytest.mark.parametrize(
    ("change", "path", "what"),
    [
        ({"endpoints": [{"addresses": []}]}, "slices[0].endpoints[0].addresses", "at least one address"),
        ({"endpoints": [{}]}, "slices[0].endpoints[0].addresses", "at least one address"),
        ({"endpoints": [{"adress": "x"}]}, "slices[0].endpoints[0].addresses", 'required; "adress" is not known'),
        ({"endpoints": [{"addresses": ["127.0.0.1"]}]}, "slices[0].endpoints[0].addresses[0]", "loopback"),
        ({"endpoints": [{"addresses": ["169.254.0.1"]}]}, "slices[0].endpoints[0].addresses[0]", "link-local"),
        ({"endpoints": [{"addresses": ["0.0.0.0"]}]}, "slices[0].endpoints[0].addresses[0]", "unspecified"),
        ({"endpoints": [{"addresses": ["224.0.0.1"]}]}, "slices[0].endpoints[0].addresses[0]", "multicast"),
        ({"endpoints": [{"addresses": ["10.0.0.1", "2001:db8::1"]}]}, "slices[0].endpoints[0].addresses[1]", "IPv4"),
        ({"endpoints": [{"addresses": ["db.example.org"]}]}, "slices[0].endpoints[0].addresses[0]", "IPv4"),
        ({"endpoints": with_endpoint(hostname="A")["endpoints"]}, "slices[0].endpoints[0].hostname", "DNS label"),
        ({"endpoints": with_endpoint(hostname="a" * 64)["endpoints"]}, "slices[0].endpoints[0].hostname", "63"),
        ({"endpoints": with_endpoint(nodeName="n" * 254)["endpoints"]}, "slices[0].endpoints[0].nodeName", "253"),
        ({"metadata": {"name": "x" * 254}}, "slices[0].metadata.name", "253"),
        ({"metadata": {"namespace": "x" * 64}}, "slices[0].metadata.namespace", "63"),
        ({"metadata": {"labels": {"a/b/c": ""}}}, 'slices[0].metadata.labels["a/b/c"]', "qualified name"),
        ({"ports": [{"port": 2**31}]}, "slices[0].ports[0].port", "32 bits"),
        ({"ports": [{"port": 80.5}]}, "slices[0].ports[0].port", "whole number"),
        ({"ports": [{"name": "a"}, {"name": "a"}]}, "slices[0].ports[1].name", "second port"),
        ({"ports": [{"protocol": "tcp"}]}, "slices[0].ports[0].protocol", "TCP"),
        ({"addressType": "IP"}, "slices[0].addressType", "IPv4, IPv6 or FQDN"),
        ({"apiVersion": "discovery.k8s.io/v1beta1"}, "slices[0].apiVersion", "discovery.k8s.io/v1"),
        ({"kind": "Endpoints"}, "slices[0].kind", "EndpointSlice"),
    ],
    ids=json.dumps,
)
def test_what_the_api_refuses_is_refused_with_path_and_byte(change: Json, path: str, what: str) -> None:
    text = json.dumps({**SAMPLE, **change}).encode()
    error = refused(lambda: read(text))
    assert error.path == path
    assert what in error.message
    # The byte is the first of the value, or of the object in which a required member is missing.
    assert error.offset is not None
    value, _ = json.JSONDecoder().raw_decode(text[error.offset :].decode())
    assert value is not None
    assert refused(lambda: epcore.SliceSet.from_objects({**SAMPLE, **change})).offset is None


@pytest.mark.parametrize(
    ("document", "path"),
    [
        (b'{"kind": "ServiceList", "items": []}', "kind"),
        (b'{"kind": "List", "items": 3}', "items"),
        (b'{"type": "GONE", "object": {}}', "type"),
        (b"", ""),
    ],
)
def test_what_is_wrong_with_a_document_is_told_of_that_one(document: bytes, path: str) -> None:
    calls = [
        (read, path or "slices"),
        (epcore.SliceSet.from_json(b"[]").refresh, path or "slices"),
        (lambda data: epcore.diff(data, b"[]"), ".".join(filter(None, ["before", path]))),
        (lambda data: epcore.diff(b"[]", data), ".".join(filter(None, ["after", path]))),
    ]
    for call, expected in calls:
        assert refused(partial(call, document)).path == expected


def test_limits_of_the_api_are_limit_errors_with_both_numbers() -> None:
    many = [{"addresses": [f"10.0.{index // 250}.{index % 250 + 1}"]} for index in range(1001)]
    error = refused(lambda: epcore.SliceSet.from_objects({**SAMPLE, "endpoints": many}))
    assert isinstance(error, epcore.LimitError)
    assert (error.path, error.limit, error.actual) == ("slices[0].endpoints", 1000, 1001)
    wide = with_endpoint(addresses=[f"10.0.0.{index + 1}" for index in range(101)])
    error = refused(lambda: epcore.SliceSet.from_objects(wide))
    assert isinstance(error, epcore.LimitError)
    assert (error.path, error.limit, error.actual) == ("slices[0].endpoints[0].addresses", 100, 101)
    deep: Any = []
    for _ in range(300):
        deep = [deep]
    for call in (
        lambda: epcore.SliceSet.from_objects({**SAMPLE, "x": deep}),
        lambda: read(json.dumps({**SAMPLE, "x": deep}).encode()),
        lambda: read(b'{"x":' + b"[" * 1_000_000),
    ):
        assert isinstance(refused(call), epcore.LimitError)


def test_an_object_that_holds_itself_is_refused() -> None:
    ring: Json = {**SAMPLE}
    ring["x"] = ring
    assert isinstance(refused(lambda: epcore.SliceSet.from_objects(ring)), epcore.LimitError)


class Meddler:
    """Becomes a dict, and does something meanwhile."""

    def __init__(self, meddle: Callable[[], object]) -> None:
        self._meddle = meddle

    def to_dict(self) -> Json:
        self._meddle()
        return {"ready": True}


def test_a_dict_that_changes_while_it_is_read_is_refused() -> None:
    def other_keys(endpoint: Json) -> None:
        for name in list(endpoint):
            endpoint[f"x-{name}"] = endpoint.pop(name)

    for change in (lambda one: one.update(zone="a"), lambda one: one.pop("nodeName"), other_keys, dict.clear):
        endpoint: Json = {"addresses": ["10.0.0.1"]}
        endpoint |= {"conditions": Meddler(lambda one=endpoint, do=change: do(one)), "nodeName": "n", "hostname": "h"}  # type: ignore[misc]
        with pytest.raises(RuntimeError, match="dictionary changed"):
            epcore.EndpointSet.from_objects([endpoint])


@pytest.mark.parametrize(
    "text",
    [
        b'{"addressType":"IPv4","addressType":"IPv4"}',
        b'{"addressType":"IPv4","endpoints":[{"addresses":["10.0.0.1"],"zone":"a","zone":"b"}]}',
        b'{"addressType":"IPv4","metadata":{"labels":{"a":"1","a":"2"}}}',
        b'{"addressType":"IPv4","x":{"y":1,"y":2}}',
        b'{"addressType":"IPv4","endpoints":[{"addresses":["10.0.0.1"],"conditions":{"ready":true,"ready":false}}]}',
    ],
)
def test_a_second_member_of_one_name_is_refused(text: bytes) -> None:
    assert "second member" in refused(lambda: read(text)).message


def test_text_that_is_no_utf8_is_refused_at_its_first_bad_byte() -> None:
    text = TEXT.replace(b'"hostname": "a"', b'"hostname": "\xc3\x28"')
    assert refused(lambda: read(text)).offset == text.index(b"\xc3")
    assert "surrogate" in refused(lambda: epcore.SliceSet.from_objects({**SAMPLE, "x": "\ud800"})).message


@pytest.mark.parametrize(
    "call",
    [
        epcore.View.restore,
        epcore.lint,
        lambda data: epcore.publish({"metadata": {"name": "web", "namespace": "shop"}}, data, managed_by="us"),
    ],
)
@pytest.mark.parametrize("frame", [b"", b"\0\0\0\xff"])
def test_protobuf_where_only_json_is_read_is_told_for_what_it_is(call: Any, frame: bytes) -> None:
    error = refused(lambda: call(frame + epcore.SliceSet.from_objects(SAMPLE).to_protobuf()))
    assert error.message == "this is protobuf, and only JSON is read here"
    assert (error.path in {"snapshot", "slices", "endpoints"}, error.offset) == (True, 0)


@given(st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_arbitrary_bytes_are_never_a_panic(data: bytes) -> None:
    for call in (read, epcore.EndpointSet.from_json):
        try:
            call(data)
        except DOCUMENTED:
            continue


@pytest.mark.parametrize(
    "wrong", [None, 7, 1.5, True, object(), {1, 2}, iter([]), [object()], [7], [b"{}"], {"a": {1}}]
)
def test_a_wrong_python_type_is_a_type_error(wrong: Any) -> None:
    for call in (epcore.SliceSet.from_objects, epcore.EndpointSet.from_objects, epcore.pack):
        with pytest.raises((TypeError, *DOCUMENTED)) as caught:
            call(wrong)
        assert isinstance(caught.value, TypeError) or wrong == [7]


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"max_endpoints": 0}, epcore.LimitError),
        ({"max_endpoints": 1001}, epcore.LimitError),
        ({"max_endpoints": -1}, epcore.InvalidInputError),
        ({"max_endpoints": "7"}, TypeError),
        ({"max_endpoints": 2**70}, epcore.LimitError),
        ({"max_bytes": 10}, epcore.LimitError),
        ({"max_bytes": -1}, epcore.InvalidInputError),
        ({"trigger_time": "yesterday"}, epcore.InvalidInputError),
        ({"policy": "best"}, ValueError),
        ({"policy": 7}, TypeError),
        ({"cohort": "targetRef.uid"}, epcore.InvalidInputError),
        ({"compaction": 0.25}, TypeError),
        ({"address_reuse": "never"}, ValueError),
        ({"replace": ""}, ValueError),
        ({"naming": "x"}, ValueError),
        ({"template": []}, epcore.InvalidInputError),
        ({"template": {"metadata": {}}}, epcore.InvalidInputError),
    ],
)
def test_a_bad_option_is_named(options: Any, error: type[Exception]) -> None:
    with pytest.raises(error) as caught:
        epcore.pack([{"addresses": ["10.0.0.1"]}], SAMPLE, **options)
    assert str(caught.value)


@pytest.mark.parametrize(
    ("call", "place"),
    [
        (lambda: epcore.pack([], SAMPLE).prefix(-1), "writes"),
        (lambda: epcore.assign([], [], max_items=-1), "max_items"),
        (lambda: epcore.assign([("a", 1, 1, None), ("b", 1, -1, None)], []), "wanted[1].size"),
        (lambda: epcore.assign([("a", 2**64, 1, None)], []), "wanted[0].fingerprint"),
        (lambda: epcore.assign([], [[], [("a", 2**64, 1, None)]]), "existing[1][0].fingerprint"),
        (lambda: epcore.most_untouched([(2, -1)], 1), "classes"),
        (lambda: epcore.most_untouched([(2, 1)], -1), "slices"),
        (lambda: epcore.most_untouched([(2, 1), (1, 2)], 1), "classes[1]"),
        (lambda: epcore.Policy(watchers=-1), "watchers"),
        (lambda: epcore.Compaction(max_moves=-1), "max_moves"),
    ],
)
def test_a_number_out_of_range_is_named(call: Any, place: str) -> None:
    assert refused(call).path == place


def test_a_value_without_a_form_in_json_is_named() -> None:
    def path(value: object) -> str:
        endpoint = {"addresses": ["10.0.0.1"], "x": [0, {"y": value}]}
        return refused(lambda: epcore.pack([{"addresses": ["10.0.0.2"]}, endpoint], template=TEMPLATE)).path

    assert {path(value) for value in (float("nan"), "\ud800", 10**5000)} == {"endpoints[1].x[1].y"}
    assert refused(lambda: epcore.SliceSet.from_objects({**SAMPLE, "x": float("inf")})).path == "slices[0].x"


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (ip_address("10.0.0.1"), "slices[1].x[1].y: IPv4Address has no form in JSON"),
        ({"z": b""}, "slices[1].x[1].y.z: bytes has no form in JSON"),
        ({7: ""}, "slices[1].x[1].y: names of members must be str, found int"),
    ],
)
def test_a_type_without_a_form_in_json_is_told_with_its_place(value: object, told: str) -> None:
    with pytest.raises(TypeError, match=f"^{re.escape(told)}$"):
        epcore.SliceSet.from_objects([SAMPLE, {**SAMPLE, "x": [0, {"y": value}]}])
    with pytest.raises(TypeError, match=r"^template: .* found object$"):
        epcore.pack([], template=object())  # type: ignore[arg-type]


class Raiser:
    """Is asked for a method, or does it, and raises."""

    def __init__(self, name: str, error: BaseException, where: str) -> None:
        self._name, self._error, self._where = name, error, where

    def __getattr__(self, name: str) -> Any:
        if name != self._name:
            raise AttributeError(name)
        if self._where == "asked":
            raise self._error
        return self._raise

    def _raise(self, *_: object, **__: object) -> None:
        raise self._error


@pytest.mark.parametrize("name", ["to_dict", "isoformat"])
@pytest.mark.parametrize("where", ["asked", "done"])
def test_what_code_of_an_object_raises_is_raised(name: str, where: str) -> None:
    for error in (ConnectionError("lost"), KeyboardInterrupt()):
        value = Raiser(name, error, where)
        for wrong in (value, [{**SAMPLE, "endpoints": [{"addresses": ["10.0.0.1"], "zone": value}]}]):
            with pytest.raises(type(error)) as caught:
                epcore.SliceSet.from_objects(wrong)
            assert caught.value is error


def test_a_mapping_that_has_no_such_attribute_may_say_so_in_its_own_way() -> None:
    class Attributes(UserDict[str, Any]):
        def __getattr__(self, name: str) -> Any:
            return {} if name == "isoformat" else self.data[name]

    assert epcore.SliceSet.from_objects(Attributes(SAMPLE)) == epcore.SliceSet.from_objects(SAMPLE)


def test_after_events_were_folded_no_offset_is_told_rather_than_a_wrong_one() -> None:
    events = [
        {"type": "ADDED", "object": slice_of("web-1", [])},
        {"type": "MODIFIED", "object": slice_of("web-1", [{"addresses": ["10.0.0.1"]}])},
        {"type": "ADDED", "object": slice_of("web-2", [], namespace="other")},
    ]
    text = "\n".join(map(json.dumps, events)).encode()
    error = refused(lambda: epcore.pack([], text, template=TEMPLATE))
    assert (error.path, error.offset) == ("slices[1].metadata.namespace", None)


def test_slices_that_cannot_be_one_group_are_refused() -> None:
    wanted = [{"addresses": ["10.0.0.1"]}]
    other = slice_of("web-2", [], port=81)
    assert refused(lambda: epcore.pack(wanted, [slice_of("web-1", []), other])).path == "slices[1]"
    away = slice_of("web-3", [], namespace="elsewhere")
    assert refused(lambda: epcore.pack(wanted, [away], template=TEMPLATE)).path == "slices[0].metadata.namespace"
    label = "endpointslice.kubernetes.io/managed-by"
    ours, theirs = copy.deepcopy(TEMPLATE), slice_of("web-4", [])
    ours["metadata"]["labels"][label], theirs["metadata"]["labels"][label] = "us", "them"
    assert refused(lambda: epcore.pack(wanted, [theirs], template=ours)).path == f'slices[0].metadata.labels["{label}"]'
    assert refused(lambda: epcore.pack(wanted)).path == "template"
    assert (
        refused(lambda: epcore.pack([{"addresses": ["2001:db8::1"]}], template=TEMPLATE)).path
        == "endpoints[0].addresses[0]"
    )


def test_one_endpoint_too_large_for_any_slice_is_a_limit_error() -> None:
    error = refused(
        lambda: epcore.pack([{"addresses": ["10.0.0.1"], "x": "y" * 2000}], template=TEMPLATE, max_bytes=1500)
    )
    assert isinstance(error, epcore.LimitError)
    assert error.path == "endpoints[0]"
    assert error.limit == 1500


def test_inputs_are_never_changed() -> None:
    wanted: list[Json] = [{"addresses": ["10.00.0.2"]}, {"addresses": ["10.0.0.3"], "x": {"b": 1, "a": [None]}}]
    existing = [copy.deepcopy(SAMPLE), {"bad": 1}]
    before = copy.deepcopy((wanted, existing))
    epcore.pack(wanted, existing[:1])
    refused(lambda: epcore.pack(wanted, existing))
    assert (wanted, existing) == before


SERVICE: Json = {"metadata": {"name": "web", "namespace": "shop"}, "spec": {"ports": [{"port": 80}]}}
PICKED: Json = {**SERVICE, "spec": {"selector": {"app": "web"}}}
WRONG_AS_A_WHOLE: dict[str, tuple[str, Callable[[bytes], object]]] = {
    "slices of pack": ("slices", lambda wrong: epcore.pack([], wrong)),
    "endpoints of pack": ("endpoints", lambda wrong: epcore.pack(wrong, template=TEMPLATE)),
    "template of pack": ("template", lambda wrong: epcore.pack([], template=wrong)),
    "Service of publish": ("service", lambda wrong: epcore.publish(wrong, [], managed_by="me")),
    "endpoints of publish": ("endpoints", lambda wrong: epcore.publish(SERVICE, wrong, managed_by="me")),
    "Pods of reconcile": ("pods", lambda wrong: epcore.reconcile(PICKED, wrong, [])),
    "Nodes of reconcile": ("nodes", lambda wrong: epcore.reconcile(PICKED, [], wrong)),
    "slices of reconcile": ("slices", lambda wrong: epcore.reconcile(PICKED, [], [], wrong)),
    "after of diff": ("after", lambda wrong: epcore.diff([], wrong)),
    "Pods of lint": ("pods", lambda wrong: epcore.lint([], pods=wrong)),
    "slices of lint": ("slices", epcore.lint),
    "list of a view": ("slices", lambda wrong: epcore.View().replace(wrong)),
    "next list": ("slices", lambda wrong: epcore.SliceSet.from_json(b"[]").refresh(wrong)),
}


@pytest.mark.parametrize("what", WRONG_AS_A_WHOLE)
@pytest.mark.parametrize("wrong", [b"", b" \n", b"[{} {}]", b"\xff[]"], ids=["empty", "blank", "broken", "not UTF-8"])
def test_which_document_is_wrong_as_a_whole_is_told(what: str, wrong: bytes) -> None:
    root, call = WRONG_AS_A_WHOLE[what]
    error = refused(lambda: call(wrong))
    assert re.split(r"[.\[]", error.path)[0] == root
    assert error.offset is not None


OPTIONS = ["policy", "cohort", "naming", "max_endpoints", "max_bytes", "compaction", "trigger_time", "address_reuse"]


@pytest.mark.parametrize("name", OPTIONS)
def test_which_option_has_a_wrong_type_is_told(name: str) -> None:
    wrong: dict[str, Any] = {name: 1.5}
    for call in (
        partial(epcore.pack, [], template=TEMPLATE, **wrong),
        partial(epcore.publish, SERVICE, [], managed_by="me", **wrong),
    ):
        with pytest.raises(TypeError) as caught:
            call()
        assert caught.value.__notes__ == [f"while processing '{name}'"]


def test_an_option_that_there_is_not_is_told() -> None:
    unknown: dict[str, Any] = {"max_endpoint": 1}
    with pytest.raises(TypeError, match='unexpected keyword argument "max_endpoint"') as caught:
        epcore.pack([], template=TEMPLATE, **unknown)
    assert not hasattr(caught.value, "__notes__")
