"""The network address of a client: as limits count it, and as the log shows it."""

from __future__ import annotations

import ipaddress


def parse_address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return the address in `text`, as IPv4 if it is IPv4-mapped; None if it is no address.

    Brackets around the address and a zone (`fe80::1%eth0`) are ignored.
    """
    try:
        address = ipaddress.ip_address(text.strip("[]").partition("%")[0])
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped or address


def client_network(text: str) -> str:
    """Return the text under which a limit counts the client at the address `text`.

    It is the IPv4 address, or the /64 network of the IPv6 address, because one machine can use any
    address of its network. It is empty if `text` is no address.
    """
    address = parse_address(text)
    if address is None:
        return ""
    if address.version == 6:
        return str(ipaddress.ip_network((int(address), 64), strict=False))
    return str(address)
