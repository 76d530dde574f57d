from __future__ import annotations

from pathlib import Path

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
from edge.detection.face_detector import Face, FaceDetector
from edge.detection.luma import Luma
from edge.events.alert_machine import Event
from edge.events.pipeline import Pipeline
from tests.support.footage.demo_frames import demo_frame
from tests.support.footage.replay import Player, joined_frames
from tests.support.models.unsure_models import write_model

PERIOD_S = 0.1
SETTINGS = Settings(device="door1")


class FixedDetector:
    """A detector that always finds the faces in `faces`."""

    name = "fixed faces"

    def __init__(self, faces: list[Face]) -> None:
        self.faces = faces

    def find(self, image_bgr: Pixels) -> list[Face]:
        return self.faces

    def to_luma(self, frame: Frame) -> Luma:
        return Luma(np.ascontiguousarray(frame.image_bgr[::2, ::2, 1]), 0.5)

    def search(self, luma: Luma) -> list[Face]:
        return self.faces

    def search_region(self, luma: Luma, region: Box) -> list[Face]:
        return self.faces

    def search_near(self, luma: Luma, box_px: Box, reach: float) -> list[Face]:
        return [face for face in self.faces if abs(face.box_px[0] - box_px[0]) < box_px[2] / 2]


class DemoPipeline:
    """A pipeline that gets the same frame of the demo clip, with a bare face, again and again."""

    def __init__(
        self,
        settings: Settings = SETTINGS,
        model: Path | None = None,
        two_labels: bool = True,
    ) -> None:
        self.picture = next(f.image_bgr for f in joined_frames([demo_clip()]) if f.index == 80)
        self.detector = FixedDetector([Face((248.0, 138.0, 108.0, 108.0), 20)])
        self.classifier = Classifier(model or shipped_model(), two_labels=two_labels)
        self.pipeline = Pipeline(
            settings,
            FaceDetector.of(self.detector),
            self.classifier,
            UtcClock(lambda: 0.0),
            StageTimes(),
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


def test_faces_outside_the_zone_are_ignored() -> None:
    demo = DemoPipeline(zoned((0.6, 0.0), (1.0, 0.0), (1.0, 1.0), (0.6, 1.0)))
    assert demo.watch(2.0) == []
    assert demo.pipeline.tracks == []


def test_leaving_the_zone_ends_the_alert() -> None:
    demo = DemoPipeline(zoned((0.2, 0.0), (0.6, 0.0), (0.6, 1.0), (0.2, 1.0)))
    assert kinds(demo.watch(1.0)) == [("no_mask_start", None)]
    demo.detector.faces = [Face((360.0, 138.0, 108.0, 108.0), 20)]
    assert kinds(demo.watch(3.0)) == [("no_mask_end", "left")]


def test_person_after_a_pause_is_a_new_person() -> None:
    demo = DemoPipeline()
    face = demo.detector.faces
    (first,) = demo.watch(1.0)
    demo.detector.faces = []
    empty = next(joined_frames([demo_clip()])).image_bgr
    assert kinds(demo.watch(2.5, empty)) == [("no_mask_end", "left")]
    demo.detector.faces = face
    (second,) = demo.watch(1.0)
    assert second.episode != first.episode
    demo.pipeline.finish(demo.now_s)
    assert demo.pipeline.people_counts["hour"]["no_mask"] == 2


def test_person_after_a_cut_has_a_new_track() -> None:
    """The frame of another camera shows a masked person where a bare one stood before the cut."""
    demo = DemoPipeline()
    demo.watch(1.0)
    masked = next(f.image_bgr for f in joined_frames([demo_clip()]) if f.index == 200)
    x, y, side = 330 - 53, 136 - 53, 212
    masked_frame = np.asarray(cv2.resize(masked[y : y + side, x : x + side], (640, 480)), np.uint8)
    assert kinds(demo.watch(2.0, masked_frame)) == [("no_mask_end", "left")]
    assert [track.number for track in demo.pipeline.tracks] == [2]


def test_standing_person_is_found_again_after_finish() -> None:
    demo = DemoPipeline()
    demo.watch(30.0)
    assert kinds(demo.pipeline.finish(demo.now_s)) == [("no_mask_end", "shutdown")]
    demo.now_s += 1.0
    assert kinds(demo.watch(1.0)) == [("no_mask_start", None)]


def test_scene_cut_ends_all_alerts() -> None:
    demo = DemoPipeline()
    demo.watch(1.0)
    elsewhere = np.asarray(cv2.resize(demo.picture[:240, 320:][:, ::-1], (640, 480)), np.uint8)
    assert kinds(demo.watch(PERIOD_S, elsewhere)) == [("no_mask_end", "left")]


@pytest.mark.parametrize(("width_px", "height_px"), [(1280, 960), (320, 240), (640, 360)])
def test_person_keeps_the_alert_when_the_size_of_the_frames_changes(
    width_px: int, height_px: int
) -> None:
    demo = DemoPipeline()
    assert kinds(demo.watch(1.0)) == [("no_mask_start", None)]
    height, width = demo.picture.shape[:2]
    x_factor, y_factor = width_px / width, height_px / height
    (face,) = demo.detector.faces
    x, y, w, h = face.box_px
    demo.detector.faces = [Face((x * x_factor, y * y_factor, w * x_factor, h * y_factor), 20)]
    assert demo.watch(1.0, cv2.resize(demo.picture, (width_px, height_px)).astype("uint8")) == []
    demo.detector.faces = []
    (end,) = demo.watch(3.0, np.zeros((height, width, 3), np.uint8))
    assert end.ended_by == "left"
    assert end.box == pytest.approx((x / width, y / height, w / width, h / height), abs=0.01)


def test_reset_ends_all_alerts() -> None:
    demo = DemoPipeline()
    (start,) = demo.watch(1.0)
    demo.pipeline.reset_tracks()
    again = demo.watch(1.0)
    assert kinds(again) == [("no_mask_end", "left"), ("no_mask_start", None)]
    assert start.episode == again[0].episode != again[1].episode


def crowd_picture(demo: DemoPipeline) -> tuple[Pixels, list[Face]]:
    """Return the bare face of the demo at three places, and their boxes."""
    x, y, w, h = (round(value) for value in demo.detector.faces[0].box_px)
    face = demo.picture[y - 20 : y + h + 20, x - 20 : x + w + 20]
    picture, faces = demo.picture.copy(), []
    for left in (30, 248, 460):
        picture[y - 20 : y + h + 20, left - 20 : left + w + 20] = face
        faces.append(Face((float(left), float(y), float(w), float(h)), 20))
    return picture, faces


def test_crowd_is_searched_less_often_once_everybody_is_decided() -> None:
    demo = DemoPipeline()
    picture, demo.detector.faces = crowd_picture(demo)
    assert kinds(demo.watch(1.0, picture)) == [("no_mask_start", None)] * 3
    before, shown = demo.pipeline.work_counts["none"], []
    for _ in range(20):
        assert demo.watch(PERIOD_S, picture) == []
        if demo.pipeline.has_searched:
            shown.append(len(demo.pipeline.alert_boxes(demo.now_s - PERIOD_S)))
    assert demo.pipeline.work_counts["none"] - before == 10
    assert shown == [3] * 10


def test_crowd_is_searched_in_every_frame_while_an_alert_is_pending() -> None:
    demo = DemoPipeline(change(SETTINGS, events={"confirm_s": 3.0}))
    picture, demo.detector.faces = crowd_picture(demo)
    assert demo.watch(2.5, picture) == []
    assert demo.pipeline.work_counts["none"] == 0
    assert kinds(demo.watch(1.0, picture)) == [("no_mask_start", None)] * 3


def test_crowd_keeps_its_tracks_with_a_short_time_to_leave() -> None:
    demo = DemoPipeline(change(SETTINGS, tracker={"leave_after_s": 0.15}))
    picture, demo.detector.faces = crowd_picture(demo)
    assert kinds(demo.watch(4.0, picture)) == [("no_mask_start", None)] * 3


def test_dark_face_is_tracked_without_alert() -> None:
    demo = DemoPipeline()
    dark = (demo.picture * 0.01).astype(np.uint8)
    assert demo.watch(3.0, dark) == []
    (track,) = demo.pipeline.tracks
    assert (track.readings, track.sightings) == (0, 30)
    assert demo.pipeline.finish(demo.now_s) == []
    assert demo.pipeline.people_counts["hour"]["unsure"] == 1


def test_time_without_frames_ends_the_alert() -> None:
    demo = DemoPipeline()
    demo.watch(1.0)
    assert demo.pipeline.advance_time(demo.now_s) == []
    demo.now_s += SETTINGS.tracker.leave_after_s
    assert kinds(demo.pipeline.advance_time(demo.now_s)) == [("no_mask_end", "left")]
    assert demo.pipeline.people_counts["hour"]["no_mask"] == 1


def test_alert_boxes_are_those_of_the_newest_frame() -> None:
    demo = DemoPipeline()
    demo.watch(1.0)
    last_frame_s = demo.now_s - PERIOD_S
    (box,) = demo.pipeline.alert_boxes(last_frame_s)
    assert box == pytest.approx((248 / 640, 138 / 480, 108 / 640, 108 / 480))
    assert demo.pipeline.alert_boxes(demo.now_s) == ()


def test_camera_that_is_too_slow_for_alerts_is_reported(
    caplog: pytest.LogCaptureFixture,
) -> None:
    demo = DemoPipeline()

    def watch(period_s: float) -> list[Event]:
        events: list[Event] = []
        for _ in range(10):
            events += demo.pipeline.process(Frame(demo.picture, demo.now_s, demo.pipeline.frames))
            demo.now_s += period_s
        return events

    assert watch(2.5) == []
    assert "a frame every 2.5 s" in demo.pipeline.warning
    assert kinds(watch(1.5)) == [("no_mask_start", None)]
    assert demo.pipeline.warning == ""
    assert [record.getMessage().split(":")[0] for record in caplog.records] == [
        "nobody can cause an alert",
        "frames come often enough again",
    ]


def test_work_counts_add_up_to_the_frames() -> None:
    demo = DemoPipeline()
    demo.watch(3.0)
    counts = dict(demo.pipeline.work_counts)
    assert counts.pop("unclassified") > 10
    assert sum(counts.values()) == demo.pipeline.frames == 30
    assert counts["none"] == 0


def test_change_of_settings_keeps_tracks_and_alerts() -> None:
    demo = DemoPipeline()
    (start,) = demo.watch(1.0)
    changed = change(SETTINGS, tracker={"leave_after_s": 0.5}, events={"alert_threshold": 0.9})
    demo.pipeline.change(changed, FaceDetector.of(demo.detector), demo.classifier)
    assert demo.watch(1.0) == []
    demo.detector.faces = []
    (end,) = demo.watch(1.0)
    assert (end.episode, end.ended_by) == (start.episode, "left")


def test_change_of_model_keeps_alerts_and_drops_evidence() -> None:
    demo = DemoPipeline()
    (start,) = demo.watch(1.0)
    settings = change(SETTINGS, events={"alert_on": ["no_mask", "incorrect_mask"]})
    demo.pipeline.change(settings, FaceDetector.of(demo.detector), Classifier(shipped_model()))
    assert demo.watch(PERIOD_S) == []
    assert demo.pipeline.tracks[0].readings == 1
    assert demo.pipeline.tracks[0].labels == ("mask", "no_mask", "incorrect_mask")
    assert demo.watch(1.0) == []
    (end,) = demo.pipeline.finish(demo.now_s)
    assert (end.episode, end.ended_by, end.label) == (start.episode, "shutdown", "no_mask")


def test_stop_after_a_change_of_model_ends_the_alert() -> None:
    demo = DemoPipeline()
    demo.watch(1.0)
    demo.pipeline.change(SETTINGS, FaceDetector.of(demo.detector), Classifier(shipped_model()))
    assert kinds(demo.pipeline.finish(demo.now_s)) == [("no_mask_end", "shutdown")]


def test_refused_change_changes_nothing() -> None:
    demo = DemoPipeline()
    demo.watch(1.0)
    settings = change(SETTINGS, events={"alert_on": ["incorrect_mask"]})
    with pytest.raises(UserError, match="contains incorrect_mask"):
        demo.pipeline.change(settings, FaceDetector.of(demo.detector), demo.classifier)
    with pytest.raises(UsageError, match=r"camera\.zone"):
        demo.pipeline.change(
            zoned((0.0, 0.0), (1.0, 1.0)), FaceDetector.of(demo.detector), demo.classifier
        )
    assert demo.pipeline.alert_count == 1
    assert demo.watch(1.0) == []


@pytest.mark.parametrize(
    ("scores", "counted"),
    [
        (None, "mask"),
        ({"mask": 0.9, "no_mask": 0.9}, "mask"),
        ({"mask": 1, "no_mask": 1}, "unsure"),
    ],
    ids=["card of an earlier version", "sure", "unsure"],
)
def test_unsure_face_is_no_evidence_for_a_label(
    tmp_path: Path, scores: dict[str, float] | None, counted: str
) -> None:
    # With two labels the highest score of an int8 model is 1, with three it is 255/256.
    demo = DemoPipeline(model=write_model(tmp_path / "m.tflite", scores), two_labels=False)
    masked = demo_frame(13.0)
    demo.detector.faces = [Face((334.0, 138.0, 102.0, 102.0), 20)]
    assert demo.watch(2.0, masked) == []
    assert bool(demo.pipeline.tracks[0].evidence) == (counted != "unsure")
    demo.pipeline.finish(demo.now_s)
    counts = dict(demo.pipeline.people_counts["hour"])
    assert {label: n for label, n in counts.items() if label != "from" and n} == {counted: 1}


def test_reading_that_reaches_the_alert_threshold_is_never_unsure(tmp_path: Path) -> None:
    model = write_model(tmp_path / "m.tflite", {"mask": 1.0, "no_mask": 1.0})
    demo = DemoPipeline(model=model)
    assert kinds(demo.watch(1.0)) == [("no_mask_start", None)]


@pytest.mark.parametrize(("mask_score", "ended"), [(0.9, 1), (1.0, 0)])
def test_unsure_readings_end_no_alert(tmp_path: Path, mask_score: float, ended: int) -> None:
    model = write_model(tmp_path / "m.tflite", {"mask": mask_score, "no_mask": 0.9})
    demo = DemoPipeline(model=model, two_labels=False)
    demo.watch(1.0)
    masked = demo.picture.copy()
    masked[138:240, 248:350] = demo_frame(13.0)[138:240, 334:436]
    assert kinds(demo.watch(3.0, masked)) == [("no_mask_end", "masked")] * ended
    assert demo.pipeline.alert_count == 1 - ended


def test_alert_label_that_the_model_lacks_is_refused() -> None:
    settings = change(SETTINGS, events={"alert_on": ["no_mask", "incorrect_mask"]})
    with pytest.raises(UserError) as raised:
        DemoPipeline(settings)
    assert str(raised.value) == (
        "`events.alert_on` contains incorrect_mask, but the labels of the model are mask, no_mask:"
        " remove it from this setting, or use a model with this label (an empty `classifier.model`"
        " selects the shipped one)"
    )


@pytest.mark.slow
def test_people_of_the_demo_clip_are_counted() -> None:
    played = Player().play(joined_frames([demo_clip()], fps=7.5))
    counts = dict(played.pipeline.people_counts["hour"])
    assert counts.pop("from") == "1970-01-01T00:00:00Z"
    assert counts == {"mask": 1, "no_mask": 2, "incorrect_mask": 0, "unsure": 0}
    assert played.pipeline.people_counts["last_hour"] is None
