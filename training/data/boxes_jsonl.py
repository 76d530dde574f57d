"""`boxes.jsonl`: a file with one JSON object for each picture in `images/`.

    {"file": "a.jpg", "width": 320, "height": 240, "set": "street",
     "boxes": [[143.9, 49.9, 37.2, 49.0, "face"], [224, 157, 8, 10, "ignore"]]}

A box is x, y, width and height in pixels, and the name of a class: `face`, `ignore`, or `mask`,
`no_mask` or `incorrect_mask` and their variants. Further elements of a box, such as the score of
the detector that made it, are ignored. `set`, which names a part of the data set, may be missing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.common.arrays import Box
from edge.common.errors import UsageError
from edge.common.text_files import EncodingError, read_text
from training.data.coordinates import finite

FILE_NAME = "boxes.jsonl"
PICTURES = "images"


@dataclass(frozen=True)
class BoxesLine:
    """A picture with the name of a class and the box in pixels of each of its boxes.

    `size_px` is the width and height that the line states. `source` is `set`, or the name of the
    folder. `number` is that of the line, from 1, and `entry` is the JSON object in it.
    """

    path: Path
    size_px: tuple[int, int]
    boxes: tuple[tuple[str, Box], ...]
    source: str
    number: int
    entry: dict[str, Any]


def is_jsonl(root: Path) -> bool:
    """Return whether `root` holds a `boxes.jsonl`."""
    return (root / FILE_NAME).is_file()


def read_lines(root: Path) -> Iterator[BoxesLine]:
    """Yield the pictures in the order of the file.

    Raises UsageError naming the first line that is not as above or has no picture.
    """
    listing = root / FILE_NAME
    try:
        lines = read_text(listing).split("\n")
    except EncodingError as error:
        raise UsageError(f"cannot read {listing}: {error}") from None
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            yield _picture(root, number, json.loads(line))
        except (ValueError, KeyError) as error:
            reason = f"{error} is missing" if isinstance(error, KeyError) else str(error)
            raise line_error(root, number, reason) from None


def line_error(root: Path, number: int, reason: str) -> UsageError:
    """Return the error for a line of `root`'s file."""
    return UsageError(f"{root / FILE_NAME}, line {number}: {reason}")


def _picture(root: Path, number: int, entry: Any) -> BoxesLine:
    if not isinstance(entry, dict):
        raise ValueError("expected a JSON object")
    path = root / PICTURES / str(entry["file"])
    if not path.is_file():
        raise ValueError(f"there is no picture {path}")
    size = (int(finite(entry["width"])), int(finite(entry["height"])))
    if not isinstance(entry["boxes"], list):
        raise ValueError("expected a list of boxes")
    boxes = tuple(map(_box, entry["boxes"]))
    source = str(entry.get("set", root.resolve().name))
    return BoxesLine(path, size, boxes, source, number, entry)


def _box(entry: Any) -> tuple[str, Box]:
    if not isinstance(entry, list) or len(entry) < 5:
        raise ValueError(f"expected [x, y, width, height, class], not {str(entry)[:60]}")
    x, y, w, h = map(finite, entry[:4])
    if not (w > 0 and h > 0):
        raise ValueError(f"the box {entry[:4]} has no area")
    return str(entry[4]), (x, y, w, h)
