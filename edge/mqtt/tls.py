"""Encryption: whom we trust and who we are, as files and as what OpenSSL makes of them."""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass
from pathlib import Path

from edge.common.errors import UsageError, UserError
from edge.common.paths import user_path
from edge.config.settings import MqttSettings

TLS_VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


@dataclass(frozen=True)
class Tls:
    """How connections are encrypted; paths are None where nothing is configured."""

    min_version: str = "1.2"
    #: None: the system's authorities.
    ca: Path | None = None
    cert: Path | None = None
    #: None: in the same file as the certificate.
    key: Path | None = None

    @classmethod
    def from_settings(cls, settings: MqttSettings) -> Tls | None:
        """What `[mqtt]` says of TLS, with its files tried; None without TLS.

        Raises UsageError for settings that contradict each other, UserError for a file
        that is not there or not what it should be.
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
                    " set tls = true, or leave it out"
                )
            return None
        if "key_file" in files and "cert_file" not in files:
            raise UsageError("`mqtt.key_file` is set without `mqtt.cert_file`, which it belongs to")
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
        """A new context with what the files hold now, so that renewed ones are taken up.

        Raises UserError when a file cannot be used.
        """
        # Not `create_default_context`: from Python 3.13 on it is stricter than the
        # certificates that people make for their own brokers. Both check chain and name.
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
    """OpenSSL wants to ask for the key's password."""


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
        raise UsageError(f"mqtt.cert_file {cert} holds no private key: name its file in key_file")

    def refuse() -> str:
        raise _KeyEncryptedError

    holds_key = key or cert
    try:
        # Without a function of ours OpenSSL would ask on the terminal.
        context.load_cert_chain(cert, key, password=refuse)
    except _KeyEncryptedError:
        raise UserError(
            f"the key in {holds_key} is protected by a password, and nobody is there to type it:"
            f" take it off (openssl pkey -in {holds_key} -out NEW) and guard the file instead"
        ) from None
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            text = f"the key in {holds_key} does not belong to the certificate in {cert}"
        elif key is None:
            text = f"mqtt.cert_file {cert} is damaged: {openssl_reason(error)}"
        else:
            text = (
                f"mqtt.cert_file {cert} or mqtt.key_file {key} is damaged: {openssl_reason(error)}"
            )
        raise UserError(text) from None


def _require_pem(path: Path, setting: str, kind: bytes, name: str) -> None:
    """Raises UserError unless the file can be read and has such a block of PEM."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read mqtt.{setting} {path}: {error.strerror}") from None
    if not re.search(rb"-----BEGIN [A-Z ]*" + kind + rb"-----", content):
        raise UserError(f"mqtt.{setting} {path} holds no {name} in PEM format (-----BEGIN …)")


def openssl_reason(error: ssl.SSLError) -> str:
    """OpenSSL's reason in small letters, such as `no certificate or crl found`."""
    return (error.reason or error.strerror or str(error)).replace("_", " ").lower()
