"""The broker's certificate, and the authority of its own that has signed it.

Clients trust the authority, so that the broker can get a certificate for another name or address
without a change of its clients. The program `openssl` makes both.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
import ssl
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edge.common.errors import UserError

#: A Raspberry Pi without a network may have a clock that is years behind, and nobody renews a
#: certificate in a device over a door.
VALID_FROM, VALID_UNTIL = "20200101000000Z", "20491231235959Z"
#: MAX_COMMON_NAME is the limit of X.509.
MAX_COMMON_NAME = 64
TIMEOUT_S = 60.0
_CONFIGURATION = """\
[ca]
default_ca = here
[here]
database = {folder}/index
new_certs_dir = {folder}
default_md = sha256
policy = any
rand_serial = yes
[any]
commonName = supplied
[req]
distinguished_name = empty
[empty]
[authority]
basicConstraints = critical, CA:TRUE, pathlen:0
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[broker]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = {names}
"""


@dataclass(frozen=True)
class Pair:
    """A certificate and its key, as PEM."""

    certificate: str
    key: str

    def __repr__(self) -> str:
        return f"Pair(certificate={self.certificate!r}, …)"


def new_authority(host: str) -> Pair:
    """Return a new authority for the broker of the machine `host`; raises UserError."""
    return _sign(f"Mask Patrol broker of {host}", "authority", ("localhost",), None)


def new_certificate(authority: Pair, names: Sequence[str]) -> Pair:
    """Return a certificate for the host names and IP addresses `names`; raises UserError."""
    return _sign("Mask Patrol broker", "broker", names, authority)


def read_certificate(path: Path) -> str:
    """Return the certificate in `path`, which is PEM; raises UserError if it is damaged."""
    try:
        certificate = path.read_text(encoding="utf-8")
        ssl.PEM_cert_to_DER_cert(certificate)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from None
    except ValueError:
        raise UserError(
            f"{path} is damaged: restore it and {path.with_suffix('.key')} from a copy. Or delete"
            " both, and run sudo mask-patrol broker setup; each client then needs the new one"
        ) from None
    return certificate


def fingerprint(certificate: str) -> str:
    """Return the SHA-256 fingerprint of a certificate in PEM, as `openssl x509` prints it."""
    digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(certificate)).hexdigest().upper()
    return ":".join(re.findall("..", digest))


def _sign(subject: str, kind: str, names: Sequence[str], authority: Pair | None) -> Pair:
    """Return a certificate with the extensions of `kind`, signed by `authority` or by itself."""
    with tempfile.TemporaryDirectory(prefix="mask-patrol-certificate-") as name:
        folder = Path(name)
        configuration, request = folder / "openssl.cnf", folder / "request"
        certificate, key, signing_key = folder / "crt", folder / "key", folder / "ca.key"
        listed = ", ".join(map(_alternative_name, names))
        configuration.write_text(_CONFIGURATION.format(folder=folder, names=listed))
        (folder / "index").touch()
        _openssl(
            "req", "-new", "-config", configuration, "-newkey", "ec",
            "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-subj", f"/CN={subject[:MAX_COMMON_NAME]}", "-keyout", key, "-out", request,
        )  # fmt: skip
        if authority is None:
            signer: tuple[str | Path, ...] = ("-selfsign", "-keyfile", key)
        else:
            signing_key.write_text(authority.key)
            (folder / "ca.crt").write_text(authority.certificate)
            signer = ("-cert", folder / "ca.crt", "-keyfile", signing_key)
        # In OpenSSL 3.0, `x509 -req` cannot set the first day on which a certificate is valid.
        _openssl(
            "ca", "-batch", "-notext", "-config", configuration, "-extensions", kind,
            "-startdate", VALID_FROM, "-enddate", VALID_UNTIL, *signer,
            "-in", request, "-out", certificate,
        )  # fmt: skip
        return Pair(certificate.read_text(), key.read_text())


def _alternative_name(name: str) -> str:
    try:
        return f"IP:{ipaddress.ip_address(name)}"
    except ValueError:
        return f"DNS:{name}"


def _openssl(*arguments: str | Path) -> None:
    """Run openssl; raises UserError with what it says."""
    try:
        result = subprocess.run(
            ["openssl", *arguments], capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
    except FileNotFoundError:
        raise UserError("openssl is not installed: sudo apt install openssl") from None
    except subprocess.TimeoutExpired:
        raise UserError("openssl does not end: it has made no certificate") from None
    if result.returncode:
        raise UserError(f"openssl cannot make the certificate: {result.stderr.strip()[-300:]}")
