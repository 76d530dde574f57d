"""Files appended to a model."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import msgspec
import pytest

from edge.common.errors import UserError
from edge.inference.model_file import (
    attach_files,
    attached_files,
    card_bytes,
    decode_card,
    digest,
)

PATH = Path("model.tflite")


class Card(msgspec.Struct):
    side: int


def test_attached_files_can_be_read_in_any_order() -> None:
    model = attach_files(b"flatbuffer", {"a.txt": b"one", "b.txt": b"two"})
    assert attached_files(model, ["b.txt", "a.txt"], PATH) == [b"two", b"one"]
    with zipfile.ZipFile(io.BytesIO(model)) as archive:
        assert archive.testzip() is None


def test_missing_file_is_an_error() -> None:
    with pytest.raises(UserError, match=r"model\.tflite has no model card"):
        attached_files(attach_files(b"x", {"a.txt": b"one"}), ["b.txt"], PATH)


def test_card_is_readable_json() -> None:
    assert card_bytes(Card(3)) == b'{\n  "side": 3\n}'
    assert decode_card(card_bytes(Card(3)), Card, PATH) == Card(3)


def test_invalid_field_is_named() -> None:
    with pytest.raises(UserError, match=r"the card of model\.tflite is invalid: .*side"):
        decode_card(b'{"side": "wide"}', Card, PATH)


def test_digest_names_its_algorithm() -> None:
    assert digest(b"").startswith("sha256:e3b0c442")
