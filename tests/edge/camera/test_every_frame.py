from __future__ import annotations

from pathlib import Path

from edge.camera.every_frame import EveryFrame
from edge.camera.source_factory import open_source
from edge.camera.video.recordings import VideoFile
from edge.config.settings import CameraSettings
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


def test_reload_turns_the_next_frame(tmp_path: Path) -> None:
    settings = CameraSettings(source=str(write_clip(tmp_path / "clip.mp4", [0] * 3)), rotate=90)
    with EveryFrame(open_source(settings), Clock()) as feed:
        first = feed.take(0.0)
        feed.adjust(CameraSettings(source=settings.source))
        second = feed.take(0.0)
        assert first is not None
        assert second is not None
        assert (first.size_px, second.size_px) == ((160, 120), (120, 160))
        assert second.index == 1
