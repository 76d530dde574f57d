"""`python -m training frontier`: its output, and refused options."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import pytest

from tests.support.footage.demo_frames import demo_frames
from training.cli import main
from training.detector_sweep.grid import (
    shipped,
    shipped_cascade,
)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with three seconds of the demo clip, in which a person without a
    mask enters.
    """
    folder = tmp_path_factory.mktemp("clips")
    writer = cv2.VideoWriter(
        str(folder / "hall.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 15.0, (640, 480)
    )
    for image in demo_frames(1, 90)[45:]:
        writer.write(image)
    writer.release()
    return folder


@pytest.mark.slow
def test_command_prints_and_writes_results(
    scenes: Path, clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "expected.json").write_bytes(b'\xef\xbb\xbf{"hall.avi": 7}\r\n')
    small = (
        "--cascades",
        "alt2",
        "--scales",
        "1.3",
        "--neighbors",
        "3",
        "--min-faces",
        "0.1",
        "--min-scores",
        "0.7",
    )
    out = ("--json", str(tmp_path / "all.json"), "--plot", str(tmp_path / "front.png"))
    counts = ("--limit", "3", "--confirm", "2", "--widths", "240")
    command = (
        "frontier",
        "--data",
        str(scenes),
        "--split",
        "all",
        "--clips",
        str(clip),
        *small,
        *counts,
        *out,
    )
    assert main([*command, "--expected", str(tmp_path / "expected.json")]) == 0
    printed = capsys.readouterr().out
    assert f"| {shipped().name} |" in printed
    assert f"**{shipped().name}**" in printed
    assert "| hall.avi, 1 |" in printed
    assert "| hall.avi |" in printed  # One alert is the wrong number, because seven are expected.
    found: dict[str, Any] = json.loads((tmp_path / "all.json").read_text())
    assert {each["name"] for each in found["configurations"]} == {
        shipped().name,
        shipped_cascade().name,
        "network 0.7, 240 px, from 10%",
        "alt2 1.3/3, 240 px, from 10%",
    }
    assert found["shipped"] == shipped().name
    assert len(found["confirmed"]) >= 1
    assert found["clips"][shipped().name][0]["starts"] == 1
    assert cv2.imread(str(tmp_path / "front.png")) is not None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--cascades", "nothing"), "no such cascade: nothing"),
        (("--scales", "0.9"), "scale_factor"),
        (("--clips", "nowhere.mp4"), "no such clip or folder: nowhere.mp4"),
        (("--json", "."), "cannot write ."),
        (("--expected", "nowhere.json"), "cannot read nowhere.json"),
        (("--limit", "500", "--confirm", "3", "--cascades", "alt2", "--scales", "1.3",
          "--widths", "240", "--min-faces", "0.1"), "--confirm needs photographs"),
    ],
)  # fmt: skip
def test_user_error_is_one_line(
    scenes: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str
) -> None:
    assert main(["frontier", "--data", str(scenes), "--split", "all", *arguments]) != 0
    line = capsys.readouterr().err.strip().splitlines()[-1]
    assert message in line
