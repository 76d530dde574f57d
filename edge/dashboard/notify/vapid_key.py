"""The key with which this dashboard identifies itself to push services (VAPID, RFC 8292).

A browser subscribes with the public key, and only messages that are signed with the private key
reach it. Whoever has the private key still needs the subscriptions to send messages.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from edge.common.errors import UserError
from edge.common.file_access import access_problem
from edge.dashboard.notify.base64url import to_base64url

FILE_NAME = "dashboard-push-key.pem"
#: How long a signature is valid; push services accept at most 24 h.
VALID_S = 12 * 3600
#: Push services want to know whom they can ask about a sender. There is nobody: each installation
#: has its own key.
CONTACT = "mailto:mask-patrol@example.org"


@dataclass(frozen=True)
class VapidKey:
    """The key pair; `public` is what browsers expect (an uncompressed point in base64url)."""

    private: ec.EllipticCurvePrivateKey = field(repr=False)
    public: str

    def authorization(self, endpoint: str, now_s: float) -> str:
        """Return the header `Authorization` of a request to the push service at `endpoint`.

        `now_s` is the time in seconds since the epoch.
        """
        parts = urlsplit(endpoint)
        claims = {
            "aud": f"{parts.scheme}://{parts.netloc}",
            "exp": int(now_s) + VALID_S,
            "sub": CONTACT,
        }
        signed = ".".join(
            to_base64url(json.dumps(part).encode())
            for part in ({"typ": "JWT", "alg": "ES256"}, claims)
        )
        der = self.private.sign(signed.encode(), ec.ECDSA(hashes.SHA256()))
        signature = b"".join(part.to_bytes(32, "big") for part in decode_dss_signature(der))
        return f"vapid t={signed}.{to_base64url(signature)}, k={self.public}"


def load_vapid_key(path: Path) -> VapidKey:
    """Return the key in the PEM file `path`, which is created if it does not exist.

    Raises UserError if the file can be neither read nor created.
    """
    try:
        if not path.exists():
            _create(path)
        key = serialization.load_pem_private_key(path.read_bytes(), None)
        if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name != "secp256r1":
            raise ValueError
    except OSError as error:
        reason = access_problem([path]) or error.strerror
        raise UserError(f"cannot use the key for Web Push {path}: {reason}") from None
    except (ValueError, TypeError):
        raise UserError(
            f"the key for Web Push {path} is damaged: delete it; notifications must then be enabled"
            " again in each browser"
        ) from None
    point = key.public_key().public_bytes(
        serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
    )
    return VapidKey(key, to_base64url(point))


def _create(path: Path) -> None:
    pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    # Renaming makes sure that a dashboard that is killed here leaves no damaged key.
    partial = path.with_suffix(".part")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(pem)
        os.fsync(file.fileno())
    partial.replace(path)
