"""Cameras that browsers show, each served byte by byte over a real connection."""

from __future__ import annotations

import gzip
import itertools
import struct
import threading
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.camera.frame_rate_limit import FrameFilter, FrameRateBudget, accept_all
from edge.camera.http.client import HttpClient
from edge.camera.http.http_camera import HttpCamera
from edge.camera.source import AbsentError, Source, SourceError
from edge.camera.source_factory import frame_rate_limit, open_source
from edge.camera.stream_address import parse_stream_address
from edge.config.settings import CameraSettings
from tests.support.camera.rtsp_server import transport_stream
from tests.support.camera.scripted_camera import (
    MULTIPART,
    Request,
    ScriptedCamera,
    answer,
    chunked,
    part,
    sized,
)
from tests.support.footage.pictures import flat

LEVELS = (40, 90, 140, 190)
TIMEOUT_S = 3.0


def jpeg(level: int, height: int = 120, width: int = 160) -> bytes:
    return cv2.imencode(".jpg", flat(level, height, width))[1].tobytes()


def png(level: int) -> bytes:
    return cv2.imencode(".png", flat(level))[1].tobytes()


JPEGS = [jpeg(level) for level in LEVELS]
HEADS = {
    "usual": "--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {}\r\n\r\n",
    "lower-case": "--frame\r\ncontent-type: image/jpeg\r\ncontent-length: {}\r\n\r\n",
    "line feeds": "--frame\nContent-Type: image/jpeg\nContent-Length: {}\n\n",
    "no length": "--frame\r\nContent-Type: image/jpeg\r\n\r\n",
    "no header": "--frame\r\n\r\n",
    "no boundary": "Content-Type: image/jpeg\r\nContent-Length: {}\r\n\r\n",
    "another boundary": "--other\r\nContent-Type: image/jpeg\r\n\r\n",
    "more dashes": "----frame\r\nContent-Type: image/jpeg\r\n\r\n",
    "image/jpg": "--frame\r\nContent-Type: image/jpg; size={}\r\nX-Timestamp: 12\r\n\r\n",
    "wrong length": "--frame\r\nContent-Type: image/jpeg\r\nContent-Length: 7{}\r\n\r\n",
    "negative length": "--frame\r\nContent-Type: image/jpeg\r\nContent-Length: -{}\r\n\r\n",
    "text part": "--frame\r\nContent-Type: text/plain\r\n\r\nno motion\r\n--frame\r\n\r\n",
    "empty part": "--frame\r\nContent-Length: 0\r\n\r\n\r\n--frame\r\n\r\n",
    "blank lines": "\r\n\r\n\r\n--frame\r\nContent-Type: image/jpeg\r\n\r\n",
    "raw": "",
}
TYPES = [
    MULTIPART,
    'Multipart/X-Mixed-Replace;BOUNDARY="frame"',
    "multipart/x-mixed-replace; boundary=--frame",
    "multipart/mixed; boundary=something",
    "multipart/x-mixed-replace",
    "image/jpeg",
    "video/x-motion-jpeg",
    "application/octet-stream",
    "",
]


def body(head: str) -> bytes:
    return b"".join(part(picture, head.format(len(picture))) for picture in JPEGS)


BODY = body(HEADS["usual"])
RAW = b"".join(JPEGS)
ANSWERS = {
    "preamble": answer(b"This is a multipart message.\r\n" + BODY),
    "closing boundary": answer(BODY + b"--frame--\r\n"),
    "chunked": answer(chunked(BODY), more="Transfer-Encoding: chunked\r\n"),
    "chunks across pictures": answer(
        chunked(*(BODY[i : i + 999] for i in range(0, len(BODY), 999))),
        more="transfer-encoding: Chunked\r\n",
    ),
    "gzip": answer(gzip.compress(BODY), more="Content-Encoding: gzip\r\n"),
    "deflate": answer(zlib.compress(BODY), more="Content-Encoding: deflate\r\n"),
    "long length": answer(BODY, more="Content-Length: 999999999\r\n"),
    "HTTP/1.0": b"HTTP/1.0 200 OK\r\nContent-Type: %b\r\n\r\n%b" % (MULTIPART.encode(), BODY),
    "no reason": b"HTTP/1.1 200\r\ncontent-type: %b\r\n\r\n%b" % (MULTIPART.encode(), BODY),
    "line feeds": b"HTTP/1.1 200 OK\nContent-Type: %b\n\n%b" % (MULTIPART.encode(), BODY),
    "no type": b"HTTP/1.1 200 OK\r\n\r\n" + BODY,
    "206": answer(BODY, status="206 Partial Content"),
    "100 first": b"HTTP/1.1 100 Continue\r\n\r\n" + answer(BODY),
    "PNG": answer(b"".join(part(png(level)) for level in LEVELS)),
}


