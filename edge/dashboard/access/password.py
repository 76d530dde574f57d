"""The password: its argon2 hash in a file of the state directory, and the code to set it first."""

from __future__ import annotations

import hashlib
import os
import secrets
import threading
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from edge.common.errors import UserError

#: OWASP's least for argon2id: a Pi answers within a second, and ten guesses at once
#: do not take its memory.
HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
SHORTEST, LONGEST = 10, 1000
CODE_ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"


class Password:
    """May be used from any thread; hashes one password at a time."""

    def __init__(self, path: Path) -> None:
        """`path` is the file of the hash; it need not be there yet."""
        self._path = path
        self._lock = threading.Lock()
        #: What must be given to set the first password: whoever started us can read it.
        self.code = "-".join(
            "".join(secrets.choice(CODE_ALPHABET) for _ in range(4)) for _ in range(3)
        )

    @property
    def is_set(self) -> bool:
        """Whether there is one."""
        return bool(self._hash())

    @property
    def tag(self) -> str:
        """Changes with the password; tells nothing of it. Sessions of another tag are over."""
        return hashlib.sha256(self._hash().encode()).hexdigest()[:16]

    def matches(self, given: str) -> bool:
        """Whether it is the password; takes a while, as guessing should."""
        with self._lock:
            stored = self._hash()
            try:
                return bool(stored) and len(given) <= LONGEST and HASHER.verify(stored, given)
            except (Argon2Error, InvalidHashError):
                return False

    def code_matches(self, given: str) -> bool:
        """Whether it is the code for the first password; case and dashes do not count."""
        plain = "".join(c for c in given.upper() if c.isalnum())
        return secrets.compare_digest(plain.encode(), self.code.replace("-", "").encode())

    def set(self, new: str) -> None:
        """Keep the hash of `new`; raises UserError when it is too short, or cannot be kept."""
        if len(new) < SHORTEST:
            raise UserError(f"the password must have {SHORTEST} characters or more")
        if len(new) > LONGEST:
            raise UserError(f"the password must have {LONGEST} characters or fewer")
        with self._lock:
            text = HASHER.hash(new) + "\n"
            beside = self._path.with_name(self._path.name + ".new")
            try:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                beside.unlink(missing_ok=True)
                descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                with os.fdopen(descriptor, "w", encoding="ascii") as file:
                    file.write(text)
                    file.flush()
                    os.fsync(file.fileno())
                beside.replace(self._path)
            except OSError as error:
                raise UserError(f"cannot keep the password: {error}") from None

    def _hash(self) -> str:
        try:
            return self._path.read_text(encoding="ascii").strip()
        except FileNotFoundError:
            return ""
        except (OSError, ValueError) as error:
            raise UserError(f"cannot read {self._path}: {error}") from None
