"""A network camera: an HTTP server that sends JPEGs one after another."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import cv2

from edge.framing import Pixels


class MjpegCamera:
    """Sends `frames` to whoever asks, over and over while `with` lasts; `cut` ends the stream,
    `hang` leaves it open without another picture."""

    def __init__(self, frames: Sequence[Pixels], period_s: float = 0.05) -> None:
        jpegs = [cv2.imencode(".jpg", frame)[1].tobytes() for frame in frames]
        self.cut = cut = threading.Event()
        self.hang = hang = threading.Event()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
                self.end_headers()
                count = 0
                while not cut.wait(period_s):
                    if hang.is_set():
                        continue
                    jpeg = jpegs[count % len(jpegs)]
                    count += 1
                    head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n"
                    try:
                        self.wfile.write(head.encode() + b"\r\n" + jpeg + b"\r\n")
                    except OSError:
                        return

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://me:secret@127.0.0.1:{self._server.server_port}/stream.mjpg"

    def __enter__(self) -> MjpegCamera:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.cut.set()
        self._server.shutdown()
        self._server.server_close()
