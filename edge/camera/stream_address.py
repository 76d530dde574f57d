"""Parse the address of a network camera, also if its user name or password is not encoded.

In a URL, the characters `/?#@%`, spaces and letters outside of ASCII must be encoded in a user name
or password. Most users do not know that, so the end of the password is searched for here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from urllib.parse import quote, quote_from_bytes, unquote, unquote_to_bytes

from edge.camera.source import SourceError
from edge.common.address_host import (
    HOST,
    host_is_ip_address,
    is_ip_address,
    is_valid_host,
    split_authority,
)

#: The schemes whose addresses contain a user name and a password in front of the host. In the
#: addresses of other streams, such as `udp://@239.0.0.1:5000`, an @ has another meaning.
LOGIN_SCHEMES = ("rtsp", "rtsps", "rtmp", "http", "https")
ENCODING_HINT = (
    "in the user name and the password write @ as %40, : as %3A, / as %2F, ? as %3F, # as %23"
    " and % as %25; in the path write @ as %40"
)
#: For a camera that refuses a login which contained escapes.
DECODED_HINT = "an escape such as %40 stands for one character: write % itself as %25"
#: Characters of a path and query that are sent as they are; others are encoded. In a request of
#: HTTP, # is never the beginning of a fragment, but part of a password in the query.
SAFE = "%/:?[]@!$&'()*+,;="
UNSAFE_IN_HTTP = '"#<>\\^`{|}'
#: The beginning of an address in the path or query of another one.
_NESTED = re.compile(r"[/?&=]\w+://")


@dataclass(frozen=True)
class Login:
    """A user name and a password, as the bytes that the camera receives.

    `decoded`: whether they contained escapes such as %40 in the address.
    """

    user: bytes
    password: bytes
    decoded: bool = field(default=False, compare=False)

    # The default representation would contain the password.
    def __repr__(self) -> str:
        return "Login(***)"


@dataclass(frozen=True)
class StreamAddress:
    """The address of a network camera.

    `host` is ASCII, an IPv6 address without its brackets. `port` is None for the default of the
    scheme. `target` is the path with the query, encoded; it is not empty for HTTP.
    """

    scheme: str
    login: Login | None
    host: str
    port: int | None
    target: str

    @property
    def url(self) -> str:
        """The complete address, encoded; it contains the password."""
        login = ""
        if self.login is not None:
            login = quote_from_bytes(self.login.user, safe="")
            login += f":{quote_from_bytes(self.login.password, safe='')}@"
        return f"{self.scheme}://{login}{self._authority}{self.target}"

    @property
    def _authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port is None else f"{host}:{self.port}"


def parse_stream_address(url: str) -> StreamAddress:
    """Parse `url`, whose scheme is one of `LOGIN_SCHEMES`.

    A valid escape such as %40 in the user name or the password stands for its character. Raises
    SourceError (one line without any part of the address) if the host cannot be determined.
    """
    scheme, _, rest = url.strip().partition("://")
    scheme = scheme.lower()
    login, address = _split_login(rest)
    authority, target = split_authority(address)
    host, port = _parse_host(authority)
    safe = SAFE
    if scheme.startswith("http"):
        target = re.sub(r"%(?![0-9A-Fa-f]{2})", "%25", target)
        target = target if target.startswith("/") else f"/{target}"
    else:
        safe += UNSAFE_IN_HTTP  # FFmpeg sends them as they are, and cameras expect that
    return StreamAddress(scheme, login, host, port, quote(_bytes(target), safe=safe))


def _split_login(rest: str) -> tuple[Login | None, str]:
    """Split what follows `://` into the login, None if there is none, and the remaining address."""
    at = _login_end(rest)
    if at is None:
        return None, rest
    user, _, password = rest[:at].partition(":")
    login = Login(unquote_to_bytes(_bytes(user)), unquote_to_bytes(_bytes(password)))
    return replace(login, decoded=user + password != unquote(user + password)), rest[at + 1 :]


def _bytes(text: str) -> bytes:
    """Return `text` as UTF-8; bytes of an argument that are not UTF-8 remain as they are."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeError:
        raise SourceError(
            "the address of the camera contains characters that no text has"
        ) from None


def _login_end(rest: str) -> int | None:
    """Return the position of the @ between login and host; None if there is no login.

    By the rules of a URL the host ends at the first `/`, `?` or `#`. A login that contains one of
    them makes that host invalid or improbable. Raises SourceError if both readings are possible.
    """
    end = len(split_authority(rest)[0])
    last = rest.rfind("@", 0, end)
    by_rule = None if last < 0 else last
    candidates = _later_candidates(rest, end)
    if not candidates or is_ip_address(rest[last + 1 : end]):
        return by_rule
    addresses = [at for at in candidates if host_is_ip_address(rest[at + 1 :])]
    if len(addresses) == 1:
        return addresses[0]
    if is_valid_host(rest[last + 1 : end]):
        if all(re.search(r"\?[\w.-]+=", rest[end:at]) for at in candidates):
            return by_rule  # an e-mail address or a password in the query
    elif len(candidates) == 1:
        return candidates[0]
    raise SourceError(f"the address of the camera has more than one meaning: {ENCODING_HINT}")


def _later_candidates(rest: str, end: int) -> list[int]:
    """Return the positions of each @ after `end` that may separate a login from a host."""
    return [
        found.start()
        for found in re.finditer("@", rest)
        if found.start() > end
        and is_valid_host(split_authority(rest[found.end() :])[0])
        and ":" in rest[: found.start()]
        and not _NESTED.search(rest[: found.start()])
    ]


def _parse_host(authority: str) -> tuple[str, int | None]:
    found = HOST.fullmatch(authority)
    if found is None or not is_valid_host(authority):
        reason = (
            "write an IPv6 address in brackets, as in http://[fd00::1]/"
            if re.fullmatch(r"[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*", authority)
            else f"expected scheme://user:password@host:port/path; {ENCODING_HINT}"
        )
        raise SourceError(f"the address of the camera contains no valid host: {reason}")
    host = found["host"].strip("[]")
    if not host.isascii():
        try:
            host = host.encode("idna").decode("ascii")
        except UnicodeError:
            raise SourceError("the host in the address of the camera is not a valid name") from None
    return host, int(found["port"]) if found["port"] else None
