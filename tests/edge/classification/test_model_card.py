from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.classification.answer import answer_of
from edge.classification.model_card import (
    KNOWN_LABELS,
    Alert,
    Card,
    Framing,
    Input,
    Thresholds,
    Unsure,
    attach_card,
    describe_scores,
    read_card,
)
from edge.common.errors import UserError
from edge.common.paths import shipped_model
from edge.inference.card_archive import attach_files
from edge.inference.model_file import card_bytes, digest
from tests.support.models.mutations import without_digest

PATH = Path("model.tflite")
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


#: Thresholds that lack a label.
TWO = Thresholds(
    alert=Alert(threshold=0.9, chosen=""), unsure=Unsure(scores={"mask": 0.9}, chosen="")
)


@given(st.binary(max_size=3000))
def test_attached_card_can_be_read(flatbuffer: bytes) -> None:
    model = attach_card(flatbuffer, CARD)
    assert model.startswith(flatbuffer)
    card = read_card(model, PATH)
    assert card == msgspec.structs.replace(CARD, flatbuffer_sha256=digest(flatbuffer))
    assert attach_card(flatbuffer, card) == attach_card(flatbuffer, CARD) == model


@given(st.integers(min_value=0), st.integers(0, 7))
def test_each_flipped_bit_is_detected(place: int, bit: int) -> None:
    model = bytearray(attach_card(b"flatbuffer" * 50, CARD))
    model[place % len(model)] ^= 1 << bit
    with pytest.raises(UserError, match=r"is damaged|has no model card"):
        read_card(bytes(model), PATH)


def test_card_without_a_digest_is_read() -> None:
    assert read_card(without_digest(attach_card(b"flatbuffer", CARD)), PATH) == CARD


def test_card_is_a_zip_archive() -> None:
    with zipfile.ZipFile(io.BytesIO(attach_card(b"flatbuffer" * 100, CARD))) as archive:
        assert archive.testzip() is None
        assert archive.read("labels.txt") == b"mask\nno_mask\n"


@given(st.binary(max_size=200))
def test_file_without_a_card_is_refused(content: bytes) -> None:
    with pytest.raises(UserError, match="no model card"):
        read_card(content, PATH)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"card_version": 2}, "`card_version` is 2"),
        ({"input": Input(height=96, width=96, colour="CMYK")}, "`input.colour` is 'CMYK'"),
        ({"labels": ["no_mask", "no_mask"]}, "expected distinct labels"),
        ({"labels": ["no_mask", "cat"]}, "expected distinct labels"),
        ({"labels": ["mask"]}, "but must contain 'no_mask'"),
        (
            {"two_labels": TWO},
            "`labels` is ['mask', 'no_mask'], but `two_labels` is only for a model of more labels",
        ),
        (
            {"labels": list(KNOWN_LABELS), "two_labels": TWO},
            "`two_labels.unsure.scores` has the labels ['mask'], expected ['mask', 'no_mask']",
        ),
        (
            {"unsure": Unsure(scores={"mask": 0.9}, chosen="")},
            "`unsure.scores` has the labels ['mask'], expected ['mask', 'no_mask']",
        ),
    ],
)
def test_invalid_card_is_refused(changes: dict[str, Any], message: str) -> None:
    card = msgspec.structs.replace(CARD, **changes)
    with pytest.raises(UserError, match=r"the card of model\.tflite is invalid: ") as raised:
        read_card(attach_card(b"flatbuffer", card), PATH)
    assert message in str(raised.value)


def test_unsure_scores_are_read_and_described() -> None:
    unsure = Unsure(scores={"mask": 0.96, "no_mask": 0.9155}, chosen="by hand")
    model = attach_card(b"flatbuffer", msgspec.structs.replace(CARD, unsure=unsure))
    assert read_card(model, PATH).unsure == unsure
    assert describe_scores(unsure.scores) == "0.96 (mask), 0.92 (no_mask)"


@pytest.mark.parametrize("two_labels", [False, True])
def test_shipped_model_says_from_which_score_on_it_is_sure(two_labels: bool) -> None:
    path = shipped_model()
    answer = answer_of(read_card(path.read_bytes(), path), two_labels)
    assert answer.unsure is not None
    assert tuple(answer.unsure.scores) == answer.labels == KNOWN_LABELS[: len(answer.labels)]
    # The largest score of an int8 model is 255/256; a bare face that alerts must be sure.
    assert all(0.5 < score <= 0.98 for score in answer.unsure.scores.values())
    assert answer.unsure.scores["no_mask"] <= answer.alert.threshold


def test_shipped_model_has_a_correct_card() -> None:
    path = shipped_model()
    card = read_card(path.read_bytes(), path)
    assert tuple(card.labels) == KNOWN_LABELS
    assert card.two_labels is not None
    assert 0.0 < card.alert.threshold < 1.0
    assert card.flatbuffer_sha256
    assert card.training_data
    # The licence of MaskedFace-Net forbids commercial use, so the shipped model must not use it.
    assert not any("maskedface" in source.name.lower() for source in card.training_data)


@pytest.mark.parametrize("name", ["a\nb", "\x1b[2J"])
def test_names_in_a_model_file_cannot_control_the_terminal(name: str) -> None:
    card = msgspec.to_builtins(CARD)
    fields = attach_files(b"", {"model.json": msgspec.json.encode({**card, name: 1})})
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, b"compressed" * 9)
    for model in (fields, out.getvalue()):
        with pytest.raises(UserError, match=r"model card|unknown field") as caught:
            read_card(model, PATH)
        assert str(caught.value).isprintable()


def test_card_that_a_windows_editor_saved_is_read() -> None:
    mark = b"\xef\xbb\xbf"
    files = {"labels.txt": mark + b"mask\r\nno_mask\r\n", "model.json": mark + card_bytes(CARD)}
    assert read_card(attach_files(b"flatbuffer", files), PATH) == CARD
