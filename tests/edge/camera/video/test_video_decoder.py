from __future__ import annotations

import gc
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.camera.video.capture import ChangedError
from edge.camera.video.video_decoder import MAX_PIXELS, NoVideoError, VideoDecoder
from edge.common.arrays import Pixels
from edge.common.paths import demo_clip
from tests.support.footage.pictures import flat
from tests.support.footage.turned_pictures import encoded, turned
from tests.support.footage.videos import (
    JPEG_KINDS,
    encode_jpeg,
    join_files,
    mark_within_stream,
    write_mjpeg,
    write_video,
)
from tests.support.footage.visit_clip import BARE_S, frame_at

PERSON = frame_at(BARE_S)
HEIGHT, WIDTH = PERSON.shape[:2]
#: Mean difference, of 255 levels, up to which two pictures count as the same: compression and the
#: subsampling of the colours cause up to 3.
SAME = 5.0


def anonymous_kb() -> int:
    """Return the memory of this process that no file backs, in kB."""
    return int(Path("/proc/self/status").read_text().split("RssAnon:")[1].split()[0])


def test_frames_are_freed() -> None:
    """Frames of 0.5 MB that are not freed would fill the memory of a Pi within minutes."""

    def play() -> int:
        decoder = VideoDecoder(f"file:{demo_clip()}")
        while decoder.grab():
            decoder.retrieve()
        decoder.release()
        return anonymous_kb()

    first = play()
    assert min(play(), play()) < first + 16_000


def pictures(path: Path) -> list[Pixels]:
    decoder = VideoDecoder(f"file:{path}")
    found = []
    while decoder.grab():
        image = decoder.retrieve()
        assert image is not None
        found.append(image)
    decoder.release()
    return found


def difference(image: Pixels, expected: Pixels) -> float:
    assert image.shape == expected.shape
    return float(np.abs(image.astype(np.int16) - expected).mean())


def grey(image: Pixels) -> Pixels:
    plane = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    return np.asarray(cv2.cvtColor(plane, cv2.COLOR_GRAY2BGR), np.uint8)


@pytest.mark.parametrize("container", ["avi", "mjpeg"])
@pytest.mark.parametrize("before", JPEG_KINDS)
def test_change_of_the_subsampling_changes_no_colour(
    tmp_path: Path, container: str, before: str
) -> None:
    kinds = [before, before, *JPEG_KINDS, before]
    clip = write_mjpeg(tmp_path / f"clip.{container}", [encode_jpeg(PERSON, k) for k in kinds])
    found = pictures(clip)
    assert len(found) == len(kinds)
    for kind, image in zip(kinds, found, strict=True):
        assert difference(image, grey(PERSON) if kind == "grey" else PERSON) < SAME, kind


