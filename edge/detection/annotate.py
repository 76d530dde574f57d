"""Boxes, labels and scores drawn on a picture, legible at any size."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from edge.common.arrays import Pixels
from edge.detection.still_images import StillFace

#: BGR; red, green and amber as in traffic lights, dark enough for white letters.
COLOURS = {"mask": (60, 140, 20), "no_mask": (40, 30, 210), "incorrect_mask": (0, 125, 225)}
LABEL_TEXT = {"mask": "mask", "no_mask": "NO MASK", "incorrect_mask": "mask worn wrong"}
FONT = cv2.FONT_HERSHEY_SIMPLEX
WHITE = (255, 255, 255)
#: Height of the letters as a share of the picture's longer side, and its bounds in pixels.
LETTER_SHARE, MIN_LETTER_PX, MAX_LETTER_PX = 1 / 45, 9, 60
#: Height in pixels of FONT's capitals at scale 1 (OpenCV's Hershey simplex).
FONT_HEIGHT_PX = 22
#: Smaller pictures are enlarged to this longer side first, so that the words fit.
MIN_SIDE_PX = 320
#: In a crowd letters shrink, to this share at least, so that a label is at most so many
#: times as wide as its face.
SHRINK, MAX_WIDER = 0.6, 1.3


@dataclass(frozen=True)
class _Area:
    """A rectangle in pixels: left, top, right, bottom."""

    left: int
    top: int
    right: int
    bottom: int

    def overlap(self, other: _Area) -> int:
        """Pixels in common."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        return max(0, width) * max(0, height)


def annotated(image_bgr: Pixels, faces: Sequence[StillFace]) -> Pixels:
    """A copy of `image_bgr` with each face's box, label and score.

    Small pictures come back enlarged. Labels keep off one another and off the faces
    where there is room.
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
        colour = COLOURS[face.scores.label]
        corners = (box.left, box.top), (box.right, box.bottom)
        cv2.rectangle(picture, *corners, colour, 2 * line, cv2.LINE_AA)
    taken: list[_Area] = []
    for face, box in zip(faces, boxes, strict=True):
        others = [*taken, *(b for b in boxes if b is not box)]
        taken.append(_write_label(picture, face, box, letter_px, others))
    return picture


def _box(face: StillFace, zoom: float) -> _Area:
    x, y, w, h = (round(v * zoom) for v in face.box_px)
    return _Area(x, y, x + w, y + h)


def _write_label(
    picture: Pixels, face: StillFace, box: _Area, letter_px: float, others: Iterable[_Area]
) -> _Area:
    """Write the label where it covers least of `others`; the area that it takes."""
    words = f"{LABEL_TEXT[face.scores.label]} {round(100 * face.scores.score)}%"
    line = max(1, round(letter_px / 7))
    pad = line + 2
    scale = letter_px / FONT_HEIGHT_PX
    widest = MAX_WIDER * (box.right - box.left)
    natural = cv2.getTextSize(words, FONT, scale, line)[0][0] + 2 * pad
    scale *= min(1.0, max(SHRINK, widest / natural, MIN_LETTER_PX / letter_px))
    line = max(1, round(scale * FONT_HEIGHT_PX / 7))
    (width, height), below = cv2.getTextSize(words, FONT, scale, line)
    width, height = width + 2 * pad, height + below + 2 * pad
    places = _places(box, width, height, picture.shape[1], picture.shape[0])
    others = list(others)
    area = min(places, key=lambda place: sum(place.overlap(other) for other in others))
    colour = COLOURS[face.scores.label]
    cv2.rectangle(picture, (area.left, area.top), (area.right, area.bottom), colour, cv2.FILLED)
    origin = (area.left + pad, area.bottom - below - pad)
    cv2.putText(picture, words, origin, FONT, scale, WHITE, line, cv2.LINE_AA)
    return area


def _places(box: _Area, width: int, height: int, right: int, bottom: int) -> list[_Area]:
    """Where a label may stand, best first: above the box, below it, along its inner edges.

    All of them lie inside the picture, `right` by `bottom`.
    """
    tops = (box.top - height, box.bottom, box.bottom - height, box.top)
    lefts = (box.left, box.right - width, (box.left + box.right - width) // 2)
    places = []
    for top in tops:
        for left in lefts:
            x = min(max(0, left), max(0, right - width))
            y = min(max(0, top), max(0, bottom - height))
            places.append(_Area(x, y, x + width, y + height))
    return places
