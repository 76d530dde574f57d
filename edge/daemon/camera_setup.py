"""Builds the camera feed, and the clocks that belong to its frames."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from edge.camera.controls.unsupported_controls import UnsupportedControls
from edge.camera.every_frame import EveryFrame
from edge.camera.feed import CameraFeed
from edge.camera.frame_rate_limit import FrameRateBudget
from edge.camera.source import Source
from edge.camera.source_factory import frame_rate_limit, is_recorded, open_source
from edge.common.clock import UtcClock, monotonic_offset_s
from edge.config.settings import Settings


@dataclass(frozen=True)
class Camera:
    """The camera feed; a reload calls `open_source` to open the source of other settings."""

    feed: EveryFrame | CameraFeed
    open_source: Callable[[Settings], Source]


@dataclass(frozen=True)
class FrameClock:
    """How the times of frames relate to the clocks of this machine.

    `utc` converts a frame's time to UTC. `now`, the clock that live frames are timed with, is
    None for frames that have the recording's own times. `starts_at_s` is the time of the start
    on the frames' clock.
    """

    utc: UtcClock
    now: Callable[[], float] | None
    starts_at_s: float


def build_camera(
    settings: Settings, fast: bool, budget: FrameRateBudget, stopped: threading.Event
) -> Camera:
    """Build the feed of `settings.camera`; the caller enters it as a context.

    `fast` delivers every frame of a recording as quickly as frames are taken; a live source
    keeps its own pace. Raises UserError when `fast` is set and the recording cannot be opened.
    """

    unsupported = UnsupportedControls()

    def open_settings(settings: Settings) -> Source:
        # A recording that is played fast must give the same result however hot the board is.
        limit = frame_rate_limit(settings.camera, FrameRateBudget() if fast else budget)
        return open_source(settings.camera, limit, settings.detector.width_px, unsupported)

    if fast and is_recorded(settings.camera):
        return Camera(EveryFrame(open_settings(settings)), open_settings)
    feed = CameraFeed(lambda: open_settings(settings), settings.camera, stopped)
    return Camera(feed, open_settings)


def build_frame_clock(camera: Camera) -> FrameClock:
    """Build the clock of the camera's frames.

    A recording that is played fast is treated as if it began now.
    """
    if isinstance(camera.feed, EveryFrame):
        started_s = time.time()
        return FrameClock(UtcClock(lambda: started_s), None, 0.0)
    return FrameClock(UtcClock(monotonic_offset_s), time.monotonic, time.monotonic())
