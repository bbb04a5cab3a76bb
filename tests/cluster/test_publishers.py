"""The publishers of the examples, each with another client, do the same on a real API server."""

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from cluster.api import Api, ApiError
from cluster.control_plane import ControlPlane
from cluster.objects import service
from cluster.processes import eventually

PUBLISHERS = Path(__file__).parents[2] / "examples" / "publishers"
MANAGED_BY = "endpointslice.kubernetes.io/managed-by=publisher.example.com"
FILES = ["with_official.py", "with_lightkube.py", "with_kr8s.py"]


def environment(control_plane: ControlPlane) -> dict[str, str]:
    return {**os.environ, "KUBECONFIG": str(control_plane.kubeconfig())}


def published(api: Api, namespace: str) -> list[str]:
    slices = api.items("endpointslices", namespace, labels=MANAGED_BY)
    return sorted(one["addresses"][0] for slice_ in slices for one in slice_["endpoints"] or [])


def run(control_plane: ControlPlane, name: str, namespace: str, file: Path) -> str:
    command = [sys.executable, str(PUBLISHERS / name), f"{namespace}/db", str(file)]
    done = subprocess.run(
        command, env=environment(control_plane), capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("name", FILES)
def test_each_publishes_changes_and_empties(
    name: str, control_plane: ControlPlane, api: Api, namespace: str, tmp_path: Path
) -> None:
    api.create(service("db", namespace))
    file = tmp_path / "db.json"
    for addresses, writes in [
        ([f"10.0.{n // 250}.{n % 250 + 1}" for n in range(150)], 2),
        ([f"10.0.{n // 250}.{n % 250 + 1}" for n in range(1, 151)], 1),
        ([f"10.0.{n // 250}.{n % 250 + 1}" for n in range(1, 151)], 0),
        (["10.0.0.3", "2001:db8::1"], None),
        ([], None),
    ]:
        file.write_text(json.dumps(addresses))
        told = run(control_plane, name, namespace, file)
        assert writes is None or told == f"{writes} writes\n"
        assert published(api, namespace) == sorted(addresses)


@pytest.mark.parametrize("name", FILES)
def test_each_gets_through_while_others_write_to_its_slices(
    name: str, control_plane: ControlPlane, api: Api, namespace: str, tmp_path: Path
) -> None:
    api.create(service("db", namespace))
    file = tmp_path / "db.json"
    file.write_text(json.dumps(["10.0.0.1"]))
    run(control_plane, name, namespace, file)
    file.write_text(json.dumps(["10.0.0.2"]))
    command = [sys.executable, str(PUBLISHERS / name), f"{namespace}/db", str(file)]
    with subprocess.Popen(command, env=environment(control_plane), stdout=subprocess.DEVNULL) as process:
        number = 0
        while process.poll() is None and number < 80:
            for slice_ in api.items("endpointslices", namespace, labels=MANAGED_BY):
                number += 1
                with suppress(ApiError):
                    api.patch(slice_, {"metadata": {"annotations": {"number": str(number)}}})
    run(control_plane, name, namespace, file)
    assert published(api, namespace) == ["10.0.0.2"]


def test_kopf_publishes_what_an_annotation_lists(control_plane: ControlPlane, api: Api, namespace: str) -> None:
    annotation = "publisher.example.com/endpoints"
    made = service("db", namespace)
    made["metadata"]["annotations"] = {annotation: "10.0.0.1:5432 10.0.0.2:5432"}
    made = api.create(made)
    command = [sys.executable, "-m", "kopf", "run", "-n", namespace, str(PUBLISHERS / "with_kopf.py")]
    with subprocess.Popen(
        command, env=environment(control_plane), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            has(api, namespace, ["10.0.0.1", "10.0.0.2"])
            api.patch(made, {"metadata": {"annotations": {annotation: "10.0.0.2:5432"}}})
            has(api, namespace, ["10.0.0.2"])
            api.patch(made, {"metadata": {"annotations": {annotation: "10.0.0.300"}}})
            api.patch(made, {"metadata": {"annotations": {annotation: "10.0.0.4"}}})
            has(api, namespace, ["10.0.0.4"])
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
        finally:
            process.kill()


def has(api: Api, namespace: str, addresses: list[str]) -> None:
    eventually(lambda: published(api, namespace) == addresses, f"{addresses} in the slices")
