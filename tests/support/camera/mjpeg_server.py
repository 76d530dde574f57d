"""An HTTP server that sends JPEGs as a network camera does; a test can make the server fail."""

from __future__ import annotations

import random
import socket
import threading
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import cv2

from edge.common.arrays import Pixels


class MjpegCamera:
    """A context manager that runs a server, which sends `frames` to every client repeatedly.

    Setting `stopped` ends all streams permanently. While `stalled` is set, connections stay open
    but nothing is sent. While `garbled` is set, random bytes are sent instead of pictures.
    """

    def __init__(self, frames: Sequence[Pixels], period_s: float = 0.05, port: int = 0) -> None:
        self.stopped = threading.Event()
        self.stalled = threading.Event()
        self.garbled = threading.Event()
        self._closing = threading.Event()
        self._period_s = period_s
        self.show(frames)
        camera = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
                self.end_headers()
                try:
                    camera._send(self)
                except OSError:
                    return

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_port
        self.url = f"http://me:secret@127.0.0.1:{self.port}/stream.mjpg"

    def show(self, frames: Sequence[Pixels]) -> None:
        """Send `frames` from now on, instead of the previous frames."""
        self._jpegs = [cv2.imencode(".jpg", frame)[1].tobytes() for frame in frames]

    def close_connections(self) -> None:
        """Close all open connections, each after two pictures at the earliest.

        A client takes an answer with a single picture for a snapshot. The server still accepts new
        connections.
        """
        closing, self._closing = self._closing, threading.Event()
        closing.set()

    def _send(self, request: BaseHTTPRequestHandler) -> None:
        closing, generator, count = self._closing, random.Random(7), 0
        while not self.stopped.wait(self._period_s) and not (closing.is_set() and count >= 2):
            if self.stalled.is_set():
                continue
            if self.garbled.is_set():
                request.wfile.write(generator.randbytes(10_000))
                continue
            jpeg = self._jpegs[count % len(self._jpegs)]
            count += 1
            head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n"
            request.wfile.write(head.encode() + b"\r\n" + jpeg + b"\r\n")

    def __enter__(self) -> MjpegCamera:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopped.set()
        self._server.shutdown()
        self._server.server_close()


class SilentServer:
    """A network camera that accepts connections and sends nothing; a context manager."""

    def __init__(self) -> None:
        self.connections: list[socket.socket] = []
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://me:secret@127.0.0.1:{self._server.getsockname()[1]}/stream.mjpg"

    def _accept(self) -> None:
        while True:
            try:
                self.connections.append(self._server.accept()[0])
            except OSError:
                return

    def __enter__(self) -> SilentServer:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        for connection in self.connections:
            connection.close()
