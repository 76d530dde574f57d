"""Checks the numbers in a cascade that OpenCV uses as indices without a check.

A wrong index makes OpenCV read outside its memory, or search forever, but only for some pictures.
OpenCV's own reader is used, so that the numbers are those that the search uses.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2

from edge.common.errors import UserError

#: Sides in px of the window that is searched for, and the most rectangles of a Haar feature.
MIN_WINDOW_PX, MAX_WINDOW_PX, MAX_RECTS = 8, 512, 3
#: Number of categories of an LBP feature, and of the integers with a bit for each category.
LBP_CATEGORIES, LBP_SUBSETS = 256, 8

Rect = tuple[int, int, int, int]


def require_sound_cascade(path: Path) -> None:
    """Raise UserError if a number in the cascade `path` could make OpenCV crash or hang.

    Only the format of `opencv_traincascade` is accepted, with Haar or LBP features, which all
    cascades for faces in OpenCV 4 have.
    """
    storage = cv2.FileStorage(str(path), cv2.FILE_STORAGE_READ)
    cascade = storage.getNode("cascade")
    kind = cascade.getNode("featureType").string() if cascade.isMap() else ""
    if kind not in ("HAAR", "LBP"):
        raise UserError(
            f"{path} is not a Haar cascade that OpenCV can read, or has the format of OpenCV 1"
        )
    window = _integer(cascade.getNode("width")), _integer(cascade.getNode("height"))
    features = cascade.getNode("features")
    categories = _integer(cascade.getNode("featureParams").getNode("maxCatCount"))
    if (
        not all(MIN_WINDOW_PX <= side <= MAX_WINDOW_PX for side in window)
        or categories != (LBP_CATEGORIES if kind == "LBP" else 0)
        or not all(_is_inside(feature, kind, window) for feature in _items(features))
        or not all(
            _is_tree(tree, kind, features.size())
            for stage in _items(cascade.getNode("stages"))
            for tree in _items(stage.getNode("weakClassifiers"))
        )
    ):
        raise UserError(f"{path} is damaged: a number in this cascade is outside its range")


def _is_inside(feature: cv2.FileNode, kind: str, window: tuple[int, int]) -> bool:
    """Return whether a feature reads only pixels of the window."""
    width, height = window
    if kind == "LBP":
        numbers = _numbers(feature.getNode("rect"))
        if len(numbers) != 4:
            return False
        x, y, w, h = map(round, numbers)
        return min(x, y, w, h) >= 0 and x + 3 * w <= width and y + 3 * h <= height
    tilted = bool(_integer(feature.getNode("tilted")))
    rects = [_numbers(rect) for rect in _items(feature.getNode("rects"))]
    if not 1 <= len(rects) <= MAX_RECTS or any(len(numbers) != 5 for numbers in rects):
        return False
    for numbers in rects:
        x, y, w, h = map(round, numbers[:4])
        # A tilted rectangle extends from (x, y) by w to the lower right, by h to the lower left.
        left, right, bottom = (x - h, x + w, y + w + h) if tilted else (x, x + w, y + h)
        if min(left, y, w, h) < 0 or right > width or bottom > height:
            return False
    return True


def _is_tree(tree: cv2.FileNode, kind: str, features: int) -> bool:
    """Return whether each node of a tree has a feature, and later nodes or leaves as children.

    The numbers of a node are its children, its feature, and a threshold or the subset of
    categories. A child that is not positive is the leaf with this index.
    """
    numbers = _numbers(tree.getNode("internalNodes"))
    step = 3 + (LBP_SUBSETS if kind == "LBP" else 1)
    count = len(numbers) // step
    if count == 0 or len(numbers) % step or tree.getNode("leafValues").size() != count + 1:
        return False
    for index in range(count):
        left, right, feature = map(round, numbers[index * step : index * step + 3])
        if not 0 <= feature < features:
            return False
        if not all(-count <= child <= 0 or index < child < count for child in (left, right)):
            return False
    return True


def _items(node: cv2.FileNode) -> Iterator[cv2.FileNode]:
    return (node.at(index) for index in range(node.size()))


def _numbers(node: cv2.FileNode) -> list[float]:
    return [item.real() for item in _items(node)]


def _integer(node: cv2.FileNode) -> int:
    """Return the number in a node, or 0 if there is none."""
    return 0 if node.isNone() else round(node.real())
