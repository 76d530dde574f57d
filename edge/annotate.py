"""Boxes, labels and scores drawn on a picture, legible at any size."""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np

from edge.framing import Pixels
from edge.stills import StillFace

#: BGR; red, green and amber as in traffic lights, dark enough for white letters.
COLOURS = {"mask": (60, 140, 20), "no_mask": (40, 30, 210), "incorrect_mask": (0, 125, 225)}
WORDS = {"mask": "mask", "no_mask": "NO MASK", "incorrect_mask": "mask worn wrong"}
FONT = cv2.FONT_HERSHEY_SIMPLEX
WHITE = (255, 255, 255)
#: Height of the letters as a share of the picture's longer side, and its bounds in pixels.
LETTER_SHARE, MIN_LETTER_PX, MAX_LETTER_PX = 1 / 45, 9, 60
#: Height in pixels of FONT's capitals at scale 1 (OpenCV's Hershey simplex).
FONT_HEIGHT_PX = 22


def annotated(image_bgr: Pixels, faces: Iterable[StillFace]) -> Pixels:
    """A copy of `image_bgr` with each face's box, label and score; never smaller than legible.

    Small pictures are enlarged first, so that the words fit.
    """
    longest = max(image_bgr.shape[:2])
    zoom = max(1.0, 320 / longest)
    size = (round(image_bgr.shape[1] * zoom), round(image_bgr.shape[0] * zoom))
    enlarged = cv2.resize(image_bgr, size, interpolation=cv2.INTER_CUBIC)
    picture = np.array(enlarged, dtype=np.uint8)
    for face in faces:
        _draw(picture, face, zoom)
    return picture


def _draw(picture: Pixels, face: StillFace, zoom: float) -> None:
    height, width = picture.shape[:2]
    letter_px = min(MAX_LETTER_PX, max(MIN_LETTER_PX, max(height, width) * LETTER_SHARE))
    scale, line = letter_px / FONT_HEIGHT_PX, max(1, round(letter_px / 7))
    colour = COLOURS[face.scores.label]
    x, y, w, h = (round(v * zoom) for v in face.box_px)
    cv2.rectangle(picture, (x, y), (x + w, y + h), colour, 2 * line, cv2.LINE_AA)
    words = f"{WORDS[face.scores.label]} {round(100 * face.scores.score)}%"
    (tw, th), below = cv2.getTextSize(words, FONT, scale, line)
    pad = line + 2
    # Above the box; where there is no room, inside its top edge, and never outside the picture.
    left = min(max(0, x - line), max(0, width - tw - 2 * pad))
    bottom = y if y - th - below - 2 * pad >= 0 else y + th + below + 2 * pad
    bottom = min(max(bottom, th + below + 2 * pad), height)
    cv2.rectangle(
        picture,
        (left, bottom - th - below - 2 * pad),
        (left + tw + 2 * pad, bottom),
        colour,
        cv2.FILLED,
    )
    origin = (left + pad, bottom - below - pad)
    cv2.putText(picture, words, origin, FONT, scale, WHITE, line, cv2.LINE_AA)
