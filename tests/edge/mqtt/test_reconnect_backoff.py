from __future__ import annotations

from edge.mqtt.reconnect_backoff import (
    FIRST_DELAY_S,
    MAX_DELAY_S,
    REFUSED_DELAY_S,
    SHORT_CONNECTIONS_TO_REPORT,
    STABLE_S,
    ReconnectBackoff,
)


def test_waits_double_up_to_the_last() -> None:
    backoff = ReconnectBackoff(chance=lambda: 0.0)
    waits = [backoff.next_delay_s(refused=False) for _ in range(9)]
    assert waits == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, MAX_DELAY_S]


def test_chance_adds_up_to_a_half() -> None:
    assert ReconnectBackoff(chance=lambda: 1.0).next_delay_s(refused=False) == 1.5 * FIRST_DELAY_S


def test_a_refusal_waits_long_and_what_follows_does_not_hurry() -> None:
    backoff = ReconnectBackoff(chance=lambda: 0.0)
    assert backoff.next_delay_s(refused=True) == REFUSED_DELAY_S
    assert backoff.next_delay_s(refused=False) == MAX_DELAY_S


def test_a_good_connection_makes_a_new_start_and_a_short_one_does_not() -> None:
    backoff = ReconnectBackoff(chance=lambda: 0.0)
    for _ in range(5):
        backoff.next_delay_s(refused=False)
    assert not backoff.reset_if_stable(STABLE_S - 1.0)
    assert backoff.next_delay_s(refused=False) == 16.0
    assert backoff.reset_if_stable(STABLE_S)
    assert backoff.next_delay_s(refused=False) == FIRST_DELAY_S


def test_being_thrown_out_again_and_again_is_worth_a_word_once() -> None:
    backoff = ReconnectBackoff()
    assert [backoff.count_short_connection() for _ in range(5)] == [
        n == SHORT_CONNECTIONS_TO_REPORT for n in range(1, 6)
    ]
    backoff.reset_if_stable(STABLE_S)
    assert not backoff.count_short_connection()


def test_cuts_that_a_broker_which_was_away_explains_do_not_count() -> None:
    backoff = ReconnectBackoff()
    told = []
    for _ in range(5):
        told.append(backoff.count_short_connection())
        backoff.count_unreachable()
    assert not any(told)
