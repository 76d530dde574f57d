"""A local network of this computer and the emulated machine."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from sdcard.disk_image.entries import File

#: An interface name has at most 15 characters.
INTERFACE = f"mplan{os.getpid()}"[:15]
#: A network of RFC 2544, for tests of network devices; the first address is this computer's.
OWN, MACHINES = "198.18.77.1", "198.18.77.2"
#: Gives the machine's second interface the address that a router would give it.
PROFILE = f"""[connection]
id=lan
type=ethernet
interface-name=eth1

[ipv4]
method=manual
address1={MACHINES}/24

[ipv6]
method=disabled
"""
PROFILE_FILE = File(
    "/etc/NetworkManager/system-connections/lan.nmconnection", PROFILE.encode(), mode=0o600
)


@contextmanager
def lan() -> Iterator[str]:
    """Make the network; yield the interface to which qemu connects the machine."""
    for command in (
        ["ip", "tuntap", "add", INTERFACE, "mode", "tap"],
        ["ip", "address", "add", f"{OWN}/24", "dev", INTERFACE],
        ["ip", "link", "set", INTERFACE, "up"],
    ):
        subprocess.run(command, check=True)
    try:
        yield INTERFACE
    finally:
        subprocess.run(["ip", "link", "delete", INTERFACE], check=True)
