from __future__ import annotations

import msgspec
import pytest

from edge.camera.open_settings import must_adjust, must_reopen
from edge.config.camera_controls import CameraControls
from edge.config.settings import CameraSettings


@pytest.mark.parametrize(
    ("source", "change", "expected"),
    [
        ("/dev/video0", {"width_px": 1280}, True),
        ("/dev/video0", {"rotate": 90}, False),
        ("/dev/video0", {"controls": CameraControls(hdr=True)}, False),
        ("clip.mp4", {"mirror": True}, False),
        ("picamera2:1", {"mirror": True}, True),
        ("picamera2", {"controls": CameraControls(hdr=True)}, True),
        ("picamera2", {"controls": CameraControls(gain=2.0)}, False),
        ("picamera2", {"zone": ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0))}, False),
    ],
)
def test_only_some_settings_need_a_new_source(
    source: str, change: dict[str, object], expected: bool
) -> None:
    present = CameraSettings(source=source)
    settings = msgspec.structs.replace(present, **change)
    assert must_reopen(settings, present) is expected
    assert must_adjust(settings, present) is bool(set(change) - {"width_px", "zone"})
