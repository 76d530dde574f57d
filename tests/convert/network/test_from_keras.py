"""Loading a Keras model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edge.inference.model_file import digest
from tests.support.cli_process import error_line
from tests.support.training.datasets import python

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def test_file_that_is_not_a_model_is_named(model: Path) -> None:
    model.write_bytes(b"not a zip")
    for suffix in (".json", ".ranges.json"):
        beside = model.with_suffix(suffix)
        stored = json.loads(beside.read_bytes())
        beside.write_text(json.dumps({**stored, "keras_sha256": digest(b"not a zip")}))
    done = python("-m", "convert", "--model", model, "--out", model.with_name("x"))
    assert "mask.keras is not a Keras model" in error_line(done, code=1)
    assert not model.with_name("x").exists()
