from __future__ import annotations

import threading
from pathlib import Path

import pytest

from edge.camera.feed import CameraFeed
from edge.camera.video.recordings import PictureFolder, VideoFile
from edge.common.errors import UserError
from tests.support.camera.fake_camera import (
    FEED_SETTINGS,
    FeedBench,
    wait_for_threads,
)
from tests.support.footage.pictures import write_clip, write_picture


def test_recording_ends_and_is_not_reopened() -> None:
    with FeedBench(live=False) as bench:
        source = bench.camera.source
        source.deliver(100)
        assert bench.next_frame().captured_at_s == pytest.approx(1000.01)
        assert not bench.feed.over
        source.deliver(100, None)
        bench.clock.advance(1.0)
        wait_for_threads(0)
        assert not bench.feed.over
        assert bench.feed.take(1.0) is not None
        assert bench.feed.over
        assert bench.feed.take(60.0) is None
        bench.clock.advance(1000.0)
        assert bench.feed.take(0.0) is None
        assert bench.camera.attempts == 1


def test_error_of_a_recording_follows_its_last_frame() -> None:
    with FeedBench(live=False) as bench:
        bench.camera.source.deliver(100, MemoryError("huge frame"))
        bench.feed.take(0.0)
        wait_for_threads(0)
        assert bench.feed.take(0.0) is not None
        with pytest.raises(MemoryError, match="huge frame"):
            bench.feed.take(0.0)
        assert not bench.feed.over


def test_error_names_the_broken_picture_of_a_folder(tmp_path: Path) -> None:
    write_picture(tmp_path / "1.png", 100)
    (tmp_path / "2.png").write_bytes(b"broken")
    feed = CameraFeed(lambda: PictureFolder(tmp_path, 50.0), FEED_SETTINGS, threading.Event())
    with feed:
        assert feed.take(5.0) is not None
        with pytest.raises(UserError, match=r"2\.png is not a picture"):
            feed.take(5.0)


def test_recording_plays_at_its_own_speed(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", [10, 20, 30, 40], fps=10.0)
    times_s = []
    with CameraFeed(lambda: VideoFile(clip), FEED_SETTINGS, threading.Event()) as feed:
        while not feed.over:
            frame = feed.take(5.0)
            if frame is not None:
                times_s.append(frame.captured_at_s)
        status = feed.status()
    assert (status.state, status.reopened) == ("ok", 0)
    assert len(times_s) + status.dropped == 4
    assert times_s[-1] - times_s[0] == pytest.approx((len(times_s) + status.dropped - 1) / 10, 0.4)
    descriptors = Path("/proc/self/fd").iterdir()
    assert not [fd for fd in descriptors if fd.resolve() == clip.resolve()]
