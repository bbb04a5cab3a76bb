"""`lint`: each rule found where it is broken and only there, by the engine and on the command line."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

import epcore
from epcore.cli import main
from epcore.types import LintRule
from kube_strategies import Json
from strategies import TEMPLATE, groups
from submitted_strategies import submitted

LABELS = {"kubernetes.io/service-name": "web", "endpointslice.kubernetes.io/managed-by": "me"}
PORTS = [{"name": "http", "port": 80}]
HINTS = {"forZones": [{"name": "a"}]}


def slice_of(*addresses: str, name: str = "web-1", **more: Any) -> Json:
    metadata = {"name": name, "namespace": "shop", "labels": LABELS, **more.pop("metadata", {})}
    endpoints = [{"addresses": [address]} for address in addresses]
    return {"metadata": metadata, "addressType": "IPv4", "ports": PORTS, "endpoints": endpoints, **more}


def many(count: int) -> list[str]:
    return [f"10.0.{number // 256}.{number % 256}" for number in range(count)]


POD: Json = {
    "metadata": {"name": "web-1", "namespace": "shop", "uid": "u1"},
    "status": {"podIPs": [{"ip": "10.0.0.1"}]},
}
TARGET = {"kind": "Pod", "name": "web-1", "namespace": "shop", "uid": "u1"}
SERVICE = {"metadata": {"name": "web", "namespace": "shop", "uid": "s1"}, "spec": {"ports": PORTS}}


def owned(uid: str) -> Json:
    return {"ownerReferences": [{"apiVersion": "v1", "kind": "Service", "name": "web", "uid": uid}]}


def held_by(**changes: Any) -> Json:
    return slice_of(endpoints=[{"addresses": ["10.0.0.1"], "targetRef": {**TARGET, **changes}}])


ONE, TWO, SIX = slice_of("10.0.0.1"), slice_of("10.0.0.2", name="web-2"), slice_of("2001:db8::1", addressType="IPv6")
CASES: list[tuple[str, list[Json], dict[str, list[Json]], list[str]]] = [
    ("unreadable", [{**ONE, "endpoints": [{"addresses": 7}]}], {}, ["slices[0].endpoints[0].addresses"]),
    ("refused", [ONE, {**TWO, "addressType": "IPv6"}], {}, ["slices[1].endpoints[0].addresses[0]"]),
    ("too-large", [{**ONE, "metadata": {**ONE["metadata"], "managedFields": ["x" * 1_600_000]}}], {}, ["slices[0]"]),
    (
        "several-addresses",
        [slice_of(endpoints=[{"addresses": ["10.0.0.1"]}, {"addresses": ["10.0.0.2", "10.0.0.3"]}])],
        {},
        ["slices[0].endpoints[1].addresses"],
    ),
    (
        "no-service-name",
        [slice_of("10.0.0.1", metadata={"labels": {"endpointslice.kubernetes.io/managed-by": "me"}})],
        {},
        ["slices[0].metadata.labels"],
    ),
    ("duplicate-endpoint", [slice_of("10.0.0.1", "10.0.0.2"), TWO], {}, ["slices[1].endpoints[0]"]),
    (
        "unhinted-endpoint",
        [
            slice_of(endpoints=[{"addresses": ["10.0.0.1"], "hints": HINTS}]),
            slice_of(
                endpoints=[
                    {"addresses": ["10.0.0.3"], "conditions": {"ready": False}},
                    {"addresses": ["10.0.0.4"], "hints": {"forZones": []}},
                    {"addresses": ["10.0.0.5"]},
                ],
                name="web-2",
            ),
        ],
        {},
        ["slices[1].endpoints[1]"],
    ),
    ("overfull-slice", [slice_of(*many(101)[1:])], {}, []),
    ("overfull-slice", [slice_of(*many(102)[1:])], {}, ["slices[0].endpoints"]),
    ("fragmented", [slice_of(address, name=address) for address in many(5)[1:]], {}, []),
    ("fragmented", [slice_of(address, name=address) for address in many(6)[1:]], {}, ["slices[0]"]),
    (
        "port-sets-differ",
        [ONE, slice_of("10.0.0.2", ports=[{"name": "dns", "port": 53}])],
        {},
        ["slices[0].ports", "slices[1].ports"],
    ),
    ("port-without-number", [slice_of("10.0.0.1", ports=[{"name": "all"}])], {}, ["slices[0].ports[0]"]),
    (
        "port-out-of-range",
        [slice_of("10.0.0.1", ports=[{"port": 0}, {"name": "a", "port": 1}])],
        {},
        ["slices[0].ports[0].port"],
    ),
    ("address-type-fqdn", [slice_of("db.example.org", addressType="FQDN")], {}, ["slices[0].addressType"]),
    (
        "no-service",
        [ONE],
        {"services": [{"metadata": {"name": "web", "namespace": "other"}}]},
        ['slices[0].metadata.labels["kubernetes.io/service-name"]'],
    ),
    ("no-service", [ONE], {"services": [SERVICE]}, []),
    ("stale-owner", [slice_of("10.0.0.1", metadata=owned("s1"))], {"services": [SERVICE]}, []),
    (
        "stale-owner",
        [slice_of("10.0.0.1", metadata=owned("s0"))],
        {"services": [SERVICE]},
        ["slices[0].metadata.ownerReferences[0]"],
    ),
    ("ports-not-of-service", [ONE], {"services": [SERVICE]}, []),
    (
        "ports-not-of-service",
        [slice_of("10.0.0.1", ports=[{"name": "dns", "port": 53}])],
        {"services": [SERVICE]},
        ["slices[0].ports", "slices[0].ports"],
    ),
    ("stale-endpoint", [held_by()], {"pods": [POD]}, []),
    ("stale-endpoint", [held_by(name="web-2")], {"pods": [POD]}, ["slices[0].endpoints[0].targetRef"]),
    ("stale-endpoint", [held_by(uid="u2")], {"pods": [POD]}, ["slices[0].endpoints[0].targetRef"]),
    (
        "stale-endpoint",
        [held_by()],
        {"pods": [{**POD, "status": {**POD["status"], "phase": "Failed"}}]},
        ["slices[0].endpoints[0].targetRef"],
    ),
    (
        "stale-endpoint",
        [held_by()],
        {"pods": [{**POD, "status": {"podIPs": [{"ip": "10.0.0.9"}]}}]},
        ["slices[0].endpoints[0].addresses"],
    ),
    (
        "being-deleted",
        [slice_of("10.0.0.1", metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"})],
        {},
        ["slices[0].metadata.deletionTimestamp"],
    ),
    ("empty-slice", [slice_of()], {}, []),
    ("empty-slice", [slice_of(), TWO], {}, ["slices[0].endpoints"]),
    (
        "port-numbers-differ",
        [ONE, slice_of("10.0.0.2", ports=[{"name": "http", "port": 81}])],
        {},
        ["slices[1].ports[0]"],
    ),
    (
        "no-managed-by",
        [slice_of("10.0.0.1", metadata={"labels": {"kubernetes.io/service-name": "web"}})],
        {},
        ["slices[0].metadata.labels"],
    ),
    (
        "deprecated-topology",
        [slice_of(endpoints=[{"addresses": ["10.0.0.1"], "deprecatedTopology": {"a": "b"}}])],
        {},
        ["slices[0].endpoints[0].deprecatedTopology"],
    ),
]


@pytest.mark.parametrize(
    ("rule", "slices", "around", "paths"), CASES, ids=[f"{i}-{case[0]}" for i, case in enumerate(CASES)]
)
def test_each_rule_is_found_where_it_is_broken(
    rule: str, slices: list[Json], around: dict[str, Any], paths: list[str]
) -> None:
    found = epcore.lint(slices, **around)
    assert [one.path for one in found if one.rule == rule] == paths
    # Bytes are the same slices, with the byte of each place.
    text = json.dumps(slices).encode()
    in_bytes = epcore.lint(text, **around)
    assert [(one.path, one.message) for one in in_bytes] == [(one.path, one.message) for one in found]
    assert all(one.offset is not None and text[one.offset : one.offset + 1] in b'{["0123456789' for one in in_bytes)
    assert all(one.offset is None for one in found)


def test_every_rule_has_a_case() -> None:
    assert {case[0] for case in CASES} == set(get_args(LintRule))


def test_slices_in_good_order_have_no_findings() -> None:
    dual: list[Any] = [ONE, TWO, slice_of(*many(98)[3:], name="web-3"), SIX]
    assert epcore.lint(dual, services=[SERVICE], pods=[]) == []


def test_one_address_with_other_ports_is_no_duplicate() -> None:
    found = epcore.lint([ONE, slice_of("10.0.0.1", name="web-2", ports=[{"name": "http", "port": 81}])])
    assert [one.rule for one in found] == ["port-numbers-differ"]


def test_endpoints_without_an_address_are_no_duplicates() -> None:
    nameless: list[Json] = [{}, {"addresses": []}, {"addresses": [""]}]
    found = epcore.lint(slice_of(endpoints=nameless * 2))
    assert {one.rule for one in found} == {"refused"}


def test_objects_of_other_kinds_are_passed_over_but_counted() -> None:
    found = epcore.lint([{"kind": "Service", "metadata": {"name": 7}}, {"kind": "EndpointSlice", **slice_of("::1")}])
    assert [one.path for one in found] == ["slices[1].endpoints[0].addresses[0]"]


def test_all_errors_of_a_slice_come_at_once() -> None:
    ports = [{"name": "A", "protocol": "tcp", "appProtocol": "a b"}, {"name": "http", "port": 1}, *PORTS]
    endpoints = [
        {"hostname": "", "nodeName": "N", "hints": {"forNodes": [{"name": "N"}]}},
        {"addresses": ["::1", "10.0.0.300"]},
    ]
    wrong = {"metadata": {"generateName": "AB-", "labels": {"a b": "c"}}, "ports": ports, "endpoints": endpoints}
    assert sorted(one.path for one in epcore.lint(wrong) if one.rule == "refused") == [
        "slices[0].addressType",
        "slices[0].endpoints[0].addresses",
        "slices[0].endpoints[0].hints.forNodes[0].name",
        "slices[0].endpoints[0].hostname",
        "slices[0].endpoints[0].nodeName",
        "slices[0].metadata.generateName",
        'slices[0].metadata.labels["a b"]',
        "slices[0].ports[0].appProtocol",
        "slices[0].ports[0].name",
        "slices[0].ports[0].protocol",
        "slices[0].ports[2].name",
    ]


def test_handles_can_be_linted() -> None:
    found = epcore.lint(epcore.SliceSet.from_objects([ONE, ONE]))
    assert [one.rule for one in found] == ["duplicate-endpoint"]
    assert repr(found[0]).startswith("<Finding warning duplicate-endpoint: ")


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"[",
        b"[{]",
        b'{"type": "ADDED", "object": {}}',
        b"\xff",
        "\ud800",
        b'[{"addressType": "IPv4"}, {"a": tru}]',
    ],
    ids=repr,
)
def test_what_is_no_document_is_an_error(document: Any) -> None:
    with pytest.raises(epcore.InvalidInputError):
        epcore.lint(document)


@pytest.mark.parametrize("count", [0, -1, 1001, 10**30])
def test_a_maximum_that_no_slice_can_have_is_refused(count: int) -> None:
    with pytest.raises(epcore.EpcoreError, match="max_endpoints"):
        epcore.lint([], max_endpoints=count)


@given(groups())
def test_a_plan_leaves_nothing_to_refuse_and_no_duplicate(case: tuple[list[Json], list[Json]]) -> None:
    wanted, existing = case
    left = epcore.pack(wanted, existing, template=TEMPLATE, max_endpoints=4, naming="deterministic").result()
    rules = {one.rule for one in epcore.lint(left, max_endpoints=4)}
    targets = {(one.get("targetRef") or {}).get("name") for one in wanted}
    assert not rules & {"refused", "unreadable", "overfull-slice"}
    assert "duplicate-endpoint" not in rules or len(targets) > 1


@given(st.lists(submitted(), max_size=3))
def test_bytes_and_objects_have_the_same_findings(slices: list[Json]) -> None:
    text = json.dumps(slices, indent=1).encode()
    found = epcore.lint(text)
    assert [one.to_dict() | {"offset": None} for one in found] == [one.to_dict() for one in epcore.lint(slices)]
    assert all(one.offset is not None and one.offset < len(text) for one in found)


MANIFEST = """\
apiVersion: v1
kind: Service
metadata: {name: web}
---
# db
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: web-1
  labels: {kubernetes.io/service-name: web, endpointslice.kubernetes.io/managed-by: me, "a b": c}
