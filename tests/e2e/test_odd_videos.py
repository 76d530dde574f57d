"""Videos as phones, cameras and recorders write them: the person is seen in each of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.camera.video.recordings import VideoFile
from edge.common.arrays import Pixels
from edge.common.paths import demo_clip
from tests.support.cli_process import mask_patrol, mask_patrol_error
from tests.support.footage.pictures import flat
from tests.support.footage.videos import encode_jpeg, join_files, write_mjpeg, write_video

#: The first visitor of the demo clip stands there with a bare face during these frames.
FIRST, LAST = 32, 110
HALF = (LAST - FIRST) // 2
LARGE = (1280, 960)


@pytest.fixture(scope="module")
def visit() -> list[Pixels]:
    """Return the frames of a person with a bare face who stands in view."""
    source = VideoFile(demo_clip())
    frames = [frame.image_bgr for frame in iter(source.read, None) if FIRST <= frame.index < LAST]
    source.close()
    return frames


def scaled(frames: list[Pixels], size: tuple[int, int]) -> list[Pixels]:
    return [np.asarray(cv2.resize(frame, size), np.uint8) for frame in frames]


def jpegs(frames: list[Pixels], kind: str) -> list[bytes]:
    return [encode_jpeg(frame, kind) for frame in frames]


def change_of_subsampling(path: Path, visit: list[Pixels]) -> Path:
    large = scaled(visit, LARGE)
    halves = jpegs(large[:HALF], "422") + jpegs(large[HALF:], "420")
    return write_mjpeg(path.with_suffix(".avi"), halves)


def night_mode(path: Path, visit: list[Pixels]) -> Path:
    large = scaled(visit, LARGE)
    halves = jpegs(large[:HALF], "420") + jpegs(large[HALF:], "grey")
    return write_mjpeg(path.with_suffix(".avi"), halves)


def larger_jpegs(path: Path, visit: list[Pixels]) -> Path:
    frames = visit[:HALF] + scaled(visit[HALF:], LARGE)
    return write_mjpeg(path.with_suffix(".avi"), jpegs(frames, "420"))


def smaller_jpegs(path: Path, visit: list[Pixels]) -> Path:
    frames = scaled(visit[:HALF], LARGE) + visit[HALF:]
    return write_mjpeg(path.with_suffix(".avi"), jpegs(frames, "420"))


def joined_recordings(path: Path, visit: list[Pixels]) -> Path:
    first = write_video(path.with_suffix(".1.ts"), visit[:HALF])
    second = write_video(path.with_suffix(".2.ts"), scaled(visit[HALF:], LARGE))
    path.write_bytes(first.read_bytes() + second.read_bytes())
    return path


def change_of_codec(path: Path, visit: list[Pixels]) -> Path:
    first = write_video(path.with_suffix(".1.ts"), visit[:HALF])
    second = write_video(path.with_suffix(".2.ts"), visit[HALF:], codec="libx265")
    return join_files(path, first, second)


def joined_files(path: Path, visit: list[Pixels]) -> Path:
    first = write_video(path.with_suffix(".1.mp4"), visit[:HALF])
    second = write_video(path.with_suffix(".2.mp4"), visit[HALF:])
    return join_files(path, first, second)


def turned(path: Path, visit: list[Pixels]) -> Path:
    stored = [np.ascontiguousarray(np.rot90(frame, -1)) for frame in visit]
    return write_video(path.with_suffix(".mp4"), stored, rotation_deg=90)


def thumbnail_first(path: Path, visit: list[Pixels]) -> Path:
    return write_video(path.with_suffix(".mkv"), visit, thumbnails=[flat(0, 48, 64)] * len(visit))


def variable_rate(path: Path, visit: list[Pixels]) -> Path:
    times_s = [n / 15 if n < 30 else 2.0 + (n - 30) * 0.5 for n in range(len(visit))]
    return write_video(path.with_suffix(".webm"), visit, times_s, codec="libvpx")


@pytest.mark.slow
@pytest.mark.parametrize(
    "make",
    [
        change_of_subsampling,
        night_mode,
        larger_jpegs,
        smaller_jpegs,
        joined_recordings,
        change_of_codec,
        joined_files,
        turned,
        thumbnail_first,
        variable_rate,
    ],
)
def test_person_alerts_once_and_nothing_is_warned_about(
    tmp_path: Path, visit: list[Pixels], make: Callable[[Path, list[Pixels]], Path]
) -> None:
    clip, events = make(tmp_path / "clip", visit), tmp_path / "events.jsonl"
    result = mask_patrol(
        tmp_path, "run", "--no-mqtt", "--pace", "fast", "--source", clip, "--events", events
    )
    assert (result.returncode, result.stderr) == (0, "")
    found = [json.loads(line) for line in events.read_text().splitlines()]
    assert [(event["event_type"], event["ended_by"]) for event in found] == [
        ("no_mask_start", None),
        ("no_mask_end", "shutdown"),
    ]


def test_recording_that_cannot_be_played_to_its_end_ends_with_exit_code_1(
    tmp_path: Path, visit: list[Pixels]
) -> None:
    clip, events = change_of_codec(tmp_path / "clip", visit), tmp_path / "events.jsonl"
    parameter_sets = (b"\x40\x01", b"\x42\x01", b"\x44\x01")  # of HEVC
    damaged = clip.read_bytes()
    for head in parameter_sets:
        damaged = damaged.replace(b"\0\0\x01" + head, b"\0\0\x01\x7e\x01")
    clip.write_bytes(damaged)
    result = mask_patrol(
        tmp_path, "run", "--no-mqtt", "--pace", "fast", "--source", clip, "--events", events
    )
    assert "cannot be played beyond" in mask_patrol_error(result)
    assert result.returncode == 1
    assert '"no_mask_start"' in events.read_text()
