"""The limits for the number of connections and for idle connections."""

from __future__ import annotations

import asyncio
import itertools
import json
import resource
import socket
import ssl
from collections import Counter
from pathlib import Path

import pytest
from websockets.sync.client import ClientConnection, connect

from edge.dashboard.access.connection_limits import (
    MAX_CONNECTIONS,
    MAX_CONNECTIONS_PER_ADDRESS,
    REQUEST_TIMEOUT_S,
    ConnectionLimits,
)
from edge.dashboard.access.password import Password
from tests.support.dashboard.attacks import (
    OpenConnections,
    can_log_in_over_tls,
    loopback_addresses,
)
from tests.support.dashboard.dashboards import Dashboard
from tests.support.dashboard.http_client import PASSWORD, BrowserClient
from tests.support.mqtt.certificates import Authority
from tests.support.ports import free_port

USER = "127.0.0.2"
#: The soft limit of open files that systemd gives to a service.
SERVICE_OPEN_FILES = 1024


@pytest.mark.parametrize(
    ("address", "is_proxy"),
    [("192.0.2.1", True), ("192.0.2.2", False), ("fd00::1", True), ("", False), ("proxy", False)],
)
def test_only_proxies_are_exempt_from_the_limit(address: str, is_proxy: bool) -> None:
    assert ConnectionLimits(["192.0.2.1", "fd00::1", "proxy"])._is_proxy(address) == is_proxy
    assert not ConnectionLimits()._is_proxy(address)


def dropped(*addresses: str, proxies: tuple[str, ...] = ()) -> list[str]:
    """Open a silent connection from each address; return the addresses of those that gave way."""

    async def scenario() -> list[str]:
        limits = ConnectionLimits(proxies)
        pairs = [socket.socketpair() for _ in addresses]
        for (ours, _), address in zip(pairs, addresses, strict=True):
            assert limits.admit(ours, address)
        found = [
            address
            for (_, theirs), address in zip(pairs, addresses, strict=True)
            if is_closed(theirs, 0.0)
        ]
        for one in itertools.chain(*pairs):
            one.close()
        return found

    return asyncio.run(scenario())


def test_oldest_connection_of_the_same_ipv6_network_gives_way() -> None:
    attackers = [f"2001:db8::{number:x}" for number in range(MAX_CONNECTIONS_PER_ADDRESS + 2)]
    assert dropped("2001:db8:0:1::1", "192.0.2.1", *attackers) == attackers[:2]


def test_ipv4_addresses_of_an_ipv6_socket_count_separately() -> None:
    mapped = [f"::ffff:192.0.2.{number}" for number in range(MAX_CONNECTIONS_PER_ADDRESS + 2)]
    assert dropped(*mapped) == []


def test_address_with_the_most_connections_gives_way() -> None:
    attackers = [f"192.0.2.{number % 5}" for number in range(MAX_CONNECTIONS + 10)]
    users = [f"198.51.100.{number}" for number in range(10)]
    assert dropped(*users, *attackers) == attackers[:20]


def test_proxy_may_use_all_connections() -> None:
    proxied = ["192.0.2.1"] * (MAX_CONNECTIONS + 1)
    assert dropped(*proxied, proxies=("192.0.2.1",)) == ["192.0.2.1"]


def is_closed(connection: socket.socket, within_s: float) -> bool:
    connection.settimeout(within_s)
    try:
        return connection.recv(1) == b""
    except ConnectionError:
        return True
    except (TimeoutError, BlockingIOError):
        return False


@pytest.mark.slow
def test_idle_connections_are_closed(dashboard: Dashboard) -> None:
    with OpenConnections(dashboard.port, [USER], MAX_CONNECTIONS_PER_ADDRESS) as idle:
        idle.sockets[1].sendall(b"GET /login HTTP/1.1\r\nhost: ")
        client = BrowserClient(dashboard.port, source=USER)
        assert client.request("GET", "/login").status == 200
        assert is_closed(idle.sockets[0], 5.0)  # the oldest gave way to the client
        for connection in idle.sockets[1:]:
            assert is_closed(connection, REQUEST_TIMEOUT_S + 5.0)


def live_connection(client: BrowserClient) -> ClientConnection:
    """Open the WebSocket of the live page for a client that is logged in."""
    return connect(
        f"ws://127.0.0.1:{client.port}/live",
        origin=f"http://127.0.0.1:{client.port}",  # type: ignore[arg-type]
        additional_headers={"cookie": client.cookie},
    )


