"""Still things: the same place and appearance are recognised, another face there is not."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from edge.classification.classifier import Scores
from edge.config.settings import EventSettings
from edge.events.alert_machine import AlertMachine, Event
from edge.events.still_things import (
    FORGET_S,
    STILL_S,
    Stillness,
    StillThings,
    is_same_appearance,
    is_same_place,
)
from edge.tracking.face_quality import appearance_of
from edge.tracking.track import Reading, Track
from tests.support.footage.pictures import frames_without_mask

SIZE = (480, 640)
POSTER = (100.0, 100.0, 80.0, 80.0)
STEP_S = 0.5


def _look(seed: int) -> bytes:
    return np.random.default_rng(seed).integers(60, 180, 256, dtype=np.uint8).tobytes()


def _brighter(look: bytes) -> bytes:
    grey = np.frombuffer(look, np.uint8).astype(np.float64)
    return (grey * 1.2 + 10).astype(np.uint8).tobytes()


def test_appearance_does_not_depend_on_the_light() -> None:
    assert is_same_appearance(_look(1), _brighter(_look(1)))
    assert not is_same_appearance(_look(1), _look(2))


@pytest.mark.parametrize("look", [b"", bytes(256)])
def test_missing_or_flat_appearance_resembles_nothing(look: bytes) -> None:
    assert not is_same_appearance(look, look)
    assert not is_same_appearance(look, _look(1))


@pytest.mark.parametrize(
    ("box", "same"),
    [
        ((100.0, 100.0, 80.0, 80.0), True),
        ((110.0, 105.0, 80.0, 80.0), True),
        ((120.0, 100.0, 80.0, 80.0), False),
        ((90.0, 90.0, 100.0, 100.0), True),
        ((85.0, 85.0, 110.0, 110.0), False),
        ((100.0, 100.0, 0.0, 80.0), False),
    ],
)
def test_place(box: tuple[float, float, float, float], same: bool) -> None:
    assert is_same_place(POSTER, box) is same


def test_known_thing_needs_place_and_appearance() -> None:
    things = StillThings()
    assert not things.knows(POSTER, [_look(1)], 0.0)
    things.remember(POSTER, [_look(1)], 0.0)
    assert things.knows(POSTER, [_brighter(_look(1))], 1.0)
    assert not things.knows(POSTER, [_look(2)], 1.0)
    assert not things.knows((300.0, 100.0, 80.0, 80.0), [_look(1)], 1.0)
    assert not things.knows(POSTER, [], 1.0)


def test_half_of_the_looks_must_be_known() -> None:
    things = StillThings()
    things.remember(POSTER, [_look(1)], 0.0)
    assert things.knows(POSTER, [_look(1), _look(2)], 1.0)
    assert not things.knows(POSTER, [_look(1), _look(2), _look(3)], 1.0)


def test_thing_is_forgotten_an_hour_after_it_was_last_seen() -> None:
    things = StillThings()
    things.remember(POSTER, [_look(1)], 0.0)
    things.forget(FORGET_S)
    assert things.knows(POSTER, [_look(1)], FORGET_S)
    things.forget(2 * FORGET_S)
    assert things.knows(POSTER, [_look(1)], 2 * FORGET_S)
    things.forget(3 * FORGET_S + 1)
    assert not things.knows(POSTER, [_look(1)], 3 * FORGET_S + 1)


def test_repeats_do_not_displace_other_things() -> None:
    things = StillThings()
    things.remember((300.0, 100.0, 80.0, 80.0), [_look(9)], 0.0)
    for _ in range(100):
        things.remember(POSTER, [_look(1)], 0.0)
    assert things.knows((300.0, 100.0, 80.0, 80.0), [_look(9)], 1.0)


def test_stillness_starts_anew_after_a_move() -> None:
    still = Stillness(POSTER, 0.0)
    still.update((105.0, 100.0, 80.0, 80.0), 5.0)
    assert still.since_s == 0.0
    still.update((130.0, 100.0, 80.0, 80.0), 6.0)
    assert still.since_s == 6.0
    still.update((135.0, 100.0, 80.0, 80.0), 7.0)
    assert still.since_s == 6.0


def _visit(
    machine: AlertMachine, number: int, from_s: float, for_s: float, look: bytes, step_px: float = 0
) -> list[Event]:
    """The events of a bare face that stays for `for_s`, moves `step_px` a step, and leaves."""
    events: list[Event] = []
    for step in range(round(for_s / STEP_S)):
        at_s = from_s + step * STEP_S
        box = (POSTER[0] + step * step_px, *POSTER[1:])
        reading = Reading(box, Scores({"mask": 0.05, "no_mask": 0.95}), at_s, appearance=look)
        tracks = [Track(number, box, from_s, at_s, (reading,) * 10, step + 1)]
        events += machine.update(tracks, at_s, SIZE)
    return events + machine.update([], from_s + for_s, SIZE)


def _machine() -> AlertMachine:
    count = itertools.count(1)
    return AlertMachine(EventSettings(), 0.8, lambda: f"episode-{next(count)}")


def _starts(events: list[Event]) -> int:
    return sum(event.event_type == "no_mask_start" for event in events)


def test_poster_alerts_once_however_often_it_is_hidden() -> None:
    machine = _machine()
    assert _starts(_visit(machine, 1, 0.0, STILL_S + 1, _look(1))) == 1
    for number in range(2, 6):
        assert _visit(machine, number, number * 100.0, 30.0, _brighter(_look(1))) == []


def test_poster_in_view_for_hours_alerts_once() -> None:
    machine = _machine()
    _visit(machine, 1, 0.0, STILL_S + 1, _look(1))
    assert _visit(machine, 2, 100.0, 2.5 * FORGET_S, _look(1)) == []


def test_person_who_takes_the_mask_off_again_alerts() -> None:
    machine = _machine()
    assert _starts(_visit(machine, 1, 0.0, STILL_S + 5, _look(1))) == 1
    events: list[Event] = []
    for step in range(60):  # masked for 20 s, then bare, with the appearance of the first visit
        at_s, masked = 100.0 + step * STEP_S, step < 40
        bare = 0.05 if masked else 0.95
        scores = Scores({"mask": 1 - bare, "no_mask": bare})
        reading = Reading(POSTER, scores, at_s, appearance=_look(2 if masked else 1))
        tracks = [Track(2, POSTER, 100.0, at_s, (reading,) * 10, step + 1)]
        events += machine.update(tracks, at_s, SIZE)
    assert _starts(events) == 1


def test_known_thing_that_moves_is_a_person() -> None:
    machine = _machine()
    _visit(machine, 1, 0.0, STILL_S + 1, _look(1))
    assert _starts(_visit(machine, 2, 100.0, 10.0, _look(1), step_px=5)) == 1


def test_person_before_the_poster_alerts() -> None:
    machine = _machine()
    _visit(machine, 1, 0.0, STILL_S + 1, _look(1))
    assert _starts(_visit(machine, 2, 100.0, 10.0, _look(2))) == 1


def test_person_who_stops_for_a_moment_alerts_again_when_coming_back() -> None:
    machine = _machine()
    assert _starts(_visit(machine, 1, 0.0, STILL_S - 5, _look(1))) == 1
    assert _starts(_visit(machine, 2, 100.0, 10.0, _look(1))) == 1


def test_person_who_walks_by_is_not_remembered() -> None:
    machine = _machine()
    assert _starts(_visit(machine, 1, 0.0, 10.0, _look(1), step_px=40)) == 1
    assert _starts(_visit(machine, 2, 100.0, 10.0, _look(1), step_px=40)) == 1


def test_shutdown_forgets_all_things() -> None:
    machine = _machine()
    _visit(machine, 1, 0.0, STILL_S + 1, _look(1))
    machine.shutdown(50.0)
    assert _starts(_visit(machine, 2, 100.0, 10.0, _look(1))) == 1


def test_appearance_of_a_real_crop_survives_noise() -> None:
    crop = frames_without_mask()[0][60:220, 100:260]
    noise = np.random.default_rng(1).normal(0, 6, crop.shape)
    noisy = np.clip(crop * 0.9 + noise, 0, 255).astype(np.uint8)
    assert is_same_appearance(appearance_of(crop), appearance_of(noisy))
