"""The installed wheel works: import, version, one plan and one difference. Runs on every supported Python."""

import importlib.metadata
import json

import pytest

import epcore

WANTED = [{"addresses": ["10.0.0.1"]}, {"addresses": ["10.0.0.3"]}]
EXISTING = {
    "apiVersion": "discovery.k8s.io/v1",
    "kind": "EndpointSlice",
    "metadata": {
        "name": "checkout-a",
        "generateName": "checkout-",
        "namespace": "shop",
        "labels": {"kubernetes.io/service-name": "checkout"},
    },
    "addressType": "IPv4",
    "endpoints": [{"addresses": ["10.0.0.1"]}, {"addresses": ["10.0.0.2"]}],
    "ports": [{"name": "http", "protocol": "TCP", "port": 8080}],
}


def test_version_is_the_one_of_the_package() -> None:
    assert epcore.__version__ == importlib.metadata.version("epcore")


def test_every_public_name_is_there() -> None:
    assert [name for name in epcore.__all__ if not hasattr(epcore, name)] == []


def test_plan_updates_the_slice_in_place() -> None:
    plan = epcore.pack(WANTED, EXISTING)
    assert [(write.verb, write.namespace, write.name) for write in plan.writes] == [("update", "shop", "checkout-a")]
    assert [endpoint["addresses"] for endpoint in plan.writes[0].to_dict()["endpoints"] or ()] == [
        ["10.0.0.1"],
        ["10.0.0.3"],
    ]
    assert not epcore.pack(WANTED, plan.result())


def test_plan_from_bytes_is_the_plan_from_objects() -> None:
    from_bytes = epcore.pack(json.dumps(WANTED).encode(), json.dumps(EXISTING).encode())
    assert from_bytes.to_json() == epcore.pack(WANTED, EXISTING).to_json()


def test_diff_tells_what_came_and_went() -> None:
    delta = epcore.diff(EXISTING, epcore.pack(WANTED, EXISTING).result())
    assert [change.address for change in delta.added] == ["10.0.0.3"]
    assert [change.address for change in delta.removed] == ["10.0.0.2"]
    assert not delta.updated
    assert not delta.moved


def test_wrong_input_names_the_place() -> None:
    with pytest.raises(epcore.InvalidInputError) as caught:
        epcore.pack([{"addresses": []}], EXISTING)
    assert "addresses" in caught.value.path
