"""Stores the activation ranges and figures that were measured on real pictures.

Later conversions use the stored values and need no pictures.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from convert.network.activation_ranges import Ranges
from edge.common.errors import UserError
from edge.common.text_files import read_text


class StoredRanges(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`models/mask.ranges.json`: `ranges` maps a tensor's name to its least and largest value
    over `crops` faces of the training parts; `figures` maps a variant to the figures
    on the test parts that its card contains."""

    keras_sha256: str
    crops: int
    ranges: Ranges
    figures: dict[str, dict[str, Any]] = {}


def ranges_path(model: Path) -> Path:
    """Return the path of the ranges file, which is beside the Keras model."""
    return model.with_suffix(".ranges.json")


def read_ranges(path: Path, keras_sha256: str) -> StoredRanges:
    """Read the stored ranges; raises UserError if they are missing or belong to another model."""
    try:
        stored = msgspec.json.decode(read_text(path), type=StoredRanges)
    except OSError as error:
        raise UserError(
            f"cannot read the activation ranges {path}: {error.strerror};"
            " --data DIR computes them from pictures"
        ) from None
    except ValueError as error:  # includes the errors of msgspec and of the encoding
        raise UserError(f"the activation ranges {path} are invalid: {error}") from None
    if stored.keras_sha256 != keras_sha256:
        raise UserError(
            f"the activation ranges {path} belong to another Keras model;"
            " --data DIR (make convert DATA=DIR) computes them anew"
        )
    return stored


def write_ranges(path: Path, stored: StoredRanges) -> None:
    """Write the ranges atomically."""
    temporary = path.with_name(path.name + ".part")
    temporary.write_bytes(msgspec.json.format(msgspec.json.encode(stored), indent=1) + b"\n")
    temporary.replace(path)
