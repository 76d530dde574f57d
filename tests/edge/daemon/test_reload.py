from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.camera.feed import CameraFeed
from edge.camera.source import Source
from edge.camera.source_factory import open_source
from edge.classification.classifier import Classifier, load_classifier
from edge.common.clock import UtcClock
from edge.common.errors import UserError
from edge.common.stage_times import StageTimes
from edge.config.settings import Settings, change
from edge.daemon.reload import Reload
from edge.detection.face_detector import HaarDetector
from edge.events.pipeline import Pipeline
from tests.support.brokers import wait_until
from tests.support.mjpeg_server import Mute
from tests.support.pictures import write_clip


def opened(settings: Settings) -> Source:
    return open_source(settings.camera)


class Door:
    """A daemon's running parts, and the configuration that is read at the next reload."""

    def __init__(self, folder: Path, feed: CameraFeed, settings: Settings) -> None:
        self.settings = self.next = settings
        self.feed = feed
        classifier = load_classifier(settings.classifier)
        detector = HaarDetector(settings.detector)
        utc = UtcClock(lambda: 0.0)
        pipeline = Pipeline(settings, detector, classifier, utc, StageTimes())
        self.reload = Reload(settings, self.read, opened, feed, pipeline, classifier, detector)
        self.taken_over: list[tuple[Settings, Classifier]] = []
        self.reload.on_change = lambda *now: self.taken_over.append(now)

    def read(self) -> Settings:
        return self.next

    def reloads(self) -> None:
        """To its end, as the loop does it."""

        def done() -> bool:
            self.feed.take(0.1)
            return self.reload()

        wait_until(done, "the reload")

    def brightness(self) -> int:
        """Of the next frame: which clip plays."""
        while (frame := self.feed.take(20.0)) is None:
            assert not self.feed.over
        return int(frame.image_bgr.mean())


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    clip = write_clip(tmp_path / "dark.mp4", [60] * 2000)
    settings = change(Settings(), device="d", camera={"source": str(clip)})
    stopped = threading.Event()
    with CameraFeed(lambda: open_source(settings.camera), settings.camera, stopped) as feed:
        yield Door(tmp_path, feed, settings)
        stopped.set()


def test_another_source_takes_over(tmp_path: Path, door: Door) -> None:
    assert door.brightness() < 100
    bright = write_clip(tmp_path / "bright.mp4", [200] * 2000)
    door.next = change(door.settings, camera={"source": str(bright), "name": "hall"})
    door.reloads()
    assert door.brightness() > 150
    assert door.taken_over[0][0].camera.name == "hall"


def test_nothing_changes_before_the_new_camera_delivers(tmp_path: Path, door: Door) -> None:
    with Mute() as mute:
        camera = {"source": mute.url, "timeout_s": 1.0, "name": "hall"}
        door.next = change(door.settings, camera=camera, tracker={"window_s": 2.0})
        assert not door.reload()
        wait_until(lambda: bool(mute.callers), "it is called")
        assert door.brightness() < 100
        assert door.taken_over == []
        with pytest.raises(UserError, match="no video stream at http"):
            door.reloads()
    assert door.taken_over == []
    assert door.brightness() < 100
    # What was refused is forgotten.
    door.next = door.settings
    door.reloads()
    assert door.taken_over[0][0] == door.settings


@pytest.mark.parametrize(
    "wrong",
    [
        {"camera": {"source": "/nowhere.mp4"}},
        {"classifier": {"model": "/nowhere.tflite"}},
        {"detector": {"cascade": "/nowhere.xml"}},
        {"events": {"alert_on": ["incorrect_mask"]}},
        {"camera": {"zone": [[0.1, 0.1], [0.9, 0.9]]}},
    ],
)
def test_what_is_no_good_changes_nothing(door: Door, wrong: dict[str, object]) -> None:
    door.next = change(door.settings, tracker={"window_s": 2.0}, **wrong)
    with pytest.raises(UserError):
        door.reloads()
    assert door.taken_over == []
    assert door.brightness() < 100
    # … and the next good one is compared with what really runs.
    door.next = change(door.settings, tracker={"window_s": 3.0})
    door.reloads()
    assert door.taken_over[0][0].tracker.window_s == 3.0


def test_what_is_held_open_stays_and_is_told(door: Door, caplog: pytest.LogCaptureFixture) -> None:
    door.next = change(door.settings, device="other", detector={"min_face": 0.2})
    door.reloads()
    (now, _) = door.taken_over[0]
    assert (now.device, now.detector.min_face) == ("d", 0.2)
    assert "the new `device` holds from the next start" in caplog.text


def test_another_model_takes_over(door: Door) -> None:
    door.next = change(
        door.settings,
        classifier={"model": "models/mask3.tflite"},
        events={"alert_on": ["no_mask", "incorrect_mask"]},
    )
    door.reloads()
    assert door.taken_over[0][1].card.labels == ["mask", "no_mask", "incorrect_mask"]


def test_another_model_under_the_same_name_takes_over(tmp_path: Path, door: Door) -> None:
    model = tmp_path / "my.tflite"
    shutil.copy("models/mask.tflite", model)
    door.next = change(door.settings, classifier={"model": str(model)})
    door.reloads()
    shutil.copy("models/mask3.tflite", model)
    door.reloads()
    assert door.taken_over[1][1].digest != door.taken_over[0][1].digest
