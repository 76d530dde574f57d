from __future__ import annotations

from edge.mqtt.reconnect_backoff import (
    FIRST_RETRY_S,
    LAST_RETRY_S,
    REFUSED_RETRY_S,
    STABLE_S,
    SUSPICIOUS,
    ReconnectBackoff,
)


def test_waits_double_up_to_the_last() -> None:
    pace = ReconnectBackoff(chance=lambda: 0.0)
    waits = [pace.next_wait_s(refused=False) for _ in range(9)]
    assert waits == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, LAST_RETRY_S]


def test_chance_adds_up_to_a_half() -> None:
    assert ReconnectBackoff(chance=lambda: 1.0).next_wait_s(refused=False) == 1.5 * FIRST_RETRY_S


def test_a_refusal_waits_long_and_what_follows_does_not_hurry() -> None:
    pace = ReconnectBackoff(chance=lambda: 0.0)
    assert pace.next_wait_s(refused=True) == REFUSED_RETRY_S
    assert pace.next_wait_s(refused=False) == LAST_RETRY_S


def test_a_good_connection_makes_a_new_start_and_a_short_one_does_not() -> None:
    pace = ReconnectBackoff(chance=lambda: 0.0)
    for _ in range(5):
        pace.next_wait_s(refused=False)
    assert not pace.lasted(STABLE_S - 1.0)
    assert pace.next_wait_s(refused=False) == 16.0
    assert pace.lasted(STABLE_S)
    assert pace.next_wait_s(refused=False) == FIRST_RETRY_S


def test_being_thrown_out_again_and_again_is_worth_a_word_once() -> None:
    pace = ReconnectBackoff()
    assert [pace.thrown_out() for _ in range(5)] == [n == SUSPICIOUS for n in range(1, 6)]
    pace.lasted(STABLE_S)
    assert not pace.thrown_out()


def test_cuts_that_a_broker_which_was_away_explains_do_not_count() -> None:
    pace = ReconnectBackoff()
    told = []
    for _ in range(5):
        told.append(pace.thrown_out())
        pace.unreachable()
    assert not any(told)
