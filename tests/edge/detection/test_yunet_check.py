"""Outputs of a network that have other sizes than OpenCV reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.common.errors import UserError
from edge.detection.yunet_check import require_sound_yunet
from tests.support.models.tiny_yunet import tiny_yunet


def test_undamaged_network_is_sound(tmp_path: Path) -> None:
    path = tmp_path / "tiny.onnx"
    path.write_bytes(tiny_yunet())
    require_sound_yunet(path)


def test_output_of_another_size_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "tiny.onnx"
    path.write_bytes(tiny_yunet(strides=(8, 16, 64), names=(8, 16, 32)))
    with pytest.raises(UserError, match="its output cls_32 has the wrong size"):
        require_sound_yunet(path)
