"""Contact sheets: one picture that shows many small ones in rows, each with a caption."""

from __future__ import annotations

import math

import cv2
import numpy as np

from edge.classification.face_crop import resize_crop
from edge.common.arrays import Pixels

CELL_PX, LINE_PX, GAP_PX = 112, 15, 6
BACKGROUND, TEXT = (255, 255, 255), (30, 30, 30)
LETTERS_PER_LINE = 16  # The number of letters that fit into the width of a cell.


def contact_sheet(pictures: list[Pixels], captions: list[list[str]], columns: int = 10) -> Pixels:
    """Return a sheet, (height, width, 3) uint8 RGB, of `pictures`, each (h, w, 3) uint8 RGB.

    `captions` holds the lines of text below each picture; lines that are too long are cut. Raises
    ValueError when there are no pictures, or when their number differs from that of the captions.
    """
    if not pictures or len(pictures) != len(captions):
        raise ValueError(f"{len(pictures)} pictures, but {len(captions)} captions")
    lines = max(len(caption) for caption in captions)
    columns = min(columns, len(pictures))
    rows = math.ceil(len(pictures) / columns)
    across, down = CELL_PX + GAP_PX, CELL_PX + GAP_PX + lines * LINE_PX
    sheet = np.full((rows * down + GAP_PX, columns * across + GAP_PX, 3), BACKGROUND, np.uint8)
    for index, (picture, caption) in enumerate(zip(pictures, captions, strict=True)):
        x, y = GAP_PX + index % columns * across, GAP_PX + index // columns * down
        thumbnail = _fit_into_cell(picture)
        height, width = thumbnail.shape[:2]
        sheet[y : y + height, x : x + width] = thumbnail
        for number, text in enumerate(caption, start=1):
            origin = (x, y + CELL_PX + number * LINE_PX - 3)
            cv2.putText(
                sheet,
                _ascii(text)[:LETTERS_PER_LINE],
                origin,
                cv2.FONT_HERSHEY_SIMPLEX,
                0.36,
                TEXT,
                1,
                cv2.LINE_AA,
            )
    return sheet


def _fit_into_cell(picture: Pixels) -> Pixels:
    """Return `picture` scaled to the size of a cell, with its aspect ratio kept."""
    height, width = picture.shape[:2]
    scale = CELL_PX / max(height, width)
    return resize_crop(picture, (max(1, round(height * scale)), max(1, round(width * scale))))


def _ascii(text: str) -> str:
    return text.encode("ascii", "replace").decode()  # OpenCV's font has only ASCII letters
