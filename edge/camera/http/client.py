"""Requests to a camera over HTTP and HTTPS, with bounded time and memory."""

from __future__ import annotations

import functools
import http.client
import socket
import time
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from urllib.parse import urljoin

from edge.camera.http.authentication import Authenticator
from edge.camera.http.errors import EXCEPTIONS, HttpError, http_error
from edge.camera.http.timed_socket import BUFFER_BYTES, TimedSocket
from edge.camera.http.tls import CameraTls
from edge.camera.source import SourceError
from edge.camera.stream_address import DECODED_HINT, StreamAddress, parse_stream_address

MAX_REDIRECTS = 5
REDIRECTS = (301, 302, 303, 307, 308)
UNAUTHORIZED = 401
#: Answers of cameras that are starting, or that serve as many clients as they can.
BUSY = (429, *range(500, 600))
MAX_TYPE_LENGTH = 80
HEADERS = {"Accept": "*/*", "Accept-Encoding": "identity", "User-Agent": "mask-patrol"}


class HttpResponse:
    """The body of an answer, as it arrives."""

    def __init__(self, response: http.client.HTTPResponse, connection: TimedSocket) -> None:
        """Read the body of `response`, which arrives on `connection`."""
        self._response = response
        self._connection = connection
        #: The media type in lower case, without parameters; empty if the camera states none.
        kind = (response.getheader("Content-Type") or "").partition(";")[0]
        self.content_type = kind.strip().lower()[:MAX_TYPE_LENGTH]
        coding = (response.getheader("Content-Encoding") or "identity").strip().lower()
        if coding not in ("identity", "gzip", "x-gzip", "deflate", ""):
            raise HttpError("it answers with a Content-Encoding that was not requested")
        compressed = coding not in ("identity", "")
        self._decoder = zlib.decompressobj(zlib.MAX_WBITS | 32) if compressed else None

    def read_some(self, deadline_s: float) -> bytes:
        """Return the next bytes of the body as soon as there are any; empty at its end.

        Raises HttpError if none have arrived by `deadline_s`, or if the connection is lost.
        """
        self._connection.deadline_s = deadline_s
        try:
            self._connection.limit()
            return self._read() if self._decoder is None else self._decompress(self._decoder)
        except (*EXCEPTIONS, zlib.error) as error:
            raise http_error(error) from None

    def _read(self) -> bytes:
        response = self._response
        if response.isclosed() or response.length == 0:
            response.close()
            return b""
        # `read1` waits for bytes behind the end of the body in Python 3.11.
        return response.read(max(1, len(response.peek())))

    def _decompress(self, decoder: zlib._Decompress) -> bytes:
        while not decoder.eof:
            data = decoder.unconsumed_tail or self._read()
            if not data:
                break
            if plain := decoder.decompress(data, BUFFER_BYTES):
                return plain
            self._connection.limit()
        return b""


class HttpClient:
    """Requests one address again and again, on one connection if the camera keeps it open.

    Not thread-safe. The login is sent only to the host of the address, and never unencrypted after
    a request with HTTPS.
    """

    def __init__(
        self,
        address: StreamAddress,
        clock: Callable[[], float] = time.monotonic,
        ca_file: Path | None = None,
    ) -> None:
        """Prepare to request `address`, http or https; nothing is sent yet.

        `ca_file` contains certificates that are trusted in addition to those of the system.
        """
        self._address = address
        self._clock = clock
        self._connection: _Connection | None = None
        self._authenticators: dict[tuple[str, str], Authenticator] = {}
        # Reads hundreds of certificates when it is first needed.
        self._tls = functools.cache(lambda: CameraTls(ca_file))

    def get(self, deadline_s: float) -> HttpResponse:
        """Request the address and return the answer, when its headers have arrived.

        Follows redirects. Raises HttpError if there is no answer by `deadline_s`, or one that
        contains nothing.
        """
        address = self._address
        for _ in range(1 + MAX_REDIRECTS):
            response, connection = self._get_with_login(address, deadline_s)
            if response.status not in REDIRECTS:
                if not 200 <= response.status < 300:
                    self.close()
                    raise HttpError(self._describe_status(address, response))
                return HttpResponse(response, connection)
            self.close()
            address = _redirected(address, response.getheader("Location") or "")
        raise HttpError(f"it redirects more than {MAX_REDIRECTS} times; check the address")

    def close(self) -> None:
        """Close the connection; the next request opens another one."""
        if self._connection is not None:
            self._connection.end()
            self._connection = None

    def _get_with_login(
        self, address: StreamAddress, deadline_s: float
    ) -> tuple[http.client.HTTPResponse, TimedSocket]:
        authenticator = self._authenticator(address)
        response, connection = self._send(address, authenticator, deadline_s)
        if response.status == UNAUTHORIZED and authenticator is not None:
            authenticator.learn(response.headers.get_all("WWW-Authenticate") or ())
            self.close()
            response, connection = self._send(address, authenticator, deadline_s)
        return response, connection

    def _authenticator(self, address: StreamAddress) -> Authenticator | None:
        if address.login is None:
            return None
        key = (address.scheme, address.host)
        return self._authenticators.setdefault(key, Authenticator(address.login))

    def _send(
        self, address: StreamAddress, authenticator: Authenticator | None, deadline_s: float
    ) -> tuple[http.client.HTTPResponse, TimedSocket]:
        """Send one request; a kept connection that the camera has closed is replaced once."""
        kept = self._connection
        if kept is not None and not kept.can_be_reused(address):
            self.close()
            kept = None
        try:
            if self._connection is None:
                self._connection = _Connection(address, self._tls, self._clock)
            return self._connection.exchange(address.target, authenticator, deadline_s)
        except EXCEPTIONS as error:
            self.close()
            if kept is not None and isinstance(error, ConnectionError):
                return self._send(address, authenticator, deadline_s)
            raise http_error(error, address) from None

    def _describe_status(self, address: StreamAddress, response: http.client.HTTPResponse) -> str:
        if response.status == UNAUTHORIZED and address.login is None:
            return (
                "it asks for a user name and a password; write them into the address:"
                f" {address.scheme}://user:password@host/path"
            )
        if response.status == UNAUTHORIZED and address.login is not None:
            hint = f"; {DECODED_HINT}" if address.login.decoded else ""
            return f"it refuses the user name or the password{hint}"
        status = f"{response.status} {http.client.responses.get(response.status, '')}".rstrip()
        if response.status in BUSY:
            return f"it answers {status}; it may be starting, or serve another client"
        return f"it answers {status}; check the path of the address"


