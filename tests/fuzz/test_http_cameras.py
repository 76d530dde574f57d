"""Answers of a hostile HTTP camera: frames, or a SourceError; the process survives.

The answers are read and decoded in a process of its own, which must neither crash, nor hang, nor
fill the memory. Pictures are decoded by OpenCV, video by FFmpeg.
"""

from __future__ import annotations

import gzip
from pathlib import Path

import cv2
from hypothesis import strategies as st

from edge.common.paths import demo_clip
from tests.support.camera.hostile_server import HostileServer
from tests.support.footage.visit_clip import BARE_S, frame_at
from tests.support.fuzz.child_process import ChildProcess
from tests.support.fuzz.damage import damaged
from tests.support.fuzz.fuzzer import Fuzzer

#: The process has OpenCV, FFmpeg, and the frames that it decodes.
MAX_MB = 600
MULTIPART = b"multipart/x-mixed-replace; boundary=frame"
JPEG = cv2.imencode(".jpg", cv2.resize(frame_at(BARE_S), (160, 120)))[1].tobytes()
PNG = cv2.imencode(".png", cv2.resize(frame_at(BARE_S), (80, 60)))[1].tobytes()
TYPES = (MULTIPART, b"image/jpeg", b"video/mp4", b"video/mp2t", b"application/vnd.apple.mpegurl",
         b"text/html", b"application/sdp", b"")  # fmt: skip
PLAYLIST = b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n#EXTINF:1,\nhttp://127.0.0.1:1/a.ts\n"


def answer(
    body: bytes, kind: bytes = MULTIPART, status: bytes = b"200 OK", more: bytes = b""
) -> bytes:
    return b"HTTP/1.1 %b\r\nContent-Type: %b\r\n%b\r\n%b" % (status, kind, more, body)


def part(jpeg: bytes, length: int | None = None) -> bytes:
    size = len(jpeg) if length is None else length
    head = b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % size
    return head + jpeg + b"\r\n"


def chunked(body: bytes, size: bytes) -> bytes:
    return answer(size + b"\r\n" + body + b"\r\n0\r\n\r\n", more=b"Transfer-Encoding: chunked\r\n")


STREAM = answer(part(JPEG) * 6)
SNAPSHOT = answer(JPEG, b"image/jpeg", more=b"Content-Length: %d\r\n" % len(JPEG))
HUGE = JPEG.replace((120).to_bytes(2, "big") + (160).to_bytes(2, "big"), b"\xff\xdc\xff\xdc")
CORPUS = [
    STREAM,
    SNAPSHOT,
    answer(JPEG * 6, b""),
    answer(PNG * 3, b"image/png"),
    answer(part(HUGE) * 3),
    answer(PNG[:16] + b"\x7f" * 8 + PNG[24:], b"image/png"),
    answer(part(JPEG[:-2]) * 6),
    answer(gzip.compress(part(JPEG) * 6), more=b"Content-Encoding: gzip\r\n"),
    answer(gzip.compress(bytes(50_000_000)), more=b"Content-Encoding: gzip\r\n"),
    chunked(part(JPEG) * 6, b"%x" % (6 * len(part(JPEG)))),
    chunked(part(JPEG) * 6, b"-1"),
    chunked(part(JPEG) * 6, b"ffffffffffffffff"),
    answer(part(JPEG, 10**12) * 3),
    answer(part(JPEG, -1) * 3),
    answer(PLAYLIST, b"application/vnd.apple.mpegurl"),
    answer(b"", status=b"302 Found", more=b"Location: file:///etc/passwd\r\n"),
    answer(b"", status=b"401 Unauthorized", more=b'WWW-Authenticate: Digest realm="x"\r\n'),
    answer(
        b"",
        status=b"401 Unauthorized",
        more=b'WWW-Authenticate: Basic, Digest nonce="\xff", qop="auth", opaque="\\"\r\n',
    ),
    answer(demo_clip().read_bytes()[:60_000], b"video/mp4"),
    b"ICY 200 OK\r\n\r\n" + JPEG,
]
HEAD_BYTES = 200
heads = st.builds(
    answer,
    st.just(b"") | st.just(part(JPEG)) | st.binary(max_size=200),
    st.sampled_from(TYPES) | st.binary(max_size=30),
    st.sampled_from([b"200 OK", b"206 Partial", b"302 Found", b"401 X", b"500 X", b"999"]),
    st.sampled_from(
        [b"", b"Content-Length: -1\r\n", b"Content-Length: 99999999999999\r\n",
         b"Transfer-Encoding: chunked\r\n", b"Content-Encoding: gzip\r\n", b"Location: /\r\n",
         b"Location: concat:/etc/passwd\r\n", b"X: " + b"y" * 9000 + b"\r\n"]
    ),
)  # fmt: skip
answers = (
    damaged([STREAM, SNAPSHOT], [(0, HEAD_BYTES), (0, HEAD_BYTES + len(JPEG))])
    | damaged(CORPUS)
    | heads
)


def test_stream_gives_frames_or_an_error(fuzzer: Fuzzer, tmp_path: Path) -> None:
    child = ChildProcess("tests.support.camera.read_stream", tmp_path, MAX_MB)
    with HostileServer() as server:

        def check(content: bytes) -> None:
            server.answer = content
            frames, error = child.ask(server.url.replace("//", "//me:secret@"))
            assert error.isprintable()
            assert error or frames
            assert "secret" not in error

        try:
            fuzzer.run(check, answers, CORPUS, examples=10)
        finally:
            child.close()
