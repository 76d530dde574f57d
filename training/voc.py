"""Pascal VOC: a folder of photographs and one XML file of boxes for each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

from edge.errors import UsageError
from edge.framing import Box


def is_voc(root: Path) -> bool:
    """Whether `root` is laid out as images/ and annotations/."""
    return (root / "images").is_dir() and (root / "annotations").is_dir()


def read_faces(root: Path) -> Iterator[tuple[Path, list[tuple[str, Box]]]]:
    """Each annotated picture, by name, with its (class name, box in pixels) pairs.

    Raises UsageError naming the file when an annotation cannot be read or its
    picture is missing.
    """
    annotations = sorted((root / "annotations").glob("*.xml"))
    if not annotations:
        raise UsageError(f"the folder {root / 'annotations'} holds no .xml file")
    images = {path.stem: path for path in sorted((root / "images").iterdir())}
    for annotation in annotations:
        picture = images.get(annotation.stem)
        if picture is None:
            raise UsageError(f"the annotation {annotation} has no picture in {root / 'images'}")
        try:
            objects = ElementTree.parse(annotation).getroot().findall("object")
            faces = [(_text(each, "name"), _box(each)) for each in objects]
        except (ElementTree.ParseError, ValueError) as error:
            raise UsageError(f"the annotation {annotation} cannot be read: {error}") from None
        yield picture, faces


def _text(element: ElementTree.Element, path: str) -> str:
    text = element.findtext(path)
    if text is None:
        raise ValueError(f"an object has no <{path}>")
    return text.strip()


def _box(element: ElementTree.Element) -> Box:
    x0, y0, x1, y1 = (
        float(_text(element, f"bndbox/{side}")) for side in ("xmin", "ymin", "xmax", "ymax")
    )
    if x1 <= x0 or y1 <= y0:
        raise ValueError(f"the box {x0:g},{y0:g} to {x1:g},{y1:g} has no area")
    return x0, y0, x1 - x0, y1 - y0
