"""Read the streams whose addresses are on standard input, as the daemon does; print the results.

The script runs in a process of its own, because native code decodes what a camera sends. Each line
of output is JSON: how many frames were delivered, and the error that ended the stream.
"""

from __future__ import annotations

import json
import os
import sys

os.environ["OPENCV_LOG_LEVEL"] = "SILENT"

from edge.camera.source import SourceError
from edge.camera.source_factory import open_source
from edge.config.settings import CameraSettings

TIMEOUT_S = 3.0
#: Enough to reach the end of most streams that the tests serve.
MAX_FRAMES = 20
#: A snapshot is requested this often per second.
FPS = 120.0


def read(url: str) -> tuple[int, str]:
    """Return how many frames arrived, and why no more did."""
    frames = 0
    try:
        source = open_source(CameraSettings(source=url, timeout_s=TIMEOUT_S, fps=FPS))
        try:
            while frames < MAX_FRAMES:
                frame = source.read()
                if frame is None:
                    return frames, ""
                assert frame.image_bgr.ndim == 3
                frames += 1
        finally:
            source.close()
    except SourceError as error:
        return frames, str(error)
    return frames, ""


if __name__ == "__main__":
    for line in sys.stdin:
        sys.stdout.write(json.dumps(read(line.strip())) + "\n")
        sys.stdout.flush()
