from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from edge.bench import footage
from edge.camera.source import SourceError
from edge.common.errors import UsageError, UserError
from edge.config.settings import Settings, change
from edge.detection.haar_detector import HaarDetector
from tests.support.footage.pictures import write_clip

SETTINGS = Settings(device="door1")


def test_clips_can_be_replayed_and_cut(tmp_path: Path) -> None:
    path = str(write_clip(tmp_path / "hall.mp4", [10] * 40, fps=20.0))
    whole, cut = footage.clip(path, SETTINGS), footage.clip(path, SETTINGS, seconds=1.0)
    assert [len(list(whole.frames())), len(list(whole.frames()))] == [40, 40]
    assert len(list(cut.frames())) == 20


def test_clips_are_turned_but_not_the_demo(tmp_path: Path) -> None:
    path = str(write_clip(tmp_path / "hall.mp4", [10] * 3))
    settings = change(SETTINGS, camera={"rotate": 90, "mirror": True, "controls": {"gain": 2.0}})
    sizes = [next(footage.clip(name, settings).frames()).size_px for name in (path, "demo")]
    assert sizes == [(160, 120), (480, 640)]


def test_only_the_whole_demo_has_expected_events() -> None:
    assert footage.clip("demo", SETTINGS).expected == footage.DEMO_EVENTS
    assert footage.clip("demo", SETTINGS, seconds=1.0).expected is None


@pytest.mark.parametrize("source", ["rtsp://me:secret@camera/1", "/dev/video0", "picamera2"])
def test_live_sources_are_refused(source: str) -> None:
    with pytest.raises(UsageError, match="video files and folders") as caught:
        footage.clip(source, SETTINGS)
    assert "secret" not in str(caught.value)


def test_missing_and_empty_clips_are_reported() -> None:
    with pytest.raises(SourceError, match=r"nowhere\.mp4"):
        footage.checked(footage.clip("nowhere.mp4", SETTINGS))
    with pytest.raises(UserError, match="no frame in void"):
        footage.checked(footage.Scene("void", lambda: iter(())))


def test_empty_scene_is_noisy_and_reproducible() -> None:
    scene = footage.empty(SETTINGS)
    first, again = (list(islice(scene.frames(), 3)) for _ in range(2))
    for one, other in zip(first, again, strict=True):
        assert np.array_equal(one.image_bgr, other.image_bgr)
    apart = np.abs(first[0].image_bgr.astype(int) - first[1].image_bgr)
    assert 0 < apart.mean() < 2 * footage.NOISE_SIGMA
    assert len(list(footage.empty(SETTINGS, seconds=1.0).frames())) == footage.EMPTY_FPS
    assert HaarDetector(SETTINGS.detector).find(first[0].image_bgr) == []


def test_people_scene_has_a_face_throughout() -> None:
    detector = HaarDetector(SETTINGS.detector)
    small = footage.people(SETTINGS)
    shown = list(small.frames())
    assert 0.0 <= shown[0].captured_at_s < 0.1
    for frame in (shown[0], shown[-1], next(footage.larger(small).frames())):
        assert len(detector.find(frame.image_bgr)) == 1


def test_larger_frames_have_the_stated_size() -> None:
    frame = next(footage.larger(footage.people(SETTINGS)).frames())
    assert frame.size_px == footage.LARGE_PX
