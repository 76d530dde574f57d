"""Plays each video file named on the command line, as the daemon would; one JSON line for each.

Run as a process of its own: what a damaged file does to native code must not end the tests.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

# As the program does it: FFmpeg has much to say about damaged files.
os.environ["OPENCV_LOG_LEVEL"] = "SILENT"
os.environ["OPENCV_FFMPEG_LOGLEVEL"] = "-8"

from edge.camera.every_frame import EveryFrame
from edge.camera.recordings import VideoFile
from edge.camera.source import SourceError, is_picture


def held() -> dict[str, int]:
    """What a leak would add to."""
    return {
        "descriptors": len(list(Path("/proc/self/fd").iterdir())),
        "threads": len(list(Path("/proc/self/task").iterdir())),
    }


def play(path: Path) -> dict[str, Any]:
    """How far it could be played."""
    frames, error, usable = 0, "", True
    started_s = time.monotonic()
    try:
        with EveryFrame(VideoFile(path)) as feed:
            while (frame := feed.take(0.0)) is not None:
                frames += 1
                usable = usable and is_picture(frame.image_bgr)
    except SourceError as failure:
        error = str(failure)
    took_s = round(time.monotonic() - started_s, 2)
    return {"frames": frames, "error": error, "usable": usable, "took_s": took_s, **held()}


def main() -> None:
    """Play them in turn."""
    for name in sys.argv[1:]:
        sys.stdout.write(json.dumps(play(Path(name))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
