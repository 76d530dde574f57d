from __future__ import annotations

import random
from pathlib import Path

import pytest

from edge.camera.recordings import PictureFolder, VideoFile
from edge.camera.source import Frame, Source, SourceError
from edge.camera.source_address import display_address, without_password
from edge.camera.source_factory import open_source
from edge.common.errors import UserError
from edge.common.paths import demo_clip
from edge.config.settings import CameraSettings
from tests.support.pictures import write_clip, write_picture


def all_frames(source: Source) -> list[Frame]:
    frames = list(iter(source.read, None))
    source.close()
    return frames


def test_every_frame_of_a_file_with_its_time(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", list(range(0, 250, 10)), fps=20.0)
    frames = all_frames(VideoFile(clip))
    assert len(frames) == 25
    assert [f.index for f in frames] == list(range(25))
    assert [f.captured_at_s for f in frames] == pytest.approx([n / 20 for n in range(25)], abs=1e-3)
    assert [round(float(f.image_bgr.mean()), -1) for f in frames] == list(range(0, 250, 10))
    assert frames[0].size_px == (120, 160)


def test_a_folder_is_played_by_name(tmp_path: Path) -> None:
    for name, value in (("10.PNG", 150), ("2.png", 100), ("1.jpg", 50)):
        write_picture(tmp_path / name, value)
    (tmp_path / "notes.txt").write_text("not a picture")
    frames = all_frames(PictureFolder(tmp_path, fps=4.0))
    assert [round(float(f.image_bgr.mean()), -1) for f in frames] == [50, 100, 150]
    assert [f.captured_at_s for f in frames] == [0.0, 0.25, 0.5]


def test_rgb_is_a_view_the_other_way_round(tmp_path: Path) -> None:
    frame = all_frames(VideoFile(write_clip(tmp_path / "clip.mp4", [50])))[0]
    assert frame.image_rgb.base is not None
    assert (frame.image_rgb[..., 0] == frame.image_bgr[..., 2]).all()


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("none.mp4", None, "no such video file"),
        ("empty.mp4", b"", "no readable video frame"),
        ("text.mp4", b"this is no video" * 100, "no readable video frame"),
    ],
)
def test_files_that_are_no_video(
    tmp_path: Path, name: str, content: bytes | None, expected: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(SourceError, match=expected):
        open_source(CameraSettings(source=str(tmp_path / name)))


def test_a_truncated_video_ends_early_and_is_said_to(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clip = write_clip(tmp_path / "clip.avi", [10, 60, 110, 160] * 20)
    whole = clip.read_bytes()
    clip.write_bytes(whole[: len(whole) // 2])
    assert 1 <= len(all_frames(VideoFile(clip))) < 70
    assert "it is damaged or truncated" in caplog.text


def test_folders_without_pictures_and_with_broken_ones(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no pictures in"):
        open_source(CameraSettings(source=str(tmp_path)))
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff broken")
    with pytest.raises(UserError, match=r"broken\.jpg is not a picture"):
        open_source(CameraSettings(source=str(tmp_path))).read()


def test_what_is_no_source(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no such camera: /dev/video99"):
        open_source(CameraSettings(source="/dev/video99"))
    with pytest.raises(SourceError, match="unsupported address scheme gopher://"):
        open_source(CameraSettings(source="gopher://host"))
    with pytest.raises(SourceError, match=r"no video stream at rtsp://127\.0\.0\.1:1/x") as caught:
        open_source(CameraSettings(source="rtsp://me:secret@127.0.0.1:1/x", timeout_s=5))
    assert "secret" not in str(caught.value)


def test_passwords_are_not_shown() -> None:
    assert without_password("rtsp://me:p@ss@cam/1") == "rtsp://cam/1"
    assert display_address(CameraSettings(source="rtsp://me:pw@cam/1")) == "rtsp://cam/1"
    assert display_address(CameraSettings(source="demo")) == "the bundled demo clip"


def test_a_name_with_a_colon_and_a_recording_beside_the_devices(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "08:15:03.mp4", [10, 20])
    assert len(all_frames(open_source(CameraSettings(source=str(clip))))) == 2
    shared = Path("/dev/shm") / f"{tmp_path.name}.mp4"
    shared.write_bytes(clip.read_bytes())
    try:
        assert len(all_frames(open_source(CameraSettings(source=str(shared))))) == 2
    finally:
        shared.unlink()


@pytest.mark.parametrize("seed", range(12))
def test_a_damaged_file_is_played_as_far_as_it_goes(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    damaged = bytearray(demo_clip().read_bytes())
    for _ in range(chance.choice((5, 200))):
        damaged[chance.randrange(len(damaged))] = chance.randrange(256)
    (tmp_path / "damaged.mp4").write_bytes(damaged[: chance.randrange(len(damaged) // 2, 10**9)])
    try:
        frames = all_frames(VideoFile(tmp_path / "damaged.mp4"))
    except SourceError:
        frames = []
    times_s = [frame.captured_at_s for frame in frames]
    assert times_s == sorted(set(times_s))
    assert not open_descriptors(tmp_path / "damaged.mp4")


def open_descriptors(path: Path) -> list[Path]:
    """Of `path` alone: what other tests left open may close at any moment."""
    return [fd for fd in Path("/proc/self/fd").iterdir() if fd.resolve() == path.resolve()]
