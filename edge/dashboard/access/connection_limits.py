"""Limits that keep idle connections from blocking other clients.

The number of connections is limited, in total and from one address. When a limit is reached, a
connection that asks for nothing gives way to a new one. Each connection must also send a request
within a limited time.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

from uvicorn.protocols.http.h11_impl import H11Protocol

from edge.dashboard.access.access import HAS_ACCESS
from edge.dashboard.access.client_address import client_network, parse_address

#: Simultaneous connections, WebSockets included: in total, and from one address.
MAX_CONNECTIONS, MAX_CONNECTIONS_PER_ADDRESS = 250, 80
#: Connections that may wait to be accepted.
MAX_PENDING = 2048
#: The complete head of a request must arrive within this time, and so must the TLS handshake.
REQUEST_TIMEOUT_S = 10.0
#: In which order connections give way: those that have never sent a complete request; those with no
#: present request; those that do not complete their request or do not read the answer; those whose
#: request is being answered. A request of a client that has access keeps its place.
SILENT, IDLE, STALLED, BUSY = range(4)


@dataclass(eq=False)
class _Connection:
    """One accepted connection; `protocol` is None until its TLS handshake is complete."""

    socket: socket.socket
    #: The address for the limit per address; empty for a proxy.
    network: str
    protocol: LimitedProtocol | None = None
    is_dropped: bool = False

    @property
    def is_open(self) -> bool:
        return not self.is_dropped and self.socket.fileno() >= 0

    @property
    def rank(self) -> int | None:
        """When this connection gives way, lowest first; None if it keeps its place."""
        return SILENT if self.protocol is None else self.protocol.rank

    def drop_if_no_protocol(self) -> None:
        """Close the connection if its TLS handshake is not complete."""
        if self.is_open and self.protocol is None:
            self.drop()

    def drop(self) -> None:
        self.is_dropped = True
        if self.protocol is not None:
            self.protocol.transport.abort()
        else:  # asyncio closes a connection that ends during its handshake
            with contextlib.suppress(OSError):
                self.socket.shutdown(socket.SHUT_RDWR)


class ConnectionLimits:
    """The open connections of a server, and which of them give way to new ones."""

    def __init__(self, proxies: Iterable[str] = ()) -> None:
        """Start without connections; `proxies` are exempt from the limit per address."""
        self._proxies: list[ipaddress.IPv4Network | ipaddress.IPv6Network] = []
        for proxy in proxies:
            with contextlib.suppress(ValueError):  # a host name, for which there is no exemption
                self._proxies.append(ipaddress.ip_network(proxy))
        #: By the number of the socket, the oldest first.
        self._connections: dict[int, _Connection] = {}

    def protocol_class(self) -> type[LimitedProtocol]:
        """Return the class of the protocol that the server uses for each connection."""
        return type("Protocol", (LimitedProtocol,), {"limits": self})

    def admit(self, accepted: socket.socket, address: str) -> bool:
        """Return whether the connection `accepted` from `address` may stay.

        Another connection may be closed for it. Call this in the thread of the event loop.
        """
        self._connections = {n: c for n, c in self._connections.items() if c.is_open}
        network = "" if self._is_proxy(address) else client_network(address)
        present = list(self._connections.values())
        same = [other for other in present if network and other.network == network]
        if len(same) >= MAX_CONNECTIONS_PER_ADDRESS:
            admitted = _make_room(same)
        else:
            admitted = len(present) < MAX_CONNECTIONS or _make_room(present)
        if admitted:
            connection = _Connection(accepted, network)
            self._connections[accepted.fileno()] = connection
            asyncio.get_running_loop().call_later(REQUEST_TIMEOUT_S, connection.drop_if_no_protocol)
        return admitted

    def connected(self, number: int, protocol: LimitedProtocol) -> None:
        """Record that the connection with the socket `number` now has its protocol."""
        if (connection := self._connections.get(number)) is not None:
            connection.protocol = protocol

    def _is_proxy(self, text: str) -> bool:
        address = parse_address(text)
        return address is not None and any(address in network for network in self._proxies)


def _make_room(connections: list[_Connection]) -> bool:
    """Close one of `connections`, the oldest first; return False if each keeps its place.

    Of connections with the same rank, one of the address with the most connections is closed, so
    that an attacker with a few addresses mostly closes its own.
    """
    total = Counter(connection.network for connection in connections)
    ranked = [(rank, -total[c.network], c) for c in connections if (rank := c.rank) is not None]
    if not ranked:
        return False
    min(ranked, key=lambda item: item[:2])[2].drop()  # `min` returns the first, which is the oldest
    return True


class LimitedListener(socket.socket):
    """A listening socket that accepts only connections that `limits` admits.

    The connections are counted here and not in the protocol, which asyncio calls only after the TLS
    handshake.
    """

    limits: ConnectionLimits

    def listen(self, backlog: int = MAX_PENDING) -> None:
        """Let up to MAX_PENDING connections wait to be accepted, whatever `backlog` is.

        asyncio uses one number for two purposes: how many connections may wait, and how many it
        accepts at a time. The kernel ignores a connection for a second if too many others wait.
        """
        super().listen(MAX_PENDING)

    def accept(self) -> tuple[socket.socket, Any]:
        """Accept the next connection that is admitted; close the others."""
        while True:
            accepted, address = super().accept()
            if self.limits.admit(accepted, address[0]):
                return accepted, address
            accepted.close()


class LimitedProtocol(H11Protocol):
    """One connection of a browser."""

    limits: ClassVar[ConnectionLimits]

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self.limits.connected(transport.get_extra_info("socket").fileno(), self)
        self._idle_since: object = self.cycle
        self.loop.call_later(REQUEST_TIMEOUT_S, self._close_if_idle)

    @property
    def rank(self) -> int | None:
        """When this connection gives way, lowest first; None if it keeps its place."""
        if self not in self.connections:
            return None  # the connection has ended or has become a WebSocket
        if self.cycle is None:
            return SILENT
        if self.cycle.response_complete:
            return IDLE
        if self.scope["state"].get(HAS_ACCESS):
            return None
        return STALLED if self.cycle.more_body or self.flow.write_paused else BUSY

    def _close_if_idle(self) -> None:
        """Close the connection if no request has arrived since the previous call."""
        if self not in self.connections or self.transport.is_closing():
            return  # the connection has ended or has become a WebSocket
        is_waiting = self.cycle is None or self.cycle.response_complete
        if is_waiting and self._idle_since is self.cycle:
            self.transport.abort()
            return
        self._idle_since = self.cycle if is_waiting else self
        self.loop.call_later(REQUEST_TIMEOUT_S, self._close_if_idle)
