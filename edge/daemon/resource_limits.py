"""Limits on the processor time that this process takes: its priority and OpenCV's threads."""

from __future__ import annotations

import os

import cv2

from edge.config.settings import LoadSettings


def limit_resources(settings: LoadSettings) -> None:
    """Apply `[load]` to this process; must be called before the process starts threads.

    A process that was started with a higher nice value than `settings.nice` keeps it, because
    only root may lower it. With 0 the nice value is left alone.
    """
    cv2.setNumThreads(settings.opencv_threads)
    if settings.nice > max(0, now := os.nice(0)):
        os.nice(settings.nice - now)
