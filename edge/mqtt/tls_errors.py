"""The error messages for failed TLS handshakes."""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable

from edge.common.openssl import (
    EXPIRED,
    HOST_NAME_MISMATCH,
    IP_ADDRESS_MISMATCH,
    NOT_YET_VALID,
    openssl_reason,
)


def untrusted_certificate_message(
    address: str, host: str, error: ssl.SSLCertVerificationError
) -> str:
    """Return a line that says why this device does not accept the broker's certificate."""
    if error.verify_code == EXPIRED:
        return (
            f"the certificate of the broker at {address} has expired: renew it there"
            " (or is this device's clock wrong?)"
        )
    if error.verify_code == NOT_YET_VALID:
        return (
            f"the certificate of the broker at {address} is not valid yet: is this device's clock"
            " right?"
        )
    if error.verify_code in (HOST_NAME_MISMATCH, IP_ADDRESS_MISMATCH):
        return (
            f"the certificate of the broker at {address} is not for {host!r}:"
            " set mqtt.host to a name in the certificate"
        )
    return (
        f"the certificate of the broker at {address} is not signed by an authority that this"
        f" device trusts ({error.verify_message}): set mqtt.ca_file to the certificate of the"
        " authority that signed it"
    )


def _certificate_required(address: str) -> str:
    return (
        f"the broker at {address} requires a client certificate:"
        " set mqtt.cert_file and mqtt.key_file"
    )


def _not_tls(address: str) -> str:
    return (
        f"{address} does not speak TLS; is the port right (8883 is usual)?"
        " For a broker without encryption set mqtt.tls = false"
    )


def _no_common_version(address: str) -> str:
    return (
        f"the broker at {address} and this device have no TLS version in common;"
        " see mqtt.tls_min_version"
    )


#: The messages for the alerts with which a broker refuses our certificate, by the end of OpenSSL's
#: name for the alert (the beginning of the name is a TLS version, but not always the version in
#: use).
CERTIFICATE_ALERTS: dict[str, Callable[[str], str]] = {
    "ALERT_CERTIFICATE_REQUIRED": _certificate_required,
    # With TLS 1.2 this is also the alert of a broker that requires a certificate and gets none.
    "ALERT_HANDSHAKE_FAILURE": lambda address: (
        f"the broker at {address} refuses the TLS handshake; does it require a client certificate"
        " (mqtt.cert_file, mqtt.key_file)?"
    ),
    "ALERT_CERTIFICATE_EXPIRED": lambda address: (
        f"the broker at {address} refuses this device's certificate because it has expired:"
        " renew mqtt.cert_file (or is the broker's clock wrong?)"
    ),
    "ALERT_UNKNOWN_CA": lambda address: (
        f"the broker at {address} refuses this device's certificate because it does not trust"
        " the authority that signed it: mqtt.cert_file must come from the broker's authority"
    ),
}
OTHER_CERTIFICATE_ALERT = re.compile(
    "ALERT_(?:(?:BAD|UNSUPPORTED)_CERTIFICATE|CERTIFICATE_(?:REVOKED|UNKNOWN)|ACCESS_DENIED)$"
)
#: The messages for other reasons of a failed handshake, by OpenSSL's name for the reason.
HANDSHAKE_FAILURES: dict[str, Callable[[str], str]] = {
    "WRONG_VERSION_NUMBER": _not_tls,
    "RECORD_LAYER_FAILURE": _not_tls,
    "PACKET_LENGTH_TOO_LONG": _not_tls,
    "UNEXPECTED_EOF_WHILE_READING": _not_tls,
    "UNSUPPORTED_PROTOCOL": _no_common_version,
    "TLSV1_ALERT_PROTOCOL_VERSION": _no_common_version,
}


def certificate_refused_message(address: str, error: ssl.SSLError) -> str | None:
    """Return a line that says why the broker refuses our certificate, or that we sent none.

    None if `error` has another cause.
    """
    reason = error.reason or ""
    for end, message in CERTIFICATE_ALERTS.items():
        if reason.endswith(end):
            return message(address)
    if OTHER_CERTIFICATE_ALERT.search(reason):
        return (
            f"the broker at {address} refuses this device's certificate (mqtt.cert_file):"
            f" {openssl_reason(error)}"
        )
    return None


def handshake_failed_message(address: str, error: OSError) -> str:
    """Return a line for a handshake that failed for any other reason than a certificate."""
    reason = getattr(error, "reason", None) or ""
    if isinstance(error, ConnectionResetError) or reason in HANDSHAKE_FAILURES:
        return HANDSHAKE_FAILURES.get(reason, _not_tls)(address)
    text = openssl_reason(error) if isinstance(error, ssl.SSLError) else str(error)
    return f"no encrypted connection to {address}: {text}"
