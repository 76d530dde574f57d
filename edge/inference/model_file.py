"""A model file: a TFLite flatbuffer with an archive appended to it, which contains its card."""

from __future__ import annotations

import hashlib
import stat
from pathlib import Path
from typing import TypeVar

import msgspec

from edge.common.errors import UserError, printable
from edge.common.text_files import decode_text
from edge.inference.card_archive import Attached

CARD_NAME = "model.json"
#: Larger files are refused, because the daemon keeps the file in memory, which systemd limits; the
#: shipped models have less than 1 MB.
MAX_MODEL_BYTES = 64 << 20

CardT = TypeVar("CardT", bound=msgspec.Struct)


def read_model(path: Path, name: str, setting: str) -> bytes:
    """Return the bytes of the model file `path`.

    Raises UserError if it cannot be read or is too large, with the `name` of the model and the
    `setting` that configures it.
    """
    try:
        # Reading a pipe may wait forever, and a device may have no end.
        if not stat.S_ISREG(path.stat().st_mode):
            raise OSError(0, "it is not a regular file")
        with path.open("rb") as file:
            model = file.read(MAX_MODEL_BYTES + 1)
        if len(model) > MAX_MODEL_BYTES:
            raise OSError(0, f"it is larger than {MAX_MODEL_BYTES >> 20} MiB")
    except OSError as error:
        raise UserError(
            f"cannot read the {name} {path}: {error.strerror};"
            f" leave {setting} empty to use the shipped one"
        ) from None
    return model


def card_bytes(card: msgspec.Struct) -> bytes:
    """Return `card` as readable JSON."""
    return msgspec.json.format(msgspec.json.encode(card), indent=2)


def decode_card(raw: bytes, kind: type[CardT], path: Path) -> CardT:
    """Return the card of type `kind` in `raw`; raises UserError, which names the invalid field."""
    try:
        return msgspec.json.decode(decode_text(raw), type=kind)
    except ValueError as error:  # includes the errors of msgspec and of the encoding
        reason = str(error)
    except RecursionError:
        reason = "its values are nested too deeply"
    raise UserError(f"the card of {path} is invalid: {printable(reason)}")


def require_undamaged(attached: Attached, flatbuffer_sha256: str | None, path: Path) -> None:
    """Raise UserError if the model file `path` differs in one bit from what was written.

    `flatbuffer_sha256` is the digest of the flatbuffer that the card contains. Without one, as in
    the cards of earlier versions, nothing can be checked here. The checksums of the archive cover
    its files.
    """
    if flatbuffer_sha256 is None:
        return
    found = digest(attached.flatbuffer)
    if found != flatbuffer_sha256 or not attached.is_original():
        raise UserError(
            f"{path} is damaged, or another program has changed it: it does not match the digest in"
            " its card; copy the file again, or convert it again with `make convert`"
        )


def digest(content: bytes) -> str:
    """Return `sha256:` and the hexadecimal digest of `content`, the form used in events and
    cards."""
    return "sha256:" + hashlib.sha256(content).hexdigest()
