"""Play the video files of the command line as the daemon does; print a line of JSON per file.

The script runs in a separate process, so that a damaged file that crashes native code does not end
the tests.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

# Disable the log messages of OpenCV and FFmpeg, as the daemon does: FFmpeg writes many messages
# about damaged files.
os.environ["OPENCV_LOG_LEVEL"] = "SILENT"

from edge.camera.every_frame import EveryFrame
from edge.camera.recordings import VideoFile
from edge.camera.source import SourceError, is_picture


def resources() -> dict[str, int]:
    """Return the number of open descriptors and of threads, which a leak would increase."""
    return {
        "descriptors": len(list(Path("/proc/self/fd").iterdir())),
        "threads": len(list(Path("/proc/self/task").iterdir())),
    }


def play(path: Path) -> dict[str, Any]:
    """Play `path` and return the number of frames, any error, and the resources in use."""
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
    return {"frames": frames, "error": error, "usable": usable, "took_s": took_s, **resources()}


def main() -> None:
    """Play the files one after the other."""
    for name in sys.argv[1:]:
        sys.stdout.write(json.dumps(play(Path(name))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
