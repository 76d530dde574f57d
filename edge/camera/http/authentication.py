"""Log in to HTTP cameras: Basic (RFC 7617) and Digest authentication (RFC 7616)."""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from edge.camera.stream_address import Login

#: The hash functions of Digest authentication; the first that a camera offers is used.
DIGESTS: dict[str, str] = {"SHA-512-256": "sha512_256", "SHA-256": "sha256", "MD5": "md5"}
#: A parameter with its value in quotes or without, or the name of a scheme.
_TOKEN = re.compile(r'([\w!#$%&\'*+.^`|~-]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*)))?')


@dataclass(frozen=True)
class Challenge:
    """One way to log in that a camera offers; the names of parameters are in lower case."""

    scheme: str
    parameters: dict[str, str]

    @property
    def algorithm(self) -> str:
        """The hash function of a Digest challenge, in upper case and without `-sess`."""
        return self.parameters.get("algorithm", "MD5").upper().removesuffix("-SESS")

    @property
    def supported(self) -> bool:
        """Whether `Authenticator` can answer."""
        if self.scheme != "digest":
            return self.scheme == "basic"
        return self.algorithm in DIGESTS and bool(self.parameters.get("nonce"))


class Authenticator:
    """Answers the challenges of one camera, also in the requests that follow; not thread-safe."""

    def __init__(self, login: Login, new_nonce: Callable[[], str] = lambda: secrets.token_hex(8)):
        """Log in as `login`; `new_nonce` returns a text that is used once."""
        self._login = login
        self._new_nonce = new_nonce
        self._challenge: Challenge | None = None
        self._count = 0

    def learn(self, headers: Iterable[str]) -> None:
        """Choose the best of the challenges in the WWW-Authenticate `headers` of an answer.

        A camera that names none that is supported gets Basic.
        """
        offered = [one for text in headers for one in parse_challenges(text) if one.supported]
        digests = [one for one in offered if one.scheme == "digest"]
        order = list(DIGESTS)
        best = min(digests, key=lambda one: order.index(one.algorithm), default=None)
        self._challenge = best or Challenge("basic", {})
        self._count = 0

    def header(self, method: str, target: str) -> bytes | None:
        """Return the value of Authorization for a request; None before the first challenge."""
        if self._challenge is None:
            return None
        if self._challenge.scheme == "basic":
            return b"Basic " + base64.b64encode(self._login.user + b":" + self._login.password)
        return self._digest(self._challenge, method, target)

    def _digest(self, challenge: Challenge, method: str, target: str) -> bytes:
        parameters = challenge.parameters
        realm, nonce = parameters.get("realm", ""), parameters["nonce"]
        self._count += 1
        count, own = f"{self._count:08x}", self._new_nonce()

        def digest(*parts: bytes) -> bytes:
            data = b":".join(parts)
            return hashlib.new(DIGESTS[challenge.algorithm], data).hexdigest().encode()

        secret = digest(self._login.user, _bytes(realm), self._login.password)
        if parameters.get("algorithm", "").upper().endswith("-SESS"):
            secret = digest(secret, _bytes(nonce), _bytes(own))
        request = digest(_bytes(method), _bytes(target))
        user = self._login.user.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
        fields = [b'username="%b"' % user, *_quoted(realm=realm, nonce=nonce, uri=target)]
        if "auth" in re.split(r"[\s,]+", parameters.get("qop", "").lower()):
            parts = [nonce, count, own, "auth"]
            response = digest(secret, *map(_bytes, parts), request)
            fields += [b"qop=auth", b"nc=" + _bytes(count), *_quoted(cnonce=own)]
        else:  # RFC 2069
            response = digest(secret, _bytes(nonce), request)
        fields += _quoted(response=response.decode())
        if "opaque" in parameters:
            fields += _quoted(opaque=parameters["opaque"])
        if "algorithm" in parameters:
            fields.append(b"algorithm=" + _bytes(parameters["algorithm"]))
        return b"Digest " + b", ".join(fields)


def parse_challenges(text: str) -> list[Challenge]:
    """Return the challenges in the value of one WWW-Authenticate header."""
    challenges: list[Challenge] = []
    for found in _TOKEN.finditer(text):
        name, quoted, plain = found.groups()
        if quoted is None and plain is None:
            challenges.append(Challenge(name.lower(), {}))
        elif challenges:
            value = plain if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
            challenges[-1].parameters[name.lower()] = value
    return challenges


def _quoted(**values: str) -> list[bytes]:
    """Return the parameters as they are written into a header."""
    escaped = {name: re.sub(r'(["\\])', r"\\\1", value) for name, value in values.items()}
    return [_bytes(f'{name}="{value}"') for name, value in escaped.items()]


def _bytes(text: str) -> bytes:
    """Return a text of a header as its bytes: `http.client` decodes headers as Latin-1."""
    return text.encode("latin-1")
