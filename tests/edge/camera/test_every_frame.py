from __future__ import annotations

from pathlib import Path

from edge.camera.every_frame import EveryFrame
from edge.camera.recordings import VideoFile
from tests.support.footage.pictures import write_clip


def test_feed_ends_after_every_frame(tmp_path: Path) -> None:
    now_s = [5.0]
    with EveryFrame(
        VideoFile(write_clip(tmp_path / "clip.mp4", [0] * 30)), lambda: now_s[0]
    ) as feed:
        assert feed.status().state == "starting"
        for _ in range(30):
            assert not feed.over
            assert feed.take(0.0) is not None
        now_s[0] = 7.0
        assert (feed.status().state, feed.status().frame_age_s) == ("ok", 2.0)
        assert feed.take(0.0) is None
        assert feed.over