@pytest.mark.parametrize("container", ["avi", "mjpeg"])
def test_change_of_the_size_changes_no_picture(tmp_path: Path, container: str) -> None:
    sizes = [(WIDTH, HEIGHT), (2 * WIDTH, 2 * HEIGHT), (WIDTH // 2, HEIGHT // 2), (WIDTH, HEIGHT)]
    shown = [np.asarray(cv2.resize(PERSON, size), np.uint8) for size in sizes]
    found = pictures(write_mjpeg(tmp_path / f"clip.{container}", map(encode_jpeg, shown)))
    assert [image.shape for image in found] == [image.shape for image in shown]
    assert all(difference(*pair) < SAME for pair in zip(found, shown, strict=True))


@pytest.mark.parametrize(
    ("size", "pixel_format"),
    [((2 * WIDTH, 2 * HEIGHT), "yuv420p"), ((WIDTH // 2, HEIGHT // 2), "yuv420p"),
     ((WIDTH, HEIGHT), "yuv422p"), ((WIDTH, HEIGHT), "yuv444p")],
)  # fmt: skip
def test_recordings_of_different_formats_may_be_joined(
    tmp_path: Path, size: tuple[int, int], pixel_format: str
) -> None:
    other = np.asarray(cv2.resize(PERSON, size), np.uint8)
    write_video(tmp_path / "one.ts", [PERSON] * 8)
    write_video(tmp_path / "two.ts", [other] * 8, pixel_format=pixel_format)
    joined = tmp_path / "joined.ts"
    joined.write_bytes((tmp_path / "one.ts").read_bytes() + (tmp_path / "two.ts").read_bytes())
    found = pictures(joined)
    assert found[0].shape == PERSON.shape
    assert found[-1].shape == other.shape
    for image in found:
        assert difference(image, PERSON if image.shape == PERSON.shape else other) < SAME


@pytest.mark.parametrize("container", ["mp4", "mov", "mkv"])
@pytest.mark.parametrize("rotation_deg", [90, 180, 270])
def test_turned_video_is_upright(tmp_path: Path, container: str, rotation_deg: int) -> None:
    stored = np.ascontiguousarray(np.rot90(PERSON, -rotation_deg // 90))
    clip = write_video(tmp_path / f"clip.{container}", [stored] * 3, rotation_deg=rotation_deg)
    found = pictures(clip)
    assert len(found) == 3
    assert all(difference(image, PERSON) < SAME for image in found)


@pytest.mark.parametrize(
    ("suffix", "rotation_deg"),
    [("mp4", 0), ("mp4", 90), ("mkv", 0), ("mkv", 90), ("ts", 0)],  # TS has no mark of rotation
)
@pytest.mark.parametrize("shape", [Fraction(16, 11), Fraction(3, 4), Fraction(1000, 1001)])
def test_pixels_become_square(
    tmp_path: Path, suffix: str, rotation_deg: int, shape: Fraction
) -> None:
    upright = np.ascontiguousarray(np.rot90(PERSON, -rotation_deg // 90))
    height, width = upright.shape[:2]
    narrow = (round(width / shape), height) if shape >= 1 else (width, round(height * shape))
    stored = upright if abs(shape - 1) < 0.01 else np.asarray(cv2.resize(upright, narrow), np.uint8)
    stored = np.ascontiguousarray(stored[: stored.shape[0] // 2 * 2, : stored.shape[1] // 2 * 2])
    clip = write_video(
        tmp_path / f"clip.{suffix}", [stored] * 3, rotation_deg=rotation_deg, pixel_shape=shape
    )
    for image in pictures(clip):
        assert image.shape[:2] == pytest.approx(PERSON.shape[:2], abs=3)
        shown = np.asarray(cv2.resize(image, (WIDTH, HEIGHT)), np.uint8)
        assert difference(shown, PERSON) < 2 * SAME


@pytest.mark.parametrize("rotation_deg", [90, 180, 270])
def test_mark_within_the_stream_holds_until_the_next_key_frame(
    tmp_path: Path, rotation_deg: int
) -> None:
    stored = np.ascontiguousarray(np.rot90(PERSON, -rotation_deg // 90))
    clip = write_video(tmp_path / "clip.ts", [stored] * 6)
    marked = mark_within_stream(clip, tmp_path / "marked.ts", rotation_deg)
    upright = write_video(tmp_path / "upright.ts", [PERSON] * 6)
    marked.write_bytes(marked.read_bytes() + upright.read_bytes())
    found = pictures(marked)
    assert len(found) >= 12
    assert all(difference(image, PERSON) < SAME for image in found)


@pytest.mark.parametrize("orientation", [0, 1, 3, 6, 8])
def test_pictures_of_an_mjpeg_are_turned_by_their_exif_data(
    tmp_path: Path, orientation: int
) -> None:
    jpegs = [encoded("jpeg", orientation), encoded("jpeg", 1), encoded("jpeg", orientation)]
    found = pictures(write_mjpeg(tmp_path / "clip.avi", jpegs))
    expected = [turned(orientation), turned(1), turned(orientation)]
    assert all(difference(*pair) < SAME for pair in zip(found, expected, strict=True))


def test_thumbnails_are_ignored(tmp_path: Path) -> None:
    clip = write_video(tmp_path / "clip.mkv", [PERSON] * 6, thumbnails=[flat(0, 48, 64)] * 6)
    found = pictures(clip)
    assert len(found) == 6
    assert all(difference(image, PERSON) < SAME for image in found)


@pytest.mark.parametrize("suffix", ["mkv", "mp4", "ts"])
@pytest.mark.parametrize(("count", "scale"), [(1, 2), (2, 2), (3, 1)])
def test_cover_and_slow_preview_are_ignored(
    tmp_path: Path, suffix: str, count: int, scale: int
) -> None:
    cover = flat(0, scale * HEIGHT, scale * WIDTH)
    clip = write_video(
        tmp_path / f"clip.{suffix}", [PERSON] * 75, thumbnails=[cover] * count, thumbnail_fps=1
    )
    found = pictures(clip)
    assert len(found) == 75
    assert all(difference(image, PERSON) < SAME for image in found)


def test_shape_of_the_pixels_may_change(tmp_path: Path) -> None:
    square = write_video(tmp_path / "one.ts", [PERSON] * 8)
    wide = write_video(tmp_path / "two.ts", [PERSON] * 8, pixel_shape=Fraction(4, 3))
    found = pictures(join_files(tmp_path / "joined.ts", square, wide))
    assert found[0].shape == PERSON.shape
    assert found[-1].shape == (HEIGHT, round(WIDTH * 4 / 3), 3)


def test_damaged_pictures_are_skipped(tmp_path: Path) -> None:
    whole = encode_jpeg(PERSON)
    damaged = [whole, b"\xff\xd8 no picture", whole[:100], whole]
    found = pictures(write_mjpeg(tmp_path / "clip.avi", damaged))
    assert len(found) >= 2
    assert difference(found[0], PERSON) < SAME
    assert difference(found[-1], PERSON) < SAME


def test_picture_that_would_fill_the_memory_is_skipped(tmp_path: Path) -> None:
    whole, huge = encode_jpeg(PERSON), bytearray(encode_jpeg(PERSON))
    frame_header = huge.index(b"\xff\xc0")
    huge[frame_header + 5 : frame_header + 9] = b"\xff\x00\xff\x00"  # height and width
    assert MAX_PIXELS < 0xFF00**2
    found = pictures(write_mjpeg(tmp_path / "clip.avi", [whole, bytes(huge), whole]))
    assert [image.shape for image in found] == [PERSON.shape] * 2


def test_file_without_video_is_refused(tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").write_bytes(b"no video")
    for address in (f"file:{tmp_path / 'clip.mp4'}", "file:/nowhere", "nonsense://x", "http://:0"):
        with pytest.raises(NoVideoError) as caught:
            VideoDecoder(address)
        assert str(caught.value).isprintable()


def test_frames_have_times_and_the_video_its_duration() -> None:
    decoder = VideoDecoder(f"file:{demo_clip()}")
    assert decoder.at_s is None
    times_s = []
    while decoder.grab():
        assert decoder.at_s is not None
        times_s.append(decoder.at_s)
    assert decoder.fps == pytest.approx(15.0)
    assert decoder.duration_s == pytest.approx(len(times_s) / 15.0)
    assert times_s == pytest.approx([n / 15.0 for n in range(len(times_s))], abs=1e-3)
    assert not decoder.grab()
    assert decoder.retrieve() is None
    decoder.release()
    decoder.release()


def threads() -> int:
    return len(list(Path("/proc/self/task").iterdir()))


def test_decoder_that_reported_a_change_is_freed_at_once(tmp_path: Path) -> None:
    """Its threads would run on until Python searches for cycles, with each reopened stream more."""
    frames = [flat(90)] * 20
    parts = [
        write_video(tmp_path / f"{codec}.ts", frames, codec=codec)
        for codec in ("libx264", "mpeg2video")
    ]
    path = join_files(tmp_path / "joined.ts", *parts)

    def play() -> int:
        decoder, changes = VideoDecoder(str(path)), 0
        for _ in range(4 * len(frames)):
            try:
                decoder.grab()
            except ChangedError:
                changes += 1
        decoder.release()
        return changes

    before = threads()
    gc.disable()
    try:
        assert play() > 0
        assert threads() == before
    finally:
        gc.enable()
