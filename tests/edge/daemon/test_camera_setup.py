from __future__ import annotations

import threading
from pathlib import Path

import pytest

from edge.camera.every_frame import EveryFrame
from edge.camera.feed import CameraFeed
from edge.camera.frame_rate_limit import FrameRateBudget
from edge.config.settings import Settings, change
from edge.daemon.camera_setup import Camera, build_camera, build_frame_clock
from tests.support.footage.pictures import write_clip


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    clip = write_clip(tmp_path / "hall.mp4", [90] * 20, fps=20.0)
    return change(Settings(), device="door1", camera={"source": str(clip)})


def build(settings: Settings, fast: bool, share: float = 1.0) -> Camera:
    return build_camera(settings, fast, FrameRateBudget(lambda: share), threading.Event())


def count_frames(camera: Camera) -> int:
    count = 0
    with camera.feed as feed:
        while not feed.over:
            count += feed.take(20.0) is not None
    return count


def test_fast_recording_ignores_the_heat(settings: Settings) -> None:
    camera = build(settings, fast=True, share=0.3)
    assert isinstance(camera.feed, EveryFrame)
    assert count_frames(camera) == 10  # `camera.fps` is half the frame rate of the clip


def test_live_source_keeps_its_own_pace(settings: Settings) -> None:
    address = change(settings, camera={"source": "http://127.0.0.1:1/"})
    assert isinstance(build(address, fast=True).feed, CameraFeed)


def test_fast_recording_has_its_own_clock(settings: Settings) -> None:
    with build(settings, fast=True).feed as feed:
        clock = build_frame_clock(Camera(feed, lambda _: pytest.fail("nothing is opened")))
    assert (clock.now, clock.starts_at_s) == (None, 0.0)
    assert clock.utc.epoch_s(2.0) - clock.utc.epoch_s(0.0) == 2.0


def test_other_sources_use_the_monotonic_clock(settings: Settings) -> None:
    clock = build_frame_clock(build(settings, fast=False))
    assert clock.now is not None
    assert 0.0 < clock.starts_at_s <= clock.now()
