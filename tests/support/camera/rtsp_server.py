"""A network camera with RTSP: a minimal server that plays one clip again and again."""

from __future__ import annotations

import base64
import contextlib
import itertools
import re
import socket
import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path

import cv2

from edge.common.paths import demo_clip

#: Payload of an RTP packet: seven transport stream packets of 188 bytes (RFC 2250).
PAYLOAD_BYTES = 7 * 188
#: Static payload type of an MPEG-2 transport stream, and the rate of its clock (RFC 3551).
PAYLOAD_TYPE, CLOCK_HZ = 33, 90_000
SDP = (
    "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=door\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    "m=video 0 RTP/AVP 33\r\na=rtpmap:33 MP2T/90000\r\na=control:0\r\n"
)
#: The description of a track of G.711 sound, and an RTP packet of it.
SOUND_SDP = "m=audio 0 RTP/AVP 0\r\na=control:1\r\n"
SOUND_PACKET = bytes([0x80, 0]) + bytes(10) + b"\xff" * 160


class RtspCamera:
    """Serves a clip at `url`; the video is interleaved in the RTSP connection (TCP).

    The clip is sent as an MPEG transport stream, which OpenCV can write and RTP can carry. It is
    the demo clip, or `clip`: its transport stream, and its duration in seconds. With `login`, as
    `user:password`, the server requires Basic authentication. With `sound`, there is a second
    track. While `blind` is set, only sound is sent.
    """

    def __init__(
        self,
        folder: Path,
        port: int = 0,
        clip: tuple[bytes, float] | None = None,
        login: str = "",
        sound: bool = False,
    ) -> None:
        self._expected = "Basic " + base64.b64encode(login.encode()).decode() if login else ""
        self.blind = threading.Event()
        self._sound = sound
        self._stream, self._seconds = clip or transport_stream(folder / "camera.ts")
        self._stopped = threading.Event()
        self._clients: list[socket.socket] = []
        self._lock = threading.Lock()
        camera = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                with contextlib.suppress(OSError):
                    camera._serve(self)
                camera._remove_client(self.connection)

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = True

        self._server = Server(("127.0.0.1", port), Handler)
        self.port = int(self._server.server_address[1])
        self.url = f"rtsp://me:secret@127.0.0.1:{self.port}/door"

    def __enter__(self) -> RtspCamera:
        threading.Thread(target=self._play, daemon=True).start()
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._server.shutdown()
        self._server.server_close()
        with self._lock:
            clients, self._clients = self._clients, []
        for client in clients:
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)

    def _remove_client(self, client: socket.socket) -> None:
        with self._lock:
            if client in self._clients:
                self._clients.remove(client)

    def _play(self) -> None:
        """Send the packets of the clip at the speed of the clip, again and again."""
        period_s = self._seconds * PAYLOAD_BYTES / len(self._stream)
        for packet in rtp_packets(self._stream, period_s):
            framed = b"" if self.blind.is_set() else interleaved(0, packet)
            framed += interleaved(2, SOUND_PACKET) if self._sound else b""
            with self._lock:
                clients = list(self._clients)
            for client in clients:
                try:
                    client.sendall(framed)
                except OSError:
                    self._remove_client(client)
            if self._stopped.wait(period_s):
                return

    def _may(self, head: str) -> bool:
        return not self._expected or f"\nAuthorization: {self._expected}\r" in head

    def _serve(self, request: socketserver.StreamRequestHandler) -> None:
        while line := request.rfile.readline():
            if not line.strip():
                continue
            method = line.split()[0].decode()
            head = b"".join(iter(request.rfile.readline, b"\r\n")).decode()
            number = re.search(r"(?im)^CSeq: *(\d+)", head)
            code, body = "200 OK", ""
            lines = [f"CSeq: {number[1] if number else 0}", "Session: 1"]
            if method != "OPTIONS" and not self._may(head):
                code, lines = "401 Unauthorized", [lines[0], 'WWW-Authenticate: Basic realm="x"']
            elif method == "OPTIONS":
                lines.append("Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER")
            elif method == "DESCRIBE":
                body = SDP + SOUND_SDP if self._sound else SDP
                lines += ["Content-Type: application/sdp", f"Content-Length: {len(body)}"]
            elif method == "SETUP" and "TCP" not in head:
                code = "461 Unsupported Transport"  # after this reply, clients try TCP
            elif method == "SETUP":
                channels = re.search(r"interleaved=[0-9-]+", head)
                assert channels is not None
                lines.append(f"Transport: RTP/AVP/TCP;unicast;{channels[0]}")
            response = "\r\n".join([f"RTSP/1.0 {code}", *lines]) + "\r\n\r\n" + body
            request.wfile.write(response.encode())
            if method == "PLAY" and code == "200 OK":
                with self._lock:
                    self._clients.append(request.connection)
            elif method == "TEARDOWN":
                return


def interleaved(channel: int, packet: bytes) -> bytes:
    """Return `packet` as it is sent within the RTSP connection."""
    return b"$" + bytes([channel]) + len(packet).to_bytes(2, "big") + packet


def transport_stream(path: Path) -> tuple[bytes, float]:
    """Write the demo clip to `path` as an MPEG transport stream; return its bytes and duration."""
    demo = cv2.VideoCapture(str(demo_clip()))
    fps = demo.get(cv2.CAP_PROP_FPS)
    writer, frames = None, 0
    while True:
        ok, frame = demo.read()
        if not ok:
            break
        if writer is None:
            size = (frame.shape[1], frame.shape[0])
            writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MPG2"), fps, size)
        writer.write(frame)
        frames += 1
    assert writer is not None
    writer.release()
    return path.read_bytes(), frames / fps


def rtp_packets(stream: bytes, period_s: float) -> Iterator[bytes]:
    """Yield the RTP packets of `stream` again and again, with time stamps `period_s` apart."""
    pieces = [stream[i : i + PAYLOAD_BYTES] for i in range(0, len(stream), PAYLOAD_BYTES)]
    for number, piece in enumerate(itertools.cycle(pieces)):
        ticks = int(number * period_s * CLOCK_HZ) & 0xFFFFFFFF
        head = bytes([0x80, PAYLOAD_TYPE]) + (number & 0xFFFF).to_bytes(2, "big")
        yield head + ticks.to_bytes(4, "big") + b"door" + piece
