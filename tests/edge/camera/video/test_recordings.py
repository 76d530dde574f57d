from __future__ import annotations

import random
import subprocess
from pathlib import Path

import numpy as np
import pytest

from edge.camera.frame_rate_limit import FrameRateLimit
from edge.camera.source import Frame, Source, SourceError
from edge.camera.video.recordings import PictureFolder, VideoFile
from edge.common.paths import demo_clip
from tests.support.footage.demo_frames import demo_frames
from tests.support.footage.pictures import flat, write_clip, write_picture
from tests.support.footage.videos import (
    JPEG_KINDS,
    encode_jpeg,
    write_mjpeg,
    write_song,
    write_video,
)


def all_frames(source: Source) -> list[Frame]:
    frames = list(iter(source.read, None))
    source.close()
    return frames


def test_every_frame_of_a_file_has_its_time(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", list(range(0, 250, 10)), fps=20.0)
    frames = all_frames(VideoFile(clip))
    assert len(frames) == 25
    assert [f.index for f in frames] == list(range(25))
    assert [f.captured_at_s for f in frames] == pytest.approx([n / 20 for n in range(25)], abs=1e-3)
    assert [round(float(f.image_bgr.mean()), -1) for f in frames] == list(range(0, 250, 10))
    assert frames[0].size_px == (120, 160)


def test_skipped_frames_of_a_file_keep_their_times(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", list(range(0, 200, 5)), fps=20.0)
    frames = all_frames(VideoFile(clip, FrameRateLimit(10.0)))
    assert [frame.index for frame in frames] == list(range(0, 40, 2))
    assert [frame.captured_at_s for frame in frames] == pytest.approx([n / 10 for n in range(20)])
    assert frames[5].image_bgr.mean() == pytest.approx(50, abs=5)


def test_folder_is_played_in_natural_order(tmp_path: Path) -> None:
    for name, level in (("10.PNG", 150), ("2.png", 100), ("1.jpg", 50)):
        write_picture(tmp_path / name, level)
    (tmp_path / "notes.txt").write_text("not a picture")
    frames = all_frames(PictureFolder(tmp_path, fps=4.0))
    assert [round(float(f.image_bgr.mean()), -1) for f in frames] == [50, 100, 150]
    assert [f.captured_at_s for f in frames] == [0.0, 0.25, 0.5]


def test_skipped_pictures_are_not_read(tmp_path: Path) -> None:
    for number in range(6):
        (tmp_path / f"{number}.jpg").write_bytes(b"no picture")
    assert PictureFolder(tmp_path, 10.0, lambda at_s: False).read() is None


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("none.mp4", None, "no such video file"),
        ("empty.mp4", b"", "no readable video frame"),
        ("text.mp4", b"this is no video" * 100, "no readable video frame"),
    ],
)
def test_file_without_video_is_rejected(
    tmp_path: Path, name: str, content: bytes | None, message: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(SourceError, match=message):
        VideoFile(tmp_path / name)


def test_file_that_cannot_be_read_is_not_called_incomplete() -> None:
    # A regular file, of which the first page can never be read.
    with pytest.raises(SourceError, match=r"cannot read /proc/self/mem: Input/output error"):
        VideoFile(Path("/proc/self/mem"))


def test_truncated_video_ends_early_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clip = write_clip(tmp_path / "clip.avi", [10, 60, 110, 160] * 20)
    whole = clip.read_bytes()
    clip.write_bytes(whole[: len(whole) // 2])
    assert 1 <= len(all_frames(VideoFile(clip))) < 70
    assert "it is damaged or truncated" in caplog.text


def test_folder_without_pictures_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no pictures in"):
        PictureFolder(tmp_path, 10.0)
    with pytest.raises(SourceError, match="cannot read the folder"):
        PictureFolder(tmp_path / "none", 10.0)


def test_broken_picture_of_a_folder_is_skipped_and_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for number in (0, 2, 3):
        write_picture(tmp_path / f"{number}.jpg", 100)
    (tmp_path / "1.jpg").write_bytes(b"\xff\xd8\xff broken")
    (tmp_path / "4.jpg").write_bytes((tmp_path / "3.jpg").read_bytes()[:400])
    source = PictureFolder(tmp_path, 10.0)
    frames = [source.read() for _ in range(3)]
    assert [frame and frame.captured_at_s for frame in frames] == pytest.approx([0.0, 0.2, 0.3])
    with pytest.raises(SourceError, match=r"skipped 2 of 5 pictures in .*: .*1\.jpg is not"):
        source.read()
    assert [record.getMessage().split()[3][-5:] for record in caplog.records] == ["1.jpg", "4.jpg"]


def test_folder_of_broken_pictures_is_one_error(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(3):
        (tmp_path / f"{number}.jpg").write_bytes(b"broken")
    with pytest.raises(SourceError, match=r"no picture in .* can be read: .*0\.jpg is not"):
        PictureFolder(tmp_path, 10.0).read()
    assert not caplog.records


def test_files_of_macos_are_not_frames(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.jpg", 100)
    (tmp_path / "._a.jpg").write_bytes(b"\0\x05\x16\x07\0\x02\0\0Mac OS X        ")
    assert len(all_frames(PictureFolder(tmp_path, 10.0))) == 1


def test_file_name_may_contain_a_colon(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "08:15:03.mp4", [10, 20])
    assert len(all_frames(VideoFile(clip))) == 2


def test_video_may_come_through_a_pipe(tmp_path: Path) -> None:
    clip = write_video(tmp_path / "clip.mkv", [flat(level) for level in (50, 100, 150)])
    with subprocess.Popen(["cat", clip], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        frames = all_frames(VideoFile(Path(f"/dev/fd/{writer.stdout.fileno()}")))
    assert [round(float(frame.image_bgr.mean()), -1) for frame in frames] == [50, 100, 150]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(12))
def test_damaged_file_is_played_as_far_as_possible(tmp_path: Path, seed: int) -> None:
    generator = random.Random(seed)
    damaged = bytearray(demo_clip().read_bytes())
    for _ in range(generator.choice((5, 200))):
        damaged[generator.randrange(len(damaged))] = generator.randrange(256)
    length = generator.randrange(len(damaged) // 2, 10**9)
    (tmp_path / "damaged.mp4").write_bytes(damaged[:length])
    try:
        frames = all_frames(VideoFile(tmp_path / "damaged.mp4"))
    except SourceError:
        frames = []
    times_s = [frame.captured_at_s for frame in frames]
    assert times_s == sorted(set(times_s))
    assert not open_descriptors(tmp_path / "damaged.mp4")


def open_descriptors(path: Path) -> list[Path]:
    """Return the descriptors of `path`; those that other tests left open may close at any time."""
    return [fd for fd in Path("/proc/self/fd").iterdir() if fd.resolve() == path.resolve()]


VARIABLE_S = [n / 15 for n in range(30)] + [2.0 + n for n in range(10)]


@pytest.mark.parametrize(
    ("suffix", "codec", "times_s"),
    [
        ("webm", "libvpx", VARIABLE_S),
        ("mkv", "libx264", VARIABLE_S),
        ("mp4", "libx264", VARIABLE_S),
        ("mkv", "libx264", [0.0, 0.1, 0.2, 5.0]),
        ("mp4", "libx264", [12.0 * n for n in range(5)]),  # a time lapse
        *(
            (suffix, "libx264", [3600 + n / 15 for n in range(30)])
            for suffix in ("mkv", "mp4", "ts")
        ),
        ("webm", "libvpx", [3600 + n / 15 for n in range(30)]),
    ],
)
def test_complete_file_of_variable_rate_is_not_called_damaged(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    suffix: str,
    codec: str,
    times_s: list[float],
) -> None:
    images = [flat(100)] * len(times_s)
    clip = write_video(tmp_path / f"clip.{suffix}", images, times_s, codec)
    assert len(all_frames(VideoFile(clip))) == len(times_s)
    assert caplog.text == ""


@pytest.mark.slow
@pytest.mark.parametrize(("suffix", "codec"), [("webm", "libvpx"), ("mkv", "libx264")])
def test_truncated_file_of_variable_rate_is_reported(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, suffix: str, codec: str
) -> None:
    images = demo_frames(every=5, at_most=len(VARIABLE_S))
    clip = write_video(tmp_path / f"clip.{suffix}", images, VARIABLE_S, codec)
    whole = clip.read_bytes()
    clip.write_bytes(whole[: len(whole) // 2])
    assert 1 <= len(all_frames(VideoFile(clip))) < len(images)
    assert "it is damaged or truncated" in caplog.text


def test_cover_of_a_song_is_no_video(tmp_path: Path) -> None:
    song = write_song(tmp_path / "song.mp3", encode_jpeg(flat(100)))
    with pytest.raises(SourceError, match="no readable video frame"):
        VideoFile(song)


@pytest.mark.parametrize("after", [kind for kind in JPEG_KINDS if kind != "422"])
def test_frames_keep_their_colours_when_the_subsampling_changes(tmp_path: Path, after: str) -> None:
    image = np.full((240, 320, 3), (40, 90, 200), np.uint8)
    jpegs = [encode_jpeg(image, kind) for kind in ("422",) * 5 + (after,) * 5]
    frames = all_frames(VideoFile(write_mjpeg(tmp_path / "clip.avi", jpegs)))
    grey = 0.114 * 40 + 0.587 * 90 + 0.299 * 200
    changed = (grey,) * 3 if after == "grey" else (40, 90, 200)
    for frame, colour in zip(frames, [(40, 90, 200)] * 5 + [changed] * 5, strict=True):
        assert frame.image_bgr.mean(axis=(0, 1)) == pytest.approx(colour, abs=4.0)


def test_frames_have_the_size_of_their_pictures(tmp_path: Path) -> None:
    images = [flat(level, 120 * factor, 160 * factor) for level, factor in
              ((50, 2), (100, 2), (150, 1), (200, 1), (90, 3))]  # fmt: skip
    clip = write_mjpeg(tmp_path / "clip.avi", map(encode_jpeg, images))
    for frame, image in zip(all_frames(VideoFile(clip)), images, strict=True):
        assert frame.size_px == image.shape[:2]
        assert frame.image_bgr.mean() == pytest.approx(image.mean(), abs=2.0)