def constantly(content: bytes) -> Callable[[Request], Iterable[bytes]]:
    return lambda request: [content]


def opened(
    camera: ScriptedCamera, path: str = "/video", login: str = "", fps: float = 50
) -> Source:
    source = camera.url(path, login)
    return open_source(CameraSettings(source=source, timeout_s=TIMEOUT_S, fps=fps))


def levels(source: Source, count: int) -> list[int]:
    """Return the mean grey level of the next `count` frames."""
    frames = [source.read() for _ in range(count)]
    return [round(float(frame.image_bgr.mean())) for frame in frames if frame is not None]


def check_all_pictures(content: bytes) -> None:
    with ScriptedCamera(constantly(content)) as camera:
        source = opened(camera)
        assert levels(source, len(LEVELS)) == pytest.approx(LEVELS, abs=2)
        with pytest.raises(SourceError, match=r"/video stopped delivering frames$"):
            source.read()
        source.close()
        assert len(camera.requests) == 1


@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)
def test_parts_of_every_kind_are_read(head: str) -> None:
    check_all_pictures(answer(body(head)))


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("content", [BODY, RAW], ids=["parts", "raw"])
def test_streams_of_every_type_are_read(kind: str, content: bytes) -> None:
    check_all_pictures(answer(content, kind))


@pytest.mark.parametrize("content", ANSWERS.values(), ids=ANSWERS)
def test_answers_of_every_kind_are_read(content: bytes) -> None:
    check_all_pictures(content)


def test_boundary_after_each_picture_instead_of_before_it() -> None:
    head = "Content-Type: image/jpeg\r\nContent-Length: {}\r\n\r\n"
    parts = (part(p, head.format(len(p))) + b"--1234567890\r\n" for p in JPEGS)
    check_all_pictures(answer(b"".join(parts), "multipart/x-mixed-replace;boundary=1234567890"))


def test_pictures_may_change_their_size_subsampling_and_colour() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (480, 640, 3), np.uint8)
    noise = cv2.GaussianBlur(noise, (0, 0), 5)
    kinds = [
        (noise, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422),
        (noise, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420),
        (cv2.resize(noise, (1280, 960)), cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444),
        (cv2.resize(noise, (320, 240)), cv2.IMWRITE_JPEG_SAMPLING_FACTOR_411),
        (cv2.cvtColor(noise, cv2.COLOR_BGR2GRAY), cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420),
    ]
    sent = [
        cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, factor])[1].tobytes()
        for image, factor in kinds
    ]
    with ScriptedCamera(constantly(answer(b"".join(map(part, sent * 2))))) as camera:
        source = opened(camera)
        for content in sent * 2:
            frame = source.read()
            assert frame is not None
            expected = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
            assert np.array_equal(frame.image_bgr, expected)
        source.close()


def test_skipped_pictures_are_not_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    damaged = JPEGS[1][:-40] + b"\xff\xd9"
    settings = CameraSettings(source="http://unused", fps=0.5, timeout_s=60)
    with ScriptedCamera(constantly(answer(RAW + damaged * 20))) as camera:
        limit = frame_rate_limit(settings, FrameRateBudget())
        source = open_source(CameraSettings(source=camera.url(), timeout_s=TIMEOUT_S), limit)
        decoded = []
        monkeypatch.setattr(
            HttpCamera, "_decode", lambda self, picture: decoded.append(picture) or flat(1)
        )
        with pytest.raises(SourceError):
            levels(source, 30)
        assert len(decoded) < 5
        source.close()


def numbered(make: Callable[[int], bytes]) -> Callable[[Request], Iterable[bytes]]:
    """Return a script that answers request number 0, 1, … with `make(number)`."""
    numbers = itertools.count()
    return lambda request: [make(next(numbers))]


SNAPSHOTS: dict[str, Callable[[int], bytes]] = {
    "JPEG": lambda n: sized(JPEGS[n % 4]),
    "PNG": lambda n: sized(png(LEVELS[n % 4]), "image/png"),
    "without a length": lambda n: answer(JPEGS[n % 4], "image/jpeg"),
    "chunked": lambda n: answer(
        chunked(JPEGS[n % 4]), "image/jpeg", more="Transfer-Encoding: chunked\r\n"
    ),
    "octet-stream": lambda n: sized(JPEGS[n % 4], "application/octet-stream"),
    "one part for each connection": lambda n: answer(part(JPEGS[n % 4])),
}


