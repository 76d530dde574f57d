"""Certificates of authorities, brokers and devices, made with the openssl command."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path


@dataclass(frozen=True)
class Pair:
    """A certificate and its key, as PEM files."""

    cert: Path
    key: Path


class Authority:
    """A certificate authority; `pair.cert` is the certificate that clients must trust."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        self._folder = folder / name
        self._folder.mkdir()
        self._name = name
        (self._folder / "index").touch()
        (self._folder / "serial").write_text("1000\n")
        (self._folder / "ca.cnf").write_text(
            "[ca]\ndefault_ca = here\n[here]\n"
            f"database = {self._folder}/index\nserial = {self._folder}/serial\n"
            f"new_certs_dir = {self._folder}\ndefault_md = sha256\npolicy = any\n"
            "unique_subject = no\nrand_serial = yes\n"
            "[any]\ncommonName = supplied\n"
        )
        self.pair = Pair(self._folder / "ca.crt", self._folder / "ca.key")
        openssl(
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-subj", f"/CN={name}", "-days", "30",
            "-keyout", self.pair.key, "-out", self.pair.cert,
        )  # fmt: skip

    def issue(self, name: str, names: str = "", days: int = 30) -> Pair:
        """Return a certificate for `names` (a subjectAltName) that is valid for `days`.

        With negative `days`, the certificate has expired already.
        """
        pair = Pair(self._folder / f"{name}.crt", self._folder / f"{name}.key")
        request = self._folder / f"{name}.csr"
        openssl(
            "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-subj", f"/CN={name}", "-keyout", pair.key, "-out", request,
        )  # fmt: skip
        extensions = self._folder / f"{name}.ext"
        extensions.write_text(f"subjectAltName = {names}\n" if names else "")
        end = datetime.now(UTC) + timedelta(days=days)
        start = min(end, datetime.now(UTC)) - timedelta(days=30)
        # In OpenSSL 3.0 `x509 -req` cannot sign a certificate that has expired already; `ca` can.
        openssl(
            "ca", "-batch", "-notext", "-config", self._folder / "ca.cnf",
            "-cert", self.pair.cert, "-keyfile", self.pair.key,
            "-startdate", f"{start:%Y%m%d%H%M%SZ}", "-enddate", f"{end:%Y%m%d%H%M%SZ}",
            "-extfile", extensions, "-in", request, "-out", pair.cert,
        )  # fmt: skip
        return pair

    def issue_for_broker(self, days: int = 30, names: str = "IP:127.0.0.1") -> Pair:
        return self.issue("broker", names, days)


def encrypted(key: Path) -> Path:
    """Encrypt `key` with a password, and return the file of the encrypted key."""
    path = key.with_suffix(".encrypted")
    openssl("pkey", "-in", key, "-aes256", "-passout", "pass:hush", "-out", path)
    return path


def openssl(*arguments: str | Path) -> None:
    subprocess.run(
        ["openssl", *map(str, arguments)], check=True, capture_output=True, timeout=60, text=True
    )