class _Connection(http.client.HTTPConnection):
    """One connection; all of its operations end by the deadline of the present exchange."""

    def __init__(
        self,
        address: StreamAddress,
        tls: Callable[[], CameraTls],
        clock: Callable[[], float],
    ) -> None:
        super().__init__(address.host, address.port or default_port(address.scheme))
        self.default_port = default_port(address.scheme)
        self._address = address
        self._tls = tls
        self._clock = clock
        self._deadline_s = 0.0
        self._timed: TimedSocket | None = None
        self._response: http.client.HTTPResponse | None = None

    def can_be_reused(self, address: StreamAddress) -> bool:
        """Return whether another request can be sent, for the same host as `address`."""
        same = (self._address.scheme, self._address.host, self._address.port) == (
            address.scheme,
            address.host,
            address.port,
        )
        return (
            same
            and self.sock is not None
            and self._response is not None
            and (self._response.isclosed())
        )

    def exchange(
        self, target: str, authenticator: Authenticator | None, deadline_s: float
    ) -> tuple[http.client.HTTPResponse, TimedSocket]:
        """Send a request and return the answer with the socket on which its body arrives."""
        self._deadline_s = deadline_s
        if self._timed is not None:
            self._timed.deadline_s = deadline_s
        login = None if authenticator is None else authenticator.header("GET", target)
        headers: dict[str, str | bytes] = {**HEADERS}
        if login is not None:
            headers["Authorization"] = login
        self.request("GET", target, headers=headers)
        self._response = self.getresponse()
        assert self._timed is not None
        return self._response, self._timed

    def connect(self) -> None:
        """Open the connection; called by `request`."""
        if self._address.scheme == "https":
            connection: socket.socket = self._tls().connect(self._connect_tcp, self.host)
        else:
            connection = self._connect_tcp()
        self._timed = TimedSocket(connection, self._deadline_s, self._clock)
        self.sock = self._timed

    def _connect_tcp(self) -> socket.socket:
        left_s = max(0.001, self._deadline_s - self._clock())
        connection = socket.create_connection((self.host, self.port), left_s)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def end(self) -> None:
        """Close the connection and the answer that is read from it."""
        if self._response is not None:
            self._response.close()
        self.close()


def default_port(scheme: str) -> int:
    """Return the port of `scheme` if an address names none."""
    return 443 if scheme == "https" else 80


def _redirected(address: StreamAddress, location: str) -> StreamAddress:
    """Return the address to which `address` redirects, with the login if it is the same host."""
    try:
        url = urljoin(replace(address, login=None).url, location)
        scheme = url.partition("://")[0].lower()
        if not location or scheme not in ("http", "https"):
            raise HttpError("it redirects to an address that is not one of HTTP")
        new = parse_stream_address(url)
    except (SourceError, ValueError):
        raise HttpError("it redirects to an address that is not valid") from None
    downgraded = address.scheme == "https" and new.scheme == "http"
    if new.login is None and new.host == address.host and not downgraded:
        return replace(new, login=address.login)
    return new
