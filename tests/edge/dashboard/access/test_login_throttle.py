"""The delays after wrong passwords."""

from __future__ import annotations

from edge.dashboard.access.login_throttle import (
    FREE_ATTEMPTS,
    MAX_CLIENTS,
    MAX_WAIT_S,
    RESET_AFTER_S,
    SHARED,
    LoginThrottle,
)

CLIENT = "192.0.2.7"


def test_delay_grows_up_to_the_maximum() -> None:
    throttle, now_s, waits = LoginThrottle(), 0.0, []
    for _ in range(20):
        wait_s = throttle.begin_attempt(CLIENT, now_s)
        waits.append(wait_s)
        now_s += wait_s
        assert throttle.begin_attempt(CLIENT, now_s) == 0.0 if wait_s else True
    assert waits[:FREE_ATTEMPTS] == [0.0] * FREE_ATTEMPTS
    assert waits == sorted(waits)
    assert max(waits) == MAX_WAIT_S


def fail_often(throttle: LoginThrottle, client: str, now_s: float = 0.0) -> None:
    """Make failing attempts until the next attempt has to wait."""
    for _ in range(FREE_ATTEMPTS):
        assert throttle.begin_attempt(client, now_s) == 0.0
    assert throttle.begin_attempt(client, now_s) > 0.0


def test_other_clients_are_not_delayed() -> None:
    throttle = LoginThrottle()
    fail_often(throttle, CLIENT)
    assert throttle.begin_attempt("192.0.2.8", 0.0) == 0.0


def test_correct_password_resets_the_delay() -> None:
    throttle = LoginThrottle()
    fail_often(throttle, CLIENT)
    assert throttle.failures(CLIENT) == (CLIENT, FREE_ATTEMPTS)
    assert throttle.reset(CLIENT) == CLIENT
    assert throttle.failures(CLIENT) == (CLIENT, 0)
    assert throttle.begin_attempt(CLIENT, 0.0) == 0.0


def test_delay_expires_after_an_hour() -> None:
    throttle = LoginThrottle()
    fail_often(throttle, CLIENT)
    for _ in range(FREE_ATTEMPTS):
        assert throttle.begin_attempt(CLIENT, RESET_AFTER_S + 1.0) == 0.0


def test_restored_count_continues() -> None:
    throttle = LoginThrottle()
    throttle.restore(CLIENT, FREE_ATTEMPTS + 3, -2.0)
    assert throttle.begin_attempt(CLIENT, 0.0) == 8.0 - 2.0
    throttle.restore("192.0.2.8", FREE_ATTEMPTS + 3, -RESET_AFTER_S - 1.0)
    assert throttle.begin_attempt("192.0.2.8", 0.0) == 0.0


def test_surplus_clients_share_one_count() -> None:
    throttle = LoginThrottle()
    for number in range(MAX_CLIENTS):
        throttle.begin_attempt(f"10.0.{number // 256}.{number % 256}", 0.0)
    waits = [
        throttle.begin_attempt(f"192.0.2.{number}", 0.0) for number in range(FREE_ATTEMPTS + 1)
    ]
    assert waits[-1] > 0.0
    assert throttle.failures("192.0.2.99") == (SHARED, FREE_ATTEMPTS)
    throttle.restore("192.0.2.100", 1, 0.0)  # there is no room for it
    assert throttle.failures("192.0.2.100") == (SHARED, FREE_ATTEMPTS)


def test_clients_without_an_address_share_one_count() -> None:
    throttle = LoginThrottle()
    fail_often(throttle, "")
    assert throttle.failures("") == (SHARED, FREE_ATTEMPTS)
