"""The model card: the description of the classifier, appended to its `.tflite` file.

The archive contains `labels.txt` (one label per line, in the order of the outputs) and `model.json`
(`Card`).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec

from edge.common.errors import UserError
from edge.common.text_files import without_mark
from edge.inference.card_archive import attach_files, read_attached
from edge.inference.model_file import (
    CARD_NAME,
    card_bytes,
    decode_card,
    digest,
    require_undamaged,
)

LABELS_NAME = "labels.txt"

#: The label whose score is compared with the alert threshold of the card.
ALERT_LABEL = "no_mask"
KNOWN_LABELS = ("mask", "no_mask", "incorrect_mask")
#: The labels of the answer without `incorrect_mask`.
TWO_LABELS = ("mask", "no_mask")

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


class Unsure(_CardPart, frozen=True, kw_only=True):
    """The scores under which a reading is unsure: it says nothing about the face.

    `scores` has one score for each label: a reading is unsure if the score of its label, which is
    its highest one, is below it (`edge.classification.unsure`). `chosen` describes how the scores
    were chosen.
    """

    scores: dict[str, Fraction]
    chosen: str


class Thresholds(_CardPart, frozen=True, kw_only=True):
    """The alert threshold and the unsure scores of an answer."""

    alert: Alert
    unsure: Unsure


class DataSet(_CardPart, frozen=True, kw_only=True):
    """One data set of training pictures; `sha256` covers the names and bytes of these pictures."""

    name: str
    pictures: int
    sha256: str
    licence: str


class Card(_CardPart, frozen=True, kw_only=True):
    """The description of a model: the parameters that the daemon needs, and facts for users.

    `alert` and `unsure` belong to the answer with all `labels`. A model of three labels can also
    answer among `TWO_LABELS` alone (`edge.classification.answer`); `two_labels` has the thresholds
    of that answer. `attach_card` sets `flatbuffer_sha256`. Cards of earlier versions have neither
    this digest nor `unsure` nor `two_labels`.
    """

    card_version: int = 1
    name: str
    input: Input
    framing: Framing
    labels: list[str]
    quantisation: str
    alert: Alert
    unsure: Unsure | None = None
    two_labels: Thresholds | None = None
    flatbuffer_sha256: str | None = None
    keras_sha256: str
    training_data: list[DataSet]
    figures: dict[str, Any]
    licence: str
    versions: dict[str, str]


def describe_scores(scores: Mapping[str, float]) -> str:
    """Return scores by label as text, such as `0.97 (mask), 0.92 (no_mask)`."""
    return ", ".join(f"{score:.2f} ({label})" for label, score in scores.items())


def attach_card(flatbuffer: bytes, card: Card) -> bytes:
    """Return `flatbuffer` with `card` and its digest appended.

    The same arguments give the same bytes.
    """
    card = msgspec.structs.replace(card, flatbuffer_sha256=digest(flatbuffer))
    labels = "".join(f"{label}\n" for label in card.labels).encode()
    return attach_files(flatbuffer, {LABELS_NAME: labels, CARD_NAME: card_bytes(card)})


def read_card(model: bytes, path: Path) -> Card:
    """Return the card appended to `model`; `path` is used only in error messages.

    Raises UserError if the card is missing, if one of its fields is invalid, or if the model does
    not have the digest in the card.
    """
    attached = read_attached(model, path)
    card = decode_card(attached.file(CARD_NAME, path), Card, path)
    labels = without_mark(attached.file(LABELS_NAME, path)).decode(errors="replace").split()
    _check(card, labels, path)
    require_undamaged(attached, card.flatbuffer_sha256, path)
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
    elif card.unsure is not None and set(card.unsure.scores) != set(card.labels):
        problem = (
            f"`unsure.scores` has the labels {list(card.unsure.scores)}, expected {card.labels}"
        )
    elif card.two_labels is not None and len(card.labels) <= len(TWO_LABELS):
        problem = f"`labels` is {card.labels}, but `two_labels` is only for a model of more labels"
    elif card.two_labels is not None and set(card.two_labels.unsure.scores) != set(TWO_LABELS):
        problem = (
            f"`two_labels.unsure.scores` has the labels {list(card.two_labels.unsure.scores)},"
            f" expected {list(TWO_LABELS)}"
        )
    elif labels != card.labels:
        problem = f"`labels` is {card.labels}, but {LABELS_NAME} contains {labels}"
    if problem:
        raise UserError(f"the card of {path} is invalid: {problem}")
