"""Pascal VOC: a folder of photographs, and one XML file of annotated boxes for each photograph."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

from edge.common.arrays import Box
from edge.common.errors import UsageError
from edge.common.text_files import decode_text
from training.data.coordinates import finite

log = logging.getLogger(__name__)

#: The names of the folders of pictures and of annotations, in Kaggle's data sets and in the
#: original Pascal VOC.
FOLDERS = (("images", "annotations"), ("JPEGImages", "Annotations"))
#: If a larger share of the annotations is unreadable or without a picture, the download is
#: considered broken.
BROKEN_SHARE = 0.01

Faces = list[tuple[str, Box]]


def is_voc(root: Path) -> bool:
    """Return whether `root` contains images/ and annotations/, or the original Pascal VOC names."""
    return _folders(root) is not None


def read_faces(root: Path) -> Iterator[tuple[Path, Faces]]:
    """Yield each annotated picture, by name, with the (class name, box in pixels) pairs of its
    faces.

    An annotation that cannot be read or has no picture is logged and left out. Raises UsageError
    if these are more than `BROKEN_SHARE` of all; the message names the first one.
    """
    folders = _folders(root)
    assert folders is not None, root
    pictures, annotations = folders
    files = sorted(annotations.glob("*.xml"))
    if not files:
        raise UsageError(f"the folder {annotations} holds no .xml file")
    by_stem = {path.stem: path for path in sorted(pictures.iterdir())}
    broken: list[str] = []
    for annotation in files:
        try:
            yield _read(annotation, by_stem, pictures)
        except ValueError as error:
            broken.append(str(error))
    if len(broken) > BROKEN_SHARE * len(files):
        raise UsageError(
            f"{broken[0]}; {len(broken)} of {len(files)} annotations in {root} are broken, and"
            f" more than {BROKEN_SHARE:.0%} means that the download is broken: download it again"
        )
    for reason in broken:
        log.warning("left out an annotation: %s", reason)


def _folders(root: Path) -> tuple[Path, Path] | None:
    pairs = [(root / pictures, root / annotations) for pictures, annotations in FOLDERS]
    return next((pair for pair in pairs if pair[0].is_dir() and pair[1].is_dir()), None)


def _read(annotation: Path, by_stem: dict[str, Path], pictures: Path) -> tuple[Path, Faces]:
    picture = by_stem.get(annotation.stem)
    if picture is None:
        raise ValueError(f"the annotation {annotation} has no picture in {pictures}")
    try:
        objects = _root(annotation.read_bytes()).findall("object")
        return picture, [(_text(each, "name"), _box(each)) for each in objects]
    except (OSError, ElementTree.ParseError, ValueError) as error:
        raise ValueError(f"the annotation {annotation} cannot be read: {error}") from None


def _root(raw: bytes) -> ElementTree.Element:
    """Return the root of an XML document, whose encoding its declaration may state.

    Raises ParseError, or EncodingError for a document that states no encoding and is not UTF-8.
    """
    try:
        return ElementTree.fromstring(raw)
    except ElementTree.ParseError:
        decode_text(raw)
        raise


def _text(element: ElementTree.Element, path: str) -> str:
    text = element.findtext(path)
    if text is None:
        raise ValueError(f"an object has no <{path}>")
    return text.strip()


def _box(element: ElementTree.Element) -> Box:
    x0, y0, x1, y1 = (
        finite(_text(element, f"bndbox/{side}")) for side in ("xmin", "ymin", "xmax", "ymax")
    )
    if not (x1 > x0 and y1 > y0):
        raise ValueError(f"the box {x0:g},{y0:g} to {x1:g},{y1:g} has no area")
    return x0, y0, x1 - x0, y1 - y0
