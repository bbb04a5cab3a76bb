"""How a controller gets in: tokens that are rotated, the account of a Pod, certificates, proxies."""

import asyncio
import os
import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import trustme

from controller_world import address_of, held, pod, test, until, web
from epcore.controller import Api, ApiError, Controller, ControllerOptions
from epcore.kubeconfig import is_in_pod
from fake_cluster import FakeCluster, kubeconfig


def rotate(server: FakeCluster, file: Path, token: str) -> None:
    """Let the server take this token only, and the file have it."""
    file.write_text(token)
    server.token = token


async def works_on_with_another_token(api: Api, server: FakeCluster, file: Path) -> None:
    """Run a controller while its token is replaced by another."""
    stop = asyncio.Event()
    task = asyncio.create_task(Controller(api, ControllerOptions(retry_base=0.02)).run(stop))
    await until(lambda: len(held(server)) == 3)
    rotate(server, file, "second")
    server.put("pods", pod("web", 3))
    await until(lambda: len(held(server)) == 4)
    stop.set()
    await task


def test_a_token_that_is_rotated_is_read_again(tmp_path: Path) -> None:
    async def scenario() -> None:
        server = web()
        async with server.serving(tmp_path) as config:
            token = tmp_path / "token"
            rotate(server, token, "first")
            async with Api(kubeconfig=kubeconfig(tmp_path, address_of(config), tokenFile=str(token))) as api:
                await works_on_with_another_token(api, server, token)

    test(scenario)


def test_credentials_that_are_never_taken_are_told(tmp_path: Path) -> None:
    async def scenario() -> None:
        server = web()
        server.token = "right"  # noqa: S105 - no secret
        async with server.serving(tmp_path) as config:
            wrong = kubeconfig(tmp_path, address_of(config), token="wrong")  # noqa: S106
            async with Api(kubeconfig=wrong) as api:
                with pytest.raises(ApiError, match="Unauthorized") as raised:
                    await Controller(api, ControllerOptions()).changes()
                assert raised.value.status == 401

    test(scenario)


def test_the_proxy_of_the_environment_is_used_where_it_is_for_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        server = web()
        async with server.serving(tmp_path) as config:
            monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")  # nobody listens there
            monkeypatch.setenv("no_proxy", "example.org")
            async with Api(kubeconfig=config) as api:
                with pytest.raises(ApiError) as raised:
                    await api.request("GET", "/api/v1/services")
                assert raised.value.is_open
            monkeypatch.setenv("no_proxy", "example.org,127.0.0.1")
            async with Api(kubeconfig=config) as api:
                await api.request("GET", "/api/v1/services")

    test(scenario)