@pytest.mark.parametrize("make", SNAPSHOTS.values(), ids=SNAPSHOTS)
@pytest.mark.parametrize("keep_alive", [False, True])
def test_snapshot_is_requested_again_and_again(
    make: Callable[[int], bytes], keep_alive: bool
) -> None:
    head = make(0).partition(b"\r\n\r\n")[0]
    keeps = keep_alive and (b"Content-Length" in head or b"chunked" in head)
    with ScriptedCamera(numbered(make), keep_alive=keeps) as camera:
        source = opened(camera)
        assert levels(source, 8) == pytest.approx(LEVELS * 2, abs=2)
        source.close()
        assert {request.connection for request in camera.requests} == (
            {1} if keeps else set(range(1, 9))
        )


ENDLESS: dict[str, Callable[[int], bytes]] = {
    "JPEG": lambda n: answer(JPEGS[n % 4], "image/jpeg"),
    "PNG": lambda n: answer(png(LEVELS[n % 4]), "image/png"),
    "line end": lambda n: answer(JPEGS[n % 4] + b"\r\n", "image/jpeg"),
    "no type": lambda n: answer(JPEGS[n % 4], ""),
    "too long a length": lambda n: answer(
        JPEGS[n % 4], "image/jpeg", more="Content-Length: 999999\r\n"
    ),
    "chunked": lambda n: answer(
        chunked(JPEGS[n % 4])[: -len("0\r\n\r\n")],
        "image/jpeg",
        more="Transfer-Encoding: chunked\r\n",
    ),
    "one part": lambda n: answer(part(JPEGS[n % 4])),
    "one part and the next boundary": lambda n: answer(part(JPEGS[n % 4]) + b"--frame\r\n"),
}


@pytest.mark.parametrize("make", ENDLESS.values(), ids=ENDLESS)
def test_snapshot_on_a_connection_that_stays_open_is_requested_again(
    make: Callable[[int], bytes],
) -> None:
    with ScriptedCamera(numbered(make), keep_alive=True) as camera:
        source = opened(camera)
        assert levels(source, 12) == pytest.approx(LEVELS * 3, abs=2)
        source.close()
        assert [request.connection for request in camera.requests] == list(range(1, 13))


def test_stream_whose_second_picture_comes_slowly_is_no_snapshot() -> None:
    sent = threading.Event()

    def script(request: Request) -> Iterable[bytes]:
        yield answer(part(JPEGS[0]) + part(JPEGS[1])[:-200])
        sent.wait()
        yield part(JPEGS[1])[-200:] + b"".join(map(part, JPEGS[2:]))

    clock = Clock()
    with ScriptedCamera(script) as camera:
        source = open_with_clock(camera, clock, CameraSettings(source=camera.url(), timeout_s=60))
        assert levels(source, 1) == pytest.approx(LEVELS[:1], abs=2)
        clock.now_s += 31.0  # longer than a pause between the first two pictures may be
        sent.set()
        assert levels(source, 3) == pytest.approx(LEVELS[1:], abs=2)
        source.close()
        assert len(camera.requests) == 1


