"""The tokens in the links of screens, at a door or on a wall: each opens one page, and no more.

A file in the state directory holds the digest of each token. It is read at each check, so that a
revoked token ends at once.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import threading
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from edge.common.errors import UserError

MAX_TOKENS = 1000
MAX_TOKEN_LENGTH = 100


class LinkToken(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A token as it is stored: its screen, and when it was made, in seconds since the epoch."""

    screen: str
    sha256: str
    created_s: float

    @property
    def name(self) -> str:
        """A short name, which does not reveal the token."""
        return self.sha256[:8]


class LinkTokens:
    """The tokens of one dashboard. Thread-safe."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        """Keep the tokens in the file `path`, which need not exist; `clock` is since the epoch."""
        self._path = path
        self._clock = clock
        self._lock = threading.Lock()

    def create(self, screen: str) -> str:
        """Return a new token for `screen`.

        Raises UserError if there are too many, or if the file cannot be read or written.
        """
        token = secrets.token_urlsafe(32)
        with self._lock:
            stored = self._read()
            if len(stored) >= MAX_TOKENS:
                raise UserError(
                    f"there are {MAX_TOKENS} links already: revoke some that are unused"
                )
            self._write([*stored, LinkToken(screen, _digest(token), self._clock())])
        return token

    def of(self, screen: str) -> list[LinkToken]:
        """Return the tokens of `screen`, oldest first; raises UserError."""
        with self._lock:
            return [token for token in self._read() if token.screen == screen]

    def revoke(self, screen: str, name: str) -> None:
        """Delete the token of `screen` with that name, if there is one; raises UserError."""
        with self._lock:
            stored = self._read()
            kept = [token for token in stored if (token.screen, token.name) != (screen, name)]
            if len(kept) < len(stored):
                self._write(kept)

    def is_valid(self, token: str, screen: str) -> bool:
        """Return whether `token` gives access to `screen`; raises UserError."""
        if not token or len(token) > MAX_TOKEN_LENGTH:
            return False
        # Digests are compared, so that the time that this takes reveals nothing about a token.
        digest = _digest(token)
        return any(stored.sha256 == digest for stored in self.of(screen))

    def _read(self) -> list[LinkToken]:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=list[LinkToken])
        except FileNotFoundError:
            return []
        except (OSError, msgspec.MsgspecError, ValueError) as error:
            raise UserError(f"cannot read {self._path}: {error}; delete it to revoke all") from None

    def _write(self, tokens: list[LinkToken]) -> None:
        temporary = self._path.with_name(self._path.name + ".new")
        try:
            temporary.unlink(missing_ok=True)
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(msgspec.json.encode(tokens))
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self._path)
        except OSError as error:
            raise UserError(f"cannot write {self._path}: {error.strerror}") from None


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
