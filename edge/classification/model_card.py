"""The model card: the description of a model, in a zip archive appended to its `.tflite` file.

This is the "associated files" convention of TFLite: the flatbuffer comes first, runtimes ignore
what follows it, and any unzip tool can read the archive. The archive contains `labels.txt` (one
label per line, in the order of the outputs) and `model.json` (`Card`).
"""

from __future__ import annotations

import hashlib
import io
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Annotated, Any

import msgspec

from edge.common.errors import UserError

LABELS_NAME = "labels.txt"
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

#: The label whose score is compared with the alert threshold of the card.
ALERT_LABEL = "no_mask"
KNOWN_LABELS = ("mask", "no_mask", "incorrect_mask")

Size = Annotated[int, msgspec.Meta(ge=16, le=1024)]
Fraction = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]


class _CardPart(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class Input(_CardPart, frozen=True, kw_only=True):
    """The input tensor: (1, height, width, 3) uint8, channels in the order `colour`."""

    height: Size
    width: Size
    colour: str = "RGB"


class Framing(_CardPart, frozen=True, kw_only=True):
    """The margin around a face: see `edge.classification.face_crop.framed_square`."""

    margin: Annotated[float, msgspec.Meta(ge=0.0, le=2.0)]


class Alert(_CardPart, frozen=True, kw_only=True):
    """The alert threshold: a face is bare if its `no_mask` score is at least `threshold`.

    `chosen` describes how the threshold was chosen.
    """

    threshold: Fraction
    chosen: str


class DataSet(_CardPart, frozen=True, kw_only=True):
    """One data set of training pictures; `sha256` covers the names and bytes of these pictures."""

    name: str
    pictures: int
    sha256: str
    licence: str


class Card(_CardPart, frozen=True, kw_only=True):
    """The description of a model: the parameters that the daemon needs, and facts for users."""

    card_version: int = 1
    name: str
    input: Input
    framing: Framing
    labels: list[str]
    quantisation: str
    alert: Alert
    keras_sha256: str
    training_data: list[DataSet]
    figures: dict[str, Any]
    licence: str
    versions: dict[str, str]


def attach_card(flatbuffer: bytes, card: Card) -> bytes:
    """Return `flatbuffer` with `card` appended; the same arguments give the same bytes."""
    buffer = io.BytesIO(flatbuffer)
    with zipfile.ZipFile(buffer, "a", zipfile.ZIP_STORED) as archive:
        for name, content in (
            (LABELS_NAME, "".join(f"{label}\n" for label in card.labels).encode()),
            (CARD_NAME, msgspec.json.format(msgspec.json.encode(card), indent=2)),
        ):
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content)
    return buffer.getvalue()


def read_card(model: bytes, path: Path) -> Card:
    """Return the card appended to `model`; `path` is used only in error messages.

    Raises UserError if the card is missing or one of its fields is invalid.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(model)) as archive:
            raw, labels = archive.read(CARD_NAME), archive.read(LABELS_NAME)
    except ARCHIVE_ERRORS as error:
        raise UserError(
            f"{path} has no model card ({error}); convert it with `make convert`,"
            " or use a model that ships with Mask Patrol"
        ) from None
    try:
        card = msgspec.json.decode(raw, type=Card)
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        raise UserError(f"the card of {path} is invalid: {error}") from None
    _check(card, labels.decode(errors="replace").split(), path)
    return card


def _check(card: Card, labels: list[str], path: Path) -> None:
    problem = None
    if card.card_version != 1:
        problem = f"`card_version` is {card.card_version}, but this program can only read 1"
    elif card.input.colour not in ("RGB", "BGR"):
        problem = f"`input.colour` is {card.input.colour!r}, expected RGB or BGR"
    elif len(set(card.labels)) != len(card.labels) or not set(card.labels) <= set(KNOWN_LABELS):
        problem = (
            f"`labels` is {card.labels}, expected distinct labels out of {', '.join(KNOWN_LABELS)}"
        )
    elif ALERT_LABEL not in card.labels:
        problem = f"`labels` is {card.labels}, but must contain {ALERT_LABEL!r}"
    elif labels != card.labels:
        problem = f"`labels` is {card.labels}, but {LABELS_NAME} contains {labels}"
    if problem:
        raise UserError(f"the card of {path} is invalid: {problem}")


def digest(content: bytes) -> str:
    """Return `sha256:` and the hexadecimal digest of `content`, the form used in events and
    cards."""
    return "sha256:" + hashlib.sha256(content).hexdigest()
