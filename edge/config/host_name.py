"""Host names as a setting: a name or an address alone, without a scheme, a port or a path."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

#: The schemes of MQTT URLs that stand for a connection with TLS.
TLS_SCHEMES = ("mqtts", "ssl", "tls", "wss")


def host_mistake(host: str) -> str:
    """Return why `host` is not a host name or an IP address, and what to set instead.

    The text refers to the settings `host`, `port` and `tls` of one section. It is empty if `host`
    is valid. It never contains a user name or a password that a URL may include.
    """
    if _is_ip_address(host):
        return ""
    if "://" in host:
        return _url_mistake(host)
    match = re.fullmatch(r"\[(.+)\](?::(\d{1,5}))?|([^:\s/@]+):(\d{1,5})", host)
    if match:
        bracketed, bracketed_port, name, port = match.groups()
        reason = "it includes a port" if bracketed_port or port else "it is in brackets"
        return _instead(reason, bracketed or name, bracketed_port or port)
    if re.search(r"[\s:/@\[\]]", host) or not _is_idna(host):
        return "`host` is not a valid host name: set it to the name or the address of the broker"
    return ""


def _url_mistake(url: str) -> str:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return "`host` is a URL: set it to the name or the address alone"
    tls = parts.scheme.lower() in TLS_SCHEMES
    return _instead("it is a URL", host or "", str(port) if port else None, tls)


def _instead(reason: str, host: str, port: str | None, tls: bool = False) -> str:
    """Return the message that suggests the settings `host`, `port` and `tls`."""
    if not host:
        return f"`host` must be a name or an address alone, and {reason}"
    settings = [f'`host = "{host}"`']
    settings += [f"`port = {port}`"] if port else []
    settings += ["`tls = true`"] if tls else []
    listed = " and ".join([", ".join(settings[:-1]), settings[-1]] if settings[1:] else settings)
    return f"`host` must be a name or an address alone, and {reason}: set {listed}"


def _is_ip_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_idna(host: str) -> bool:
    try:
        host.encode("idna")
    except UnicodeError:
        return False
    return True
