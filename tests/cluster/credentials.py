"""Who may talk to the API server of the tests: throw-away certificates and tokens, and kubeconfigs that hold them."""

import base64
import json
import time
from pathlib import Path
from typing import Any

import trustme
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

ISSUER = "https://kubernetes.default.svc"
ADMIN = "admin"
LEEWAY = 60
"""Seconds that the API server grants to clocks that are late."""


class Credentials:
    """An authority for certificates and a key for tokens, in files of one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._authority = trustme.CA()
        self.authority = folder / "ca.pem"
        self._authority.cert_pem.write_to_path(self.authority)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.token_key = folder / "tokens.pem"
        self.token_key.write_bytes(
            self._key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.TraditionalOpenSSL,
                serialization.NoEncryption(),
            )
        )

    def server(self, name: str) -> Path:
        """Make a certificate of loopback; returns the file of certificate and key."""
        return self._write(name, self._authority.issue_cert("127.0.0.1", "localhost", common_name=name))

    def client(self, user: str, group: str | None = None) -> Path:
        """Make a certificate of a user; returns the file of certificate and key."""
        path = self.folder / f"{user.replace(':', '-')}.pem"
        if path.exists():
            return path
        # Go refuses a certificate without any name of a host.
        certificate = self._authority.issue_cert("client.invalid", common_name=user, organization_name=group)
        return self._write(path.stem, certificate)

    def _write(self, name: str, certificate: trustme.LeafCert) -> Path:
        path = self.folder / f"{name}.pem"
        certificate.private_key_and_cert_chain_pem.write_to_path(path)
        return path

    def token(self, account: dict[str, Any], seconds: float) -> str:
        """Sign a token of a service account as the API server does, which itself makes none for less than ten minutes.

        After ``seconds`` the API server refuses it, or up to ten seconds later: so long it keeps what it found.
        """
        now = int(time.time())
        expires = int(now + seconds - LEEWAY)
        metadata = account["metadata"]
        claims = {
            "iss": ISSUER,
            "aud": [ISSUER],
            "sub": f"system:serviceaccount:{metadata['namespace']}:{metadata['name']}",
            "iat": min(now, expires) - 1,
            "nbf": min(now, expires) - 1,
            "exp": expires,
            "kubernetes.io": {
                "namespace": metadata["namespace"],
                "serviceaccount": {"name": metadata["name"], "uid": metadata["uid"]},
            },
        }
        signed = b".".join(_base64(json.dumps(part).encode()) for part in ({"alg": "ES256", "typ": "JWT"}, claims))
        r, s = decode_dss_signature(self._key.sign(signed, ec.ECDSA(hashes.SHA256())))
        return (signed + b"." + _base64(r.to_bytes(32, "big") + s.to_bytes(32, "big"))).decode()

    def kubeconfig(self, name: str, server: str, user: dict[str, Any], namespace: str = "default") -> Path:
        """Write a kubeconfig; ``user`` is what it says of the user."""
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "clusters": [{"name": "test", "cluster": {"server": server, "certificate-authority": str(self.authority)}}],
            "users": [{"name": "test", "user": user}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test", "namespace": namespace}}],
        }
        path = self.folder / f"{name}.kubeconfig"
        path.write_text(json.dumps(config))
        return path


def _base64(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")
