"""Who may see anything at all: asked before every page, file and websocket.

A request must name a host that is ours (else a strange name could be made to point here), and
one that changes something, or opens a websocket, must come from a page of ours. Then comes the
password. Only the log-in page and its style need none.
"""

from __future__ import annotations

import ipaddress
import logging
import socket
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

import sqlalchemy as sa
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edge.common.errors import UserError
from edge.dashboard.access.login_sessions import COOKIE, LoginSessions
from edge.dashboard.access.password import Password

log = logging.getLogger(__name__)

#: Nothing from elsewhere, no script or style within a page: what a device says stays text.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:;"
    " connect-src 'self'; media-src 'self' blob:; form-action 'self'; base-uri 'none';"
    " frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(self), microphone=(), geolocation=(), payment=()",
    "cache-control": "no-store",
}
#: What somebody needs who is not logged in yet.
OPEN_PATHS = frozenset({"/login", "/setup", "/static/style.css", "/static/icon.svg"})
SAFE_METHODS = frozenset({"GET", "HEAD"})
#: What a proxy adds: from one that we were not told of, the address is not its client's.
FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip", "x-forwarded-host")
#: Said to whom the database could tell us, and does not.
UNSURE = (
    "Who is logged in cannot be looked up just now: the dashboard's log says why."
    " Try again in a moment."
)


class Access:
    """The outermost layer of the application."""

    def __init__(
        self,
        app: ASGIApp,
        password: Password,
        sessions: LoginSessions,
        names: Iterable[str] = (),
        password_on_loopback: bool = True,
        behind_proxy: bool = False,
    ) -> None:
        """`names`: further host names that are ours; `behind_proxy`: the client's address and
        scheme come from a proxy that is trusted."""
        self._app = app
        self._password = password
        self._sessions = sessions
        own = socket.gethostname().lower()
        self._names = {"localhost", own, f"{own}.local", socket.getfqdn().lower()}
        self._names |= {name.lower() for name in names}
        self._password_on_loopback = password_on_loopback
        self._behind_proxy = behind_proxy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        scope["state"] = {**scope.get("state", {}), "access": self}
        code = 4401
        try:
            refusal = await self._refusal(HTTPConnection(scope))
        except (sa.exc.SQLAlchemyError, UserError) as error:
            log.error("who asks cannot be looked up: %s", getattr(error, "orig", None) or error)
            refusal, code = PlainTextResponse(UNSURE, 503, {"retry-after": "5"}), 1013
        if refusal is None:
            await self._app(scope, receive, _with_headers(send))
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": code, "reason": "not let in"})
        else:
            await refusal(scope, receive, _with_headers(send))

    async def allows(self, connection: HTTPConnection) -> bool:
        """Whether who asks is logged in, or need not be; raises SQLAlchemyError, UserError."""
        if not self._password_on_loopback and self._is_local(connection):
            return True
        token = connection.cookies.get(COOKIE, "")
        if not token or len(token) > 200 or not self._password.is_set:
            return False
        return await run_in_threadpool(self._sessions.is_valid, token, self._password.tag)

    async def _refusal(self, connection: HTTPConnection) -> Response | None:
        scope, headers = connection.scope, connection.headers
        if not self._is_our_name(headers.get("host", "")):
            return PlainTextResponse(
                "This name is not known here: add it to `names` under [dashboard]", 421
            )
        changes = scope["type"] == "websocket" or scope["method"] not in SAFE_METHODS
        if changes and not _is_our_origin(scope, headers):
            return PlainTextResponse("This request comes from another site", 403)
        if scope["path"] in OPEN_PATHS or await self.allows(connection):
            return None
        if scope["type"] == "websocket":
            return Response(status_code=403)
        target = "/login" if self._password.is_set else "/setup"
        if scope["method"] in SAFE_METHODS and "text/html" in headers.get("accept", ""):
            path = scope["path"]
            known = path.startswith("/") and not path.startswith("//") and path.isascii()
            place = path if known and path.replace("/", "").replace("-", "").isalnum() else "/"
            return RedirectResponse(f"{target}?next={place}", 303)
        return PlainTextResponse("Log in first", 401)

    def _is_our_name(self, host: str) -> bool:
        name = _host_name(host)
        return name is not None and (name in self._names or _as_address(name) is not None)

    def _is_local(self, connection: HTTPConnection) -> bool:
        """Whether a browser on this very machine asks, and by a name of this machine."""
        if connection.client is None or (
            not self._behind_proxy and any(name in connection.headers for name in FORWARDED)
        ):
            return False
        name = _host_name(connection.headers.get("host", "")) or ""
        named = _as_address(name)
        client = _as_address(connection.client.host)
        return (
            client is not None
            and client.is_loopback
            and (name == "localhost" or (named is not None and named.is_loopback))
        )


def is_secure(scope: Scope) -> bool:
    """Whether the browser speaks TLS, to us or to a proxy that is trusted."""
    return scope["scheme"] in ("https", "wss")


def _is_our_origin(scope: Scope, headers: Headers) -> bool:
    """Browsers say from which site a request comes; who says nothing is refused."""
    try:
        origin = urlsplit(headers.get("origin", ""))
        scheme = {"ws": "http", "wss": "https"}.get(scope["scheme"], scope["scheme"])
        return origin.scheme == scheme and origin.netloc.lower() == headers["host"].lower()
    except (ValueError, KeyError):
        return False


def _host_name(host: str) -> str | None:
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None


def _as_address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped or address


def _with_headers(send: Send) -> Send:
    async def send_with(message: Message) -> None:
        if message["type"] == "http.response.start":
            present = {name.lower() for name, _ in message.get("headers", ())}
            more: list[Any] = [
                (name.encode(), value.encode())
                for name, value in HEADERS.items()
                if name.encode() not in present
            ]
            message = {**message, "headers": [*message.get("headers", ()), *more]}
        await send(message)

    return send_with
