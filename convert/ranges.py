"""Activation ranges: computed from real crops once, kept as numbers, used without the data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from convert.quantise import Ranges
from edge.errors import UserError
from edge.framing import Pixels

CROPS_PER_DATA_SET = 300


class StoredRanges(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`models/mask.ranges.json`: `ranges` maps a tensor's name to its least and largest value."""

    keras_sha256: str
    crops: int
    ranges: dict[str, tuple[float, float]]


def read_ranges(path: Path, keras_sha256: str) -> Ranges:
    """The stored ranges; raises UserError when they are absent or another model's."""
    try:
        stored = msgspec.json.decode(path.read_bytes(), type=StoredRanges)
    except OSError as error:
        raise UserError(
            f"cannot read the activation ranges {path}: {error.strerror};"
            " --data DIR computes them from pictures"
        ) from None
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        raise UserError(f"the activation ranges {path} are wrong: {error}") from None
    if stored.keras_sha256 != keras_sha256:
        raise UserError(
            f"the activation ranges {path} belong to another Keras model;"
            " --data DIR (make convert DATA=DIR) computes them anew"
        )
    return stored.ranges


def write_ranges(path: Path, keras_sha256: str, crops: int, ranges: Ranges) -> None:
    """Write the ranges, all or nothing."""
    stored = StoredRanges(keras_sha256, crops, ranges)
    temporary = path.with_name(path.name + ".part")
    temporary.write_bytes(msgspec.json.format(msgspec.json.encode(stored), indent=1) + b"\n")
    temporary.replace(path)


def crops_of(roots: list[Path], labels: tuple[str, ...]) -> Pixels:
    """Crops to compute ranges from: of the training parts, (n, 96, 96, 3) uint8 RGB."""
    from training.crops import decoded, evaluated, evaluation_crop
    from training.datasets import read_dataset
    from training.progress import limited, watch
    from training.splits import Split

    crops: list[Any] = []
    for root in roots:
        data = read_dataset(root, labels)
        samples = [s for s in data.part(Split.TRAIN) if evaluated(s)]
        few = limited(samples, CROPS_PER_DATA_SET)
        for sample, image in decoded(data, few, watch(data.name)):
            crop = evaluation_crop(sample, image)
            if crop is not None:
                crops.append(crop)
    if not crops:
        raise UserError("no picture to compute activation ranges from")
    return np.stack(crops)
