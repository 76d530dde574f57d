"""WIDER FACE as published: `wider_face_split/*.txt` beside `WIDER_train/` and `WIDER_val/`.

A text file holds, for each picture, its name below `WIDER_*/images/`, the number of its faces, and
a line for each face: x, y, width, height, blur, expression, illumination, invalid, occlusion, pose.
A picture without a face has one line of zeros. Faces that are marked as invalid are ignored.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from edge.common.errors import UsageError
from edge.common.text_files import EncodingError, read_text
from training.data.coordinates import finite
from training.data.splits import Split, split_of
from training.face_detector.pictures.boxed_pictures import BoxedPicture, BoxKind, LabelledBox

FOLDER = "wider_face_split"
INVALID = 7  # position of the mark `invalid` in the line of a face


def is_wider_face(root: Path) -> bool:
    """Return whether `root` is laid out as WIDER FACE is published."""
    return bool(_listings(root))


def read_wider_face(root: Path) -> Iterator[BoxedPicture]:
    """Yield the pictures of the train and val lists; raises UsageError naming the first invalid
    line.

    WIDER FACE publishes no boxes for its test pictures, so its val pictures are the test split,
    and the names of the train pictures divide them into train and validation.
    """
    for listing in _listings(root):
        part = listing.name.split("_")[2]
        try:
            lines = read_text(listing).splitlines()
        except EncodingError as error:
            raise UsageError(f"cannot read {listing}: {error}") from None
        reader = _Lines(listing, lines)
        while (name := reader.next_picture()) is not None:
            path = root / f"WIDER_{part}" / "images" / name
            boxes = reader.boxes()
            if not path.is_file():
                raise UsageError(f"{listing}, line {reader.number}: there is no picture {path}")
            yield BoxedPicture(path, None, boxes, root.resolve().name, _split(part, path.name))


def _listings(root: Path) -> list[Path]:
    found = (root / FOLDER / f"wider_face_{part}_bbx_gt.txt" for part in ("train", "val"))
    return [path for path in found if path.is_file()]


def _split(part: str, name: str) -> Split:
    if part == "val":
        return Split.TEST
    hashed = split_of(name)
    return Split.TRAIN if hashed is Split.TEST else hashed


class _Lines:
    """The lines of one list, with the number of the line that was read last."""

    def __init__(self, listing: Path, lines: list[str]) -> None:
        self._listing, self._lines, self.number = listing, lines, 0

    def next_picture(self) -> str | None:
        """Return the name of the next picture, or None at the end."""
        while self.number < len(self._lines):
            name = self._next()
            if name:
                return name
        return None

    def boxes(self) -> tuple[LabelledBox, ...]:
        """Return the boxes of the picture whose name was read last."""
        text = self._next()
        if not text.isdecimal():
            raise self._error(f"expected the number of faces, not {text!r}")
        count = int(text)
        found = [self._box() for _ in range(max(1, count))]
        return tuple(box for box in found[:count] if box is not None)

    def _box(self) -> LabelledBox | None:
        text = self._next()
        try:
            values = [int(finite(value)) for value in text.split()]
            x, y, w, h = values[:4]
        except ValueError:
            raise self._error(f"expected x, y, width, height and marks, not {text!r}") from None
        if w <= 0 or h <= 0:
            return None  # WIDER FACE has some boxes without an area
        invalid = len(values) > INVALID and values[INVALID] == 1
        return LabelledBox((x, y, w, h), BoxKind.IGNORE if invalid else BoxKind.FACE)

    def _next(self) -> str:
        if self.number >= len(self._lines):
            raise self._error("the list ends in the middle of a picture")
        self.number += 1
        return self._lines[self.number - 1].strip()

    def _error(self, reason: str) -> UsageError:
        return UsageError(f"{self._listing}, line {self.number}: {reason}")
