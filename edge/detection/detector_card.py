"""The card of the face detector's network, appended to its `.tflite` file as `model.json`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from edge.common.errors import UserError
from edge.detection.point_grid import STRIDES
from edge.inference.card_archive import attach_files, read_attached
from edge.inference.model_file import (
    CARD_NAME,
    card_bytes,
    decode_card,
    digest,
    require_undamaged,
)

KIND: Literal["face detector"] = "face detector"
#: The only version of cards that this program can read.
VERSION = 1

Side = Annotated[int, msgspec.Meta(ge=64, le=2048)]
Fraction = Annotated[float, msgspec.Meta(gt=0.0, lt=1.0)]


class _CardPart(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class DetectorInput(_CardPart, frozen=True, kw_only=True):
    """The input tensor: (1, height, width, 1) uint8 luma, 0 to 255.

    A network that takes RGB can be trained and evaluated, but the daemon has no use for it.
    """

    height: Side
    width: Side
    colour: Literal["luma", "rgb"] = "luma"


class BoxConvention(_CardPart, frozen=True, kw_only=True):
    """How the network's tight box becomes the square box of a face that the cascade returns.

    The square has the centre of the tight box, and its side is `side` times the square root of the
    tight box's area. `measured` describes how this was measured.
    """

    side: Annotated[float, msgspec.Meta(gt=0.2, lt=5.0)]
    measured: str


class Threshold(_CardPart, frozen=True, kw_only=True):
    """A box is a face if its score is at least `score`.

    From the score `sure` on, it is so surely a face that its label has the full weight; `chosen`
    describes how both were chosen.
    """

    score: Fraction
    sure: Fraction
    chosen: str


class DetectorCard(_CardPart, frozen=True, kw_only=True):
    """The description of a network: the parameters that the daemon needs, and facts for users.

    `training_data` is the digest of each data set's annotations, by the name of the data set.
    `attach_detector_card` sets `flatbuffer_sha256`; cards of earlier versions do not have it.
    """

    card_version: int = VERSION
    kind: Literal["face detector"] = KIND
    name: str
    input: DetectorInput
    strides: list[int]
    decoding: str
    box: BoxConvention
    threshold: Threshold
    quantisation: str
    flatbuffer_sha256: str | None = None
    keras_sha256: str
    training_data: dict[str, str]
    figures: dict[str, Any]
    licence: str
    versions: dict[str, str]


def attach_detector_card(flatbuffer: bytes, card: DetectorCard) -> bytes:
    """Return `flatbuffer` with `card` and its digest appended.

    The same arguments give the same bytes.
    """
    card = msgspec.structs.replace(card, flatbuffer_sha256=digest(flatbuffer))
    return attach_files(flatbuffer, {CARD_NAME: card_bytes(card)})


def read_detector_card(model: bytes, path: Path) -> DetectorCard:
    """Return the card appended to `model`; `path` is used only in error messages.

    Raises UserError if the card is missing, if one of its fields is invalid, or if the model does
    not have the digest in the card.
    """
    attached = read_attached(model, path)
    card = decode_card(attached.file(CARD_NAME, path), DetectorCard, path)
    problem = None
    if card.card_version != VERSION:
        problem = f"`card_version` is {card.card_version}, but this program can only read {VERSION}"
    elif card.input.colour != "luma":
        problem = f"`input.colour` is {card.input.colour}, but the daemon searches luma"
    elif tuple(card.strides) != STRIDES:
        problem = f"`strides` is {card.strides}, expected {list(STRIDES)}"
    elif card.threshold.sure <= card.threshold.score:
        problem = "`threshold.sure` must be above `threshold.score`"
    if problem:
        raise UserError(f"the card of {path} is invalid: {problem}")
    require_undamaged(attached, card.flatbuffer_sha256, path)
    return card
