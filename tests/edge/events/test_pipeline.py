from __future__ import annotations

import cv2
import numpy as np
import pytest

from edge.camera.source import Frame
from edge.classification.classifier import Classifier
from edge.common.arrays import Box, Pixels
from edge.common.clock import UtcClock
from edge.common.errors import UsageError, UserError
from edge.common.paths import demo_clip, shipped_model
from edge.common.stage_times import StageTimes
from edge.config.settings import CameraSettings, Settings, change
from edge.detection.face_detector import Face, Luma
from edge.events.alert_machine import Event
from edge.events.pipeline import Pipeline
from tests.support.replay import Player, film

PERIOD_S = 0.1
SETTINGS = Settings(device="door1")
MASK3 = shipped_model().with_name("mask3.tflite")


class Fixed:
    """A detector that finds what it is told."""

    def __init__(self, faces: list[Face]) -> None:
        self.faces = faces

    def to_luma(self, frame: Frame) -> Luma:
        return Luma(np.ascontiguousarray(frame.image_bgr[::2, ::2, 1]), 0.5)

    def search(self, luma: Luma) -> list[Face]:
        return self.faces

    def search_region(self, luma: Luma, region: Box) -> list[Face]:
        return self.faces

    def search_near(self, luma: Luma, box_px: Box, reach: float) -> list[Face]:
        return [face for face in self.faces if abs(face.box_px[0] - box_px[0]) < box_px[2] / 2]


class Door:
    """A pipeline over one picture of the demo clip with its bare face, frame after frame."""

    def __init__(self, settings: Settings = SETTINGS) -> None:
        self.picture = next(f.image_bgr for f in film([demo_clip()]) if f.index == 80)
        self.detector = Fixed([Face((248.0, 138.0, 108.0, 108.0), 20)])
        self.classifier = Classifier(shipped_model())
        self.pipeline = Pipeline(
            settings, self.detector, self.classifier, UtcClock(lambda: 0.0), StageTimes()
        )
        self.now_s = 0.0

    def watch(self, seconds: float, picture: Pixels | None = None) -> list[Event]:
        events: list[Event] = []
        for _ in range(round(seconds / PERIOD_S)):
            image = self.picture if picture is None else picture
            events += self.pipeline.process(Frame(image, self.now_s, self.pipeline.frames))
            self.now_s += PERIOD_S
        return events


def kinds(events: list[Event]) -> list[tuple[str, str | None]]:
    return [(event.event_type, event.ended_by) for event in events]


def zoned(*corners: tuple[float, float]) -> Settings:
    return Settings(device="door1", camera=CameraSettings(zone=corners))


def test_faces_outside_the_zone_do_not_count() -> None:
    door = Door(zoned((0.6, 0.0), (1.0, 0.0), (1.0, 1.0), (0.6, 1.0)))
    assert door.watch(2.0) == []
    assert door.pipeline.tracks == []


def test_who_leaves_the_zone_has_left() -> None:
    door = Door(zoned((0.2, 0.0), (0.6, 0.0), (0.6, 1.0), (0.2, 1.0)))
    assert kinds(door.watch(1.0)) == [("no_mask_start", None)]
    door.detector.faces = [Face((360.0, 138.0, 108.0, 108.0), 20)]
    assert kinds(door.watch(3.0)) == [("no_mask_end", "left")]


def test_another_one_at_the_same_place_is_somebody_new() -> None:
    door = Door()
    face = door.detector.faces
    (first,) = door.watch(1.0)
    door.detector.faces = []
    empty = next(film([demo_clip()])).image_bgr
    assert kinds(door.watch(2.5, empty)) == [("no_mask_end", "left")]
    door.detector.faces = face
    (second,) = door.watch(1.0)
    assert second.episode != first.episode
    door.pipeline.finish(door.now_s)
    assert door.pipeline.people_counts["hour"]["no_mask"] == 2


def test_somebody_else_after_a_cut_does_not_inherit() -> None:
    """A masked person before another camera, in the very place where a bare one stood."""
    door = Door()
    door.watch(1.0)
    masked = next(f.image_bgr for f in film([demo_clip()]) if f.index == 200)
    x, y, side = 330 - 53, 136 - 53, 212
    there = np.asarray(cv2.resize(masked[y : y + side, x : x + side], (640, 480)), np.uint8)
    assert kinds(door.watch(2.0, there)) == [("no_mask_end", "left")]
    assert [track.number for track in door.pipeline.tracks] == [2]


