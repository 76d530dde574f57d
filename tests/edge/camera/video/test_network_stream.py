from __future__ import annotations

import contextlib
import itertools
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.camera.source import AbsentError, Frame, SourceError
from edge.camera.source_factory import open_source
from edge.camera.video.network_stream import open_stream
from edge.common.arrays import Pixels
from edge.config.settings import CameraSettings
from tests.support.camera.hostile_server import HostileServer
from tests.support.camera.rtsp_server import PAYLOAD_BYTES, RtspCamera
from tests.support.footage.videos import write_video
from tests.support.footage.visit_clip import BARE_S, frame_at
from tests.support.ports import free_port
from tests.support.waiting import wait_until

PERSON = frame_at(BARE_S)
LARGE = np.asarray(cv2.resize(PERSON, (640, 480)), np.uint8)
#: Mean difference, of 255 levels, up to which two pictures count as the same.
SAME = 6.0


def shows(frame: Frame | None, expected: Pixels) -> bool:
    if frame is None or frame.image_bgr.shape != expected.shape:
        return False
    return bool(np.abs(frame.image_bgr.astype(np.int16) - expected).mean() < SAME)


def recorded(folder: Path, pixel_format: str = "yuv420p") -> bytes:
    """Return two recordings of different sizes and pixel formats, joined to one."""
    small = write_video(folder / "small.ts", [PERSON] * 10)
    large = write_video(folder / "large.ts", [LARGE] * 10, pixel_format=pixel_format)
    return small.read_bytes() + large.read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv444p"])
def test_rtsp_camera_may_change_the_format_of_its_pictures(
    tmp_path: Path, pixel_format: str
) -> None:
    with RtspCamera(tmp_path, clip=(recorded(tmp_path, pixel_format), 2.0)) as camera:
        source = open_stream(camera.url, CameraSettings(source=camera.url, timeout_s=10.0))
        changes, previous = 0, None
        while changes < 3:  # the camera repeats the recordings
            frame = source.read()
            assert frame is not None
            assert shows(frame, PERSON) or shows(frame, LARGE)
            changes += previous is not None and frame.size_px != previous
            previous = frame.size_px
        source.close()


@pytest.mark.slow
def test_camera_that_sends_only_sound_is_lost_in_time(tmp_path: Path) -> None:
    with RtspCamera(tmp_path, clip=(recorded(tmp_path), 2.0), sound=True) as camera:
        settings = CameraSettings(source=camera.url, timeout_s=2.0)
        source = open_stream(camera.url, settings)
        assert source.read() is not None
        camera.blind.set()
        lost = threading.Event()

        def read_to_the_end() -> None:
            with contextlib.suppress(SourceError):
                while source.read() is not None:
                    pass
            lost.set()

        threading.Thread(target=read_to_the_end, daemon=True).start()
        wait_until(lost.is_set, "the source is lost while sound arrives")
        source.close()


@contextlib.contextmanager
def rtsp_camera(folder: Path, stream: bytes) -> Iterator[str]:
    with RtspCamera(folder, clip=(stream, 8.0)) as camera:
        yield camera.url


@contextlib.contextmanager
def http_camera(folder: Path, stream: bytes) -> Iterator[str]:
    with HostileServer() as server:
        head = b"HTTP/1.1 200 OK\r\nContent-Type: video/mp2t\r\n\r\n"
        server.answer = head + stream + stream
        yield server.url


@contextlib.contextmanager
def udp_camera(folder: Path, stream: bytes) -> Iterator[str]:
    port, stopped = free_port(), threading.Event()

    def play() -> None:
        pieces = [stream[n : n + PAYLOAD_BYTES] for n in range(0, len(stream), PAYLOAD_BYTES)]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for piece in itertools.cycle(pieces):
                with contextlib.suppress(ConnectionRefusedError):  # nobody listens yet
                    sender.sendto(piece, ("127.0.0.1", port))
                if stopped.wait(4.0 / len(pieces)):
                    return

    thread = threading.Thread(target=play)
    thread.start()
    try:
        yield f"udp://127.0.0.1:{port}"
    finally:
        stopped.set()
        thread.join()


@pytest.mark.slow
@pytest.mark.parametrize("serve", [rtsp_camera, http_camera, udp_camera])
@pytest.mark.parametrize("codec", ["libx265", "mpeg2video"])
def test_change_of_the_codec_is_noticed_at_once(
    tmp_path: Path, serve: Callable[[Path, bytes], AbstractContextManager[str]], codec: str
) -> None:
    one = write_video(tmp_path / "one.ts", [PERSON] * 100, fps=25)
    two = write_video(tmp_path / "two.ts", [PERSON] * 100, fps=25, codec=codec)
    with serve(tmp_path, one.read_bytes() + two.read_bytes()) as url:
        settings = CameraSettings(source=url, timeout_s=600.0)
        source = open_stream(url, settings)
        errors: list[str] = []

        def read_to_the_end() -> None:
            try:
                while (frame := source.read()) is not None:
                    assert shows(frame, PERSON)
            except SourceError as error:
                errors.append(str(error))
            source.close()

        threading.Thread(target=read_to_the_end, daemon=True).start()
        wait_until(lambda: bool(errors), "the change is noticed")
    assert errors[0].endswith("has changed the codec of its video")


def test_turned_stream_is_upright(tmp_path: Path) -> None:
    stored = np.ascontiguousarray(np.rot90(PERSON, -1))
    body = write_video(tmp_path / "clip.mkv", [stored] * 5, rotation_deg=90).read_bytes()
    with HostileServer() as server:
        server.answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
        source = open_stream(server.url, CameraSettings(source=server.url, timeout_s=10.0))
        assert all(shows(source.read(), PERSON) for _ in range(5))
        with pytest.raises(SourceError, match="stopped delivering frames"):
            source.read()
        source.close()


def test_unreachable_stream_is_absent_and_its_password_hidden() -> None:
    address = "rtsp://me:secret@127.0.0.1:1/x"
    with pytest.raises(AbsentError, match=r"no video stream at rtsp://127\.0\.0\.1:1/x") as caught:
        open_source(CameraSettings(source=address, timeout_s=5))
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("login", "status", "reason"),
    [
        ("me:secret@", "401 Unauthorized", "it refuses the user name or the password"),
        ("", "401 Unauthorized", "it asks for a user name and a password; write them into the"),
        ("me:secret@", "403 Forbidden", "it does not permit this stream (403)"),
        ("", "404 Not Found", "it knows no such stream (404); check the path of the address"),
        ("", "453 Not Enough Bandwidth", "it refuses the request; check the address"),
        ("", "503 Service Unavailable", "it answers with an error; is it starting"),
        ("", "200 OK", "no video arrived; check the address, the password"),
    ],
)
def test_refusal_of_an_rtsp_camera_is_named(login: str, status: str, reason: str) -> None:
    with HostileServer() as server:
        server.answer = f"RTSP/1.0 {status}\r\nCSeq: 1\r\n\r\n".encode()
        shown = server.url.replace("http://", "rtsp://")
        address = shown.replace("://", f"://{login}")
        with pytest.raises(AbsentError) as caught:
            open_source(CameraSettings(source=address, timeout_s=2.0))
    assert str(caught.value).startswith(f"no video stream at {shown}: {reason}")


def test_camera_that_is_off_is_not_said_to_refuse_the_password() -> None:
    with pytest.raises(AbsentError) as caught:
        open_source(CameraSettings(source="rtsp://me:secret@127.0.0.1:1/x", timeout_s=5))
    assert "it refuses the connection; check the address and that" in str(caught.value)
