"""The release key: who must have signed a bundle so that `mask-patrol update` installs it.

`install.sh --release-key` pins the public key on the device. The maker of a release signs the
checksums of the bundle with the private key (`ssh-keygen -Y sign`, as `make release` does).
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from edge.common.errors import UserError
from edge.common.regular_file import follow_own_link, read_regular_file
from edge.common.text_files import EncodingError, decode_text
from edge.config.installed_camera import FIRST_CAMERA
from edge.service.bundle import Checksums

#: The pinned public keys, one a line, as in the `.pub` files of ssh-keygen.
RELEASE_KEY = FIRST_CAMERA.configuration.parent / "release-key.pub"
#: The command that pins a key, or replaces the pinned one.
HOW_TO_PIN = f"sudo install -m 644 KEY.pub {RELEASE_KEY}"
#: The namespace of the signatures: one for another purpose is not accepted.
NAMESPACE = "mask-patrol-release"
#: The name under which the keys are listed for ssh-keygen.
SIGNER = "maker"
MAX_KEY_FILE_BYTES = 1 << 16
SSH_KEYGEN_TIMEOUT_S = 60.0
_PUBLIC_KEY = re.compile(
    r"((?:sk-)?(?:ssh|ecdsa)-[a-z0-9@.-]+)[ \t]+([A-Za-z0-9+/]+=*)(?:[ \t].*)?"
)


def pinned_keys(path: Path = RELEASE_KEY) -> tuple[str, ...] | None:
    """Return the pinned public keys, each as `type base64`; None if no key is pinned.

    Raises UserError if the file exists but cannot be read, or contains anything but public keys:
    a damaged file must not turn the check off.
    """
    if not os.path.lexists(path):
        return None
    try:
        text = decode_text(
            read_regular_file(follow_own_link(path.parent) / path.name, MAX_KEY_FILE_BYTES)
        )
    except (OSError, EncodingError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or error
        raise UserError(
            f"cannot read the release key {path}: {reason}; to pin another one: {HOW_TO_PIN}"
        ) from None
    keys = parse_keys(text)
    if not keys:
        raise UserError(
            f"{path} must contain public keys of ssh-keygen, one a line;"
            f" to pin another one: {HOW_TO_PIN}"
        )
    return keys


def parse_keys(text: str) -> tuple[str, ...]:
    """Return the public keys in `text`, each as `type base64`.

    Returns none if `text` contains anything else, except comments.
    """
    lines = [line.strip() for line in text.splitlines()]
    keys = [_PUBLIC_KEY.fullmatch(line) for line in lines if line and not line.startswith("#")]
    found = [f"{key[1]} {key[2]}" for key in keys if key is not None]
    return tuple(found) if len(found) == len(keys) else ()


def require_signature(bundle: Path, checksums: Checksums, keys: tuple[str, ...]) -> None:
    """Raise UserError unless one of `keys` has signed the checksums of `bundle`."""
    rule = (
        f"this device installs only what the key in {RELEASE_KEY} has signed;"
        f" to accept another key: {HOW_TO_PIN}"
    )
    if checksums.signature is None:
        raise UserError(f"{bundle} is not signed: {rule}")
    with tempfile.TemporaryDirectory(prefix="mask-patrol-") as name:
        signature, allowed = Path(name) / "signature", Path(name) / "allowed-signers"
        signature.write_bytes(checksums.signature)
        allowed.write_text(
            "".join(f'{SIGNER} namespaces="{NAMESPACE}" {key}\n' for key in keys), encoding="ascii"
        )
        signed = ("-n", NAMESPACE, "-s", str(signature))
        signer = ("-f", str(allowed), "-I", SIGNER)
        if _ssh_keygen("verify", *signer, *signed, text=checksums.text) is not None:
            return
        found = _ssh_keygen("check-novalidate", *signed, text=checksums.text)
    if found is None:
        raise UserError(f"{bundle} was altered: its signature does not fit its content; {rule}")
    fingerprint = re.search(r"SHA256:\S+", found)
    raise UserError(
        f"{bundle} is signed with another key ({fingerprint and fingerprint[0]}): {rule}"
    )


def _ssh_keygen(action: str, *options: str, text: bytes) -> str | None:
    """Return the output of `ssh-keygen -Y action` about `text`; None if it refuses `text`.

    Raises UserError if ssh-keygen is not installed or does not end.
    """
    program = shutil.which("ssh-keygen", path=os.defpath)
    if program is None:
        raise UserError(
            "ssh-keygen, which checks the signature, is not installed:"
            " sudo apt install openssh-client"
        )
    try:
        result = subprocess.run(
            [program, "-Y", action, *options],
            input=text,
            capture_output=True,
            env={"PATH": os.defpath, "LC_ALL": "C"},
            timeout=SSH_KEYGEN_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UserError(f"{program} cannot check the signature: {error}") from None
    return result.stdout.decode(errors="replace") if result.returncode == 0 else None
