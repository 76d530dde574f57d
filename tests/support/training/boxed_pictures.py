"""Pictures with drawn faces and their boxes, in formats that the training of the detector reads."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from edge.common.arrays import Box, Pixels
from tests.support.training.datasets import face, save

#: Boxes with their classes, by the name of the picture.
Scenes = Mapping[str, Sequence[tuple[Box, str]]]


def draw_picture(faces: Sequence[Box], seed: int, size_px: tuple[int, int] = (160, 120)) -> Pixels:
    """Return a smooth background, (height, width, 3) uint8 RGB, with a bare face in each box."""
    rng = np.random.default_rng(seed)
    small = rng.integers(60, 140, (3, 4, 3), np.uint8)
    picture = np.asarray(cv2.resize(small, size_px), np.uint8)
    for x, y, w, h in faces:
        left, top, right, bottom = (round(v) for v in (x, y, x + w, y + h))
        drawn = cv2.resize(face("no_mask", rng), (right - left, bottom - top))
        picture[top:bottom, left:right] = drawn
    return picture


def write_pictures(folder: Path, scenes: Scenes, size_px: tuple[int, int] = (160, 120)) -> None:
    """Draw the pictures of `scenes` into `folder`."""
    for seed, (name, boxes) in enumerate(scenes.items()):
        faces = [box for box, kind in boxes if kind != "ignore"]
        save(folder / name, draw_picture(faces, seed, size_px))


def write_jsonl(root: Path, scenes: Scenes, size_px: tuple[int, int] = (160, 120)) -> Path:
    """Write `scenes` as the folder images/ and the file boxes.jsonl."""
    write_pictures(root / "images", scenes, size_px)
    lines = [
        json.dumps(
            {
                "file": name,
                "width": size_px[0],
                "height": size_px[1],
                "boxes": [[*box, kind] for box, kind in boxes],
            }
        )
        for name, boxes in scenes.items()
    ]
    (root / "boxes.jsonl").write_text("\n".join(lines) + "\n")
    return root
