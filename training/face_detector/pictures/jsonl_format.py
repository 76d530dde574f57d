"""`boxes.jsonl`: a file with one JSON object for each picture in `images/`.

    {"file": "a.jpg", "width": 320, "height": 240, "set": "street",
     "boxes": [[143.9, 49.9, 37.2, 49.0, "face"], [224, 157, 8, 10, "ignore"]]}

A box is x, y, width and height in pixels, and the name of a class, `face` or `ignore`; further
elements of a box, such as the score of the detector that made it, are ignored. `set`, which names a
part of the data set, may be missing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edge.common.errors import UsageError
from edge.common.text_files import EncodingError, read_text
from training.data.splits import split_of
from training.face_detector.pictures.boxed_pictures import BoxedPicture, LabelledBox, kind_of_class

FILE_NAME = "boxes.jsonl"


def is_jsonl(root: Path) -> bool:
    """Return whether `root` holds a `boxes.jsonl`."""
    return (root / FILE_NAME).is_file()


def read_jsonl(root: Path) -> Iterator[BoxedPicture]:
    """Yield the pictures in the order of the file; raises UsageError naming a line in error."""
    listing = root / FILE_NAME
    try:
        lines = read_text(listing).split("\n")
    except EncodingError as error:
        raise UsageError(f"cannot read {listing}: {error}") from None
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            yield _picture(root, json.loads(line))
        except (ValueError, KeyError, TypeError, IndexError) as error:
            reason = f"{error} is missing" if isinstance(error, KeyError) else str(error)
            raise UsageError(f"{listing}, line {number}: {reason}") from None


def _picture(root: Path, entry: dict[str, Any]) -> BoxedPicture:
    path = root / "images" / entry["file"]
    if not path.is_file():
        raise ValueError(f"there is no picture {path}")
    size = (int(entry["width"]), int(entry["height"]))
    boxes = tuple(_box(each) for each in entry["boxes"])
    source = str(entry.get("set", root.resolve().name))
    return BoxedPicture(path, size, boxes, source, split_of(path.name))


def _box(entry: list[Any]) -> LabelledBox:
    x, y, w, h = (float(value) for value in entry[:4])
    if not (w > 0 and h > 0):  # also rejects NaN
        raise ValueError(f"the box {entry[:4]} has no area")
    kind = kind_of_class(str(entry[4]))
    if kind is None:
        raise ValueError(f"the class {entry[4]!r} of a box is neither face nor ignore nor a mask")
    return LabelledBox((x, y, w, h), *kind)
