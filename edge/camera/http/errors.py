"""Errors of requests to cameras: one line each, without any part of the address."""

from __future__ import annotations

import http.client
import socket
import ssl

from edge.camera.stream_address import StreamAddress
from edge.common.openssl import (
    EXPIRED,
    HOST_NAME_MISMATCH,
    IP_ADDRESS_MISMATCH,
    NOT_YET_VALID,
    openssl_reason,
)

#: What `http.client` raises; the last two for numbers that make no sense.
EXCEPTIONS = (OSError, http.client.HTTPException, ValueError, OverflowError)
#: Messages for failed requests; a class stands before its base class.
FAILURES: dict[type[OSError], str] = {
    socket.gaierror: "the name of its host is unknown; check the address and the network",
    ConnectionRefusedError: (
        "it refuses the connection; check the address and that the camera is on"
    ),
    ConnectionError: "it closed the connection; check the address and that the camera is on",
    TimeoutError: "it does not answer in time; check the address and that the camera is on",
}
#: How a certificate is trusted that the system does not trust.
TRUST = "set `camera.ca_file` to a file with the certificate of the camera or of its authority"


class HttpError(Exception):
    """A request failed; the message says why and what to do, without the address."""


class HttpTimeoutError(HttpError):
    """An answer, or more of it, has not arrived in time."""


def http_error(error: Exception, address: StreamAddress | None = None) -> HttpError:
    """Return the error to raise for `error`, one of `EXCEPTIONS`.

    The texts of libraries, which may quote the address, are left out.
    """
    text = _describe(error, address)
    return HttpTimeoutError(text) if isinstance(error, TimeoutError) else HttpError(text)


def _describe(error: Exception, address: StreamAddress | None = None) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return _describe_certificate(error, address)
    if isinstance(error, ssl.SSLError):
        return f"no encrypted connection ({openssl_reason(error)}); is it http:// instead?"
    for kind, text in FAILURES.items():
        if isinstance(error, kind):
            return text
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror.lower()}; check the address and the network"
    return "its answer is not valid HTTP; check the address and the port"


def _describe_certificate(
    error: ssl.SSLCertVerificationError, address: StreamAddress | None
) -> str:
    if error.verify_code == EXPIRED:
        return (
            "its certificate has expired: renew it in the camera (or is this device's clock wrong?)"
            f", or {TRUST}"
        )
    if error.verify_code == NOT_YET_VALID:
        return "its certificate is not valid yet: is this device's clock right?"
    if error.verify_code in (HOST_NAME_MISMATCH, IP_ADDRESS_MISMATCH):
        host = "this host" if address is None else repr(address.host)
        return (
            f"its certificate is not for {host}: use a name in the certificate as the host, or"
            f" {TRUST}"
        )
    return (
        f"its certificate is not signed by an authority that this device trusts"
        f" ({error.verify_message}): {TRUST}, or use http:// in a network that you trust"
    )