def test_who_stands_still_is_seen_again_at_once_after_a_pause() -> None:
    door = Door()
    door.watch(30.0)
    assert kinds(door.pipeline.finish(door.now_s)) == [("no_mask_end", "shutdown")]
    door.now_s += 1.0
    assert kinds(door.watch(1.0)) == [("no_mask_start", None)]


def test_a_cut_ends_everybody() -> None:
    door = Door()
    door.watch(1.0)
    elsewhere = np.asarray(cv2.resize(door.picture[:240, 320:][:, ::-1], (640, 480)), np.uint8)
    assert kinds(door.watch(PERIOD_S, elsewhere)) == [("no_mask_end", "left")]


def test_a_cut_that_only_others_know_of() -> None:
    door = Door()
    (start,) = door.watch(1.0)
    door.pipeline.reset_tracks()
    again = door.watch(1.0)
    assert kinds(again) == [("no_mask_end", "left"), ("no_mask_start", None)]
    assert start.episode == again[0].episode != again[1].episode


def test_poor_evidence_starts_nothing_and_keeps_the_person() -> None:
    door = Door()
    dark = (door.picture * 0.03).astype(np.uint8)
    assert door.watch(3.0, dark) == []
    (track,) = door.pipeline.tracks
    assert (track.readings, track.sightings) == (0, 30)
    assert door.pipeline.finish(door.now_s) == []
    assert door.pipeline.people_counts["hour"]["unsure"] == 1


def test_a_change_of_settings_keeps_people_and_alerts() -> None:
    door = Door()
    (start,) = door.watch(1.0)
    changed = change(SETTINGS, tracker={"leave_after_s": 0.5}, events={"alert_threshold": 0.9})
    door.pipeline.change(changed, door.detector, door.classifier)
    assert door.watch(1.0) == []
    door.detector.faces = []
    (end,) = door.watch(1.0)
    assert (end.episode, end.ended_by) == (start.episode, "left")


def test_a_change_of_the_model_keeps_people_and_alerts_and_reads_anew() -> None:
    door = Door()
    (start,) = door.watch(1.0)
    settings = change(SETTINGS, events={"alert_on": ["no_mask", "incorrect_mask"]})
    door.pipeline.change(settings, door.detector, Classifier(MASK3))
    assert door.watch(PERIOD_S) == []
    assert door.pipeline.tracks[0].readings == 1
    assert door.pipeline.tracks[0].labels == ("mask", "no_mask", "incorrect_mask")
    assert door.watch(1.0) == []
    (end,) = door.pipeline.finish(door.now_s)
    assert (end.episode, end.ended_by, end.label) == (start.episode, "shutdown", "no_mask")


def test_a_stop_right_after_a_change_of_the_model() -> None:
    door = Door()
    door.watch(1.0)
    door.pipeline.change(SETTINGS, door.detector, Classifier(MASK3))
    assert kinds(door.pipeline.finish(door.now_s)) == [("no_mask_end", "shutdown")]


def test_a_change_that_is_refused_changes_nothing() -> None:
    door = Door()
    door.watch(1.0)
    settings = change(SETTINGS, events={"alert_on": ["incorrect_mask"]})
    with pytest.raises(UserError, match="contains incorrect_mask"):
        door.pipeline.change(settings, door.detector, door.classifier)
    with pytest.raises(UsageError, match=r"camera\.zone"):
        door.pipeline.change(zoned((0.0, 0.0), (1.0, 1.0)), door.detector, door.classifier)
    assert door.pipeline.alert_count == 1
    assert door.watch(1.0) == []


def test_an_alert_needs_a_label_that_the_model_knows() -> None:
    settings = change(SETTINGS, events={"alert_on": ["no_mask", "incorrect_mask"]})
    with pytest.raises(UserError) as raised:
        Door(settings)
    assert str(raised.value) == (
        "`events.alert_on` contains incorrect_mask, but the labels of the model are mask, no_mask;"
        " models/mask3.tflite has incorrect_mask (set classifier.model)"
    )


def test_people_are_counted_by_what_they_came_in_with() -> None:
    played = Player().play(film([demo_clip()], fps=7.5))
    counts = dict(played.pipeline.people_counts["hour"])
    assert counts.pop("from") == "1970-01-01T00:00:00Z"
    assert counts == {"mask": 1, "no_mask": 2, "incorrect_mask": 0, "unsure": 0}
    assert played.pipeline.people_counts["last_hour"] is None
