from __future__ import annotations

from pathlib import Path

from edge.camera.every_frame import EveryFrame
from edge.camera.recordings import VideoFile
from tests.support.clock import Clock
from tests.support.footage.pictures import write_clip


def test_feed_ends_after_every_frame(tmp_path: Path) -> None:
    clock = Clock()
    with EveryFrame(VideoFile(write_clip(tmp_path / "clip.mp4", [0] * 30)), clock) as feed:
        assert feed.status().state == "starting"
        for _ in range(30):
            assert not feed.over
            assert feed.take(0.0) is not None
        clock.advance(2.0)
        assert (feed.status().state, feed.status().frame_age_s) == ("ok", 2.0)
        assert feed.take(0.0) is None
        assert feed.over
