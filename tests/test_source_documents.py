"""Endpoints in text: read in each form, and refused as a whole where it makes no sense."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epcore.controller.sources import SourceError
from epcore.controller.sources.document import checked, endpoints_in


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("a.json", '["10.0.0.1:80"]', ["10.0.0.1:80"]),
        ("a.json", '\ufeff{"endpoints": ["10.0.0.1"]}', ["10.0.0.1"]),
        ("a.json", '{"kind": "List", "items": []}', []),
        ("a.json", '{"address": "10.0.0.1", "port": 1}', [{"address": "10.0.0.1", "port": 1}]),
        ("a", '{"addresses": ["10.0.0.1"]}', [{"addresses": ["10.0.0.1"]}]),
        ("a.jsonl", '"10.0.0.1"\n\n{"address": "10.0.0.2"}\n', ["10.0.0.1", {"address": "10.0.0.2"}]),
        ("a.yaml", "- 10.0.0.1\n---\n- 10.0.0.2\n", ["10.0.0.1", "10.0.0.2"]),
        ("a.yaml", "# none\n[]", []),
        ("a.csv", "10.0.0.1\n\n# x\n[2001:db8::1]:80\n", [{"address": "10.0.0.1"}, {"address": "[2001:db8::1]:80"}]),
        (
            "a.CSV",
            'address,port,zone,ready,port.http\n10.0.0.1,80,"a, b",False,\n10.0.0.2,,,,81',
            [
                {"address": "10.0.0.1", "port": 80, "zone": "a, b", "ready": False},
                {"address": "10.0.0.2", "ports": {"http": 81}},
            ],
        ),
        ("a.csv", "address,zone\n", []),
    ],
)
def test_each_form_is_read(name: str, text: str, expected: object) -> None:
    assert endpoints_in(name, text.encode()) == expected


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.json", "", "a.json: is empty; write []"),
        ("a.yaml", "# only a comment\n", "a.yaml: is empty"),
        ("a.csv", "\n# nothing\n", "a.csv: is empty; write the heading"),
        ("a.json", "null", "expected a list of endpoints"),
        ("a.json", '{"error": "not found"}', "expected a list of endpoints"),
        ("a.json", '{"items": null}', "expected a list of endpoints"),
        ("a.json", '{"kind": "Status", "items": []}', "an object of kind Status"),
        ("a.json", '{"kind": "EndpointSlice", "endpoints": []}', "an object of kind EndpointSlice"),
        ("a.json", '["10.0.0.1", 7]', "endpoints[1]: expected a string or an object, found int"),
        ("a.json", '["10.0.0.1", {"port": 3}]', "endpoints[1]"),
        ("a.json", '["10.0.0.1"', "not JSON"),
        ("a.json", "[NaN]", "NaN is no JSON"),
        ("a.json", "[" * 100_000, "not JSON"),
        ("a.jsonl", '"10.0.0.1"\n"10.0.', "a.jsonl: line 2: not JSON"),
        ("a.yaml", "- a\n- [\n", "not YAML at line 3"),
        ("a.yaml", "- {address: 10.0.0.1, ready: maybe}", "endpoints[0].conditions.ready: expected a boolean"),
        ("a.yaml", "- {1: 2}", "the key 1 is not a string"),
        ("a.yaml", "- !!binary aGk=", "endpoints[0]: bytes is no JSON"),
        ("a.yaml", "- 10.0.0.300", "10.0.0.300"),
        ("a.csv", "addr,port\n", "line 1: 2 cells, where the heading has 1"),
        ("a.csv", "address,color\n", "line 1: 'color' is no column"),
        ("a.csv", "address,zone,zone\n", "two columns 'zone'"),
        ("a.csv", "address,port\n10.0.0.1\n", "line 2: 1 cells, where the heading has 2"),
        ("a.csv", "address,port\n10.0.0.1,x\n", "line 2: port is 'x', not a number"),
        ("a.csv", "address,ready\n10.0.0.1,1\n", "line 2: ready is '1', neither true nor false"),
        ("a.csv", 'address\n"10.0.0.1\n', "not CSV"),
        ("a.csv", "address\n127.0.0.1\n", "127.0.0.1 is a loopback address"),
    ],
)
def test_what_makes_no_sense_is_refused_as_a_whole_and_told(name: str, text: str, said: str) -> None:
    with pytest.raises(SourceError) as error:
        endpoints_in(name, text.encode())
    assert said in str(error.value)
    assert str(error.value).startswith(name)


def test_text_that_is_none_is_refused() -> None:
    with pytest.raises(SourceError, match="not UTF-8 at byte 2"):
        endpoints_in("a.csv", b"10\xff")


def test_a_page_of_aliases_does_not_eat_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("epcore.controller.sources.document._MOST_VALUES", 100_000)
    for steps, complaint in ((6, "more than 100,000 values"), (30, "aliases stand for too much")):
        bomb = "".join(f"x{n}: &x{n} [{', '.join([f'*x{n - 1}'] * 9) if n else '1'}]\n" for n in range(steps))
        with pytest.raises(SourceError, match=complaint):
            endpoints_in("a.yaml", f"address: 10.0.0.1\n{bomb}".encode())


def test_what_was_handed_out_stays_as_it_was() -> None:
    given: Any = {"address": "10.0.0.1", "ports": {"http": 1}}
    made = checked([given], "x")
    given["ports"]["http"] = 2
    assert made == [{"address": "10.0.0.1", "ports": {"http": 1}}]


@given(st.integers(0, 200))
def test_the_beginning_of_a_document_is_never_taken_for_another_set_than_a_shorter_list(cut: int) -> None:
    text = json.dumps([f"10.0.0.{number}" for number in range(1, 15)])
    if cut < len(text):
        with pytest.raises(SourceError):
            endpoints_in("a.json", text[:cut].encode())