def wait_until_read(live: ClientConnection) -> None:
    """Wait until the dashboard has read what the other connections have sent.

    It reads all connections in turn, so it has done so after it has answered a few times.
    """
    for _ in range(10):
        assert live.ping().wait(20)


def first_bytes(kind: str, dashboard: Dashboard) -> bytes:
    """Return what an attacker sends first, so that its connection keeps a place."""
    head = f"host: 127.0.0.1:{dashboard.port}\r\norigin: {dashboard.address}\r\n"
    if kind == "unread answers":
        return f"GET /static/style.css HTTP/1.1\r\n{head}\r\n".encode() * 500
    upgrade = "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n"
    key = "sec-websocket-key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n"
    return {
        "nothing": b"",
        "refused WebSocket": f"GET /live HTTP/1.1\r\n{head}{upgrade}{key}\r\n".encode(),
        "invalid WebSocket": f"GET /live HTTP/1.1\r\n{head}{upgrade}\r\n".encode(),
        "part of a head": f"GET /login HTTP/1.1\r\n{head}".encode(),
        "one request": f"GET /login HTTP/1.1\r\n{head}\r\n".encode(),
        "part of a form": f"POST /login HTTP/1.1\r\n{head}content-length: 9\r\n\r\nx".encode(),
    }[kind]


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind",
    [
        "nothing",
        "part of a head",
        "one request",
        "part of a form",
        "unread answers",
        "refused WebSocket",
        "invalid WebSocket",
    ],
)
def test_connections_that_ask_for_nothing_keep_nobody_out(dashboard: Dashboard, kind: str) -> None:
    sent, attackers = first_bytes(kind, dashboard), loopback_addresses(4)
    user = BrowserClient(dashboard.port, source=USER)
    user.log_in()
    with (
        live_connection(user) as live,
        OpenConnections(dashboard.port, attackers, MAX_CONNECTIONS_PER_ADDRESS, sent),
    ):
        wait_until_read(live)
        clients = [BrowserClient(dashboard.port, source=source) for source in (USER, attackers[0])]
        statuses = Counter(
            clients[number % 2].request("GET", "/login").status for number in range(79)
        )
        assert statuses == {200: 79}
        assert clients[0].log_in() == 303
        assert clients[1].log_in() == 303
    assert "Traceback" not in dashboard.log()


@pytest.mark.slow
def test_connections_of_logged_in_users_keep_their_place(dashboard: Dashboard) -> None:
    client = BrowserClient(dashboard.port, source=USER)
    client.log_in()
    head = f"host: {client.host}\r\norigin: {dashboard.address}\r\ncookie: {client.cookie}\r\n"
    with (
        live_connection(client) as live,
        socket.create_connection(("127.0.0.1", dashboard.port), 20.0, (USER, 0)) as upload,
    ):
        assert json.loads(live.recv(10))["all"] is True
        upload.sendall(
            f"POST /alerts/acknowledge HTTP/1.1\r\n{head}content-length: 2\r\n"
            "expect: 100-continue\r\n\r\n".encode()
        )
        # The request has passed the access check when its body is read.
        assert upload.recv(100).startswith(b"HTTP/1.1 100")
        for kind in ("nothing", "part of a form"):
            sent = first_bytes(kind, dashboard)
            # The attacker shares the user's address, and so its limit.
            with OpenConnections(dashboard.port, [USER], MAX_CONNECTIONS_PER_ADDRESS, sent):
                wait_until_read(live)
                assert client.request("GET", "/").status == 200
        upload.sendall(b"[]")
        assert upload.recv(100).startswith(b"HTTP/1.1 4")


@pytest.mark.slow
def test_unfinished_tls_handshakes_keep_nobody_out(tmp_path: Path, authority: Authority) -> None:
    pair = authority.issue_for_broker()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    running = Dashboard(
        tmp_path,
        free_port(),
        f'cert_file = "{pair.cert}"\nkey_file = "{pair.key}"\n',
        needs_password=True,
        prepare=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (SERVICE_OPEN_FILES, hard)),
    )
    Password(running.state / "dashboard-password").set(PASSWORD)
    running.start()
    trusted = ssl.create_default_context(cafile=str(authority.pair.cert))
    with OpenConnections(running.port, loopback_addresses(20), MAX_CONNECTIONS_PER_ADDRESS):
        for _ in range(5):
            assert can_log_in_over_tls(running.port, trusted)
        assert len(list(Path(f"/proc/{running.pid}/fd").iterdir())) < SERVICE_OPEN_FILES / 2
    assert running.stop() == 0
    assert "Traceback" not in running.log()
    assert "accept" not in running.log()
