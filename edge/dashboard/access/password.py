"""The password: its argon2id hash in a file, and the setup code for the first password."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import threading
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from edge.common.errors import UserError
from edge.common.text_files import read_text

#: The minimum that OWASP recommends for argon2id. A Raspberry Pi checks a password within a second.
HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
MIN_LENGTH, MAX_LENGTH = 10, 1000
#: All digits and capital letters except those that are easily confused: 0 and O, 1 and I.
SETUP_CODE_ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"


class Password:
    """The dashboard's password. Thread-safe; hashes one password at a time."""

    def __init__(self, path: Path) -> None:
        """Keep the hash in the file `path`, which need not exist yet."""
        self._path = path
        self._lock = threading.Lock()
        #: The code is needed to set the first password. The dashboard prints it when it starts.
        self.setup_code = "-".join(
            "".join(secrets.choice(SETUP_CODE_ALPHABET) for _ in range(4)) for _ in range(3)
        )

    @property
    def is_set(self) -> bool:
        """Return whether a password has been set."""
        return bool(self._read_hash())

    @property
    def tag(self) -> str:
        """Return a text that changes with the password and reveals nothing about it.

        A login session is valid only while this text is the same as when the session was created.
        """
        return hashlib.sha256(self._read_hash().encode()).hexdigest()[:16]

    def signing_key(self, purpose: str) -> bytes:
        """Return a secret key for signatures, which changes with the password.

        Keys for different purposes are independent of each other, and none reveals the hash. Raises
        UserError if no password is set, because such a key would be known to everybody.
        """
        if not (stored := self._read_hash()):
            raise UserError("no password is set")
        return hmac.digest(stored.encode(), purpose.encode(), "sha256")

    def matches(self, candidate: str) -> bool:
        """Return whether `candidate` is the password; deliberately slow, to hinder guessing."""
        with self._lock:
            stored = self._read_hash()
            try:
                return (
                    bool(stored)
                    and len(candidate) <= MAX_LENGTH
                    and HASHER.verify(stored, candidate)
                )
            except (Argon2Error, InvalidHashError):
                return False

    def setup_code_matches(self, candidate: str) -> bool:
        """Return whether `candidate` is the setup code; case and dashes are ignored."""
        plain = "".join(c for c in candidate.upper() if c.isalnum())
        return secrets.compare_digest(plain.encode(), self.setup_code.replace("-", "").encode())

    def set(self, new: str) -> None:
        """Store the hash of `new`.

        Raises UserError when `new` is too short or too long, or when the file cannot be written.
        """
        if len(new) < MIN_LENGTH:
            raise UserError(f"the password must have {MIN_LENGTH} characters or more")
        if len(new) > MAX_LENGTH:
            raise UserError(f"the password must have {MAX_LENGTH} characters or fewer")
        with self._lock:
            text = HASHER.hash(new) + "\n"
            temporary = self._path.with_name(self._path.name + ".new")
            try:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                temporary.unlink(missing_ok=True)
                descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                with os.fdopen(descriptor, "w", encoding="ascii") as file:
                    file.write(text)
                    file.flush()
                    os.fsync(file.fileno())
                temporary.replace(self._path)
            except OSError as error:
                raise UserError(f"cannot store the password: {error}") from None

    def _read_hash(self) -> str:
        try:
            return read_text(self._path).strip()
        except FileNotFoundError:
            return ""
        except (OSError, ValueError) as error:
            raise UserError(f"cannot read {self._path}: {error}") from None
