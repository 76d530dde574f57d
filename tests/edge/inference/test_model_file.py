"""Model files: reading them, their cards, and their digests."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest

from edge.common.errors import UserError
from edge.inference import model_file
from edge.inference.card_archive import attach_files, read_attached
from edge.inference.model_file import (
    card_bytes,
    decode_card,
    digest,
    read_model,
    require_undamaged,
)

PATH = Path("model.tflite")


class Card(msgspec.Struct):
    side: int
    figures: object = None


def test_card_is_readable_json() -> None:
    assert card_bytes(Card(3)) == b'{\n  "side": 3,\n  "figures": null\n}'
    assert decode_card(card_bytes(Card(3)), Card, PATH) == Card(3)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b'{"side": "wide"}', "side"),
        (b"", "truncated"),
        (b'{"side": 1, "figures": "\xff"}', "utf-8|UTF-8"),
        (b'{"side": 1, "figures": ' + b"[" * 100_000, "nested too deeply"),
    ],
)
def test_invalid_card_is_refused_with_the_reason(raw: bytes, reason: str) -> None:
    with pytest.raises(UserError, match=rf"the card of model\.tflite is invalid: .*{reason}"):
        decode_card(raw, Card, PATH)


def test_flatbuffer_without_its_digest_is_damaged() -> None:
    attached = read_attached(attach_files(b"flatbuffer", {"a": b"one"}), PATH)
    require_undamaged(attached, digest(b"flatbuffer"), PATH)
    require_undamaged(attached, None, PATH)
    with pytest.raises(UserError, match=r"model\.tflite is damaged, .*digest"):
        require_undamaged(attached, digest(b"flatbuffeR"), PATH)


def test_changed_archive_is_damaged() -> None:
    model = bytearray(attach_files(b"flatbuffer", {"a": b"one"}))
    model[len(b"flatbuffer") + 12] ^= 1  # the date of the first file, which nothing else reads
    attached = read_attached(bytes(model), PATH)
    with pytest.raises(UserError, match="is damaged"):
        require_undamaged(attached, digest(b"flatbuffer"), PATH)


def test_file_that_is_not_regular_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path, Path("/dev/zero")):
        with pytest.raises(UserError, match=r"cannot read the model .*not a regular file; leave x"):
            read_model(path, "model", "x")


def test_model_that_is_too_large_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_file, "MAX_MODEL_BYTES", 1 << 20)
    path = tmp_path / "large.tflite"
    for size in (1 << 20, (1 << 20) + 1):
        path.write_bytes(bytes(size))
        if size == 1 << 20:
            assert len(read_model(path, "model", "x")) == size
        else:
            with pytest.raises(UserError, match="larger than 1 MiB"):
                read_model(path, "model", "x")


def test_digest_names_its_algorithm() -> None:
    assert digest(b"").startswith("sha256:e3b0c442")
