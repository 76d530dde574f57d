"""Known browsers: a signed cookie that shows that a browser has logged in before.

The cookie gives no access. It only gives the browser an allowance of wrong passwords of its own, so
that an attacker who shares its network address cannot make it wait.
"""

from __future__ import annotations

import hmac
import secrets
import time
from collections.abc import Callable

from edge.dashboard.access.password import Password

BROWSER_COOKIE = "mask_patrol_browser"
#: A browser is known for this time after it has logged in; browsers keep no cookie for longer.
MAX_KNOWN_S = 400 * 86_400.0
MAX_COOKIE_LENGTH = 200


class KnownBrowsers:
    """Issues and checks the cookies. Thread-safe.

    A cookie holds a random identifier, the time when it was issued, and the signature of both. The
    key of the signature is derived from the password's hash, so a new password ends all cookies.
    """

    def __init__(self, password: Password, clock: Callable[[], float] = time.time) -> None:
        """Sign with a key of `password`; `clock` returns seconds since the epoch."""
        self._password = password
        self._clock = clock

    def issue(self) -> str:
        """Return a new cookie for a browser that has sent the right password.

        Raises UserError if no password is set or its file cannot be read.
        """
        content = f"{secrets.token_urlsafe(16)}.{int(self._clock())}"
        return f"{content}.{self._sign(content)}"

    def identify(self, cookie: str) -> str:
        """Return the identifier in `cookie`; empty if it is not a valid cookie.

        Raises UserError if the password's file cannot be read.
        """
        if len(cookie) > MAX_COOKIE_LENGTH or not cookie.isascii() or not self._password.is_set:
            return ""
        content, _, signature = cookie.rpartition(".")
        if not hmac.compare_digest(self._sign(content), signature):
            return ""
        identifier, _, issued_s = content.partition(".")
        return identifier if self._clock() - int(issued_s) <= MAX_KNOWN_S else ""

    def _sign(self, content: str) -> str:
        key = self._password.signing_key("known browser")
        return hmac.new(key, content.encode(), "sha256").hexdigest()
