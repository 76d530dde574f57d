"""What to say when a TLS handshake fails."""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable

from edge.mqtt.tls import openssl_reason

#: X509_V_ERR_… of OpenSSL: why we do not take the broker's certificate.
NOT_YET_VALID, EXPIRED, OTHER_NAME, OTHER_ADDRESS = 9, 10, 62, 64


def untrusted_certificate_message(
    address: str, host: str, error: ssl.SSLCertVerificationError
) -> str:
    """One line for a certificate of the broker's that we do not accept."""
    if error.verify_code == EXPIRED:
        return (
            f"the certificate of the broker at {address} has expired: renew it there"
            " (or is this device's clock wrong?)"
        )
    if error.verify_code == NOT_YET_VALID:
        return f"the certificate of {address} is not valid yet: is this device's clock right?"
    if error.verify_code in (OTHER_NAME, OTHER_ADDRESS):
        return (
            f"the certificate of the broker at {address} is not for {host!r}:"
            " set mqtt.host to a name that it bears"
        )
    return (
        f"the certificate of the broker at {address} is signed by nobody we trust"
        f" ({error.verify_message}): set mqtt.ca_file to the authority that signed it"
    )


def _certificate_required(address: str) -> str:
    return (
        f"the broker at {address} wants a certificate of this device:"
        " set mqtt.cert_file and mqtt.key_file"
    )


def _not_tls(address: str) -> str:
    return (
        f"{address} does not speak TLS; is the port right (8883 is usual)?"
        " For a broker without encryption set mqtt.tls = false"
    )


def _no_common_version(address: str) -> str:
    return f"the broker at {address} and we have no TLS version in common; see mqtt.tls_min_version"


#: The alerts with which a broker turns our certificate down, by the end of OpenSSL's
#: name (the beginning is a version of TLS, and not the one in use).
CERTIFICATE_ALERTS: dict[str, Callable[[str], str]] = {
    "ALERT_CERTIFICATE_REQUIRED": _certificate_required,
    # A broker of TLS 1.2 says only this when it gets no certificate.
    "ALERT_HANDSHAKE_FAILURE": lambda address: (
        f"the broker at {address} refuses the handshake; does it want a certificate of this"
        " device (mqtt.cert_file, mqtt.key_file)?"
    ),
    "ALERT_CERTIFICATE_EXPIRED": lambda address: (
        f"the broker at {address} refuses this device's certificate, as it has expired:"
        " renew mqtt.cert_file (or is the clock there wrong?)"
    ),
    "ALERT_UNKNOWN_CA": lambda address: (
        f"the broker at {address} refuses this device's certificate, as it does not trust"
        " who signed it: mqtt.cert_file must come from the broker's authority"
    ),
}
OTHER_CERTIFICATE_ALERT = re.compile(
    "ALERT_(?:(?:BAD|UNSUPPORTED)_CERTIFICATE|CERTIFICATE_(?:REVOKED|UNKNOWN)|ACCESS_DENIED)$"
)
#: What else ends a handshake, by OpenSSL's name.
HANDSHAKE_FAILURES: dict[str, Callable[[str], str]] = {
    "WRONG_VERSION_NUMBER": _not_tls,
    "RECORD_LAYER_FAILURE": _not_tls,
    "PACKET_LENGTH_TOO_LONG": _not_tls,
    "UNEXPECTED_EOF_WHILE_READING": _not_tls,
    "UNSUPPORTED_PROTOCOL": _no_common_version,
    "TLSV1_ALERT_PROTOCOL_VERSION": _no_common_version,
}


def certificate_refused_message(address: str, error: ssl.SSLError) -> str | None:
    """One line for a broker that turns our certificate, or the lack of one, down; else None."""
    reason = error.reason or ""
    for end, text in CERTIFICATE_ALERTS.items():
        if reason.endswith(end):
            return text(address)
    if OTHER_CERTIFICATE_ALERT.search(reason):
        return (
            f"the broker at {address} refuses this device's certificate (mqtt.cert_file):"
            f" {openssl_reason(error)}"
        )
    return None


def handshake_failed_message(address: str, error: OSError) -> str:
    """One line for a handshake that failed, whoever is to blame."""
    reason = getattr(error, "reason", None) or ""
    if isinstance(error, ConnectionResetError) or reason in HANDSHAKE_FAILURES:
        return HANDSHAKE_FAILURES.get(reason, _not_tls)(address)
    text = openssl_reason(error) if isinstance(error, ssl.SSLError) else str(error)
    return f"no encrypted connection to {address}: {text}"
