"""A camera that hangs upside down, on its side, or is mirrored gives the same events."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edge.camera.orientation import Orientation
from edge.common.paths import demo_clip
from edge.config.settings import CameraSettings, Rotation
from tests.support.cli_process import mask_patrol
from tests.support.footage.demo_frames import demo_frame

#: The end of the part of the demo that is played: one person comes without a mask and leaves.
UNTIL_S = 8.0
TURNS: list[tuple[Rotation, bool]] = [(180, False), (90, False), (270, True), (0, True)]


def hung(rotate: Rotation, mirror: bool) -> Orientation:
    """Return how a camera sees the scene whose picture `rotate` and `mirror` set upright."""
    return Orientation().since(Orientation.of(CameraSettings(rotate=rotate, mirror=mirror)))


def write_clip(path: Path, seen: Orientation) -> Path:
    """Write the part of the demo as a camera sees it that is turned by `seen`."""
    capture = cv2.VideoCapture(str(demo_clip()))
    fps = capture.get(cv2.CAP_PROP_FPS)
    writer: cv2.VideoWriter | None = None
    for _ in range(round(UNTIL_S * fps)):
        picture = seen.apply(np.asarray(capture.read()[1], np.uint8))
        if writer is None:
            size = (picture.shape[1], picture.shape[0])
            writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), fps, size)
        writer.write(picture)
    assert writer is not None
    writer.release()
    return path


def config_of(folder: Path, source: Path, rotate: Rotation, mirror: bool) -> Path:
    path = folder / "door.toml"
    # The zone is the left half of the upright picture, in which the person stands.
    zone = [[0, 0], [0.75, 0], [0.75, 1], [0, 1]]
    path.write_text(
        f"[camera]\nsource = '{source}'\nrotate = {rotate}\nmirror = {str(mirror).lower()}\n"
        f"zone = {zone}\n"
    )
    return path


def events_of(folder: Path, source: Path, rotate: Rotation = 0, mirror: bool = False) -> Any:
    config = config_of(folder, source, rotate, mirror)
    events = folder / "events.jsonl"
    result = mask_patrol(
        folder, "run", "--config", config, "--pace", "fast", "--no-mqtt", "--events", events
    )
    assert (result.returncode, result.stderr) == (0, "")
    bodies = [json.loads(line) for line in events.read_text().splitlines()]
    events.unlink()
    return bodies


@pytest.mark.parametrize(("rotate", "mirror"), TURNS)
def test_events_are_those_of_the_upright_picture(
    tmp_path: Path, rotate: Rotation, mirror: bool
) -> None:
    upright = events_of(tmp_path, write_clip(tmp_path / "upright.mp4", Orientation()))
    assert upright[0]["event_type"] == "no_mask_start"
    turned = events_of(
        tmp_path, write_clip(tmp_path / "turned.mp4", hung(rotate, mirror)), rotate, mirror
    )
    assert [e["event_type"] for e in turned] == [e["event_type"] for e in upright]
    for one, other in zip(turned, upright, strict=True):
        # The alert may start some frames apart, and the person moves.
        assert one["box"] == pytest.approx(other["box"], abs=0.08)


@pytest.mark.parametrize(("rotate", "mirror"), TURNS)
def test_check_and_detect_turn_the_picture(tmp_path: Path, rotate: Rotation, mirror: bool) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    picture = folder / "1.png"
    cv2.imwrite(str(picture), hung(rotate, mirror).apply(demo_frame(4.5)))
    config = config_of(tmp_path, folder, rotate, mirror)
    checked = mask_patrol(tmp_path, "check", "--config", config).stdout
    words = f"rotated by {rotate} degrees" if rotate else "mirrored"
    assert f"{folder} delivers frames of 640x480, {words}" in checked
    out = tmp_path / "out"
    result = mask_patrol(tmp_path, "detect", "--config", config, "--json", "--out", out, picture)
    (record,) = map(json.loads, result.stdout.splitlines())
    assert (record["width"], record["height"]) == (640, 480)
    assert [face["label"] for face in record["faces"]] == ["no_mask"]
    copy = cv2.imread(str(out / "1.png"))
    assert copy is not None
    assert copy.shape == (480, 640, 3)


def test_face_that_is_cut_out_is_not_turned(tmp_path: Path) -> None:
    picture = tmp_path / "face.png"
    cv2.imwrite(str(picture), demo_frame(4.5)[100:300, 200:350])
    config = config_of(tmp_path, tmp_path, 90, False)
    result = mask_patrol(tmp_path, "detect", "--config", config, "--json", "--crop", picture)
    record = json.loads(result.stdout)
    assert (record["width"], record["height"]) == (150, 200)
