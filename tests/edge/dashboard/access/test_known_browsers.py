"""The cookie of a known browser."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.common.errors import UserError
from edge.dashboard.access.known_browsers import MAX_COOKIE_LENGTH, MAX_KNOWN_S, KnownBrowsers
from edge.dashboard.access.password import Password
from tests.support.clock import Clock
from tests.support.dashboard.http_client import PASSWORD


@pytest.fixture
def password(tmp_path: Path) -> Password:
    password = Password(tmp_path / "password")
    password.set(PASSWORD)
    return password


def test_cookie_identifies_the_browser_after_a_restart(password: Password, tmp_path: Path) -> None:
    browsers = KnownBrowsers(password, Clock())
    cookies = [browsers.issue(), browsers.issue()]
    identifiers = [
        KnownBrowsers(Password(tmp_path / "password"), Clock()).identify(c) for c in cookies
    ]
    assert all(identifiers)
    assert identifiers[0] != identifiers[1]
    assert max(map(len, cookies)) < MAX_COOKIE_LENGTH


def test_forged_cookies_identify_nobody(password: Password, tmp_path: Path) -> None:
    browsers = KnownBrowsers(password, Clock())
    cookie = browsers.issue()
    identifier, issued_s, signature = cookie.split(".")
    other = Password(tmp_path / "other")
    other.set(PASSWORD)  # the same password with another salt
    for forged in (
        "", ".", "..", "x", identifier, f"{identifier}.{issued_s}.", f"x{cookie}", f"{cookie}0",
        f"{identifier}.{int(issued_s) + 1}.{signature}", f"{identifier}..{signature}",
        f"{identifier}.{issued_s}.{signature.upper()}", "ä.1.2", "x" * 5000,
        KnownBrowsers(other, Clock()).issue(),
    ):  # fmt: skip
        assert browsers.identify(forged) == "", forged


def test_new_password_ends_the_cookie(password: Password) -> None:
    browsers = KnownBrowsers(password, Clock())
    cookie = browsers.issue()
    password.set(PASSWORD)
    assert browsers.identify(cookie) == ""


def test_cookie_expires(password: Password) -> None:
    clock = Clock()
    browsers = KnownBrowsers(password, clock)
    cookie = browsers.issue()
    clock.advance(MAX_KNOWN_S - 1.0)
    assert browsers.identify(cookie)
    clock.advance(2.0)
    assert browsers.identify(cookie) == ""


def test_without_a_password_there_is_no_cookie(tmp_path: Path) -> None:
    browsers = KnownBrowsers(Password(tmp_path / "none"), Clock())
    with pytest.raises(UserError, match="no password is set"):
        browsers.issue()
    assert browsers.identify("a.1.b") == ""
