"""Videos of hostile cameras and recorders: right pictures, or none; the process survives.

FFmpeg decodes the videos in a process of its own, as in the daemon; it must neither crash, nor
hang, nor fill the memory. A change of the format must not change a colour.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st

from edge.common.arrays import Pixels
from tests.support.footage.videos import JPEG_KINDS, encode_jpeg, write_mjpeg, write_video
from tests.support.fuzz.child_process import ChildProcess
from tests.support.fuzz.damage import damaged
from tests.support.fuzz.fuzzer import Fuzzer

#: The process has OpenCV, FFmpeg, and a few frames of at most 33 megapixels.
MAX_MB = 900
#: A file of this size is played in a fraction of a second.
MAX_DURATION_S = 20.0
#: Difference of the mean levels that compression and the conversion of colours cause.
SAME_COLOUR = 6.0
CONTAINERS = ("avi", "mkv", "mjpeg", "mp4")


class Player:
    """Writes a file and plays it in the child process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.child = ChildProcess("tests.support.footage.play_clips", folder, MAX_MB)

    def play(self, path: Path) -> dict[str, Any]:
        outcome: dict[str, Any] = self.child.ask(str(path))
        assert outcome["usable"]
        assert outcome["error"].isprintable()
        assert outcome["error"] or outcome["frames"]
        assert outcome["took_s"] < MAX_DURATION_S
        return outcome


@pytest.fixture
def player(tmp_path: Path) -> Any:
    made = Player(tmp_path)
    yield made
    made.child.close()


def flat_colour(colour: Sequence[int], width: int, height: int) -> Pixels:
    return np.full((height, width, 3), colour, np.uint8)


colours = st.tuples(*[st.integers(0, 255)] * 3)
sizes = st.sampled_from(
    [(160, 120), (320, 240), (161, 121), (16, 16), (640, 8), (1, 1), (1280, 720)]
)
pictures = st.tuples(colours, sizes, st.sampled_from(JPEG_KINDS))


def test_no_change_of_the_format_changes_a_colour(fuzzer: Fuzzer, player: Player) -> None:
    def check(case: tuple[str, list[tuple[tuple[int, ...], tuple[int, int], str]]]) -> None:
        container, shown = case
        jpegs = [encode_jpeg(flat_colour(colour, *size), kind) for colour, size, kind in shown]
        path = write_mjpeg(player.folder / f"clip.{container}", jpegs)
        outcome = player.play(path)
        assert outcome["frames"] == len(shown)
        for (colour, _, kind), found in zip(shown, outcome["colours"], strict=True):
            grey = 0.114 * colour[0] + 0.587 * colour[1] + 0.299 * colour[2]
            expected = (grey,) * 3 if kind == "grey" else colour
            assert found == pytest.approx(expected, abs=SAME_COLOUR)

    clips = st.tuples(st.sampled_from(CONTAINERS[:3]), st.lists(pictures, min_size=1, max_size=8))
    fuzzer.run(check, clips)


def samples(folder: Path) -> list[bytes]:
    """Return small videos of each kind, and two recordings of different sizes joined to one."""
    frames = [flat_colour((level, 90, 200 - level), 160, 120) for level in range(0, 160, 20)]
    large = [np.ascontiguousarray(frame.repeat(2, 0).repeat(2, 1)) for frame in frames]
    jpegs = [encode_jpeg(frame, kind) for kind in ("422", "grey") for frame in frames]
    paths = [write_mjpeg(folder / f"sample.{suffix}", jpegs) for suffix in CONTAINERS]
    paths.append(write_video(folder / "turned.mov", frames, rotation_deg=90))
    paths.append(write_video(folder / "two.mkv", frames, thumbnails=frames[:2]))
    paths.append(write_video(folder / "vp8.webm", frames, codec="libvpx"))
    paths.append(write_video(folder / "mpeg4.avi", frames, codec="mpeg4"))
    joined = folder / "joined.ts"
    joined.write_bytes(
        write_video(folder / "one.ts", frames).read_bytes()
        + write_video(folder / "other.ts", large, pixel_format="yuv444p").read_bytes()
    )
    return [path.read_bytes() for path in [*paths, joined]]


def test_damaged_file_gives_pictures_or_an_error(fuzzer: Fuzzer, player: Player) -> None:
    path = player.folder / "clip.video"
    corpus = samples(player.folder)

    def check(content: bytes) -> None:
        path.write_bytes(content)
        player.play(path)

    # Most of what a decoder can misread is in the headers and in the index at the end.
    spans = [(0, 400), (-2000, -1), (0, 10**9)]
    fuzzer.run(check, damaged(corpus, spans), corpus)
