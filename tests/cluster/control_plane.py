"""A control plane without nodes: a real etcd and API server on loopback, and the controllers that a test asks for."""

import random
import socket
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import urllib3

from cluster.api import Api, ApiError, Json
from cluster.credentials import ADMIN, ISSUER, Credentials
from cluster.processes import Program
from programs import program

SERVICE_NETWORKS = "10.96.0.0/16,fd00:96::/108"


class ControlPlane:
    """etcd and kube-apiserver, with authorisation by RBAC, for one user after the other."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.credentials = Credentials(folder)
        etcd, peers, self.port = free_ports(3)
        self.etcd_url = f"http://127.0.0.1:{etcd}"
        self.server = f"https://127.0.0.1:{self.port}"
        self.etcd = Program(
            [
                program("etcd"),
                f"--data-dir={folder / 'etcd'}",
                f"--listen-client-urls={self.etcd_url}",
                f"--advertise-client-urls={self.etcd_url}",
                f"--listen-peer-urls=http://127.0.0.1:{peers}",
                f"--initial-advertise-peer-urls=http://127.0.0.1:{peers}",
                f"--initial-cluster=default=http://127.0.0.1:{peers}",
                "--unsafe-no-fsync",
                "--log-level=warn",
            ],
            folder / "etcd.log",
        )
        certificate = self.credentials.server("kube-apiserver")
        self.api_server = Program(
            [
                program("kube-apiserver"),
                f"--etcd-servers={self.etcd_url}",
                "--bind-address=127.0.0.1",
                "--advertise-address=127.0.0.1",
                "--endpoint-reconciler-type=none",
                f"--secure-port={self.port}",
                f"--tls-cert-file={certificate}",
                f"--tls-private-key-file={certificate}",
                f"--client-ca-file={self.credentials.authority}",
                "--authorization-mode=RBAC",
                f"--service-account-issuer={ISSUER}",
                f"--service-account-key-file={self.credentials.token_key}",
                f"--service-account-signing-key-file={self.credentials.token_key}",
                f"--service-cluster-ip-range={SERVICE_NETWORKS}",
                # As strict as the strictest: who names an owner that it blocks must be permitted to.
                "--enable-admission-plugins=OwnerReferencesPermissionEnforcement",
                # No controller makes the account that each Pod is given, and no Pod of the tests runs.
                "--disable-admission-plugins=ServiceAccount",
                "--shutdown-delay-duration=0s",
            ],
            folder / "kube-apiserver.log",
        )
        self.admin = self.api(ADMIN, "system:masters")

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        self.etcd.start()
        self.etcd.wait_until(self._etcd_is_healthy, "etcd comes up")
        self.start_api_server()

    def start_api_server(self) -> None:
        self.api_server.start()
        self.api_server.wait_until(self._is_ready, "the API server comes up")

    def stop(self) -> None:
        self.admin.close()
        # Nobody waits for what it holds.
        with suppress(AssertionError):
            self.api_server.kill()
        with suppress(AssertionError):
            self.etcd.kill()

    def api(self, user: str = "", group: str | None = None, *, token: str = "", server: str = "") -> Api:
        """Talk to the API server as a user, who has a certificate or a token."""
        certificate = self.credentials.client(user, group) if user else None
        return Api(server or self.server, self.credentials.authority, certificate=certificate, token=token)

    def kubeconfig(
        self, user: str = ADMIN, group: str | None = "system:masters", *, namespace: str = "default"
    ) -> Path:
        """Write a kubeconfig of a user with a certificate; the administrator if none is named."""
        certificate = str(self.credentials.client(user, group))
        identity = {"client-certificate": certificate, "client-key": certificate}
        return self.credentials.kubeconfig(user.replace(":", "-"), self.server, identity, namespace)

    def account_kubeconfig(
        self, namespace: str, name: str, *, server: str = "", seconds: float = 3600.0
    ) -> tuple[Path, Path]:
        """Write a kubeconfig of a service account, as it has it in a Pod; returns it and the file of its token."""
        token_file = self.credentials.folder / f"{namespace}-{name}.token"
        token_file.write_text(self.token(namespace, name, seconds))
        config = self.credentials.kubeconfig(
            f"{namespace}-{name}", server or self.server, {"tokenFile": str(token_file)}, namespace
        )
        return config, token_file

    def token(self, namespace: str, name: str, seconds: float = 3600.0) -> str:
        """Make a token of a service account that is there."""
        return self.credentials.token(self.admin.get("serviceaccounts", namespace, name), seconds)

    def controller_manager(self, *options: str, controllers: Sequence[str] = ("endpointslice-controller",)) -> Program:
        """Make Kubernetes' own controllers ready to start, as they are by default."""
        name = "system:kube-controller-manager"
        return Program(
            [
                program("kube-controller-manager"),
                f"--kubeconfig={self.kubeconfig(name, None)}",
                f"--controllers={','.join(controllers)}",
                "--use-service-account-credentials",
                "--leader-elect=false",
                "--secure-port=0",
                *options,
            ],
            self.folder / "kube-controller-manager.log",
        )

    def compact(self) -> None:
        """Let etcd forget all that was before now."""
        version = self.admin.request("GET", "/api/v1/namespaces")["metadata"]["resourceVersion"]
        self._etcd("/v3/kv/compaction", {"revision": version, "physical": True})

    def _etcd(self, where: str, body: Json) -> Any:
        answer = urllib3.request("POST", self.etcd_url + where, json=body, timeout=10.0, retries=False)
        assert answer.status == 200, answer.data
        return answer.json()

    def _etcd_is_healthy(self) -> bool:
        try:
            return urllib3.request("GET", f"{self.etcd_url}/health", timeout=1.0, retries=False).status == 200
        except urllib3.exceptions.HTTPError:
            return False

    def _is_ready(self) -> bool:
        try:
            return self.admin.raw("/readyz") == b"ok"
        except (ApiError, urllib3.exceptions.HTTPError):
            return False


def free_ports(count: int) -> list[int]:
    """Find ports that nobody listens on, below those that the system gives to clients, so that they stay free."""
    found: list[int] = []
    while len(found) < count:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as candidate:
            candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                candidate.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in found:
            found.append(port)
    return found
