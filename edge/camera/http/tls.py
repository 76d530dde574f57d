"""TLS connections to cameras, many of which sign their certificates themselves."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Callable
from pathlib import Path

from edge.camera.source import SourceError

_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
#: How a certificate in DER begins: a sequence with a length of two bytes.
_DER_START = b"\x30\x82"


class CameraTls:
    """Makes TLS connections to cameras whose certificate is trusted.

    Trusted are the authorities of the system and, in `ca_file`, further authorities and the
    certificates of cameras. A camera that presents one of the latter itself is trusted whatever
    name and time its certificate states.
    """

    def __init__(self, ca_file: Path | None) -> None:
        """Read `ca_file`, in PEM or DER; raises SourceError if it contains no certificate."""
        self._certificates = [] if ca_file is None else _certificates_in(ca_file)
        # As for the broker: `create_default_context` rejects certificates that people make
        # themselves.
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._context.load_default_certs(ssl.Purpose.SERVER_AUTH)
        for certificate in self._certificates:
            self._context.load_verify_locations(cadata=certificate)
        # Hosts that have presented a certificate of an authority need not be asked for their own.
        self._signed_hosts: set[str] = set()

    def connect(self, connect: Callable[[], socket.socket], host: str) -> ssl.SSLSocket:
        """Return a TLS connection to `host`, for which `connect` opens TCP connections.

        Raises ssl.SSLError if the certificate is not trusted, and OSError.
        """
        if self._certificates and host not in self._signed_hosts:
            unverified = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            unverified.check_hostname = False
            unverified.verify_mode = ssl.CERT_NONE
            connection = _handshake(unverified, connect(), host)
            if connection.getpeercert(binary_form=True) in self._certificates:
                return connection
            connection.close()
        connection = _handshake(self._context, connect(), host)
        self._signed_hosts.add(host)
        return connection


def _handshake(context: ssl.SSLContext, connection: socket.socket, host: str) -> ssl.SSLSocket:
    try:
        return context.wrap_socket(connection, server_hostname=host)
    except BaseException:
        connection.close()
        raise


def _certificates_in(path: Path) -> list[bytes]:
    """Return the certificates in a file, as DER; raises SourceError."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SourceError(f"cannot read `camera.ca_file` {path}: {error.strerror}") from None
    try:
        found = [ssl.PEM_cert_to_DER_cert(pem.decode("ascii")) for pem in _PEM.findall(content)]
        if not found and content.startswith(_DER_START):
            found = [content]
        for certificate in found:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=certificate)
    except (ValueError, ssl.SSLError):
        found = []
    if not found:
        raise SourceError(
            f"`camera.ca_file` {path} contains no certificate; it must be one in PEM, which begins"
            " with -----BEGIN CERTIFICATE-----"
        )
    return found
