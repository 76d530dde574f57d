from __future__ import annotations

import msgspec

from edge.camera.controls.control_table import TABLE
from edge.config.camera_controls import CameraControls


def test_every_setting_has_a_row() -> None:
    assert [field.name for field in msgspec.structs.fields(CameraControls)] == list(TABLE)
