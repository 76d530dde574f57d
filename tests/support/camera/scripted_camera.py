"""An HTTP or HTTPS server whose answers, byte by byte, are given by a function of the test."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass

MULTIPART = "multipart/x-mixed-replace; boundary=frame"


@dataclass(frozen=True)
class Request:
    """A request; `headers` have names in lower case, `connection` counts from 1."""

    target: str
    headers: dict[str, str]
    connection: int


class ScriptedCamera:
    """A context manager that sends the pieces of `script(request)` to each client.

    The connection is closed after the last piece, unless `keep_alive` is set. `requests` contains
    all requests so far.
    """

    def __init__(
        self,
        script: Callable[[Request], Iterable[bytes]],
        keep_alive: bool = False,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.requests: list[Request] = []
        self._connections = 0
        self._open: list[socket.socket] = []
        camera = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                camera._connections += 1
                number = camera._connections
                camera._open.append(self.connection)
                with contextlib.suppress(OSError):
                    while (request := read_request(self.rfile, number)) is not None:
                        camera.requests.append(request)
                        for piece in script(request):
                            self.wfile.write(piece)
                        if not keep_alive:
                            return

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            allow_reuse_address = True

            def get_request(self) -> tuple[socket.socket, object]:
                connection, address = super().get_request()
                return connection if tls is None else wrapped(connection, tls), address

            def handle_error(self, *_: object) -> None:
                pass

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port = int(self._server.server_address[1])
        self._scheme = "http" if tls is None else "https"

    def url(self, path: str = "/video", login: str = "", host: str = "127.0.0.1") -> str:
        return f"{self._scheme}://{login and login + '@'}{host}:{self.port}{path}"

    def __enter__(self) -> ScriptedCamera:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


def wrapped(connection: socket.socket, tls: ssl.SSLContext) -> ssl.SSLSocket:
    return tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)


def read_request(lines: Iterable[bytes], connection: int) -> Request | None:
    """Read the head of a request; None if the client has closed the connection."""
    head: list[str] = []
    for line in lines:
        text = line.decode("latin-1").rstrip("\r\n")
        if not text:
            break
        head.append(text)
    if not head:
        return None
    fields = (line.partition(":") for line in head[1:])
    headers = {name.lower(): value.strip() for name, _, value in fields}
    return Request(head[0].split(" ")[1], headers, connection)


def answer(body: bytes, kind: str = MULTIPART, status: str = "200 OK", more: str = "") -> bytes:
    """Return an answer without a length, whose body ends with the connection."""
    return f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\n{more}\r\n".encode() + body


def sized(body: bytes, kind: str = "image/jpeg", status: str = "200 OK", more: str = "") -> bytes:
    """Return an answer with a length, after which the connection can stay open."""
    return answer(body, kind, status, f"Content-Length: {len(body)}\r\n{more}")


def chunked(*pieces: bytes) -> bytes:
    """Return `pieces` in chunked transfer encoding."""
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in (*pieces, b""))


def part(picture: bytes, head: str | None = None) -> bytes:
    """Return a part of a multipart answer."""
    if head is None:
        head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(picture)}\r\n\r\n"
    return head.encode() + picture + b"\r\n"
