"""Pictures in the format of `training.data.boxes_jsonl`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from edge.common.arrays import Box
from training.data.boxes_jsonl import line_error, read_lines
from training.data.splits import split_of
from training.face_detector.pictures.boxed_pictures import BoxedPicture, LabelledBox, kind_of_class


def read_jsonl(root: Path) -> Iterator[BoxedPicture]:
    """Yield the pictures in the order of the file; raises UsageError naming a line in error."""
    for line in read_lines(root):
        try:
            boxes = tuple(_labelled(name, box_px) for name, box_px in line.boxes)
        except ValueError as error:
            raise line_error(root, line.number, str(error)) from None
        yield BoxedPicture(line.path, line.size_px, boxes, line.source, split_of(line.path.name))


def _labelled(name: str, box_px: Box) -> LabelledBox:
    kind = kind_of_class(name)
    if kind is None:
        raise ValueError(f"the class {name!r} of a box is neither face nor ignore nor a mask")
    return LabelledBox(box_px, *kind)
