from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote

import pytest

from edge.camera.frame_rate_limit import FrameRateBudget
from edge.camera.source import AbsentError, SourceError
from edge.camera.source_address import display_address
from edge.camera.source_factory import frame_rate_limit, is_recorded, open_source
from edge.camera.video.recordings import PictureFolder, VideoFile
from edge.config.settings import CameraSettings
from tests.support.camera.rtsp_server import RtspCamera
from tests.support.footage.pictures import write_clip, write_picture
from tests.support.footage.turned_pictures import HEIC, encoded

STREAM = CameraSettings(source="rtsp://127.0.0.1:1/x", fps=10.0)


@pytest.mark.parametrize(
    ("source", "recorded"),
    [
        ("picamera2", False),
        ("0", False),
        ("/dev/video3", False),
        ("rtsp://cam/1", False),
        ("/dev/null", False),
        ("demo", True),
        ("clip.mp4", True),
    ],
)
def test_files_and_folders_are_recorded(source: str, recorded: bool) -> None:
    assert is_recorded(CameraSettings(source=source)) is recorded


def test_live_source_is_read_twice_per_timeout() -> None:
    settings = CameraSettings(source=STREAM.source, fps=0.01, timeout_s=4.0)
    limit = frame_rate_limit(settings, FrameRateBudget())
    assert [n for n in range(20) if limit(float(n))] == list(range(0, 20, 2))


def test_newest_frame_of_a_burst_is_accepted() -> None:
    """A radio link delivers the frames of a camera in bursts of three."""
    limit = frame_rate_limit(STREAM, FrameRateBudget())
    times_s = [0.3 * n + 0.002 * k for n in range(100) for k in range(3)]
    accepted = [at_s for at_s in times_s if limit(at_s)]
    assert len(accepted) == pytest.approx(300, abs=3)
    assert sum(round(at_s % 0.3, 3) == 0.004 for at_s in accepted) == pytest.approx(100, abs=2)


def test_rate_limit_holds_for_bursts() -> None:
    """A radio link delivers 30 frames per second in bursts of nine."""
    limit = frame_rate_limit(STREAM, FrameRateBudget())
    times_s = [0.3 * n + 0.002 * k for n in range(100) for k in range(9)]
    assert sum(limit(at_s) for at_s in times_s) == pytest.approx(300, abs=6)


def test_rate_limit_is_that_of_the_settings(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", [100] * 40, fps=20.0)
    settings = CameraSettings(source=str(clip), fps=5.0)
    source = open_source(settings, frame_rate_limit(settings, FrameRateBudget()))
    assert len(list(iter(source.read, None))) == 10
    source.close()
    assert len(list(iter(open_source(settings).read, None))) == 40


def test_file_and_folder_are_opened(tmp_path: Path) -> None:
    write_picture(tmp_path / "1.png", 100)
    clip = write_clip(tmp_path / "clip.mp4", [10, 20])
    assert isinstance(open_source(CameraSettings(source=str(tmp_path))).inner, PictureFolder)
    assert isinstance(open_source(CameraSettings(source=str(clip))).inner, VideoFile)
    assert isinstance(open_source(CameraSettings(source="demo")).inner, VideoFile)


def test_picture_is_opened_as_a_picture_and_not_as_a_video(tmp_path: Path) -> None:
    """FFmpeg knows neither the limit of pixels nor the orientation, and does not decode HEIC."""
    (tmp_path / "a.jpg").write_bytes(encoded("jpeg", 6))
    source = open_source(CameraSettings(source=str(tmp_path / "a.jpg")))
    (frame,) = iter(source.read, None)
    assert frame.size_px == (64, 48)
    (tmp_path / "a.heic").write_bytes(HEIC[:200])
    with pytest.raises(SourceError, match=r"^[^;:]*a\.heic is "):
        open_source(CameraSettings(source=str(tmp_path / "a.heic"))).read()


def test_recording_below_dev_is_no_camera(tmp_path: Path) -> None:
    clip = Path("/dev/shm") / f"{tmp_path.name}.mp4"
    write_clip(clip, [10, 20])
    try:
        assert isinstance(open_source(CameraSettings(source=str(clip))).inner, VideoFile)
    finally:
        clip.unlink()


def test_unsupported_address_scheme_is_rejected() -> None:
    with pytest.raises(SourceError, match="unsupported address scheme gopher://"):
        open_source(CameraSettings(source="gopher://host"))


@pytest.mark.parametrize(
    "source",
    [
        "me:geheim@cam/1",
        "rtsp:/me:geheim@cam/1",
        "me:geheim@rtsp://cam/1",
        "me:geheim://cam/1",
        "me:geheim" + "x" * 300 + "@cam",
        "gopher://me:geheim@cam",
    ],
)
def test_error_in_an_address_does_not_show_its_password(source: str) -> None:
    settings = CameraSettings(source=source)
    with pytest.raises(SourceError, match="scheme") as caught:
        open_source(settings)
    assert "geheim" not in str(caught.value)
    assert "geheim" not in display_address(settings)


@pytest.mark.parametrize("scheme", ["rtsp", "rtsps", "rtmp", "http", "https"])
def test_address_without_a_clear_host_is_not_opened(scheme: str) -> None:
    with pytest.raises(SourceError, match="the address of the camera") as caught:
        open_source(CameraSettings(source=f"{scheme}://me:geheim/1@"))
    assert not isinstance(caught.value, AbsentError)
    assert "geheim" not in str(caught.value)


@pytest.mark.parametrize("password", ["p@ss:w/rd#1? 100%&é", "%2F%41"])
def test_login_of_an_rtsp_camera_need_not_be_encoded(tmp_path: Path, password: str) -> None:
    with RtspCamera(tmp_path, login=f"jürgen@door:{unquote(password)}") as camera:
        address = f"rtsp://jürgen@door:{password}@127.0.0.1:{camera.port}/door"
        source = open_source(CameraSettings(source=address))
        assert source.read() is not None
        source.close()


def test_unreachable_rtsp_camera_with_escapes_in_its_login_says_how_to_write_them() -> None:
    settings = CameraSettings(source="rtsp://me:gehe%69m@127.0.0.1:1/x", timeout_s=5)
    with pytest.raises(AbsentError, match=r"the password .* write % itself as %25") as caught:
        open_source(settings)
    assert "gehe" not in str(caught.value)


def test_file_whose_name_looks_like_an_address_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_clip(tmp_path / "a:b@c.mp4", [10, 20])
    assert isinstance(open_source(CameraSettings(source="a:b@c.mp4")).inner, VideoFile)


@pytest.mark.parametrize(
    "source", ["me:geheim@cam/live", "//me:geheim@cam/live", "cam/snap?user=me&pwd=geheim"]
)
def test_address_without_scheme_is_named_as_such(source: str) -> None:
    with pytest.raises(SourceError, match="looks like an address, but has no scheme") as caught:
        open_source(CameraSettings(source=source))
    assert "geheim" not in str(caught.value)
