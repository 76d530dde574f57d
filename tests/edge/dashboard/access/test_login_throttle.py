"""The delays after wrong passwords."""

from __future__ import annotations

from edge.dashboard.access.login_throttle import (
    FREE_ATTEMPTS,
    MAX_ADDRESSES,
    MAX_WAIT_S,
    RESET_AFTER_S,
    LoginThrottle,
)

ADDRESS = "192.0.2.7"


def test_delay_grows_up_to_the_maximum() -> None:
    throttle, now_s, waits = LoginThrottle(), 0.0, []
    for _ in range(20):
        wait_s = throttle.begin_attempt(ADDRESS, now_s)
        waits.append(wait_s)
        now_s += wait_s
        assert throttle.begin_attempt(ADDRESS, now_s) == 0.0 if wait_s else True
    assert waits[:FREE_ATTEMPTS] == [0.0] * FREE_ATTEMPTS
    assert waits == sorted(waits)
    assert max(waits) == MAX_WAIT_S


def fail_often(throttle: LoginThrottle, address: str, now_s: float = 0.0) -> None:
    """Make failing attempts until the next attempt has to wait."""
    for _ in range(FREE_ATTEMPTS):
        assert throttle.begin_attempt(address, now_s) == 0.0
    assert throttle.begin_attempt(address, now_s) > 0.0


def test_other_addresses_are_not_delayed() -> None:
    throttle = LoginThrottle()
    fail_often(throttle, ADDRESS)
    assert throttle.begin_attempt("192.0.2.8", 0.0) == 0.0


def test_correct_password_resets_the_delay() -> None:
    throttle = LoginThrottle()
    fail_often(throttle, ADDRESS)
    throttle.reset(ADDRESS, 0.0)
    assert throttle.begin_attempt(ADDRESS, 0.0) == 0.0


def test_delay_expires_after_an_hour() -> None:
    throttle = LoginThrottle()
    fail_often(throttle, ADDRESS)
    for _ in range(FREE_ATTEMPTS):
        assert throttle.begin_attempt(ADDRESS, RESET_AFTER_S + 1.0) == 0.0


def test_ipv6_network_counts_as_one_address() -> None:
    throttle = LoginThrottle()
    waits = [
        throttle.begin_attempt(f"2001:db8::{number:x}", 0.0) for number in range(FREE_ATTEMPTS + 1)
    ]
    assert waits[-1] > 0.0


def test_surplus_addresses_share_one_count() -> None:
    throttle = LoginThrottle()
    for number in range(MAX_ADDRESSES):
        throttle.begin_attempt(f"10.0.{number // 256}.{number % 256}", 0.0)
    waits = [
        throttle.begin_attempt(f"192.0.2.{number}", 0.0) for number in range(FREE_ATTEMPTS + 1)
    ]
    assert waits[-1] > 0.0
