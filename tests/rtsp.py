"""A network camera that speaks RTSP: just enough of a server to play one clip over and over."""

from __future__ import annotations

import contextlib
import re
import socket
import socketserver
import subprocess
import threading
from pathlib import Path

from edge.paths import demo_clip


class RtspCamera:
    """Serves the demo clip at `url` to whoever asks, within the RTSP connection (TCP).

    FFmpeg makes the RTP packets and the description; they are only passed on.
    """

    def __init__(self, folder: Path, port: int = 0) -> None:
        self._packets = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._packets.bind(("127.0.0.1", 0))
        self._sdp = folder / "camera.sdp"
        self._viewers: list[socket.socket] = []
        self._lock = threading.Lock()
        camera = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                with contextlib.suppress(OSError):
                    camera._serve(self)
                camera._forget(self.connection)

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = True

        self._server = Server(("127.0.0.1", port), Handler)
        self.port = int(self._server.server_address[1])
        self.url = f"rtsp://me:secret@127.0.0.1:{self.port}/door"

    def __enter__(self) -> RtspCamera:
        self._sdp.unlink(missing_ok=True)
        port = self._packets.getsockname()[1]
        command = (
            f"ffmpeg -loglevel error -re -stream_loop -1 -i {demo_clip()} -an -c:v mpeg4 -q:v 4"
            f" -g 7 -f rtp -sdp_file {self._sdp} rtp://127.0.0.1:{port}"
        )
        self._ffmpeg = subprocess.Popen(command.split(), stdin=subprocess.DEVNULL)
        threading.Thread(target=self._pass_on, daemon=True).start()
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ffmpeg.kill()
        self._ffmpeg.wait()
        self._server.shutdown()
        self._server.server_close()
        with self._lock:
            viewers, self._viewers = self._viewers, []
        for viewer in viewers:
            with contextlib.suppress(OSError):
                viewer.shutdown(socket.SHUT_RDWR)
        self._packets.close()

    def is_ready(self) -> bool:
        """Whether there is something to describe yet."""
        return self._sdp.exists() and "m=video" in self._sdp.read_text()

    def _forget(self, viewer: socket.socket) -> None:
        with self._lock:
            if viewer in self._viewers:
                self._viewers.remove(viewer)

    def _pass_on(self) -> None:
        with contextlib.suppress(OSError):
            while packet := self._packets.recv(65536):
                framed = b"$\0" + len(packet).to_bytes(2, "big") + packet
                with self._lock:
                    viewers = list(self._viewers)
                for viewer in viewers:
                    try:
                        viewer.sendall(framed)
                    except OSError:
                        self._forget(viewer)

    def _serve(self, request: socketserver.StreamRequestHandler) -> None:
        while line := request.rfile.readline():
            if not line.strip():
                continue
            method = line.split()[0].decode()
            head = b"".join(iter(request.rfile.readline, b"\r\n")).decode()
            number = re.search(r"(?im)^CSeq: *(\d+)", head)
            code, body = "200 OK", ""
            lines = [f"CSeq: {number[1] if number else 0}", "Session: 1"]
            if method == "OPTIONS":
                lines.append("Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER")
            elif method == "DESCRIBE" and not self.is_ready():
                code = "503 Service Unavailable"
            elif method == "DESCRIBE":
                body = re.sub(r"(?m)^m=video \d+", "m=video 0", self._sdp.read_text())
                lines += ["Content-Type: application/sdp", f"Content-Length: {len(body)}"]
            elif method == "SETUP" and "TCP" not in head:
                code = "461 Unsupported Transport"  # asked for UDP first, it comes again
            elif method == "SETUP":
                lines.append("Transport: RTP/AVP/TCP;unicast;interleaved=0-1")
            answer = "\r\n".join([f"RTSP/1.0 {code}", *lines]) + "\r\n\r\n" + body
            request.wfile.write(answer.encode())
            if method == "PLAY":
                with self._lock:
                    self._viewers.append(request.connection)
            elif method == "TEARDOWN":
                return
