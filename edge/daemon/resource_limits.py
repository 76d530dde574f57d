"""How much of the machine this process may take, told to the system and to OpenCV."""

from __future__ import annotations

import os

import cv2

from edge.config.settings import LoadSettings


def limit_resources(settings: LoadSettings) -> None:
    """Hold for this process from now on; to be called before it starts threads.

    A process that was started to give way more than `settings.nice` says stays so: going back
    is for root. At 0 nothing is changed.
    """
    cv2.setNumThreads(settings.opencv_threads)
    if settings.nice > max(0, now := os.nice(0)):
        os.nice(settings.nice - now)
