"""Fixtures of a real control plane. One serves all tests here; each test has a namespace of its own."""

from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from cluster.api import Api
from cluster.control_plane import ControlPlane
from cluster.objects import new_namespace
from cluster.processes import Program
from programs import program


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests here need an API server; those beside Kubernetes' controllers say so themselves."""
    missing = [name for name in ("etcd", "kube-apiserver") if not program(name)]
    if missing:
        reason = f"{', '.join(missing)} not there; `make test` builds them where Go can be had"
        for item in items:
            if Path(__file__).parent in item.path.parents:
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what the programs wrote last beside a test that failed."""
    report = yield
    if report.failed and Path(__file__).parent in item.path.parents:
        report.sections += [(f"log of {running.name}", running.tail()) for running in Program.running]
    return report


@pytest.fixture(scope="package")
def control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """One etcd and API server for all tests that leave them standing."""
    with ControlPlane(tmp_path_factory.mktemp("control-plane")) as started:
        yield started


@pytest.fixture(scope="module")
def own_control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """Another one for tests that harm it, or that run Kubernetes' controllers, which see all of it."""
    with ControlPlane(tmp_path_factory.mktemp("own-control-plane")) as started:
        yield started


@pytest.fixture
def api(control_plane: ControlPlane) -> Api:
    """The API as the administrator has it."""
    return control_plane.admin


@pytest.fixture
def namespace(api: Api) -> str:
    """A namespace for one test. It stays: nothing would take away what is in it."""
    return new_namespace(api)
