"""Every frame of a recording, as quickly as it can be had."""

from __future__ import annotations

import threading
from collections.abc import Iterator

from edge.camera import Frame, Source


def every_frame(source: Source, stopped: threading.Event) -> Iterator[Frame]:
    """Each frame of `source`, as quickly as they are asked for."""
    while not stopped.is_set() and (frame := source.read()) is not None:
        yield frame
