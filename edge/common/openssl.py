"""What OpenSSL states as the reason of an error."""

from __future__ import annotations

import ssl

#: OpenSSL's verification errors X509_V_ERR_… for which there are messages.
NOT_YET_VALID, EXPIRED, HOST_NAME_MISMATCH, IP_ADDRESS_MISMATCH = 9, 10, 62, 64


def openssl_reason(error: ssl.SSLError) -> str:
    """Return OpenSSL's reason in lower case, such as `no certificate or crl found`."""
    return (error.reason or error.strerror or str(error)).replace("_", " ").lower()
