"""Signatures by ssh-keygen, which makers and users of a release have."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from bundle.errors import BundleError

#: A signature for this purpose is valid for no other one.
NAMESPACE = "mask-patrol-release"


def sign(text: bytes, key: Path) -> bytes:
    """Return the signature of `text` with the private key `key`, or with the key of an agent if
    `key` is a public one.

    ssh-keygen asks for the key's passphrase on the terminal. Raises BundleError.
    """
    return _ssh_keygen(text, "sign", "-f", str(key))


def fingerprint(text: bytes, signature: Path) -> str:
    """Return the fingerprint of the key that has signed `text`; raises BundleError."""
    output = _ssh_keygen(text, "check-novalidate", "-s", str(signature)).decode()
    found = re.search(r"SHA256:\S+", output)
    return found[0] if found else "an unknown key"


def require_key(key: Path) -> None:
    """Raise BundleError if there is no file `key`."""
    if not key.is_file():
        raise BundleError(f"there is no key {key}: ssh-keygen -t ed25519 -f {key} makes one")


def _ssh_keygen(text: bytes, action: str, *options: str) -> bytes:
    command = ["ssh-keygen", "-Y", action, *options, "-n", NAMESPACE]
    try:
        result = subprocess.run(command, input=text, capture_output=True, check=False)
    except OSError:
        raise BundleError("ssh-keygen is needed: sudo apt install openssh-client") from None
    if result.returncode:
        reason = (result.stderr.decode(errors="replace").strip().splitlines() or ["it failed"])[-1]
        raise BundleError(f"ssh-keygen cannot {action.partition('-')[0]}: {reason}")
    return result.stdout
