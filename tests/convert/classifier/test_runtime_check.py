"""A candidate file is checked in every installed runtime."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from convert.classifier.pictures import check_set
from convert.classifier.runtime_check import checked, save_pixels
from convert.network.variants import INT8
from edge.classification.model_card import attach_card, read_card
from edge.common.errors import UserError
from tests.support.training.datasets import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
MODELS = ROOT / "models"


def test_file_that_one_runtime_refuses_is_rejected(tmp_path: Path) -> None:
    check = check_set([], ("mask", "no_mask"), 96)
    content = (MODELS / "mask.tflite").read_bytes()
    broken = tmp_path / "broken.tflite"
    card = read_card(content, MODELS / "mask.tflite")
    broken.write_bytes(attach_card(b"no flatbuffer at all", card))
    scores = np.full((len(check.pixels), 2), 0.5, np.float32)
    with pytest.raises(UserError, match=r"int8 model is not written: \S+ fails: "):
        checked(INT8, broken, check, scores, save_pixels(tmp_path, check))
