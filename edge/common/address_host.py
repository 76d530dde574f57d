"""The host in the address of a network camera."""

from __future__ import annotations

import re

#: A host, a name or an IP address, with or without a port.
HOST = re.compile(
    r"(?P<host>\[[0-9A-Fa-f:.]+(?:%[\w.~%-]+)?\]|[\w](?:[\w.-]*[\w])?\.?)(?::(?P<port>[0-9]{1,5})?)?"
)
_IPV4 = re.compile(r"(?:[0-9]{1,3}\.){3}[0-9]{1,3}")
_AUTHORITY_END = re.compile(r"[/?#]")


def host_is_ip_address(rest: str) -> bool:
    """Return whether `rest`, what follows `://`, begins with an IP address or `localhost`."""
    return is_ip_address(split_authority(rest)[0])


def split_authority(rest: str) -> tuple[str, str]:
    """Split `rest` before its first `/`, `?` or `#`."""
    cut = _AUTHORITY_END.search(rest)
    return (rest, "") if cut is None else (rest[: cut.start()], rest[cut.start() :])


def is_valid_host(authority: str) -> bool:
    """Return whether `authority` is a host with or without a port."""
    found = HOST.fullmatch(authority)
    return found is not None and int(found["port"] or 1) <= 65535


def is_ip_address(authority: str) -> bool:
    """Return whether `authority` is an IP address or `localhost`, with or without a port."""
    found = HOST.fullmatch(authority)
    if found is None or not is_valid_host(authority):
        return False
    host = found["host"]
    return host.lower() == "localhost" or host[0] == "[" or bool(_IPV4.fullmatch(host))
