"""Reports as JSON files with a fixed structure."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import msgspec

from edge.common.errors import UserError
from edge.common.text_files import read_text

StructT = TypeVar("StructT", bound=msgspec.Struct)


def write_struct(path: Path, report: msgspec.Struct) -> None:
    """Write `report` as indented JSON, atomically."""
    temporary = path.with_suffix(".json.part")
    temporary.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=1) + b"\n")
    temporary.replace(path)


def read_struct(path: Path, kind: type[StructT]) -> StructT:
    """Read the report of type `kind` beside a model.

    Raises UserError naming the file and what is wrong in it.
    """
    try:
        return msgspec.json.decode(read_text(path), type=kind)
    except OSError as error:
        raise UserError(
            f"cannot read the report {path}, which training writes beside the model:"
            f" {error.strerror}"
        ) from None
    except ValueError as error:  # includes the errors of msgspec and of the encoding
        raise UserError(f"the report {path} is invalid: {error}") from None
