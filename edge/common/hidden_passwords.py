"""Remove the passwords of addresses from everything that is shown or logged."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from edge.common.address_host import host_is_ip_address

HIDDEN = "***"
#: Parameter names that cameras use for passwords, also as the end of a longer name such as
#: `access_token` or `loginpas`. Such parameters occur in the path as well:
#: `rtsp://cam/user=me&password=…&channel=1`.
_KEY = (
    r"((?:pass?|passwd?|password|passwort|passphrase|passcode|pwd|pswd?|pw|(?<![\w.-])p|token|key"
    r"|auth|authorization|secret|creds?|credentials?|sig|signature|session(?:_?id)?|sid)\d?=)"
)
#: A value ends where the next parameter begins; it may contain a slash, a space and a semicolon.
_SECRET = re.compile(_KEY + r"((?:(?![&;][\w.-]+=).)*)", re.IGNORECASE | re.DOTALL)
#: What may be a user name and a password without a host: the port is no number.
_NO_HOST = re.compile(r"([^/?#@:\[\]]*):(?!\d*(?:[/?#]|\Z))(?![0-9A-Fa-f:]*:)[^@]*")
#: What may be an address in a message. A password may contain spaces: an address in quotation
#: marks reaches to the closing one, behind which no word begins, and one whose port is no number to
#: the last @ of the line. Others end at a space. In a path, the scheme is followed by a single
#: slash.
_SCHEME = r"(?<![\w+.-])[A-Za-z][\w+.-]*:/"
_ADDRESS = re.compile(
    rf"""(?P<quote>['"`])"""
    rf"""(?P<quoted>{_SCHEME}[^\n]*?|[^\s'"`]+:[^\n'"`]*@[^\n'"`]*)(?P=quote)(?!\w)"""
    rf"""|(?P<plain>{_SCHEME}+[^\s:/@]+:(?!\d*(?:[/\s]|$))[^\s@]*\s[^\n]*@\S+"""
    rf"""|{_SCHEME}\S+"""
    r"""|(?<![^\s:/@'"`(])[^\s:/@'"`(]+:[^\s/]\S*@\S+)""",
    re.MULTILINE,
)
#: What belongs to the message if it follows an address.
PUNCTUATION = ":;,.!?)'\"`"
#: How messages say to write an address.
PLACEHOLDER = "user:password@"


#: What is replaced in all messages, by its replacement.
_known: dict[str, str] = {}


def hide_in_all_messages(arguments: Iterable[str]) -> None:
    """Let `hide_passwords` know the arguments of this program, also in the form of paths.

    A password in them may contain spaces, so that a message does not show where it ends. Those of
    an earlier call are forgotten.
    """
    _known.clear()
    for argument in arguments:
        for shown in (argument, str(Path(argument)), argument.partition("=")[2]):
            if shown and (hidden := without_password(shown)) != shown:
                _known[shown] = hidden


def hide_passwords(text: str) -> str:
    """Return the message `text` with the passwords of the addresses in it hidden."""
    for shown, hidden in _known.items():
        text = text.replace(shown, hidden)
    return _ADDRESS.sub(_hide_address, text) if "@" in text or "=" in text else text


def without_password(spec: str) -> str:
    """Return `spec`, as users write the source, without passwords.

    In an address, everything before the last @ is removed, and the value of each parameter whose
    name denotes a password is replaced by asterisks. So is everything behind a user name if the
    address has no host.
    """
    if lacks_scheme(spec):
        return _SECRET.sub(_hide_value, HIDDEN + spec[spec.rindex("@") :] if "@" in spec else spec)
    scheme, separator, rest = spec.strip().partition("://")
    if not separator:
        return spec
    scheme = scheme.rpartition("@")[2]
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*", scheme):
        scheme = HIDDEN
    if found := _NO_HOST.fullmatch(rest):
        return f"{scheme}://{found[1]}:{HIDDEN}"
    path, mark, query = rest.partition("?")
    hidden = _SECRET.sub(_hide_value, path) + mark + _SECRET.sub(_hide_value, query)
    if not host_is_ip_address(rest):  # else each @ belongs to the path or the query
        hidden = hidden.rpartition("@")[2]
    return f"{scheme}://{hidden}"


def lacks_scheme(spec: str) -> bool:
    """Return whether `spec` looks like an address with a password, but without a scheme.

    It may still be the name of a file.
    """
    is_path = spec.startswith(("/", ".", "~")) and not spec.startswith("//")
    has_password = re.search(":.*@", spec, re.DOTALL) or _SECRET.search(spec)
    return not is_path and "://" not in spec and has_password is not None


def _hide_address(found: re.Match[str]) -> str:
    if PLACEHOLDER in found[0]:
        return found[0]
    if found["quote"]:
        return f"{found['quote']}{without_password(found['quoted'])}{found['quote']}"
    address = found["plain"].rstrip(PUNCTUATION)
    return without_password(address) + found["plain"][len(address) :]


def _hide_value(found: re.Match[str]) -> str:
    # An @ in the value may be the one that separates the login from the host: keep it.
    return f"{found[1]}{HIDDEN}{'@' if '@' in found[2] else ''}"
