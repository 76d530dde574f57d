"""Limits that keep idle connections from blocking other clients.

One address may have a limited number of connections, and each connection must send a request
within a limited time.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
from collections.abc import Iterable
from typing import ClassVar

from uvicorn.protocols.http.h11_impl import H11Protocol

#: Simultaneous connections, WebSockets included: in total, and from one address.
MAX_CONNECTIONS, MAX_CONNECTIONS_PER_ADDRESS = 250, 80
#: The complete head of a request must arrive within this time.
REQUEST_TIMEOUT_S = 10.0


class LimitedProtocol(H11Protocol):
    """One connection of a browser."""

    #: Networks of proxies, whose addresses stand for many clients.
    proxy_networks: ClassVar[tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]] = ()
    request_timeout_s: ClassVar[float] = REQUEST_TIMEOUT_S

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Close the connection at once if its address has too many."""
        super().connection_made(transport)
        self._idle_since: object = self.cycle
        address = self.client[0] if self.client else ""
        if not self._is_proxy(address):
            clients = [getattr(other, "client", None) for other in self.connections]
            count = sum((client or ("",))[0] == address for client in clients)
            if count > MAX_CONNECTIONS_PER_ADDRESS:
                transport.abort()
                return
        self.loop.call_later(self.request_timeout_s, self._close_if_idle)

    def _close_if_idle(self) -> None:
        """Close the connection if no request has arrived since the previous call."""
        if self not in self.connections or self.transport.is_closing():
            return  # the connection has ended or has become a WebSocket
        is_waiting = self.cycle is None or self.cycle.response_complete
        if is_waiting and self._idle_since is self.cycle:
            self.transport.abort()
            return
        self._idle_since = self.cycle if is_waiting else self
        self.loop.call_later(self.request_timeout_s, self._close_if_idle)

    @classmethod
    def _is_proxy(cls, text: str) -> bool:
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            return False
        return any(address in network for network in cls.proxy_networks)


def limited_protocol(proxies: Iterable[str]) -> type[LimitedProtocol]:
    """Return the protocol class for a server.

    The addresses in `proxies` are exempt from the limit per address.
    """
    networks: list[ipaddress.IPv4Network | ipaddress.IPv6Network] = []
    for proxy in proxies:
        with contextlib.suppress(ValueError):  # a host name, for which there is no exemption
            networks.append(ipaddress.ip_network(proxy))
    return type("Protocol", (LimitedProtocol,), {"proxy_networks": tuple(networks)})
