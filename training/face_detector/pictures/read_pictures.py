"""Folders of boxed pictures in any known format, read as records."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge.common.errors import UsageError
from training.data.boxes_jsonl import is_jsonl
from training.data.datasets import check_distinct
from training.data.layouts import subfolders
from training.data.pascal_voc import is_voc, read_faces
from training.data.splits import Split, split_of
from training.face_detector.pictures.boxed_pictures import BoxedPicture, LabelledBox, kind_of_class
from training.face_detector.pictures.coco_format import is_coco, read_coco
from training.face_detector.pictures.jsonl_format import read_jsonl
from training.face_detector.pictures.wider_face_format import is_wider_face, read_wider_face
from training.face_detector.pictures.yolo_format import is_yolo, read_yolo

log = logging.getLogger(__name__)

BOXED_LAYOUTS = """\
DIR has one of these layouts, or contains a single folder that has one of them:

  scenes/      Pascal VOC     images/a.jpg  annotations/a.xml  (or JPEGImages/, Annotations/)
  faces/       boxes.jsonl    images/a.jpg  boxes.jsonl, one line a picture:
                              {"file": "a.jpg", "width": 320, "height": 240, "set": "street",
                               "boxes": [[x, y, width, height, "face" or "ignore"], ...]}
  WIDER_FACE/  WIDER FACE     WIDER_train/images/  WIDER_val/images/  wider_face_split/
  coco/        COCO           annotations/*.json  images/  (or a JSON file beside the pictures)
  yolo/        YOLO           images/a.jpg  labels/a.txt  data.yaml  (or train/images/, ...)

A box is a face if its class is face, or one of with_mask, without_mask, incorrect_mask and their
variants. Boxes of class ignore, crowds of COCO and invalid faces of WIDER FACE are regions that
neither reward nor punish a detection. Boxes of other classes are left out.
"""


@dataclass(frozen=True)
class _Format:
    name: str
    matches: Callable[[Path], bool]
    read: Callable[[Path], Iterator[BoxedPicture]]


def read_voc(root: Path) -> Iterator[BoxedPicture]:
    """Yield the pictures of a Pascal VOC folder, without boxes of classes that are not faces."""
    others: Counter[str] = Counter()
    for path, faces in read_faces(root):
        boxes = []
        for name, box_px in faces:
            kind = kind_of_class(name)
            if kind is None:
                others[name] += 1
            else:
                boxes.append(LabelledBox(box_px, *kind))
        yield BoxedPicture(path, None, tuple(boxes), root.resolve().name, split_of(path.name))
    if others:
        log.warning("%s: boxes of other classes are left out: %s", root, ", ".join(sorted(others)))


FORMATS = (
    _Format("boxes.jsonl", is_jsonl, read_jsonl),
    _Format("WIDER FACE", is_wider_face, read_wider_face),
    _Format("YOLO", is_yolo, read_yolo),
    # COCO also has a folder annotations/, but with .json files in it instead of .xml files.
    _Format("COCO", is_coco, read_coco),
    _Format("Pascal VOC", is_voc, read_voc),
)


def read_boxed_pictures(roots: Sequence[Path]) -> list[BoxedPicture]:
    """Return the pictures of all `roots`, in a fixed order.

    Raises UsageError, which names the folder or the file and line, for a folder that does not
    exist, has an unknown layout, has invalid annotations, or has no box of a face.
    """
    check_distinct(list(roots))
    return [picture for root in roots for picture in _read(root)]


def is_boxed(root: Path) -> bool:
    """Return whether the folder `root` holds boxed pictures in a known format."""
    return root.is_dir() and _format_of(_unwrap(root)) is not None


def _read(root: Path) -> list[BoxedPicture]:
    if not root.is_dir():
        raise UsageError(f"the data folder {root} does not exist")
    inner = _unwrap(root)
    found = _format_of(inner)
    if found is None:
        names = ", ".join(each.name for each in FORMATS)
        raise UsageError(f"{root} holds no boxed pictures in a known format: expected {names}")
    pictures = list(found.read(inner))
    if not any(picture.boxes for picture in pictures):
        raise UsageError(f"{root} ({found.name}) holds no box of a face")
    return pictures


def _unwrap(root: Path) -> Path:
    """Return the only folder in `root` if `root` itself has no known layout."""
    inside = subfolders(root)
    return inside[0] if _format_of(root) is None and len(inside) == 1 else root


def _format_of(root: Path) -> _Format | None:
    return next((each for each in FORMATS if each.matches(root)), None)


def of_split(pictures: Sequence[BoxedPicture], split: Split) -> list[BoxedPicture]:
    """Return the pictures of one split."""
    return [picture for picture in pictures if picture.split is split]
