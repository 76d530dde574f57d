"""Which part a picture belongs to, decided by its name alone: stable for ever."""

from __future__ import annotations

import hashlib
import re
from enum import StrEnum

TEST_SHARE, VALIDATION_SHARE = 0.20, 0.10


class Split(StrEnum):
    """A picture's part: trained on, selected on, or only reported on."""

    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"


def split_of(file_name: str) -> Split:
    """The part of a picture, from the digest of its family's name.

    Copies that a file manager made ("a copy 2.jpg", "a (3).jpg") go where their
    original goes; pictures alike under other names are `training.data.duplicates`'s job.
    """
    digest = hashlib.sha256(family_of(file_name).encode()).digest()
    position = int.from_bytes(digest[:8], "big") / 2**64
    if position < TEST_SHARE:
        return Split.TEST
    return Split.VALIDATION if position < TEST_SHARE + VALIDATION_SHARE else Split.TRAIN


def family_of(file_name: str) -> str:
    """`file_name` without its suffix, the marks of a copy, and how MaskedFace-Net masked it.

    MaskedFace-Net draws a mask on each numbered face of FFHQ once correctly and once not
    (00042_Mask, 00042_Mask_Chin): the same face, so the same family as 00042 itself.
    """
    stem = file_name.rsplit(".", 1)[0].lower()
    stem = re.sub(r"(\s*-?\s*copy(\s*\d+|\s*\(\d+\))?|\s*\(\d+\))+$", "", stem)
    return re.sub(r"^(\d{5})_mask(_mouth_chin|_nose_mouth|_chin)?$", r"\1", stem)
