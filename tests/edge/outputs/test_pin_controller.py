from __future__ import annotations

import logging
import threading
from collections.abc import Iterator

import pytest

from edge.common.errors import UsageError, UserError
from edge.common.stage_times import HUNG_S
from edge.config.hours import Hours
from edge.config.output_settings import OutputSettings
from edge.outputs.pin_controller import RETRY_S, PinController
from tests.support.alert_events import alert_event
from tests.support.clock import RunningClock
from tests.support.recorded_pins import Board
from tests.support.waiting import wait_until

LIGHT = OutputSettings(name="light", pin=17)
SIREN = OutputSettings(name="siren", pin=27)
START, END = alert_event(), alert_event("no_mask_end")
BROKEN = UserError("GPIO17 cannot be used: the wire is loose")


class Controlled:
    """A controller of recorded pins, whose times a test sets."""

    def __init__(self) -> None:
        self.board = Board()
        self.clock = RunningClock()
        self.idle_s = 0.0
        self.local = (0, 0)
        self.controller = PinController(
            lambda: self.idle_s, self.board, self.clock, lambda: self.local
        )

    def wait_for(self, *log: str) -> None:
        wait_until(lambda: self.board.log == list(log), f"{log}")

    def problems(self) -> list[str]:
        return [state.problem for state in self.controller.states]


@pytest.fixture
def outputs() -> Iterator[Controlled]:
    controlled = Controlled()
    yield controlled
    controlled.controller.stop()


def test_pins_follow_the_alert_and_are_off_and_closed_at_the_end(outputs: Controlled) -> None:
    outputs.controller.start([LIGHT, SIREN])
    outputs.controller.update(START)
    on = ["GPIO17 opened", "GPIO27 opened", "GPIO17 on", "GPIO27 on"]
    outputs.wait_for(*on)
    wait_until(lambda: all(s.on for s in outputs.controller.states), "the states say so")
    outputs.controller.stop()
    assert outputs.board.log == [*on, "GPIO17 closed", "GPIO27 closed"]
    assert not any(state.on for state in outputs.controller.states)


def test_no_thread_runs_without_pins(outputs: Controlled) -> None:
    threads = threading.active_count()
    outputs.controller.start([])
    outputs.controller.change([])
    outputs.controller.update(START)
    assert threading.active_count() == threads


def test_all_is_off_while_the_loop_hangs(
    outputs: Controlled, caplog: pytest.LogCaptureFixture
) -> None:
    """An alert whose end nobody notices must not keep a siren on."""
    outputs.controller.start([LIGHT])
    outputs.controller.update(START)
    outputs.wait_for("GPIO17 opened", "GPIO17 on")
    outputs.idle_s = HUNG_S + 1.0
    outputs.wait_for("GPIO17 opened", "GPIO17 on", "GPIO17 off")
    assert "all outputs are switched off until it continues" in caplog.text
    outputs.idle_s = 0.0
    outputs.wait_for("GPIO17 opened", "GPIO17 on", "GPIO17 off", "GPIO17 on")


def test_hours_begin_and_end_during_an_alert(outputs: Controlled) -> None:
    outputs.local = (0, 59)
    light = OutputSettings(name="light", pin=17, hours=Hours(start="01:00", end="02:00"))
    outputs.controller.start([light])
    outputs.controller.update(START)
    outputs.local = (0, 60)
    outputs.wait_for("GPIO17 opened", "GPIO17 on")
    outputs.local = (0, 120)
    outputs.wait_for("GPIO17 opened", "GPIO17 on", "GPIO17 off")


def test_reload_leaves_what_is_the_same_and_switches_the_rest_off(outputs: Controlled) -> None:
    outputs.controller.start([LIGHT, SIREN])
    outputs.controller.update(START)
    outputs.wait_for("GPIO17 opened", "GPIO27 opened", "GPIO17 on", "GPIO27 on")
    outputs.board.log.clear()
    inverted = OutputSettings(name="siren", pin=27, active="low")
    outputs.controller.change([LIGHT, inverted])
    outputs.wait_for("GPIO27 closed", "GPIO27 opened", "GPIO27 on")
    outputs.board.log.clear()
    outputs.controller.change([])
    outputs.wait_for("GPIO17 closed", "GPIO27 closed")


def test_output_that_a_reload_adds_follows_the_alert_that_runs(outputs: Controlled) -> None:
    outputs.controller.start([])
    outputs.controller.update(START)
    outputs.controller.change([LIGHT])
    outputs.wait_for("GPIO17 opened", "GPIO17 on")


def test_pin_that_cannot_be_used_is_reported_once_and_tried_again(
    outputs: Controlled, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    outputs.board.broken["GPIO17"] = BROKEN
    outputs.controller.start([LIGHT, SIREN])
    assert outputs.problems() == [str(BROKEN), ""]
    outputs.controller.update(START)
    outputs.wait_for("GPIO27 opened", "GPIO27 on")  # the others work
    outputs.clock.advance(RETRY_S)
    outputs.controller.update(alert_event(episode="b"))
    del outputs.board.broken["GPIO17"]
    outputs.clock.advance(RETRY_S)
    outputs.controller.update(END)  # the thread wakes up; the alert `b` runs
    outputs.wait_for("GPIO27 opened", "GPIO27 on", "GPIO17 opened", "GPIO17 on")
    messages = [record.getMessage() for record in caplog.records]
    assert messages == [
        f"the output light does not work: {BROKEN}",
        "the output light works again",
    ]


def test_pin_that_fails_in_use_is_closed(outputs: Controlled) -> None:
    outputs.controller.start([LIGHT])
    outputs.board.broken["GPIO17"] = BROKEN
    outputs.controller.update(START)
    outputs.wait_for("GPIO17 opened", "GPIO17 closed")
    wait_until(lambda: outputs.problems() == [str(BROKEN)], "the problem is shown")


def test_mistake_ends_the_start_with_all_pins_closed(outputs: Controlled) -> None:
    outputs.board.broken["GPIO27"] = UsageError("GPIO27 is no pin of this board")
    with pytest.raises(UsageError, match="is no pin"):
        outputs.controller.start([LIGHT, SIREN])
    assert outputs.board.log == ["GPIO17 opened", "GPIO17 closed"]


def test_check_tries_only_pins_that_are_not_open(outputs: Controlled) -> None:
    outputs.controller.start([LIGHT])
    outputs.controller.check([LIGHT, SIREN])
    assert outputs.board.log == ["GPIO17 opened", "GPIO27 opened", "GPIO27 closed"]
    outputs.board.broken["GPIO27"] = BROKEN
    with pytest.raises(UserError, match="the wire is loose"):
        outputs.controller.check([LIGHT, SIREN])
