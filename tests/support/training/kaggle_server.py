"""A server on loopback that replaces Kaggle's server; tests use the real kagglehub with it."""

from __future__ import annotations

import contextlib
import io
import json
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Kaggle(ThreadingHTTPServer):
    """Serves the files below `folder` as its only data set.

    `answer`: the HTTP status of every response. `stalls`: whether to send only half of the
    archive, and then nothing.
    """

    daemon_threads = True
    folder: Path
    answer = 200
    stalls = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.over = threading.Event()

    def environment(self) -> dict[str, str]:
        """Return variables that make kagglehub use this server, by its local mode and a proxy."""
        return {
            "KAGGLE_API_ENVIRONMENT": "LOCALHOST",
            "http_proxy": f"http://127.0.0.1:{self.server_address[1]}",
            "no_proxy": "",
        }

    def archive(self) -> bytes:
        """Return `folder` as a ZIP archive."""
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            for path in sorted(self.folder.rglob("*.*")):
                archive.write(path, path.relative_to(self.folder))
        return packed.getvalue()


class _Handler(BaseHTTPRequestHandler):
    server: Kaggle

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path.endswith("/GetDataset"):
            self._send("application/json", json.dumps({"currentVersionNumber": 7}).encode())
        else:
            self._send("application/zip", self.server.archive())

    def _send(self, kind: str, body: bytes) -> None:
        self.send_response(self.server.answer)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if kind != "application/zip" or not self.server.stalls:
            self.wfile.write(body)
            return
        self.wfile.write(body[: len(body) // 2])
        self.wfile.flush()
        self.server.over.wait()

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextlib.contextmanager
def serving() -> Iterator[Kaggle]:
    """Run a server for the duration of the block."""
    with Kaggle() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.over.set()
            server.shutdown()
            thread.join()
