"""Attackers on a dashboard: wrong passwords, and connections that keep their place."""

from __future__ import annotations

import socket
import ssl
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from tests.support.dashboard.http_client import BrowserClient


def loopback_addresses(count: int) -> list[str]:
    """Return addresses of this machine from which clients can connect; none is 127.0.0.1."""
    return [f"127.0.1.{number}" for number in range(1, count + 1)]


def send_wrong_passwords(port: int, addresses: Sequence[str], from_each: int) -> Counter[int]:
    """Send wrong passwords, all at once, and count the statuses of the answers.

    A connection that is closed without an answer counts as status 0.
    """

    def attempt(number: int) -> int:
        source = addresses[number % len(addresses)]
        try:
            return BrowserClient(port, source=source).log_in(f"guess number {number}")
        except OSError:
            return 0

    count = len(addresses) * from_each
    with ThreadPoolExecutor(count) as pool:
        return Counter(pool.map(attempt, range(count)))


class OpenConnections:
    """A context manager with `from_each` connections from each address, which send `first`."""

    def __init__(
        self, port: int, addresses: Sequence[str], from_each: int, first: bytes = b""
    ) -> None:
        self._port = port
        self._sources = [address for address in addresses for _ in range(from_each)]
        self._first = first
        self.sockets: list[socket.socket] = []

    def __enter__(self) -> OpenConnections:
        for source in self._sources:
            opened = socket.create_connection(
                ("127.0.0.1", self._port), timeout=10.0, source_address=(source, 0)
            )
            self.sockets.append(opened)
            if self._first:
                opened.sendall(self._first)
        return self

    def __exit__(self, *_: object) -> None:
        for opened in self.sockets:
            opened.close()


def can_log_in_over_tls(port: int, trusted: ssl.SSLContext) -> bool:
    """Return whether the log-in page can be opened over TLS."""
    with (
        socket.create_connection(("127.0.0.1", port), timeout=10.0) as plain,
        trusted.wrap_socket(plain, server_hostname="127.0.0.1") as connection,
    ):
        connection.sendall(f"GET /login HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\n\r\n".encode())
        return connection.recv(100).startswith(b"HTTP/1.1 200")
