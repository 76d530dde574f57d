"""A model file: a TFLite flatbuffer with a zip archive appended to it, which contains its card.

This is the "associated files" convention of TFLite: the flatbuffer comes first, runtimes ignore
what follows it, and any unzip tool can read the archive.
"""

from __future__ import annotations

import hashlib
import io
import struct
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

from edge.common.errors import UserError

CARD_NAME = "model.json"

#: Exceptions that `zipfile` raises for a missing, incomplete or damaged archive.
ARCHIVE_ERRORS = (
    zipfile.BadZipFile,
    RuntimeError,
    LookupError,
    ValueError,
    OSError,
    EOFError,
    struct.error,
    zlib.error,
)

CardT = TypeVar("CardT", bound=msgspec.Struct)


def read_model(path: Path, name: str, setting: str) -> bytes:
    """Return the bytes of the model file `path`.

    Raises UserError if it cannot be read, with the `name` of the model and the `setting` that
    configures it.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(
            f"cannot read the {name} {path}: {error.strerror};"
            f" leave {setting} empty to use the shipped one"
        ) from None


def attach_files(flatbuffer: bytes, files: Mapping[str, bytes]) -> bytes:
    """Return `flatbuffer` with `files` appended; the same arguments give the same bytes."""
    buffer = io.BytesIO(flatbuffer)
    with zipfile.ZipFile(buffer, "a", zipfile.ZIP_STORED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content)
    return buffer.getvalue()


def attached_files(model: bytes, names: Sequence[str], path: Path) -> list[bytes]:
    """Return the files with `names` that are appended to `model`.

    Raises UserError if one is missing; `path` is used only in its message.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(model)) as archive:
            return [archive.read(name) for name in names]
    except ARCHIVE_ERRORS as error:
        raise UserError(
            f"{path} has no model card ({error}); convert it with `make convert`,"
            " or use a model that ships with Mask Patrol"
        ) from None


def card_bytes(card: msgspec.Struct) -> bytes:
    """Return `card` as readable JSON."""
    return msgspec.json.format(msgspec.json.encode(card), indent=2)


def decode_card(raw: bytes, kind: type[CardT], path: Path) -> CardT:
    """Return the card of type `kind` in `raw`; raises UserError, which names the invalid field."""
    try:
        return msgspec.json.decode(raw, type=kind)
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        raise UserError(f"the card of {path} is invalid: {error}") from None


def digest(content: bytes) -> str:
    """Return `sha256:` and the hexadecimal digest of `content`, the form used in events and
    cards."""
    return "sha256:" + hashlib.sha256(content).hexdigest()
