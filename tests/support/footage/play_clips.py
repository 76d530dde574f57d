"""Play video files as the daemon does; print a line of JSON per file.

The files are named by the command line, or by the lines of the standard input.

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

# Disable the log messages of OpenCV, as the daemon does.
os.environ["OPENCV_LOG_LEVEL"] = "SILENT"

from edge.camera.every_frame import EveryFrame
from edge.camera.source import SourceError, is_picture
from edge.camera.video.recordings import VideoFile

MAX_COLOURS = 20


def resources() -> dict[str, int]:
    """Return the number of open descriptors and of threads, which a leak would increase."""
    return {
        "descriptors": len(list(Path("/proc/self/fd").iterdir())),
        "threads": len(list(Path("/proc/self/task").iterdir())),
    }


def play(path: Path) -> dict[str, Any]:
    """Play `path` and return the number of frames, any error, and the resources in use.

    `colours` are the mean levels (BGR) of the first frames.
    """
    frames, error, usable = 0, "", True
    colours: list[list[float]] = []
    started_s = time.monotonic()
    try:
        with EveryFrame(VideoFile(path)) as feed:
            while (frame := feed.take(0.0)) is not None:
                frames += 1
                usable = usable and is_picture(frame.image_bgr)
                if len(colours) < MAX_COLOURS:
                    colours.append(frame.image_bgr.mean(axis=(0, 1)).round(1).tolist())
    except SourceError as failure:
        error = str(failure)
    took_s = round(time.monotonic() - started_s, 2)
    outcome = {"frames": frames, "error": error, "usable": usable, "took_s": took_s}
    return {**outcome, "colours": colours, **resources()}


def main() -> None:
    """Play the files one after the other."""
    for name in sys.argv[1:] or map(str.strip, sys.stdin):
        sys.stdout.write(json.dumps(play(Path(name))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
