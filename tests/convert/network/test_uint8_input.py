"""The uint8 input that is put in front of a float flatbuffer."""

from __future__ import annotations

import pytest

from convert.network.uint8_input import with_uint8_input
from tests.support.training.datasets import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
MODELS = ROOT / "models"


def test_only_float_inputs_can_become_uint8(flatbuffer: bytes) -> None:
    with pytest.raises(ValueError, match="not float32"):
        with_uint8_input(flatbuffer, 1 / 128, 128)


def test_uint8_input_cannot_be_added_twice() -> None:
    with pytest.raises(ValueError, match="input is"):
        with_uint8_input((MODELS / "mask.tflite").read_bytes(), 1 / 128, 128)
