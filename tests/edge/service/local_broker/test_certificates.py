from __future__ import annotations

import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edge.common.errors import UserError
from edge.service.local_broker.certificates import (
    Pair,
    fingerprint,
    new_authority,
    new_certificate,
)

NAMES = ("door1", "door1.local", "localhost", "127.0.0.1", "::1")


@contextmanager
def server(pair: Pair, folder: Path) -> Iterator[int]:
    """A TLS server with a certificate; gives its port."""
    (folder / "pair").write_text(pair.certificate + pair.key)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "pair")
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                    context.wrap_socket(connection, server_side=True).close()
                except ssl.SSLError:
                    continue
                except OSError:
                    return

        threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1]


def test_clients_that_trust_the_authority_accept_each_name(tmp_path: Path) -> None:
    authority = new_authority("door1")
    context = ssl.create_default_context(cadata=authority.certificate)
    # The default of Python 3.13, with which Home Assistant runs.
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    with server(new_certificate(authority, NAMES), tmp_path) as port:
        for name in NAMES:
            with socket.create_connection(("127.0.0.1", port)) as connection:
                context.wrap_socket(connection, server_hostname=name).close()
        for name in ("door2", "192.0.2.7"):
            with (
                socket.create_connection(("127.0.0.1", port)) as connection,
                pytest.raises(ssl.SSLCertVerificationError, match=r"mismatch|not valid for"),
            ):
                context.wrap_socket(connection, server_hostname=name)


def test_other_authority_is_refused(tmp_path: Path) -> None:
    context = ssl.create_default_context(cadata=new_authority("door1").certificate)
    with (
        server(new_certificate(new_authority("door1"), NAMES), tmp_path) as port,
        socket.create_connection(("127.0.0.1", port)) as connection,
        pytest.raises(ssl.SSLCertVerificationError),
    ):
        context.wrap_socket(connection, server_hostname="door1")


def test_fingerprint_is_that_of_openssl(tmp_path: Path) -> None:
    """It is valid for a device whose clock is behind, and long enough for a device at a door."""
    (tmp_path / "crt").write_text(new_authority("h" * 64).certificate)
    printed = subprocess.run(
        ["openssl", "x509", "-in", tmp_path / "crt", "-noout", "-fingerprint", "-sha256", "-dates"],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    assert fingerprint((tmp_path / "crt").read_text()) in printed
    assert "notBefore=Jan  1 00:00:00 2020 GMT" in printed
    assert "notAfter=Dec 31 23:59:59 2049 GMT" in printed


def test_missing_openssl_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="sudo apt install openssl"):
        new_authority("door1")
