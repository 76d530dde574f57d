"""TLS settings: which certificate files to use, and the SSL context made from them."""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass
from pathlib import Path

from edge.common.errors import UsageError, UserError
from edge.common.openssl import openssl_reason
from edge.common.paths import user_path
from edge.common.text_files import EncodingError, require_single_bytes
from edge.config.settings import MqttSettings

TLS_VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


@dataclass(frozen=True)
class Tls:
    """How connections are encrypted."""

    min_version: str = "1.2"
    #: The certificates of trusted authorities; None for those of the system.
    ca: Path | None = None
    #: The client certificate; None for none.
    cert: Path | None = None
    #: The private key of the client certificate; None if it is in the same file.
    key: Path | None = None

    @classmethod
    def from_settings(cls, settings: MqttSettings) -> Tls | None:
        """Return the TLS settings, after loading their files once; None without TLS.

        Raises UsageError for settings that contradict each other, UserError for a file
        that cannot be read or does not contain what it should.
        """
        files = {
            name: getattr(settings, name)
            for name in ("ca_file", "cert_file", "key_file")
            if getattr(settings, name)
        }
        if not settings.tls:
            for name in files:
                raise UsageError(
                    f"`mqtt.{name}` is set, but `mqtt.tls` is false, so it would not be used:"
                    f" set mqtt.tls = true, or remove mqtt.{name}"
                )
            return None
        if "key_file" in files and "cert_file" not in files:
            raise UsageError("`mqtt.key_file` is set without `mqtt.cert_file`: set both or neither")
        paths = {name: user_path(text) for name, text in files.items()}
        tls = cls(
            settings.tls_min_version,
            paths.get("ca_file"),
            paths.get("cert_file"),
            paths.get("key_file"),
        )
        tls.context()
        return tls

    def context(self) -> ssl.SSLContext:
        """Return a new context from the files as they are now, so that renewed files are used.

        Raises UserError when a file cannot be used.
        """
        # `create_default_context` is not used here: from Python 3.13 on it rejects certificates
        # that people commonly make for their own brokers. This context also verifies the chain and
        # host name.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = TLS_VERSIONS[self.min_version]
        if self.ca is None:
            context.load_default_certs(ssl.Purpose.SERVER_AUTH)
        else:
            _load_ca(context, self.ca)
        if self.cert is not None:
            _load_client_certificate(context, self.cert, self.key)
        return context


class _KeyEncryptedError(Exception):
    """The private key is encrypted: OpenSSL asks for its password."""


def _load_ca(context: ssl.SSLContext, path: Path) -> None:
    _require_pem(path, "ca_file", b"CERTIFICATE", "certificate")
    try:
        context.load_verify_locations(path)
    except ssl.SSLError as error:
        raise UserError(f"mqtt.ca_file {path} is damaged: {openssl_reason(error)}") from None


def _load_client_certificate(context: ssl.SSLContext, cert: Path, key: Path | None) -> None:
    _require_pem(cert, "cert_file", b"CERTIFICATE", "certificate")
    if key is not None:
        _require_pem(key, "key_file", b"PRIVATE KEY", "private key")
    elif b"PRIVATE KEY-----" not in cert.read_bytes():
        raise UsageError(
            f"mqtt.cert_file {cert} contains no private key: set mqtt.key_file to the key's file"
        )

    def refuse_password() -> str:
        raise _KeyEncryptedError

    key_path = key or cert
    try:
        # Without a password function OpenSSL would ask for the password on the terminal.
        context.load_cert_chain(cert, key, password=refuse_password)
    except _KeyEncryptedError:
        raise UserError(
            f"the key in {key_path} is protected by a password, which the daemon cannot enter:"
            f" remove it (openssl pkey -in {key_path} -out NEW) and restrict access to the file"
            " instead"
        ) from None
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            text = f"the key in {key_path} does not belong to the certificate in {cert}"
        elif key is None:
            text = f"mqtt.cert_file {cert} is damaged: {openssl_reason(error)}"
        else:
            text = (
                f"mqtt.cert_file {cert} or mqtt.key_file {key} is damaged: {openssl_reason(error)}"
            )
        raise UserError(text) from None


def _require_pem(path: Path, setting: str, kind: bytes, name: str) -> None:
    """Raise UserError unless the file can be read and contains a PEM block of `kind`."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read mqtt.{setting} {path}: {error.strerror}") from None
    try:
        require_single_bytes(content)
    except EncodingError as error:
        raise UserError(f"cannot read mqtt.{setting} {path}: {error}") from None
    if not re.search(rb"-----BEGIN [A-Z ]*" + kind + rb"-----", content):
        raise UserError(f"mqtt.{setting} {path} contains no {name} in PEM format (-----BEGIN …)")
