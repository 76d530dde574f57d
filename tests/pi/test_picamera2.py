"""Our sources over the real picamera2, libcamera and V4L2, with virtual cameras."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.pi.virtual_camera import PROGRAMS, run_guest


def test_virtual_cameras_are_read_and_controlled(tmp_path: Path) -> None:
    if missing := [program for program in PROGRAMS if shutil.which(program) is None]:
        pytest.skip(f"not installed: {', '.join(missing)}")
    code, output = run_guest(tmp_path)
    assert code == 0, output
    assert output.splitlines()[-1] == "ok v4l2_controls_are_set", output
