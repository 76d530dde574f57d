"""The age of waiting events after reboots, with a system clock that may be wrong."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from edge.common.clock import Moment
from edge.outbox.event_age import MAX_TIME_OFF_S, oldest_kept_s
from edge.outbox.outbox import Outbox
from tests.support.clock import START, MomentClock
from tests.support.outboxes import open_outbox, waiting_seqs

DAY_S = 86_400.0
YEAR_S = 365 * DAY_S


def reboot(outbox: Outbox, clock: MomentClock, folder: Path, utc_s: float, boot: str) -> Outbox:
    """Reboot the device and its outbox, and set the clock to `utc_s`, which counts as correct."""
    outbox.close()
    clock.now = Moment(utc_s, True, boot, 20.0)
    again = open_outbox(folder, clock=clock)
    again.run_maintenance()
    return again


@pytest.fixture
def clock() -> MomentClock:
    return MomentClock()


def test_clock_a_year_ahead_drops_nothing(tmp_path: Path, clock: MomentClock) -> None:
    outbox = open_outbox(tmp_path, clock=clock)
    outbox.put({})
    clock.advance(3600.0)
    outbox = reboot(outbox, clock, tmp_path, clock.now.utc_s + YEAR_S, "two")
    assert waiting_seqs(outbox) == [1]
    outbox.put({})
    # The clock is still wrong, and the newest event is from the time when it was wrong.
    outbox = reboot(outbox, clock, tmp_path, clock.now.utc_s + 60.0, "three")
    assert waiting_seqs(outbox) == [1, 2]
    # The clock is right again.
    outbox = reboot(outbox, clock, tmp_path, START.utc_s + 7200.0, "four")
    outbox.put({})
    outbox = reboot(outbox, clock, tmp_path, START.utc_s + 7260.0, "five")
    assert (waiting_seqs(outbox), outbox.dropped) == ([1, 2, 3], 0)
    outbox.close()


def test_events_of_a_doubtful_clock_are_dropped_after_the_time_that_is_known(
    tmp_path: Path, clock: MomentClock
) -> None:
    outbox = open_outbox(tmp_path, clock=clock)
    outbox.put({})
    outbox = reboot(outbox, clock, tmp_path, START.utc_s + YEAR_S, "two")
    clock.advance(29 * DAY_S)
    outbox.run_maintenance()
    assert waiting_seqs(outbox) == [1]
    clock.advance(DAY_S)
    outbox.run_maintenance()
    assert (waiting_seqs(outbox), outbox.dropped) == ([], 1)
    outbox.close()


def test_device_that_was_off_for_a_month_drops_old_events(
    tmp_path: Path, clock: MomentClock
) -> None:
    outbox = open_outbox(tmp_path, clock=clock)
    outbox.put({})
    clock.advance(2 * DAY_S)
    outbox.put({})
    outbox = reboot(outbox, clock, tmp_path, START.utc_s + 31 * DAY_S, "two")
    assert (waiting_seqs(outbox), outbox.dropped) == ([2], 1)
    outbox.close()


def test_time_adds_up_over_several_boots() -> None:
    first = Moment(START.utc_s, True, "one", 1000.0)
    second = Moment(START.utc_s + 10 * DAY_S, True, "two", 5 * DAY_S)
    now = Moment(START.utc_s + 20 * DAY_S, True, "three", 3 * DAY_S)
    kept = oldest_kept_s([first, second], now, 30 * DAY_S)
    assert kept == {"one": 1000.0 - 10 * DAY_S, "two": -15 * DAY_S}


@pytest.mark.parametrize("off_s", [-YEAR_S, MAX_TIME_OFF_S + 1.0, YEAR_S])
def test_impossible_time_off_is_not_counted(off_s: float) -> None:
    now = Moment(START.utc_s + off_s + 20.0, True, "two", 20.0)
    assert oldest_kept_s([START], now, 30 * DAY_S) == {"one": START.boot_s + 20.0 - 30 * DAY_S}


def test_clock_that_is_not_set_measures_no_time_off() -> None:
    now = replace(START, utc_s=START.utc_s + 31 * DAY_S, synced=False, boot="two", boot_s=20.0)
    assert oldest_kept_s([START], now, 30 * DAY_S) == {"one": START.boot_s + 20.0 - 30 * DAY_S}
