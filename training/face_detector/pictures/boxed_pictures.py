"""Pictures in which every face is boxed: the records that every annotation format is read into."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import cv2
import numpy as np

from edge.camera.pictures.image_files import read_image
from edge.common.arrays import Box, Pixels
from edge.common.errors import UserError
from training.data.layouts import CLASS_FOLDERS, normalised_name
from training.data.splits import Split

#: Names of classes that mean a face without saying whether it wears a mask, as
#: `training.data.layouts.normalised_name` writes them.
FACE_NAMES = frozenset({"face", "faces", "humanface"})
IGNORE_NAMES = frozenset({"ignore", "ignored", "crowd"})


class BoxKind(StrEnum):
    """Whether a box holds a face, or a region that counts neither as a face nor as background."""

    FACE = "face"
    IGNORE = "ignore"


@dataclass(frozen=True)
class LabelledBox:
    """A box in pixels of its picture.

    `label` is `mask`, `no_mask` or `incorrect_mask`, or None where the annotation does not
    state it.
    """

    box_px: Box
    kind: BoxKind = BoxKind.FACE
    label: str | None = None


@dataclass(frozen=True)
class BoxedPicture:
    """A picture with all its boxes.

    `size_px` is the width and height that the annotation states, or None if it states none.
    `source` names the data set, or the part of it that the annotation names.
    """

    path: Path
    size_px: tuple[int, int] | None
    boxes: tuple[LabelledBox, ...]
    source: str
    split: Split

    def of_kind(self, kind: BoxKind) -> list[LabelledBox]:
        """Return the boxes of one kind."""
        return [each for each in self.boxes if each.kind is kind]


def kind_of_class(name: str) -> tuple[BoxKind, str | None] | None:
    """Return the kind and the label that an annotated class name means, or None if unknown."""
    normalised = normalised_name(name)
    if normalised in IGNORE_NAMES:
        return BoxKind.IGNORE, None
    if normalised in FACE_NAMES:
        return BoxKind.FACE, None
    label = CLASS_FOLDERS.get(normalised)
    return None if label is None else (BoxKind.FACE, label)


def read_pixels(picture: BoxedPicture, channels: int) -> Pixels:
    """Return the pixels: (height, width) luma for 1 channel, (height, width, 3) RGB for 3.

    Raises UserError if the picture cannot be read, or has another size than its annotation states.
    """
    image = read_image(picture.path)
    found = (int(image.shape[1]), int(image.shape[0]))
    if picture.size_px not in (None, found):
        width, height = picture.size_px or found
        raise UserError(
            f"{picture.path} has {found[0]}x{found[1]} pixels, but its annotation states"
            f" {width}x{height}, so its boxes do not fit"
        )
    conversion = cv2.COLOR_BGR2GRAY if channels == 1 else cv2.COLOR_BGR2RGB
    return np.asarray(cv2.cvtColor(image, conversion), np.uint8)
