from __future__ import annotations

import math

import pytest

from edge.config.output_settings import OutputSettings
from edge.events.alert_machine import Event
from edge.outputs.pin_schedule import Level, PinSchedule

OFF, ON = Level(False), Level(True)


def start(episode: str = "a", label: str = "no_mask") -> Event:
    return Event("no_mask_start", episode, 0.0, 0.9, 6, (0.4, 0.4, 0.2, 0.2), label=label)


def end(episode: str = "a", label: str = "no_mask") -> Event:
    return Event("no_mask_end", episode, 0.0, 0.9, 6, (0.4, 0.4, 0.2, 0.2), label=label)


def schedule(**settings: object) -> PinSchedule:
    return PinSchedule(OutputSettings(name="light", pin=17, **settings), {}, 0.0)


def test_pin_is_on_while_any_alert_runs() -> None:
    pin = schedule()
    assert pin.level(0.0) == OFF
    pin.update(start("a"), 1.0)
    assert pin.level(1.0) == ON
    pin.update(start("b"), 2.0)
    pin.update(end("a"), 3.0)
    assert pin.level(1000.0) == ON
    pin.update(end("b"), 1001.0)
    assert pin.level(1001.0) == OFF


def test_minimum_on_time_counts_from_the_start() -> None:
    pin = schedule(min_on_s=5.0)
    pin.update(start("a"), 1.0)
    pin.update(end("a"), 2.0)
    assert pin.level(2.0) == Level(True, 6.0)
    pin.update(start("b"), 4.0)
    assert pin.level(4.0) == ON
    pin.update(end("b"), 9.0)
    assert pin.level(9.0) == OFF


def test_blinking_begins_on_and_never_ends_before_the_alert() -> None:
    pin = schedule(mode="blink", on_s=0.5, off_s=1.5)
    pin.update(start(), 10.0)
    assert pin.level(10.0) == Level(True, 10.5)
    assert pin.level(10.5) == Level(False, 12.0)
    assert pin.level(12.25) == Level(True, 12.5)
    pin.update(end(), 12.25)
    assert pin.level(12.25) == OFF


def test_pulse_has_its_length_whatever_the_alert_does() -> None:
    pin = schedule(mode="pulse", on_s=2.0)
    pin.update(start("a"), 1.0)
    assert pin.level(1.0) == Level(True, 3.0)
    pin.update(end("a"), 1.5)
    assert pin.level(2.9) == Level(True, 3.0)
    assert pin.level(3.0) == OFF
    pin.update(start("b"), 4.0)
    pin.update(start("c"), 5.0)  # one longer pulse
    assert pin.level(6.5) == Level(True, 7.0)


def test_pulse_can_follow_the_end_alone() -> None:
    pin = schedule(mode="pulse", events=("no_mask_end",))
    pin.update(start(), 1.0)
    assert pin.level(1.0) == OFF
    pin.update(end(), 2.0)
    assert pin.level(2.0).on


def test_other_labels_switch_nothing() -> None:
    pin = schedule(labels=("incorrect_mask",))
    pin.update(start("a"), 1.0)
    assert pin.level(1.0) == OFF
    pin.update(start("b", "incorrect_mask"), 2.0)
    pin.update(end("a"), 3.0)
    assert pin.level(3.0) == ON


@pytest.mark.parametrize(
    ("mode", "level"), [("on", Level(True)), ("blink", Level(True, 0.5)), ("pulse", OFF)]
)
def test_alert_that_runs_already_switches_on_but_causes_no_pulse(mode: str, level: Level) -> None:
    """After a reload."""
    settings = OutputSettings(name="light", pin=17, mode=mode)  # type: ignore[arg-type]
    pin = PinSchedule(settings, {"a": "no_mask"}, 0.0)
    assert pin.level(0.0) == level
    pin.update(end("a"), 1.0)
    assert pin.level(1.0) == Level(False, math.inf)
