"""Keys that sign bundles, made and used by the real ssh-keygen."""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path

from edge.service.bundle import SIGNATURE_SUFFIX, SUMS
from edge.service.release_key import NAMESPACE


class SigningKey:
    """A key pair in the folder `folder`: `private` and `public` are its files."""

    def __init__(self, folder: Path, name: str = "maker", kind: str = "ed25519") -> None:
        self.private = folder / name
        self.public = folder / f"{name}.pub"
        subprocess.run(
            ["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", name, "-f", self.private], check=True
        )

    def signature(self, text: bytes, namespace: str = NAMESPACE) -> bytes:
        """Return the signature of `text`."""
        command = ["ssh-keygen", "-Y", "sign", "-f", self.private, "-n", namespace]
        return subprocess.run(command, input=text, capture_output=True, check=True).stdout

    def sign(self, bundle: Path, namespace: str = NAMESPACE) -> Path:
        """Add the signature of its checksums to a bundle; return `bundle`."""
        with tarfile.open(bundle) as archive:
            top = archive.getnames()[0]
            sums = archive.extractfile(f"{top}/{SUMS}")
            assert sums is not None
            content = self.signature(sums.read(), namespace)
        with tarfile.open(bundle, "a") as archive:
            entry = tarfile.TarInfo(f"{top}{SIGNATURE_SUFFIX}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
        return bundle
