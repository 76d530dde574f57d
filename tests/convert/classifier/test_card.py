"""The model card of a converted model, and the training report that the card is made from."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from edge.classification.model_card import read_card
from tests.support.cli_process import error_line
from tests.support.training.datasets import ROOT, python

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
MODELS = ROOT / "models"


def test_shipped_model_is_small_and_matches_its_card() -> None:
    content = (MODELS / "mask.tflite").read_bytes()
    card = read_card(content, MODELS / "mask.tflite")
    report = json.loads((MODELS / "mask.json").read_bytes())
    assert len(content) < 400_000
    assert card.labels == ["mask", "no_mask", "incorrect_mask"]
    assert card.alert.threshold == report["threshold"]
    assert msgspec.to_builtins(card.two_labels) == report["two_labels"]
    assert card.framing.margin == 0.12
    assert {data.name for data in card.training_data} == set(report["figures"]["faces_trained_on"])
    assert all(data.licence != "not stated" for data in card.training_data)


def test_report_of_another_model_is_refused(model: Path) -> None:
    model.write_bytes(b"another model")
    done = python("-m", "convert", "--model", model, "--out", model.with_name("x"))
    assert "mask.json belongs to another Keras model" in error_line(done, code=1)
