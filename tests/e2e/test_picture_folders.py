"""A folder of pictures as people have it: from a Mac, with a damaged picture."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import pytest

from tests.support.cli_process import error_line, mask_patrol
from tests.support.footage.demo_frames import demo_frame

#: Pictures per second, and the part of the demo in which the first person comes, without a mask.
FPS, FROM_S, COUNT = 10, 2.0, 40
APPLE_DOUBLE = bytes.fromhex("0005160700020000") + b"Mac OS X        " + bytes(58)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "from a Mac"
    made.mkdir()
    for number in range(COUNT):
        raw = cv2.imencode(".jpg", demo_frame(FROM_S + number / FPS))[1].tobytes()
        (made / f"IMG_{number}.JPG").write_bytes(raw)
        (made / f"._IMG_{number}.JPG").write_bytes(APPLE_DOUBLE)
    (made / ".DS_Store").write_bytes(b"\0\0\0\1Bud1" + bytes(200))
    (made / "Thumbs.db").write_bytes(b"\xd0\xcf\x11\xe0")
    return made


def damage(folder: Path) -> None:
    path = folder / "IMG_30.JPG"
    path.write_bytes(path.read_bytes()[:9000])


def run(tmp_path: Path, folder: Path, pace: str) -> tuple[int, str, list[str]]:
    """Return exit code, standard error, and the types of the events."""
    events = tmp_path / "events.jsonl"
    result = mask_patrol(
        tmp_path, "run", "--source", folder, "--no-mqtt", "--pace", pace, "--events", events
    )
    lines = events.read_text().splitlines()
    return result.returncode, result.stderr, [json.loads(line)["event_type"] for line in lines]


def test_files_of_macos_and_windows_are_ignored(tmp_path: Path, folder: Path) -> None:
    code, errors, events = run(tmp_path, folder, "fast")
    assert (code, errors, events) == (0, "", ["no_mask_start", "no_mask_end"])


@pytest.mark.parametrize("pace", ["fast", "realtime"])
def test_damaged_picture_is_skipped_and_ends_in_an_error(
    tmp_path: Path, folder: Path, pace: str
) -> None:
    damage(folder)
    code, errors, events = run(tmp_path, folder, pace)
    assert (code, events) == (1, ["no_mask_start", "no_mask_end"])
    warning, error = errors.splitlines()
    assert f"skipped a picture: {folder}/IMG_30.JPG is cut off" in warning
    assert error.startswith(f"mask-patrol: skipped 1 of {COUNT} pictures in {folder}; the first")


def test_detect_processes_the_same_pictures(tmp_path: Path, folder: Path) -> None:
    damage(folder)
    result = mask_patrol(tmp_path, "detect", "--json", folder)
    assert "IMG_30.JPG is cut off" in error_line(result, 1)
    names = [Path(json.loads(line)["image"]).name for line in result.stdout.splitlines()]
    assert names == [f"IMG_{number}.JPG" for number in range(COUNT) if number != 30]
