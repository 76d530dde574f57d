"""The model's card: what a `.tflite` file says of itself, in a zip appended to it.

TFLite's "associated files" convention: the flatbuffer comes first and every
runtime ignores what follows it; any unzip tool reads the rest. The archive holds
`labels.txt` (one label a line, in output order) and `model.json` (`Card`).
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

#: What `zipfile` raises for an archive that is missing, incomplete or damaged.
UNREADABLE = (
    zipfile.BadZipFile,
    RuntimeError,
    LookupError,
    ValueError,
    OSError,
    EOFError,
    struct.error,
    zlib.error,
)

#: The label whose score is held against the alert threshold.
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
    """`margin`: see `edge.classification.face_crop.framed_square`."""

    margin: Annotated[float, msgspec.Meta(ge=0.0, le=2.0)]


class Alert(_CardPart, frozen=True, kw_only=True):
    """A face counts as bare when its `no_mask` score reaches `threshold`."""

    threshold: Fraction
    chosen: str


class DataSet(_CardPart, frozen=True, kw_only=True):
    """One source of training pictures; `sha256` digests names and bytes of what was used."""

    name: str
    pictures: int
    sha256: str
    licence: str


class Card(_CardPart, frozen=True, kw_only=True):
    """Everything the edge must know of a model, and what its user should."""

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
    """`flatbuffer` with `card` appended: same input, same bytes."""
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
    """The card appended to `model`; `path` only names the file in errors.

    Raises UserError naming what is missing or which field is wrong.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(model)) as archive:
            raw, labels = archive.read(CARD_NAME), archive.read(LABELS_NAME)
    except UNREADABLE as error:
        raise UserError(
            f"{path} has no model card ({error}); convert it with `make convert`,"
            " or use a model that ships with Mask Patrol"
        ) from None
    try:
        card = msgspec.json.decode(raw, type=Card)
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        raise UserError(f"the card of {path} is wrong: {error}") from None
    _check(card, labels.decode(errors="replace").split(), path)
    return card


def _check(card: Card, labels: list[str], path: Path) -> None:
    wrong = None
    if card.card_version != 1:
        wrong = f"`card_version` is {card.card_version}, and this program reads 1"
    elif card.input.colour not in ("RGB", "BGR"):
        wrong = f"`input.colour` is {card.input.colour!r}, expected RGB or BGR"
    elif len(set(card.labels)) != len(card.labels) or not set(card.labels) <= set(KNOWN_LABELS):
        wrong = f"`labels` is {card.labels}, expected distinct ones of {', '.join(KNOWN_LABELS)}"
    elif ALERT_LABEL not in card.labels:
        wrong = f"`labels` is {card.labels}, without {ALERT_LABEL!r}"
    elif labels != card.labels:
        wrong = f"`labels` is {card.labels}, but {LABELS_NAME} says {labels}"
    if wrong:
        raise UserError(f"the card of {path} is wrong: {wrong}")


def digest(content: bytes) -> str:
    """`sha256:` and the hexadecimal digest, as events and cards name a file."""
    return "sha256:" + hashlib.sha256(content).hexdigest()
