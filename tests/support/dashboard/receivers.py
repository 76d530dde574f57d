"""Receivers of notifications: an HTTP server and an SMTP server that record what they get."""

from __future__ import annotations

import http.server
import json
import socketserver
import ssl
import threading
from pathlib import Path
from typing import Any, Literal

#: What a receiver does with a message. `silent` never answers, `slow` takes 6 s, which is longer
#: than the limit of Apprise.
Behaviour = Literal["accepts", "fails", "silent", "slow"]
SLOW_S = 6.0


class HttpReceiver:
    """A context manager with a webhook; it may change its behaviour at any time."""

    def __init__(
        self, behaviour: Behaviour = "accepts", tls: ssl.SSLContext | None = None, port: int = 0
    ) -> None:
        self.behaviour: Behaviour = behaviour
        self.status = 500
        #: The bodies of the accepted requests, and those of all requests with path and headers.
        self.bodies: list[bytes] = []
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self._tls = tls
        self._port = port
        self._released = threading.Event()

    def __enter__(self) -> HttpReceiver:
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                receiver.requests.append((self.path, dict(self.headers), body))
                if receiver.behaviour == "silent":
                    receiver._released.wait()
                    return
                if receiver.behaviour == "slow":
                    receiver._released.wait(SLOW_S)
                is_accepted = receiver.behaviour != "fails"
                if is_accepted:
                    receiver.bodies.append(body)
                self.send_response(201 if is_accepted else receiver.status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: object) -> None:
                pass  # a client that was killed, or that does not trust the certificate

        self._server = Server(("127.0.0.1", self._port), Handler)
        if self._tls is not None:
            self._server.socket = self._tls.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._released.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def address(self) -> str:
        """The address for Apprise."""
        return f"json{'s' if self._tls else ''}://127.0.0.1:{self.port}/secret-path-4711"

    @property
    def push_address(self) -> str:
        """The address for messages of Web Push."""
        return f"http://127.0.0.1:{self.port}/push"

    def messages(self) -> list[dict[str, Any]]:
        """Return the accepted messages of Apprise's JSON webhook."""
        return [json.loads(body) for body in list(self.bodies)]

    def titles(self) -> list[str]:
        """Return the titles of the accepted messages."""
        return [message["title"] for message in self.messages()]


class SmtpReceiver:
    """A context manager with an SMTP server (RFC 5321) that accepts every mail."""

    def __init__(self) -> None:
        #: The accepted mails, as their bytes, and the receivers of each.
        self.mails: list[bytes] = []
        self.receivers: list[list[str]] = []

    def __enter__(self) -> SmtpReceiver:
        server = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                self.wfile.write(b"220 test\r\n")
                to: list[str] = []
                while line := self.rfile.readline().strip():
                    verb = line.split(b":")[0].split(b" ")[0].upper()
                    if verb == b"RCPT":
                        to.append(line.decode().partition(":")[2])
                    if verb == b"DATA":
                        self.wfile.write(b"354 go on\r\n")
                        server.mails.append(self._data())
                        server.receivers.append(to)
                        to = []
                    self.wfile.write(b"221 bye\r\n" if verb == b"QUIT" else b"250 ok\r\n")
                    if verb == b"QUIT":
                        return

            def _data(self) -> bytes:
                lines = list(iter(self.rfile.readline, b".\r\n"))
                return b"".join(line.removeprefix(b".") for line in lines)

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            allow_reuse_address = True

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def address(self) -> str:
        """The address for Apprise."""
        return (
            f"mailto://127.0.0.1:{self.port}?mode=insecure&from=door@example.org"
            "&to=guard@example.org"
        )


def notify_rule(folder: Path, name: str, addresses: str, **settings: Any) -> str:
    """Return a table `[[notify]]` whose file of addresses is in `folder`, with more settings."""
    path = folder / f"{name}.address"
    path.write_text(addresses + "\n")
    lines = [f"{key} = {json.dumps(value)}" for key, value in settings.items()]
    return "\n".join(["[[notify]]", f'name = "{name}"', f'url_file = "{path}"', *lines, ""])
