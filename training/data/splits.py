"""The split of a picture, determined by its file name alone, so that it never changes."""

from __future__ import annotations

import hashlib
import re
from enum import StrEnum

TEST_SHARE, VALIDATION_SHARE = 0.20, 0.10


class Split(StrEnum):
    """A picture's split: for training, for selecting the model, or only for measuring it."""

    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"


def split_of(file_name: str) -> Split:
    """Return the split of a picture, from the hash of its family's name.

    Copies that a file manager made ("a copy 2.jpg", "a (3).jpg") are in the split of their
    original. Near-duplicates with other names are found by `training.data.duplicates`.
    """
    digest = hashlib.sha256(family_of(file_name).encode()).digest()
    position = int.from_bytes(digest[:8], "big") / 2**64
    if position < TEST_SHARE:
        return Split.TEST
    return Split.VALIDATION if position < TEST_SHARE + VALIDATION_SHARE else Split.TRAIN


def family_of(file_name: str) -> str:
    """Return `file_name` without its suffix, marks of a copy, and MaskedFace-Net's kind of mask.

    MaskedFace-Net draws a mask on each numbered face of FFHQ, once correctly and once incorrectly
    (00042_Mask, 00042_Mask_Chin). These pictures show the same face, so they are in the family of
    00042.
    """
    stem = file_name.rsplit(".", 1)[0].lower()
    stem = re.sub(r"(\s*-?\s*copy(\s*\d+|\s*\(\d+\))?|\s*\(\d+\))+$", "", stem)
    return re.sub(r"^(\d{5})_mask(_mouth_chin|_nose_mouth|_chin)?$", r"\1", stem)
