"""Draws boxes, labels and scores on an image, legible at any image size."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from edge.classification.unsure import UNSURE
from edge.common.arrays import Pixels
from edge.common.percentages import format_percent
from edge.detection.still_images import StillFace

#: Colours as BGR, dark enough for white letters: those of traffic lights, and grey if the label is
#: unsure.
COLOURS = {
    "mask": (60, 140, 20),
    "no_mask": (40, 30, 210),
    "incorrect_mask": (0, 125, 225),
    UNSURE: (105, 105, 105),
}
LABEL_TEXT = {
    "mask": "mask",
    "no_mask": "NO MASK",
    "incorrect_mask": "mask worn wrong",
    UNSURE: UNSURE,
}
FONT = cv2.FONT_HERSHEY_SIMPLEX
WHITE = (255, 255, 255)
#: Height of the letters as a share of the longer side of the image, and its bounds in pixels.
LETTER_SHARE, MIN_LETTER_PX, MAX_LETTER_PX = 1 / 45, 9, 60
#: Height in pixels of the capital letters of `FONT` (Hershey simplex) at scale 1.
FONT_HEIGHT_PX = 22
#: Smaller images are first enlarged to this longer side, so that the text fits.
MIN_SIDE_PX = 320
#: A label is at most this many times as wide as its face. If the label is wider, its letters are
#: reduced, but not below this share of their normal height.
MAX_LABEL_WIDTH, MIN_SHRINK = 1.3, 0.6


@dataclass(frozen=True)
class _Rectangle:
    """A rectangle in pixels: left, top, right, bottom."""

    left: int
    top: int
    right: int
    bottom: int

    def overlap(self, other: _Rectangle) -> int:
        """Return the number of pixels that both rectangles contain."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        return max(0, width) * max(0, height)


def annotated(image_bgr: Pixels, faces: Sequence[StillFace]) -> Pixels:
    """Return a copy of `image_bgr` with the box, the label and the score of each face.

    If there are several, each label begins with the number of its face, counted from 1 in the order
    of `faces`. Small images are enlarged. Where there is room, labels overlap neither each other
    nor a face.
    """
    zoom = max(1.0, MIN_SIDE_PX / max(image_bgr.shape[:2]))
    size = (round(image_bgr.shape[1] * zoom), round(image_bgr.shape[0] * zoom))
    enlarged = (
        cv2.resize(image_bgr, size, interpolation=cv2.INTER_CUBIC) if zoom > 1.0 else image_bgr
    )
    picture = np.array(enlarged, dtype=np.uint8)
    letter_px = min(MAX_LETTER_PX, max(MIN_LETTER_PX, max(size) * LETTER_SHARE))
    line = max(1, round(letter_px / 7))
    boxes = [_box(face, zoom) for face in faces]
    for face, box in zip(faces, boxes, strict=True):
        colour = COLOURS[face.label]
        corners = (box.left, box.top), (box.right, box.bottom)
        cv2.rectangle(picture, *corners, colour, 2 * line, cv2.LINE_AA)
    taken: list[_Rectangle] = []
    for number, (face, box) in enumerate(zip(faces, boxes, strict=True), 1):
        others = [*taken, *(b for b in boxes if b is not box)]
        text = f"{number} {_text(face)}" if len(faces) > 1 else _text(face)
        taken.append(_write_label(picture, text, COLOURS[face.label], box, letter_px, others))
    return picture


def _box(face: StillFace, zoom: float) -> _Rectangle:
    x, y, w, h = (round(v * zoom) for v in face.box_px)
    return _Rectangle(x, y, x + w, y + h)


def _text(face: StillFace) -> str:
    text = LABEL_TEXT[face.label]
    return text if face.label == UNSURE else f"{text} {format_percent(face.score)}"


def _write_label(
    picture: Pixels,
    text: str,
    colour: tuple[int, int, int],
    box: _Rectangle,
    letter_px: float,
    others: Iterable[_Rectangle],
) -> _Rectangle:
    """Write the label where it overlaps `others` least; return the rectangle of the label."""
    line = max(1, round(letter_px / 7))
    pad = line + 2
    scale = letter_px / FONT_HEIGHT_PX
    max_width = MAX_LABEL_WIDTH * (box.right - box.left)
    natural = cv2.getTextSize(text, FONT, scale, line)[0][0] + 2 * pad
    scale *= min(1.0, max(MIN_SHRINK, max_width / natural, MIN_LETTER_PX / letter_px))
    line = max(1, round(scale * FONT_HEIGHT_PX / 7))
    (width, height), below = cv2.getTextSize(text, FONT, scale, line)
    width, height = width + 2 * pad, height + below + 2 * pad
    candidates = _candidates(box, width, height, picture.shape[1], picture.shape[0])
    others = list(others)
    label = min(candidates, key=lambda area: sum(area.overlap(other) for other in others))
    cv2.rectangle(picture, (label.left, label.top), (label.right, label.bottom), colour, cv2.FILLED)
    origin = (label.left + pad, label.bottom - below - pad)
    cv2.putText(picture, text, origin, FONT, scale, WHITE, line, cv2.LINE_AA)
    return label


def _candidates(
    box: _Rectangle, width: int, height: int, right: int, bottom: int
) -> list[_Rectangle]:
    """Return possible rectangles for a label, best first: above the box, below it, inside it.

    All of them lie within the image, whose width is `right` and whose height is `bottom`.
    """
    tops = (box.top - height, box.bottom, box.bottom - height, box.top)
    lefts = (box.left, box.right - width, (box.left + box.right - width) // 2)
    candidates = []
    for top in tops:
        for left in lefts:
            x = min(max(0, left), max(0, right - width))
            y = min(max(0, top), max(0, bottom - height))
            candidates.append(_Rectangle(x, y, x + width, y + height))
    return candidates
