from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.classification.model_card import Alert, Card, Framing, Input, attach_card, read_card
from edge.common.errors import UserError
from edge.common.paths import shipped_model

HERE = Path("model.tflite")
CARD = Card(
    name="test",
    input=Input(height=96, width=96),
    framing=Framing(margin=0.1),
    labels=["mask", "no_mask"],
    quantisation="int8",
    alert=Alert(threshold=0.8, chosen="by hand"),
    keras_sha256="sha256:0",
    training_data=[],
    figures={"accuracy": 0.5},
    licence="MIT",
    versions={},
)


@given(st.binary(max_size=3000))
def test_a_card_comes_back_whatever_stands_before_it(flatbuffer: bytes) -> None:
    model = attach_card(flatbuffer, CARD)
    assert model.startswith(flatbuffer)
    assert read_card(model, HERE) == CARD
    assert attach_card(flatbuffer, CARD) == model


def test_any_unzip_tool_reads_it() -> None:
    with zipfile.ZipFile(io.BytesIO(attach_card(b"flatbuffer" * 100, CARD))) as archive:
        assert archive.testzip() is None
        assert archive.read("labels.txt") == b"mask\nno_mask\n"


@given(st.integers(0, 400), st.integers(0, 255))
def test_damage_is_an_error_and_never_another_card(back: int, byte: int) -> None:
    model = bytearray(attach_card(b"x" * 100, CARD))
    model[-1 - back % len(model)] = byte
    try:
        found = read_card(bytes(model), HERE)
    except UserError:
        return
    assert found == CARD


@given(st.binary(max_size=200))
def test_what_has_no_card_is_refused(content: bytes) -> None:
    with pytest.raises(UserError, match="no model card"):
        read_card(content, HERE)


def test_the_shipped_model_has_a_card_that_is_true() -> None:
    path = shipped_model()
    card = read_card(path.read_bytes(), path)
    assert set(card.labels) == {"mask", "no_mask"}
    assert 0.0 < card.alert.threshold < 1.0
    assert card.training_data
    # Its licence forbids commercial use: what ships is not trained on it.
    assert not any("maskedface" in source.name.lower() for source in card.training_data)
