"""The names and the address by which other machines reach this one."""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass

#: A host name that a certificate can contain.
_HOST_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?")
#: An address of the documentation (RFC 5737): no packet is sent to it.
_ELSEWHERE = ("192.0.2.1", 9)


@dataclass(frozen=True)
class MachineNames:
    """The host name, and the IPv4 address in the local network, empty if there is none."""

    host: str
    address: str

    @classmethod
    def of_this_machine(cls) -> MachineNames:
        """Return the present names; without a usable host name, the host is `localhost`."""
        host = socket.gethostname()
        return cls(host if _HOST_NAME.fullmatch(host) else "localhost", _address())

    @property
    def public(self) -> str:
        """The name for other machines: in a local network without a name server, mDNS finds it."""
        return self.host if "." in self.host else f"{self.host}.local"

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
