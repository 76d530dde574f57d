from __future__ import annotations

import itertools
import re
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.camera.source import Frame, SourceError
from edge.camera.video.recordings import VideoFile
from edge.common.arrays import Pixels
from tests.support.footage.videos import join_files, trim_mp4, write_video
from tests.support.footage.visit_clip import BARE_S, frame_at

PERSON = frame_at(BARE_S)
MIRRORED = np.ascontiguousarray(PERSON[:, ::-1])
#: Mean difference, of 255 levels, up to which two pictures count as the same.
SAME = 8.0
FPS, LENGTH = 25, 30
#: Frames at the joint that may be lost or repeated: those whose packet also contains the beginning
#: of the next recording.
AT_JOINT = 2
CODECS = ("libx264", "libx265", "mpeg2video", "mpeg4")


def recording(
    path: Path, codec: str, image: Pixels = PERSON, options: dict[str, str] | None = None
) -> Path:
    return write_video(path, [image] * LENGTH, codec=codec, fps=FPS, options=options)


def is_shown(frame: Frame, image: Pixels) -> bool:
    return bool(np.abs(frame.image_bgr.astype(np.int16) - image).mean() < SAME)


def play(source: VideoFile) -> tuple[list[Frame], str]:
    """Return all frames, and the error at the end; empty if there is none."""
    frames: list[Frame] = []
    try:
        while (frame := source.read()) is not None:
            frames.append(frame)
    except SourceError as error:
        return frames, str(error)
    finally:
        source.close()
    return frames, ""


def check_both_are_played(path: Path) -> None:
    """Check that a recording of `PERSON` and one of `MIRRORED` are played, and nothing else."""
    frames, error = play(VideoFile(path))
    assert error == ""
    shown = [is_shown(frame, PERSON) for frame in frames]
    assert all(one or is_shown(frame, MIRRORED) for one, frame in zip(shown, frames, strict=True))
    assert shown == sorted(shown, reverse=True)
    assert sum(shown) == pytest.approx(LENGTH, abs=AT_JOINT)
    assert len(shown) - sum(shown) == pytest.approx(LENGTH, abs=AT_JOINT)
    times_s = [frame.captured_at_s for frame in frames]
    assert times_s == sorted(set(times_s))
    assert times_s[-1] == pytest.approx(len(frames) / FPS, abs=0.2)


@pytest.mark.parametrize(("before", "after"), list(itertools.permutations(CODECS, 2)))
def test_transport_stream_may_change_its_codec(tmp_path: Path, before: str, after: str) -> None:
    one = recording(tmp_path / "one.ts", before)
    two = recording(tmp_path / "two.ts", after, MIRRORED)
    check_both_are_played(join_files(tmp_path / "joined.ts", one, two))


PIDS = {
    "video": {"mpegts_start_pid": "0x200"},
    "program": {"mpegts_service_id": "7"},
    "program map": {"mpegts_start_pid": "0x200", "mpegts_pmt_start_pid": "0x900"},
    "time stamps in packets": {"mpegts_m2ts_mode": "1"},
}


@pytest.mark.parametrize("after", ["libx264", "libx265"])
@pytest.mark.parametrize("options", PIDS.values(), ids=PIDS)
def test_transport_stream_may_change_its_identifiers(
    tmp_path: Path, options: dict[str, str], after: str
) -> None:
    one = recording(tmp_path / "one.ts", "libx264")
    two = recording(tmp_path / "two.ts", after, MIRRORED, options)
    check_both_are_played(join_files(tmp_path / "joined.ts", one, two))


@pytest.mark.parametrize(
    ("suffix", "before", "after"),
    [
        ("mp4", "libx264", "libx264"),
        ("mp4", "libx264", "libx265"),
        ("mov", "mpeg4", "libx264"),
        ("mkv", "libx264", "libx264"),
        ("mkv", "libx264", "libx265"),
        ("avi", "mpeg4", "libx264"),
        ("flv", "libx264", "libx264"),
        ("mpg", "mpeg2video", "mpeg2video"),
    ],
)
def test_files_of_other_formats_may_be_joined(
    tmp_path: Path, suffix: str, before: str, after: str
) -> None:
    one = recording(tmp_path / f"one.{suffix}", before)
    two = recording(tmp_path / f"two.{suffix}", after, MIRRORED)
    check_both_are_played(join_files(tmp_path / f"joined.{suffix}", one, two))


def test_many_recordings_may_be_joined(tmp_path: Path) -> None:
    parts = [recording(tmp_path / f"{codec}.ts", codec) for codec in CODECS] * 2
    frames, error = play(VideoFile(join_files(tmp_path / "joined.ts", *parts)))
    assert error == ""
    assert len(frames) >= len(parts) * (LENGTH - AT_JOINT)
    assert all(is_shown(frame, PERSON) for frame in frames)


def test_rest_that_cannot_be_played_is_an_error(tmp_path: Path) -> None:
    one = recording(tmp_path / "one.ts", "libx264")
    two = recording(tmp_path / "two.ts", "libx265")
    # The parameter sets of HEVC, without which nothing can be decoded, become other data.
    broken = two.read_bytes()
    for kind in (b"\x40\x01", b"\x42\x01", b"\x44\x01"):
        broken = broken.replace(b"\x00\x00\x01" + kind, b"\x00\x00\x01\x7e\x01")
    two.write_bytes(broken)
    frames, error = play(VideoFile(join_files(tmp_path / "joined.ts", one, two)))
    assert len(frames) == pytest.approx(LENGTH, abs=AT_JOINT)
    assert re.search(r"joined\.ts cannot be played beyond 1\.\d s", error)
    assert "\n" not in error


def test_trimmed_clip_ends_without_an_error(tmp_path: Path) -> None:
    # Further packets, up to the next key frame, are in the file, but are not shown.
    clip = recording(tmp_path / "clip.mp4", "libx264")
    shown = LENGTH // 2
    frames, error = play(VideoFile(trim_mp4(clip, tmp_path / "trimmed.mp4", shown / FPS)))
    assert error == ""
    assert len(frames) == pytest.approx(shown, abs=AT_JOINT)


def test_pipe_whose_codec_changes_is_an_error(tmp_path: Path) -> None:
    one = recording(tmp_path / "one.ts", "libx264")
    two = recording(tmp_path / "two.ts", "mpeg2video")
    with subprocess.Popen(["cat", one, two], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        frames, error = play(VideoFile(Path(f"/dev/fd/{writer.stdout.fileno()}")))
    assert all(is_shown(frame, PERSON) for frame in frames)
    assert "not through a pipe" in error


@pytest.mark.parametrize("suffix", ["mkv", "ts"])
def test_recording_continues_behind_damage(tmp_path: Path, suffix: str) -> None:
    images = [
        np.asarray(cv2.circle(PERSON.copy(), (n, 40), 20, (0, 0, 255), -1)) for n in range(240)
    ]
    clip = write_video(tmp_path / f"clip.{suffix}", images, fps=FPS)
    whole = bytearray(clip.read_bytes())
    third = len(whole) // 3
    for at in range(third, 2 * third, 50):
        whole[at] ^= 0xFF
    clip.write_bytes(whole)
    frames, error = play(VideoFile(clip))
    assert error == ""
    assert frames[-1].captured_at_s > 0.9 * len(images) / FPS