addressType: IPv4
ports:
- {name: http, port: 80}
endpoints:
- addresses:
  - 10.0.0.1
- addresses: [010.0.0.2]
"""


def test_the_command_tells_the_line_in_yaml_and_in_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest, dump = tmp_path / "a.yaml", tmp_path / "b.json"
    manifest.write_text(MANIFEST, encoding="utf-8")
    other = json.dumps({"kind": "List", "items": [slice_of("10.0.0.1", "::1", metadata={"namespace": "ä"})]}, indent=1)
    dump.write_text(other, encoding="utf-8")
    assert main(["lint", str(manifest), str(dump), "-o", "json"]) == 1
    places = [(one["file"], one["line"], one["column"], one["path"]) for one in json.loads(capsys.readouterr().out)]
    lines = other.splitlines()
    line = next(number for number, text in enumerate(lines, 1) if '"::1"' in text)
    label = next(number for number, text in enumerate(lines, 1) if '"namespace"' in text)
    assert places == [
        (str(manifest), 10, 96, 'metadata.labels["a b"]'),
        (str(manifest), 17, 15, "endpoints[1].addresses[0]"),
        (str(dump), label, lines[label - 1].index('"\\u00e4"') + 1, "metadata.namespace"),
        (str(dump), line, lines[line - 1].index('"::1"') + 1, "endpoints[1].addresses[0]"),
    ]


def test_the_command_writes_sarif(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(MANIFEST, encoding="utf-8")
    assert main(["lint", str(path), "-o", "sarif"]) == 1
    log = json.loads(capsys.readouterr().out)
    (run,) = log["runs"]
    assert log["version"] == "2.1.0"
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == ["refused"]
    first = run["results"][0]
    assert (first["ruleId"], first["ruleIndex"], first["level"]) == ("refused", 0, "error")
    assert first["locations"][0]["physicalLocation"]["region"] == {"startLine": 10, "startColumn": 96}
    assert first["message"]["text"] == 'metadata.labels["a b"]: "a b" is not a qualified name'


@pytest.mark.parametrize(
    ("slices", "options", "code"),
    [
        ([ONE], [], 0),
        ([slice_of(), TWO], [], 0),
        ([slice_of(), TWO], ["--fail-on", "note"], 1),
        ([ONE, ONE], [], 1),
        ([ONE, ONE], ["--fail-on", "error"], 0),
        ([slice_of("::1")], ["--fail-on", "error"], 1),
        ([ONE], ["--max-endpoints", "0"], 2),
    ],
)
def test_the_exit_code_follows_the_severity(tmp_path: Path, slices: list[Json], options: list[str], code: int) -> None:
    path = tmp_path / "slices.json"
    path.write_text(json.dumps(slices), encoding="utf-8")
    assert main(["lint", str(path), *options]) == code


def test_slices_of_several_files_are_looked_at_together(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second, services = tmp_path / "a.json", tmp_path / "b.json", tmp_path / "services.yaml"
    first.write_text(json.dumps(ONE), encoding="utf-8")
    second.write_text(json.dumps(slice_of("10.0.0.1", name="web-2")), encoding="utf-8")
    services.write_text("kind: Service\nmetadata: {name: db, namespace: shop}\n", encoding="utf-8")
    assert main(["lint", str(first), str(second), "--services", str(services)]) == 1
    out = capsys.readouterr().out
    assert f"{second}:1:" in out
    assert "10.0.0.1 is in web-1 already" in out
    assert "3 warnings" in out
    assert "there is no Service web" in out


@pytest.mark.parametrize("content", [b"", b'{"addressType": "IPv4"}{', b"a: [", b"\xff"], ids=repr)
def test_a_file_that_is_no_document_is_trouble_and_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes
) -> None:
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    good.write_text(json.dumps(ONE), encoding="utf-8")
    bad.write_bytes(content)
    assert main(["lint", str(good), str(bad)]) == 2
    assert str(bad) in capsys.readouterr().err


def test_the_command_reads_stdin() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "epcore", "lint", "-"],
        input=json.dumps([ONE, TWO]).encode(),
        capture_output=True,
        check=False,
    )
    assert (run.returncode, run.stdout, run.stderr) == (0, b"nothing found\n", b"")
