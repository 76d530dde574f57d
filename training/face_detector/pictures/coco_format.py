"""COCO: JSON files with `images`, `annotations` and `categories`, and pictures near them."""

from __future__ import annotations

import json
import logging
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edge.common.errors import UsageError
from edge.common.text_files import read_text
from training.data.coordinates import finite
from training.data.layouts import SPLIT_FOLDERS
from training.data.splits import Split, split_of
from training.face_detector.pictures.boxed_pictures import (
    BoxedPicture,
    BoxKind,
    LabelledBox,
    kind_of_class,
)

log = logging.getLogger(__name__)

#: Where COCO, and tools that export its format, put the JSON files.
PLACES = ("annotations/*.json", "*.json", "*/_annotations.coco.json")
Kinds = dict[Any, tuple[BoxKind, str | None]]


def is_coco(root: Path) -> bool:
    """Return whether there is a JSON file in one of the usual places."""
    return bool(_files(root))


def read_coco(root: Path) -> Iterator[BoxedPicture]:
    """Yield the pictures of all JSON files; raises UsageError naming the file in error.

    Boxes of categories that are not faces are left out. Boxes with `iscrowd` are ignored.
    """
    for file in _files(root):
        try:
            content = json.loads(read_text(file))
            yield from _pictures(root, file, content)
        except KeyError as error:
            raise UsageError(f"{file} is not a COCO file: {error} is missing") from None
        except (ValueError, TypeError) as error:
            raise UsageError(f"{file} is not a COCO file: {error}") from None


def _files(root: Path) -> list[Path]:
    return sorted({path for place in PLACES for path in root.glob(place)})


def _pictures(root: Path, file: Path, content: dict[str, Any]) -> Iterator[BoxedPicture]:
    kinds = _kinds(file, content["categories"])
    boxes: dict[Any, list[LabelledBox]] = defaultdict(list)
    for annotation in content["annotations"]:
        found = kinds.get(annotation["category_id"])
        if found is not None:
            boxes[annotation["image_id"]].append(_box(annotation, *found))
    published = _published_split(file)
    for image in content["images"]:
        path = _find(root, file, image["file_name"])
        size = (int(finite(image["width"])), int(finite(image["height"])))
        split = published or split_of(path.name)
        labelled = tuple(boxes.get(image["id"], ()))
        yield BoxedPicture(path, size, labelled, root.resolve().name, split)


def _kinds(file: Path, categories: list[dict[str, Any]]) -> Kinds:
    kinds: Kinds = {}
    others = []
    for category in categories:
        found = kind_of_class(category["name"])
        if found is None:
            others.append(category["name"])
        else:
            kinds[category["id"]] = found
    if not kinds:
        raise UsageError(f"{file} has no category for faces, only {', '.join(others) or 'none'}")
    if others:
        log.warning("%s: boxes of other categories are left out: %s", file, ", ".join(others))
    return kinds


def _box(annotation: dict[str, Any], kind: BoxKind, label: str | None) -> LabelledBox:
    x, y, w, h = map(finite, annotation["bbox"])
    if not (w > 0 and h > 0):
        raise ValueError(f"the box of annotation {annotation.get('id')} has no area")
    return LabelledBox((x, y, w, h), BoxKind.IGNORE if annotation.get("iscrowd") else kind, label)


def _find(root: Path, file: Path, name: str) -> Path:
    folders = [file.parent, root, root / "images"]
    folders += [root / part for part in file.stem.split("_")]  # instances_train2017: train2017/
    for folder in folders:
        if (folder / name).is_file():
            return folder / name
    raise UsageError(f"{file}: there is no picture {name} in {root}, its images/, or near the file")


def _published_split(file: Path) -> Split | None:
    for word in (file.parent.name, *re.split(r"[^a-z]+", file.stem.lower())):
        if word.lower() in SPLIT_FOLDERS:
            return SPLIT_FOLDERS[word.lower()]
    return None
