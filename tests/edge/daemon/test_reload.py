from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.camera.feed import CameraFeed
from edge.camera.source import Source
from edge.camera.source_factory import open_source
from edge.common.clock import UtcClock
from edge.common.errors import UserError
from edge.common.stage_times import StageTimes
from edge.config.settings import Settings, change
from edge.daemon.configuration import Configuration, load_configuration
from edge.daemon.reload import Reload
from edge.events.pipeline import Pipeline
from tests.support.camera.mjpeg_server import SilentServer
from tests.support.footage.pictures import write_clip
from tests.support.models.two_label_model import write_two_label_model
from tests.support.models.unsure_models import write_model
from tests.support.waiting import wait_until


def open_unlimited(settings: Settings) -> Source:
    return open_source(settings.camera)


class RunningDaemon:
    """The parts of a running daemon that a reload changes, and the next configuration."""

    def __init__(self, feed: CameraFeed, settings: Settings) -> None:
        self.settings = self.next = settings
        self.feed = feed
        running = load_configuration(settings)
        self.pipeline = pipeline = Pipeline(
            settings, running.detector, running.classifier, UtcClock(lambda: 0.0), StageTimes()
        )
        self.applied: list[Configuration] = []
        self.reload = Reload(
            running, lambda: self.next, open_unlimited, feed, pipeline, self.applied.append
        )

    def finish_reload(self) -> None:
        """Begin a reload and continue it until it is finished, as the loop does."""

        def finished() -> bool:
            self.feed.take(0.1)
            return self.reload()

        wait_until(finished, "the reload")

    def brightness(self) -> int:
        """The mean grey value of the next frame, which differs between the clips."""
        while (frame := self.feed.take(20.0)) is None:
            assert not self.feed.over
        return int(frame.image_bgr.mean())


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[RunningDaemon]:
    clip = write_clip(tmp_path / "dark.mp4", [60] * 2000)
    settings = change(Settings(), device="d", camera={"source": str(clip)})
    stopped = threading.Event()
    with CameraFeed(lambda: open_source(settings.camera), settings.camera, stopped) as feed:
        yield RunningDaemon(feed, settings)
        stopped.set()


def test_new_source_replaces_the_old_one(tmp_path: Path, daemon: RunningDaemon) -> None:
    assert daemon.brightness() < 100
    bright = write_clip(tmp_path / "bright.mp4", [200] * 2000)
    daemon.next = change(daemon.settings, camera={"source": str(bright), "name": "hall"})
    daemon.finish_reload()
    assert daemon.brightness() > 150
    assert daemon.applied[0].settings.camera.name == "hall"


@pytest.mark.slow
def test_nothing_changes_before_the_new_camera_delivers(
    tmp_path: Path, daemon: RunningDaemon
) -> None:
    with SilentServer() as silent:
        camera = {"source": silent.url, "timeout_s": 1.0, "name": "hall"}
        daemon.next = change(daemon.settings, camera=camera, tracker={"window_s": 2.0})
        assert not daemon.reload()
        wait_until(lambda: bool(silent.connections), "the feed connects to the silent server")
        assert daemon.brightness() < 100
        assert daemon.applied == []
        with pytest.raises(UserError, match="no video stream at http"):
            daemon.finish_reload()
    assert daemon.applied == []
    assert daemon.brightness() < 100
    # The next reload is not affected by the refused configuration.
    daemon.next = daemon.settings
    daemon.finish_reload()
    assert daemon.applied[0].settings == daemon.settings


@pytest.mark.slow
@pytest.mark.parametrize(
    "wrong",
    [
        {"camera": {"source": "/nowhere.mp4"}},
        {"classifier": {"model": "/nowhere.tflite"}},
        {"detector": {"cascade": "/nowhere.xml"}},
        {"classifier": {"model": "two-labels.tflite"}, "events": {"alert_on": ["incorrect_mask"]}},
        {"classifier": {"model": "two-labels.tflite", "classes": 3}},
        {"camera": {"zone": [[0.1, 0.1], [0.9, 0.9]]}},
        {"snapshot": {"enabled": True, "path": "~no-such-user/pictures"}},
    ],
)
def test_invalid_configuration_changes_nothing(
    daemon: RunningDaemon,
    wrong: dict[str, object],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(write_two_label_model(tmp_path / "two-labels.tflite").parent)
    daemon.next = change(daemon.settings, tracker={"window_s": 2.0}, **wrong)
    with pytest.raises(UserError):
        daemon.finish_reload()
    assert daemon.applied == []
    assert daemon.brightness() < 100
    # The next valid configuration is compared with the configuration in use.
    daemon.next = change(daemon.settings, tracker={"window_s": 3.0})
    daemon.finish_reload()
    assert daemon.applied[0].settings.tracker.window_s == 3.0


def test_fixed_settings_keep_their_values(
    daemon: RunningDaemon, caplog: pytest.LogCaptureFixture
) -> None:
    daemon.next = change(daemon.settings, device="other", detector={"min_face": 0.2})
    daemon.finish_reload()
    settings = daemon.applied[0].settings
    assert (settings.device, settings.detector.min_face) == ("d", 0.2)
    assert "the new `device` takes effect at the next start" in caplog.text


def test_new_alert_label_changes_the_answer_of_the_model(daemon: RunningDaemon) -> None:
    three = ("mask", "no_mask", "incorrect_mask")
    for alert_on, labels in ((["no_mask", "incorrect_mask"], three), (["no_mask"], three[:2])):
        daemon.next = change(daemon.settings, events={"alert_on": alert_on})
        daemon.finish_reload()
        applied = daemon.applied[-1].classifier
        assert applied.answer.labels == labels
        assert applied.answer.alert == (
            applied.card.alert if labels == three else applied.card.two_labels.alert  # type: ignore[union-attr]
        )


def test_model_replaced_under_its_name_is_loaded(tmp_path: Path, daemon: RunningDaemon) -> None:
    model = tmp_path / "my.tflite"
    shutil.copy("models/mask.tflite", model)
    daemon.next = change(daemon.settings, classifier={"model": str(model)})
    daemon.finish_reload()
    write_model(model, {"mask": 0.9, "no_mask": 0.9})
    daemon.finish_reload()
    assert daemon.applied[1].classifier.digest != daemon.applied[0].classifier.digest


def test_picture_is_turned_at_once_and_tracks_end(daemon: RunningDaemon) -> None:
    """The zone and the tracks belong to the picture as it was before."""

    def size_px() -> tuple[int, int]:
        while (frame := daemon.feed.take(20.0)) is None:
            assert not daemon.feed.over
        return frame.size_px

    assert size_px() == (120, 160)
    daemon.pipeline.tracks = ("a track",)  # type: ignore[assignment]
    daemon.next = change(daemon.settings, camera={"rotate": 270, "mirror": True})
    assert daemon.reload()  # the clip is not opened again
    assert daemon.pipeline.tracks == ()
    assert size_px() == (160, 120)
    assert daemon.feed.status().reopened == 0
