from __future__ import annotations

from edge.mqtt.reconnect_backoff import (
    FIRST_DELAY_S,
    MAX_DELAY_S,
    REFUSED_DELAY_S,
    SHORT_CONNECTIONS_TO_REPORT,
    STABLE_S,
    ReconnectBackoff,
)


def test_delays_double_up_to_the_maximum() -> None:
    backoff = ReconnectBackoff(chance=lambda: 0.0)
    delays = [backoff.next_delay_s(refused=False) for _ in range(9)]
    assert delays == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, MAX_DELAY_S]


def test_jitter_adds_at_most_half() -> None:
    backoff = ReconnectBackoff(chance=lambda: 1.0)
    assert backoff.next_delay_s(refused=False) == 1.5 * FIRST_DELAY_S
    delays = [backoff.next_delay_s(refused=False) for _ in range(10)]
    assert delays[-1] == 1.5 * MAX_DELAY_S, "devices do not reconnect together after a long outage"


def test_refusal_delays_next_attempts() -> None:
    backoff = ReconnectBackoff(chance=lambda: 0.0)
    assert backoff.next_delay_s(refused=True) == REFUSED_DELAY_S
    assert backoff.next_delay_s(refused=False) == MAX_DELAY_S


def test_refusals_are_jittered() -> None:
    backoff = ReconnectBackoff(chance=lambda: 1.0)
    assert backoff.next_delay_s(refused=True) == 1.5 * REFUSED_DELAY_S


def test_only_stable_connection_resets_delays() -> None:
    backoff = ReconnectBackoff(chance=lambda: 0.0)
    for _ in range(5):
        backoff.next_delay_s(refused=False)
    assert not backoff.reset_if_stable(STABLE_S - 1.0)
    assert backoff.next_delay_s(refused=False) == 16.0
    assert backoff.reset_if_stable(STABLE_S)
    assert backoff.next_delay_s(refused=False) == FIRST_DELAY_S


def test_short_connections_are_reported_once() -> None:
    backoff = ReconnectBackoff()
    reported = [backoff.count_short_connection() for _ in range(5)]
    assert reported == [n == SHORT_CONNECTIONS_TO_REPORT for n in range(1, 6)]
    backoff.reset_if_stable(STABLE_S)
    assert not backoff.count_short_connection()


def test_unreachable_broker_resets_short_connections() -> None:
    backoff = ReconnectBackoff()
    reported = []
    for _ in range(5):
        reported.append(backoff.count_short_connection())
        backoff.count_unreachable()
    assert not any(reported)
