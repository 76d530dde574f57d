"""YOLO: a text file in `labels/` for each picture in `images/`.

Each line of a text file is a class number, and the centre x, centre y, width and height of a box as
fractions of the picture. The names of the classes are in `data.yaml`, `classes.txt` or `obj.names`;
without any of them, class 0 is a face. A picture without a text file has no boxes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from edge.camera.pictures.image_files import read_image
from edge.common.errors import UsageError, UserError
from edge.common.text_files import EncodingError, read_text
from training.data.coordinates import finite
from training.data.layouts import SPLIT_FOLDERS, list_pictures, subfolders
from training.data.progress import with_progress
from training.data.splits import Split, split_of
from training.face_detector.pictures.boxed_pictures import (
    BoxedPicture,
    BoxKind,
    LabelledBox,
    kind_of_class,
)
from training.face_detector.pictures.decodable import check_unreadable

NAME_FILES = ("classes.txt", "obj.names", "names.txt", "labels/classes.txt")
Kinds = dict[int, tuple[BoxKind, str | None] | None]


def is_yolo(root: Path) -> bool:
    """Return whether `root`, or folders named after splits in it, hold `images/` and `labels/`."""
    return bool(_parts(root))


def read_yolo(root: Path) -> Iterator[BoxedPicture]:
    """Yield the pictures by name; raises UsageError naming a line in error.

    Every picture is decoded, because the boxes in pixels depend on its size. Raises UserError if
    more than `training.data.crops.CORRUPT_SHARE` of them cannot be decoded.
    """
    kinds = _class_kinds(root)
    total, unreadable = 0, []
    for images, labels in _parts(root):
        for path in with_progress(list_pictures(images), "reading sizes", "picture"):
            inner = path.relative_to(images)
            total += 1
            try:
                image = read_image(path)
            except UserError as error:
                unreadable.append(str(error))
                continue
            size = (int(image.shape[1]), int(image.shape[0]))
            boxes = tuple(_boxes((labels / inner).with_suffix(".txt"), size, kinds))
            split = _published_split(path.relative_to(root)) or split_of(path.name)
            yield BoxedPicture(path, size, boxes, root.resolve().name, split)
    check_unreadable(str(root), unreadable, total)


def _parts(root: Path) -> list[tuple[Path, Path]]:
    pairs = [(folder / "images", folder / "labels") for folder in (root, *subfolders(root))]
    return [pair for pair in pairs if pair[0].is_dir() and pair[1].is_dir()]


def _published_split(path: Path) -> Split | None:
    found = (SPLIT_FOLDERS.get(part.lower()) for part in path.parts[:-1])
    return next((split for split in found if split is not None), None)


def _boxes(file: Path, size: tuple[int, int], kinds: Kinds) -> Iterator[LabelledBox]:
    if not file.is_file():
        return
    width, height = size
    for number, line in enumerate(_lines(file), start=1):
        if not line.strip():
            continue
        try:
            index, x, y, w, h = map(finite, line.split()[:5])
        except ValueError:
            raise UsageError(
                f"{file}, line {number}: expected a class number, centre x, centre y, width and"
                f" height, not {line.strip()!r}"
            ) from None
        if not (0 < w <= 1.01 and 0 < h <= 1.01 and 0 <= x <= 1.01 and 0 <= y <= 1.01):
            raise UsageError(
                f"{file}, line {number}: the box {line.strip()!r} is not in fractions of the"
                " picture, from 0 to 1"
            )
        if int(index) not in kinds:
            raise UsageError(f"{file}, line {number}: the class number {int(index)} has no name")
        kind = kinds[int(index)]
        if kind is not None:
            box = ((x - w / 2) * width, (y - h / 2) * height, w * width, h * height)
            yield LabelledBox(box, *kind)


def _class_kinds(root: Path) -> Kinds:
    names = _class_names(root)
    if names is None:
        return {0: (BoxKind.FACE, None)}
    kinds: Kinds = {index: kind_of_class(name) for index, name in enumerate(names)}
    if not any(kinds.values()):
        raise UsageError(f"{root} has no class for faces, only {', '.join(names)}")
    return kinds


def _class_names(root: Path) -> list[str] | None:
    for path in sorted(root.glob("*.yaml")):
        names = _names_in_yaml("\n".join(_lines(path)))
        if names:
            return names
    for name in NAME_FILES:
        if (root / name).is_file():
            return [line.strip() for line in _lines(root / name) if line.strip()]
    return None


def _lines(file: Path) -> list[str]:
    try:
        return read_text(file).splitlines()
    except EncodingError as error:
        raise UsageError(f"cannot read {file}: {error}") from None


def _names_in_yaml(text: str) -> list[str]:
    """Return the entries of `names:`, written as [a, b], or as lines `- a` or `0: a`."""
    inline = re.search(r"^names:\s*[\[{](.*?)[\]}]", text, re.MULTILINE | re.DOTALL)
    if inline:
        entries = inline.group(1).split(",")
    else:
        block = re.search(r"^names:[ \t]*\n((?:[ \t]*(?:-|\d+:)[^\n]*\n?)+)", text, re.MULTILINE)
        entries = block.group(1).splitlines() if block else []
    plain = (re.sub(r"^\s*(-|\d+\s*:)\s*", "", entry) for entry in entries)
    return [name.strip().strip("'\"") for name in plain if name.strip()]
