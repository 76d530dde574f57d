"""The names and the address by which other machines reach this one."""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass
from pathlib import Path

#: A host name that a certificate can contain.
_HOST_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?")
#: An address of the documentation (RFC 5737): no packet is sent to it.
_ELSEWHERE = ("192.0.2.1", 9)
#: The socket of Avahi, which answers for `NAME.local` (mDNS); it exists while Avahi runs.
_AVAHI = Path("/run/avahi-daemon/socket")


@dataclass(frozen=True)
class MachineNames:
    """The host name, and the IPv4 address in the local network, empty if there is none."""

    host: str
    address: str
    #: Whether this machine answers for its name with `.local`.
    has_mdns: bool = False

    @classmethod
    def of_this_machine(cls) -> MachineNames:
        """Return the present names; without a usable host name, the host is `localhost`."""
        host = socket.gethostname()
        usable = host if _HOST_NAME.fullmatch(host) else "localhost"
        return cls(usable, _address(), _AVAHI.exists())

    @property
    def public(self) -> str:
        """The name for other machines: in a local network without a name server, mDNS finds it."""
        return self.host if "." in self.host else f"{self.host}.local"

    def reachable(self) -> tuple[str, ...]:
        """Return the names that certainly lead here from other machines of the local network.

        Without mDNS and a network these are none, so that the host name has to do.
        """
        found = (self.public if self.has_mdns else "", self.address)
        return tuple(filter(None, found)) or (self.host,)

    def all(self) -> tuple[str, ...]:
        """Return all names and addresses under which a client may connect."""
        short = self.host.split(".")[0]
        own = (self.host, short, f"{short}.local", "localhost", "127.0.0.1", "::1", self.address)
        return tuple(dict.fromkeys(filter(None, own)))


def _address() -> str:
    """Return the address of the interface with the default route."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(_ELSEWHERE)
        except OSError:
            return ""
        return str(probe.getsockname()[0])
