"""The card of the face detector's network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from edge.common.errors import UserError
from edge.common.paths import shipped_detector, shipped_model
from edge.detection.detector_card import (
    BoxConvention,
    DetectorCard,
    DetectorInput,
    Threshold,
    attach_detector_card,
    read_detector_card,
)
from edge.inference.model_file import digest
from tests.support.models.mutations import without_digest

PATH = Path("face.tflite")
CARD = DetectorCard(
    name="test",
    input=DetectorInput(height=240, width=320),
    strides=[8, 16, 32],
    decoding="as documented",
    box=BoxConvention(side=1.1, measured="by hand"),
    threshold=Threshold(score=0.5, sure=0.8, chosen="by hand"),
    quantisation="int8",
    keras_sha256="sha256:0",
    training_data={"faces": "sha256:1"},
    figures={},
    licence="MIT",
    versions={},
)


def test_attached_card_can_be_read() -> None:
    model = attach_detector_card(b"flatbuffer", CARD)
    assert model.startswith(b"flatbuffer")
    card = read_detector_card(model, PATH)
    assert card == msgspec.structs.replace(CARD, flatbuffer_sha256=digest(b"flatbuffer"))
    assert attach_detector_card(b"flatbuffer", card) == model


def test_card_without_a_digest_is_read() -> None:
    model = without_digest(attach_detector_card(b"flatbuffer", CARD))
    assert read_detector_card(model, PATH) == CARD


def test_changed_flatbuffer_is_refused() -> None:
    model = attach_detector_card(b"flatbuffer", CARD).replace(b"flatbuffer", b"flatbuffeR", 1)
    with pytest.raises(UserError, match=r"face\.tflite is damaged"):
        read_detector_card(model, PATH)


def test_shipped_detector_has_a_card() -> None:
    card = read_detector_card(shipped_detector().read_bytes(), PATH)
    assert card.flatbuffer_sha256
    assert (card.input.width, card.input.height) == (320, 240)
    assert 0.1 < card.threshold.score < card.threshold.sure < 1.0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"card_version": 2}, "`card_version` is 2"),
        ({"strides": [8, 16]}, "`strides` is"),
        ({"input": DetectorInput(height=240, width=320, colour="rgb")}, "searches luma"),
        ({"threshold": Threshold(score=0.8, sure=0.5, chosen="")}, "`threshold.sure`"),
        ({"input": {"height": 1, "width": 320}}, "`$.input.height`"),
    ],
)
def test_invalid_card_is_refused(changes: dict[str, Any], message: str) -> None:
    model = attach_detector_card(b"flatbuffer", msgspec.structs.replace(CARD, **changes))
    with pytest.raises(UserError, match=r"the card of face\.tflite is invalid: ") as raised:
        read_detector_card(model, PATH)
    assert message in str(raised.value)


def test_classifier_is_no_detector() -> None:
    with pytest.raises(UserError, match=r"the card of face\.tflite is invalid"):
        read_detector_card(shipped_model().read_bytes(), PATH)
