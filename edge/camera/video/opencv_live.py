"""Local cameras that OpenCV reads through V4L2, the interface of Linux to USB cameras."""

from __future__ import annotations

import math
import os
from pathlib import Path

import cv2
import numpy as np

from edge.camera.frame_rate_limit import FrameFilter, accept_all
from edge.camera.source import AbsentError, SourceError, is_picture
from edge.camera.source_address import is_device
from edge.camera.video.live_source import LiveSource
from edge.common.arrays import Pixels
from edge.config.settings import CameraSettings

JPEG_START = b"\xff\xd8"
MJPG, YUYV = (cv2.VideoWriter.fourcc(*name) for name in ("MJPG", "YUYV"))


class V4l2Capture:
    """A local camera; JPEGs of a camera are decoded here, each by itself.

    OpenCV would decode them, too, but returns the previous picture again if a JPEG is damaged or
    has another size.
    """

    def __init__(self, capture: cv2.VideoCapture) -> None:
        """Take ownership of an open `capture`."""
        self._capture = capture

    def grab(self) -> bool:
        """Wait for the next frame; return False if there is none."""
        return self._capture.grab()

    def retrieve(self) -> Pixels | None:
        """Return the grabbed frame, (height, width, 3) uint8 BGR; None if it is no picture."""
        delivered, frame = self._capture.retrieve()
        if not delivered:
            return None
        if is_picture(frame):
            return frame
        jpeg = np.asarray(frame, np.uint8).reshape(-1)
        if jpeg[:2].tobytes() != JPEG_START:  # OpenCV has decoders that cameras do not need
            return None
        try:
            image = cv2.imdecode(jpeg, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
        except cv2.error:
            return None
        return None if image is None else np.asarray(image, np.uint8)

    def release(self) -> None:
        """Close the camera; a second call does nothing."""
        self._capture.release()


def open_v4l2(
    path: Path, settings: CameraSettings, frame_filter: FrameFilter = accept_all
) -> LiveSource:
    """Open a local camera such as /dev/video0.

    Raises AbsentError when the camera is not connected or another program uses it, which may
    change, and SourceError when it cannot be used for another reason.
    """
    if not path.exists():
        known = sorted(str(p) for p in Path("/dev").glob("video*"))
        hint = f"cameras here: {', '.join(known)}" if known else "no camera is connected"
        raise AbsentError(f"no such camera: {path} ({hint})")
    if not os.access(path, os.R_OK | os.W_OK):
        raise SourceError(f"no permission to use {path}; add this user to the group `video`")
    # OpenCV reads this variable once, at the first frame, in whole seconds. Without it, a camera
    # that stalls blocks its thread for ten seconds, whatever `timeout_s` is.
    os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", str(math.ceil(settings.timeout_s)))
    capture = cv2.VideoCapture(str(path), cv2.CAP_V4L2)
    # The pixel format must be set first, because V4L2 drivers offer sizes and rates for each
    # format. Uncompressed YUYV over USB 2 is slow above 640x480.
    capture.set(cv2.CAP_PROP_FOURCC, MJPG)
    # If no format is set, OpenCV prefers BGR to YUYV, but does not unpack BGR into a picture.
    if capture.isOpened() and int(capture.get(cv2.CAP_PROP_FOURCC)) != MJPG:
        capture.set(cv2.CAP_PROP_FOURCC, YUYV)
    capture.set(cv2.CAP_PROP_FRAME_WIDTH, settings.width_px)
    capture.set(cv2.CAP_PROP_FRAME_HEIGHT, settings.height_px)
    capture.set(cv2.CAP_PROP_FPS, settings.fps)
    capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
    if int(capture.get(cv2.CAP_PROP_FOURCC)) == MJPG:
        capture.set(cv2.CAP_PROP_CONVERT_RGB, 0)  # deliver JPEGs as they are
    if not capture.isOpened():
        capture.release()
        message = f"{path} is not a camera, or another program is using it"
        raise AbsentError(message) if is_device(str(path)) else SourceError(message)
    return LiveSource(
        V4l2Capture(capture),
        str(path),
        settings.timeout_s,
        frame_filter=frame_filter,
        device=path,
    )
