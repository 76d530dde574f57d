"""The limits for the number of connections and for idle connections."""

from __future__ import annotations

import socket

import pytest

from edge.dashboard.access.connection_limits import (
    MAX_CONNECTIONS_PER_ADDRESS,
    REQUEST_TIMEOUT_S,
    LimitedProtocol,
    limited_protocol,
)
from tests.support.dashboard.dashboards import Dashboard
from tests.support.dashboard.http_client import BrowserClient


@pytest.mark.parametrize(
    ("address", "is_proxy"),
    [("192.0.2.1", True), ("192.0.2.2", False), ("fd00::1", True), ("", False), ("proxy", False)],
)
def test_only_proxies_are_exempt_from_the_limit(address: str, is_proxy: bool) -> None:
    assert limited_protocol(["192.0.2.1", "fd00::1", "proxy"])._is_proxy(address) == is_proxy
    assert not LimitedProtocol.proxy_networks


def is_closed(connection: socket.socket, within_s: float) -> bool:
    connection.settimeout(within_s)
    try:
        return connection.recv(1) == b""
    except ConnectionError:
        return True
    except TimeoutError:
        return False


@pytest.mark.slow
def test_idle_connections_are_closed(dashboard: Dashboard) -> None:
    idle = [
        socket.create_connection(("127.0.0.1", dashboard.port))
        for _ in range(MAX_CONNECTIONS_PER_ADDRESS)
    ]
    one_too_many = socket.create_connection(("127.0.0.1", dashboard.port))
    assert is_closed(one_too_many, 5.0)
    idle[0].sendall(b"GET /login HTTP/1.1\r\nhost: ")
    for connection in idle:
        assert is_closed(connection, REQUEST_TIMEOUT_S + 5.0)
    assert BrowserClient(dashboard.port).request("GET", "/login").status == 200