class Clock:
    """A clock that only `sleep` advances."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.slept_s: list[float] = []

    def __call__(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.slept_s.append(seconds)
        self.now_s += seconds


def open_with_clock(
    camera: ScriptedCamera, clock: Clock, settings: CameraSettings, filter: FrameFilter = accept_all
) -> HttpCamera:
    client = HttpClient(parse_stream_address(camera.url()), clock)
    source = HttpCamera(client, settings, filter, clock, clock.sleep)
    assert source.open()
    return source


def test_snapshots_are_requested_at_the_frame_rate_of_the_settings() -> None:
    clock = Clock()
    with ScriptedCamera(numbered(SNAPSHOTS["JPEG"])) as camera:
        settings = CameraSettings(source=camera.url(), fps=4)
        source = open_with_clock(camera, clock, settings)
        assert levels(source, 5) == pytest.approx([*LEVELS, LEVELS[0]], abs=2)
        source.close()
    assert clock.slept_s == pytest.approx([0.25] * 4)


def test_hot_device_requests_fewer_snapshots() -> None:
    clock = Clock()
    with ScriptedCamera(numbered(SNAPSHOTS["JPEG"])) as camera:
        settings = CameraSettings(source=camera.url(), fps=4)
        limit = frame_rate_limit(settings, FrameRateBudget(lambda: 0.5))
        source = open_with_clock(camera, clock, settings, limit)
        levels(source, 9)
        source.close()
        assert len(camera.requests) == 9
    assert clock.now_s - 1000.0 == pytest.approx(8 * 0.5, abs=0.6)


def test_snapshot_is_requested_twice_per_timeout_at_least() -> None:
    clock = Clock()
    with ScriptedCamera(numbered(SNAPSHOTS["JPEG"])) as camera:
        settings = CameraSettings(source=camera.url(), fps=0.01, timeout_s=6.0)
        source = open_with_clock(camera, clock, settings)
        levels(source, 3)
        source.close()
    assert clock.slept_s == pytest.approx([3.0, 3.0])


def test_snapshot_may_fail_now_and_then() -> None:
    faults = [answer(b"", status="503 Busy"), sized(JPEGS[1][:400]), b"", sized(b""), b"nonsense"]

    def make(number: int) -> bytes:
        return sized(JPEGS[0]) if number % 2 == 0 else faults[number // 2 % len(faults)]

    with ScriptedCamera(numbered(make)) as camera:
        source = opened(camera)
        assert levels(source, 8) == pytest.approx([LEVELS[0]] * 8, abs=2)
        source.close()


def test_camera_that_sends_no_more_snapshots_is_lost() -> None:
    clock = Clock()
    contents = [sized(JPEGS[0])] + [answer(b"", status="503 Busy")] * 100
    with ScriptedCamera(numbered(contents.__getitem__)) as camera:
        settings = CameraSettings(source=camera.url(), fps=2, timeout_s=TIMEOUT_S)
        source = open_with_clock(camera, clock, settings)
        source.read()
        with pytest.raises(SourceError, match=r"stopped delivering frames: it answers 503"):
            source.read()
        source.close()
    assert sum(clock.slept_s) == pytest.approx(TIMEOUT_S, abs=0.5)


def too_large() -> bytes:
    """Return a small JPEG that states a size of 65,000 x 65,000 pixels."""
    return JPEGS[0].replace(struct.pack(">HH", 120, 160), struct.pack(">HH", 65_000, 65_000))


TEXT = "not with pictures or video; check the path"
NO_PICTURE = "it sends no complete JPEG or PNG picture"
DAMAGED_PNG = png(40)[:60] + b"XXXX" + png(40)[64:]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (sized(b"<html>Log in</html>", "text/html"), f"it answers with text/html, {TEXT}"),
        (sized(b'{"error": 1}', "application/json"), f"it answers with application/json, {TEXT}"),
        (sized(b"hello", "text/plain; charset=x"), f"it answers with text/plain, {TEXT}"),
        (sized(b"x" * 5000, MULTIPART), NO_PICTURE),
        (sized(b"", "image/jpeg"), NO_PICTURE),
        (sized(JPEGS[0][:-9], "image/jpeg"), NO_PICTURE),
        (sized(b"BM" + b"0" * 900, "image/bmp"), NO_PICTURE),
        (sized(too_large()), "its pictures have 65000x65000 pixels, which is too much"),
        (sized(DAMAGED_PNG, "image/png"), "its pictures are damaged"),
        (answer(b"", more="Content-Encoding: br\r\n"), "a Content-Encoding that was not requested"),
        (answer(b"no gzip", more="Content-Encoding: gzip\r\n"), "not valid HTTP"),
        (answer(b"", status="404 X"), "it answers 404 Not Found; check the path"),
        (answer(b"", status="503 X"), "it answers 503 Service Unavailable; it may be starting"),
        (answer(b"", status="799 X"), "it answers 799; check the path"),
        (b"", "it closed the connection"),
        (b"SSH-2.0-OpenSSH\r\n", "its answer is not valid HTTP"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000, "its answer is not valid HTTP"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200, "its answer is not valid HTTP"),
    ],
)
def test_answer_without_pictures_is_an_error_of_one_line(content: bytes, message: str) -> None:
    with ScriptedCamera(constantly(content)) as camera:
        with pytest.raises(AbsentError, match=message) as caught:
            opened(camera, "/video?token=geheim", login="me:geheim")
        shown = camera.url("/video?token=***")
    assert str(caught.value).startswith(f"no video stream at {shown}: it")
    assert "geheim" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["video/mp2t", "application/octet-stream", ""])
def test_video_is_left_to_ffmpeg(tmp_path: Path, kind: str) -> None:
    stream, _ = transport_stream(tmp_path / "camera.ts")
    with ScriptedCamera(constantly(answer(stream, kind))) as camera:
        source = opened(camera)
        assert source.read() is not None
        source.close()


def test_playlist_is_left_to_ffmpeg(tmp_path: Path) -> None:
    stream, seconds = transport_stream(tmp_path / "camera.ts")
    playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:{seconds:.0f}\n#EXTINF:{seconds},\na.ts\n"

    def script(request: Request) -> Iterable[bytes]:
        if request.target.endswith(".ts"):
            return [sized(stream, "video/mp2t")]
        return [sized(playlist.encode(), "text/plain")]

    with ScriptedCamera(script) as camera:
        source = opened(camera, "/live.m3u8")
        assert source.read() is not None
        source.close()
