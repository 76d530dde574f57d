from __future__ import annotations

import threading
from pathlib import Path

from edge.camera.capture import every_frame
from edge.camera.files import VideoFile
from tests.pictures import write_clip


def test_fast_means_every_frame(tmp_path: Path) -> None:
    stopped = threading.Event()
    clip = write_clip(tmp_path / "clip.mp4", [0] * 30)
    assert len(list(every_frame(VideoFile(clip), stopped))) == 30
    stopped.set()
    assert list(every_frame(VideoFile(clip), stopped)) == []
