"""Connections that do nothing do not keep others out: so many from one address, and each says
what it wants soon."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
from collections.abc import Iterable
from typing import ClassVar

from uvicorn.protocols.http.h11_impl import H11Protocol

#: Connections at a time, websockets among them: in all, and from one address.
MOST, MAX_OF_ONE = 250, 80
#: A request must have come within so long, all of its head.
PATIENCE_S = 10.0


class GuardedProtocol(H11Protocol):
    """One connection of a browser."""

    #: Addresses that speak for many: those of proxies.
    shared: ClassVar[tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]] = ()
    patience_s: ClassVar[float] = PATIENCE_S

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """It is closed at once when its address has too many."""
        super().connection_made(transport)
        self._idle_since: object = self.cycle
        address = self.client[0] if self.client else ""
        if not self._is_shared(address):
            clients = [getattr(other, "client", None) for other in self.connections]
            if sum((client or ("",))[0] == address for client in clients) > MAX_OF_ONE:
                transport.abort()
                return
        self.loop.call_later(self.patience_s, self._look)

    def _look(self) -> None:
        """Close it when no request has come since the last look."""
        if self not in self.connections or self.transport.is_closing():
            return  # over, or a websocket by now
        waits = self.cycle is None or self.cycle.response_complete
        if waits and self._idle_since is self.cycle:
            self.transport.abort()
            return
        self._idle_since = self.cycle if waits else self
        self.loop.call_later(self.patience_s, self._look)

    @classmethod
    def _is_shared(cls, text: str) -> bool:
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            return False
        return any(address in network for network in cls.shared)


def guarded(proxies: Iterable[str]) -> type[GuardedProtocol]:
    """The protocol for a server; `proxies` (addresses) have as many connections as there are."""
    found: list[ipaddress.IPv4Network | ipaddress.IPv6Network] = []
    for proxy in proxies:
        with contextlib.suppress(ValueError):  # a name: its address is like any other's
            found.append(ipaddress.ip_network(proxy))
    return type("Protocol", (GuardedProtocol,), {"shared": tuple(found)})
