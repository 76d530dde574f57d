"""Frames of the demo clip, and the faces that the shipped detector finds in them."""

from __future__ import annotations

import cv2
import numpy as np

from edge.camera.video.recordings import VideoFile
from edge.common.arrays import Box, Pixels
from edge.common.paths import demo_clip
from edge.config.settings import DetectorSettings
from edge.detection.haar_detector import HaarDetector


def demo_frame(at_s: float) -> Pixels:
    """Return the frame of the demo clip at `at_s` seconds, in BGR."""
    capture = cv2.VideoCapture(str(demo_clip()))
    capture.set(cv2.CAP_PROP_POS_MSEC, at_s * 1000.0)
    delivered, image = capture.read()
    capture.release()
    assert delivered
    return np.asarray(image, np.uint8)


def demo_frames(every: int, at_most: int) -> list[Pixels]:
    """Return every `every`-th frame of the demo clip, in BGR, up to `at_most` frames."""
    source, frames = VideoFile(demo_clip()), []
    while (frame := source.read()) is not None and len(frames) < at_most:
        if frame.index % every == 0:
            frames.append(frame.image_bgr)
    source.close()
    return frames


def faces_in(image: Pixels) -> list[Box]:
    """Return the boxes of the faces that the shipped detector finds in `image`."""
    return [face.box_px for face in HaarDetector(DetectorSettings()).find(image)]


def demo_frame_with_a_face() -> Pixels:
    """Return the first frame of the demo clip in which the cascade finds exactly one face."""
    capture = cv2.VideoCapture(str(demo_clip()))
    detector = HaarDetector(DetectorSettings())
    while True:
        delivered, image = capture.read()
        assert delivered, "no frame of the demo clip shows exactly one face"
        if len(detector.find(np.asarray(image, np.uint8))) == 1:
            return np.asarray(image, np.uint8)
