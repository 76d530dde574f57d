"""Encryption of a message for one browser: RFC 8291, with the coding `aes128gcm` of RFC 8188.

The library pywebpush does the same, but one of its dependencies has no wheel, and devices install
only wheels; it also needs 20 MB more memory. The tests decrypt with that dependency, http_ece.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

SALT_BYTES = 16
#: The size of a record. A message is one record, and push services accept messages of this size.
RECORD_BYTES = 4096
#: The largest message: a record also contains a delimiter and a tag of 16 bytes, and the push
#: service counts the header of 86 bytes.
MAX_MESSAGE_BYTES = RECORD_BYTES - 86 - 17


def encrypt(
    message: bytes,
    public_key: bytes,
    auth: bytes,
    random_bytes: Callable[[int], bytes] = os.urandom,
) -> bytes:
    """Return the body of the request that carries `message`, at most MAX_MESSAGE_BYTES long.

    `public_key` is that of the browser, as an uncompressed point of P-256, and `auth` its secret of
    16 bytes. Raises ValueError if the key or the message is invalid.
    """
    if len(message) > MAX_MESSAGE_BYTES:
        raise ValueError(f"a message has at most {MAX_MESSAGE_BYTES} bytes")
    browser = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), public_key)
    own = ec.generate_private_key(ec.SECP256R1())
    own_public = own.public_key().public_bytes(
        serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
    )
    salt = random_bytes(SALT_BYTES)
    shared = own.exchange(ec.ECDH(), browser)
    secret = _derive(auth, shared, b"WebPush: info\0" + public_key + own_public, 32)
    key = _derive(salt, secret, b"Content-Encoding: aes128gcm\0", 16)
    nonce = _derive(salt, secret, b"Content-Encoding: nonce\0", 12)
    header = salt + RECORD_BYTES.to_bytes(4, "big") + bytes([len(own_public)]) + own_public
    # The delimiter 2 says that this is the last record.
    return header + AESGCM(key).encrypt(nonce, message + b"\2", None)


def _derive(salt: bytes, secret: bytes, info: bytes, length: int) -> bytes:
    return HKDF(algorithm=hashes.SHA256(), length=length, salt=salt, info=info).derive(secret)