@contextmanager
def in_pod(folder: Path, server: str, authority: trustme.CA, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Make it look as in a Pod; yields the file of its token."""
    token, certificate = folder / "pod-token", folder / "ca.crt"
    authority.cert_pem.write_to_path(str(certificate))
    place = "kubernetes.aio.config.incluster_config"
    with monkeypatch.context() as patch:
        patch.setattr(f"{place}.SERVICE_TOKEN_FILENAME", str(token))
        patch.setattr(f"{place}.SERVICE_CERT_FILENAME", str(certificate))
        patch.setattr("kubernetes.aio.config.KUBE_CONFIG_DEFAULT_LOCATION", str(folder / "none"))
        url = urlsplit(server)
        patch.setenv("KUBERNETES_SERVICE_HOST", str(url.hostname))
        patch.setenv("KUBERNETES_SERVICE_PORT", str(url.port))
        yield token


def certified(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


def test_inside_of_a_pod_its_account_is_used_and_its_token_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        server = web()
        authority = trustme.CA()
        async with server.serving(tmp_path, tls=certified(authority)) as config:
            with in_pod(tmp_path, address_of(config), authority, monkeypatch) as token:
                rotate(server, token, "first")
                async with Api(qps=1000, burst=1000) as api:
                    await works_on_with_another_token(api, server, token)

    test(scenario)


@pytest.mark.parametrize("content", ["", "a: [b", "[]", "\x00"])
def test_a_kubeconfig_that_is_none_is_told_with_its_place(content: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        file = tmp_path / "kubeconfig"
        file.write_text(content)
        async with Api(kubeconfig=str(file)) as api:
            with pytest.raises(ApiError, match=re.escape(f"kubeconfig: {file} cannot be read: ")):
                await api.connect()

    test(scenario)


def test_a_kubeconfig_that_is_being_written_while_a_token_is_rotated_is_read_once_it_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        server = web()
        server.token = "first"  # noqa: S105 - no secret
        async with server.serving(tmp_path) as config, Api(kubeconfig=config) as api:
            assert await api.request("GET", "/api/v1/services")
            rotate(server, tmp_path / "token", "second")
            address = address_of(config)
            os.truncate(config, 0)
            with pytest.raises(ApiError, match="cannot be read"):
                await api.request("GET", "/api/v1/services")
            kubeconfig(tmp_path, address, "second")
            assert await api.request("GET", "/api/v1/services")

    monkeypatch.setattr("epcore.controller.api._BETWEEN_LOGINS", 0.0)
    test(scenario)


def test_a_program_that_hangs_while_it_logs_in_holds_no_watch_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        server = web()
        server.token = "first"  # noqa: S105 - no secret
        async with server.serving(tmp_path) as config, Api(kubeconfig=config, timeout=0.2) as api:
            await api.connect()
            server.token = "second"  # noqa: S105 - no secret
            monkeypatch.setattr("epcore.controller.api._BETWEEN_LOGINS", 0.0)
            monkeypatch.setattr("kubernetes.aio.config.load_kube_config", lambda *_, **__: asyncio.Event().wait())
            with pytest.raises(ApiError):
                async with api.stream("/api/v1/services", query=[("watch", "true")]):
                    pass

    test(scenario)


def test_where_there_is_no_kubeconfig_its_place_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    async def scenario() -> None:
        async with Api() as api:
            with pytest.raises(ApiError, match=re.escape(f"there is no kubeconfig at {places}")):
                await api.connect()

    places = f"{tmp_path / 'none'}:{tmp_path / 'neither'}"
    monkeypatch.setattr("kubernetes.aio.config.KUBE_CONFIG_DEFAULT_LOCATION", places)
    test(scenario)
    assert capfd.readouterr().err == ""


def test_one_of_several_kubeconfigs_is_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        async with web().serving(tmp_path) as config:
            places = f"{config}:{tmp_path / 'none'}"
            monkeypatch.setattr("kubernetes.aio.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", places)
            monkeypatch.setattr("kubernetes.aio.config.KUBE_CONFIG_DEFAULT_LOCATION", places)
            monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
            async with Api() as api:
                assert await Controller(api, ControllerOptions()).changes()

    test(scenario)


def test_inside_of_a_pod_the_home_of_another_user_is_no_place_for_a_kubeconfig(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(path: object, **_: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    with monkeypatch.context() as patch:
        patch.setattr(os, "stat", refused)
        found = is_in_pod("/home/somebody/.kube/config")
    assert found


def test_inside_of_a_pod_a_user_without_home_has_no_kubeconfig(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(uid: int) -> None:
        raise KeyError(f"uid not found: {uid}")

    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr("pwd.getpwuid", unknown)
    assert is_in_pod("~/.kube/config")


def test_a_server_with_a_certificate_of_somebody_else_is_told_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        server = web()
        async with server.serving(tmp_path, tls=certified(trustme.CA())) as config:
            with in_pod(tmp_path, address_of(config), trustme.CA(), monkeypatch) as token:
                token.write_text("secret")
                async with Api() as api:
                    with pytest.raises(ApiError, match=r"[Cc]ertificate"):
                        await Controller(api, ControllerOptions()).changes()
        assert not server.requests

    test(scenario)
