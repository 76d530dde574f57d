"""The access check that runs before every page, static file and WebSocket.

A request must name a host that belongs to this dashboard; otherwise a foreign name could be made
to resolve to this machine (DNS rebinding). A request that changes something, or opens a
WebSocket, must have the dashboard's own `Origin`. Then the request needs a login session. Only
the paths in `PUBLIC_PATHS` need no session, and the screen of a door is also shown to a browser on
this machine or one with a token of that door.
"""

from __future__ import annotations

import logging
import re
import socket
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote, urlsplit

import sqlalchemy as sa
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edge.common.errors import UserError
from edge.dashboard.access.client_address import parse_address
from edge.dashboard.access.link_tokens import LinkTokens
from edge.dashboard.access.login_sessions import SESSION_COOKIE, LoginSessions
from edge.dashboard.access.password import Password

log = logging.getLogger(__name__)

#: Only scripts, styles and connections of the dashboard itself, and none inline: text that a
#: device sends can then never run as code.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:;"
    " manifest-src 'self';"
    " connect-src 'self'; media-src 'self' blob:; form-action 'self'; base-uri 'none';"
    " frame-ancestors 'none'"
)
SECURITY_HEADERS = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(self), microphone=(), geolocation=(), payment=()",
    "cache-control": "no-store",
}
#: Sent over TLS only: a browser that has received it uses no unencrypted connection to this host
#: name, on any port. It expires after 30 days without a visit, so that the name can be used for
#: something else.
STRICT_TRANSPORT_SECURITY = "max-age=2592000"
#: Paths that a browser needs before it is logged in.
PUBLIC_PATHS = frozenset(
    {
        "/login", "/setup", "/static/style.css", "/static/icon.svg", "/static/door.css",
        "/static/door.js", "/static/times.js", "/alive",
        # Browsers read the description of a web application, and its icons, without cookies.
        "/manifest.webmanifest", "/static/icon-192.png", "/static/icon-512.png",
    }
)  # fmt: skip
#: The screen of a door, and its WebSocket.
DOOR_PATH = re.compile(r"/door/([A-Za-z0-9._-]{1,64})(?:/state)?")
#: The cookie with the token of a screen; the browser sends it only to that screen's path.
DOOR_COOKIE = "mask_patrol_door"
#: The live page of displays on walls, the name of all of them among the tokens, and their cookie.
#: The browser sends the cookie to every path, because the page needs scripts.
DISPLAY_PATH, DISPLAY_NAME, DISPLAY_COOKIE = "/display", "display", "mask_patrol_display"
DISPLAY_PATHS = frozenset({DISPLAY_PATH, f"{DISPLAY_PATH}/live"})
SAFE_METHODS = frozenset({"GET", "HEAD"})
#: In the state of an ASGI scope: whether the request has passed this check, other than by a path in
#: PUBLIC_PATHS. The server does not close its connection in favour of others.
HAS_ACCESS = "has_access"
#: Headers that a proxy adds. Unless `behind_proxy` is set, a request with one of them came through
#: a proxy that is not configured, so its network address is not the address of the client.
FORWARDING_HEADERS = ("forwarded", "x-forwarded-for", "x-real-ip", "x-forwarded-host")
#: The answers to a token that is not valid, at a door and on a wall: no screen may show the log-in
#: page, because somebody who logs in there opens all pages to everybody who passes.
INVALID_LINK = (
    "This link is not valid: it was revoked, or it belongs to another door. Make a new one in the"
    " dashboard, on the page “Screen at the door” of the device."
)
INVALID_DISPLAY_LINK = (
    "This link is not valid: it was revoked, or it is incomplete. Make a new one in the dashboard:"
    " “Show this page on a wall” below the alerts of the Live page."
)
#: The answer while the login session cannot be looked up in the database.
LOOKUP_FAILED = (
    "Login sessions cannot be looked up at the moment; see the dashboard's log for the reason."
    " Try again in a moment."
)
MAX_TOKEN_LENGTH = 200
#: Addresses to which the log-in page may lead; see `own_address`.
OWN_ADDRESS = re.compile(r"/(?:[A-Za-z0-9._-][A-Za-z0-9._/-]*)?(?:\?[!-~]*)?")
MAX_ADDRESS_LENGTH = 2000
#: Codes with which a WebSocket is closed.
CLOSE_UNAUTHORISED, CLOSE_TRY_AGAIN_LATER = 4401, 1013


class Access:
    """The outermost ASGI layer of the application: refuses requests without access."""

    def __init__(
        self,
        app: ASGIApp,
        password: Password,
        login_sessions: LoginSessions,
        host_names: Iterable[str] = (),
        password_on_loopback: bool = True,
        behind_proxy: bool = False,
        *,
        door_tokens: LinkTokens,
        display_tokens: LinkTokens,
    ) -> None:
        """Protect `app`.

        `host_names` are additional host names of this dashboard. `behind_proxy` means that a
        trusted proxy supplies the client's address and the scheme.
        """
        self._app = app
        self._password = password
        self._login_sessions = login_sessions
        own_name = socket.gethostname().lower()
        self._host_names = {
            "localhost", own_name, f"{own_name}.local", socket.getfqdn().lower(),
            *(name.lower() for name in host_names),
        }  # fmt: skip
        self._password_on_loopback = password_on_loopback
        self._behind_proxy = behind_proxy
        self._door_tokens = door_tokens
        self._display_tokens = display_tokens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        scope["state"] = {**scope.get("state", {}), "access": self}
        code = CLOSE_UNAUTHORISED
        try:
            refusal = await self._refusal(HTTPConnection(scope))
        except (sa.exc.SQLAlchemyError, UserError) as error:
            log.error("cannot look up a login session: %s", getattr(error, "orig", None) or error)
            refusal = PlainTextResponse(LOOKUP_FAILED, 503, {"retry-after": "5"})
            code = CLOSE_TRY_AGAIN_LATER
        if refusal is None:
            scope["state"][HAS_ACCESS] = scope["path"] not in PUBLIC_PATHS
            await self._app(scope, receive, _with_security_headers(scope, send))
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": code, "reason": "access refused"})
        else:
            await refusal(scope, receive, _with_security_headers(scope, send))

    async def allows(self, connection: HTTPConnection) -> bool:
        """Return whether the client is logged in, or needs no password.

        Raises SQLAlchemyError or UserError when that cannot be looked up.
        """
        if not self._password_on_loopback and self._is_local(connection):
            return True
        token = connection.cookies.get(SESSION_COOKIE, "")
        if not token or len(token) > MAX_TOKEN_LENGTH or not self._password.is_set:
            return False
        return await run_in_threadpool(self._login_sessions.is_valid, token, self._password.tag)

    async def allows_door(self, connection: HTTPConnection, device: str) -> bool:
        """Return whether the client may see the screen of the door of `device`.

        Raises SQLAlchemyError or UserError when that cannot be looked up.
        """
        if self._is_local(connection):
            return True
        for token in _tokens(connection, DOOR_COOKIE):
            if await run_in_threadpool(self._door_tokens.is_valid, token, device):
                return True
        return await self.allows(connection)

    async def allows_display(self, connection: HTTPConnection) -> bool:
        """Return whether the client may see the live page of a display, which changes nothing.

        Raises SQLAlchemyError or UserError when that cannot be looked up.
        """
        for token in _tokens(connection, DISPLAY_COOKIE):
            if await run_in_threadpool(self._display_tokens.is_valid, token, DISPLAY_NAME):
                return True
        return await self.allows(connection)

    async def _refusal(self, connection: HTTPConnection) -> Response | None:
        """Return the response that refuses the request, or None when the request has access."""
        scope, headers = connection.scope, connection.headers
        if not self._is_known_host(headers.get("host", "")):
            return PlainTextResponse(
                "Unknown host name: add it to `names` under [dashboard] in the configuration", 421
            )
        changes = scope["type"] == "websocket" or scope["method"] not in SAFE_METHODS
        if changes and not _is_same_origin(scope, headers):
            return PlainTextResponse("Requests from other sites are refused", 403)
        if scope["path"] in PUBLIC_PATHS or await self._has_access(connection):
            return None
        return self._log_in_first(connection)

    async def _has_access(self, connection: HTTPConnection) -> bool:
        if door := _door(connection.scope):
            return await self.allows_door(connection, door)
        if _is_for_display(connection.scope):
            return await self.allows_display(connection)
        return await self.allows(connection)

    def _log_in_first(self, connection: HTTPConnection) -> Response:
        scope = connection.scope
        if scope["type"] == "websocket":
            return Response(status_code=403)
        if _door(scope) and _tokens(connection, DOOR_COOKIE):
            return PlainTextResponse(INVALID_LINK, 403)
        is_display = scope["path"] == DISPLAY_PATH and _is_for_display(scope)
        if is_display and _tokens(connection, DISPLAY_COOKIE):
            return PlainTextResponse(INVALID_DISPLAY_LINK, 403)
        target = "/login" if self._password.is_set else "/setup"
        if scope["method"] in SAFE_METHODS and "text/html" in connection.headers.get("accept", ""):
            return RedirectResponse(f"{target}?next={quote(_wanted(scope), safe='/')}", 303)
        return PlainTextResponse("Log in first", 401)

    def _is_known_host(self, host: str) -> bool:
        name = _host_name(host)
        return name is not None and (name in self._host_names or parse_address(name) is not None)

    def _is_local(self, connection: HTTPConnection) -> bool:
        """Return whether the client is on this machine and used a loopback name or address."""
        if connection.client is None or (
            not self._behind_proxy
            and any(name in connection.headers for name in FORWARDING_HEADERS)
        ):
            return False
        name = _host_name(connection.headers.get("host", "")) or ""
        host_address = parse_address(name)
        client_address = parse_address(connection.client.host)
        return (
            client_address is not None
            and client_address.is_loopback
            and (name == "localhost" or (host_address is not None and host_address.is_loopback))
        )


def _door(scope: Scope) -> str | None:
    """Return the device whose door the request wants to see, or None."""
    found = DOOR_PATH.fullmatch(scope["path"])
    is_safe = scope["type"] == "websocket" or scope["method"] in SAFE_METHODS
    return found[1] if found and is_safe else None


def _is_for_display(scope: Scope) -> bool:
    """Return whether a display needs the answer to the request."""
    path = scope["path"]
    is_safe = scope["type"] == "websocket" or scope["method"] in SAFE_METHODS
    return is_safe and (path in DISPLAY_PATHS or path.startswith("/static/"))


def _tokens(connection: HTTPConnection, cookie: str) -> list[str]:
    """Return the tokens that the client has sent, in the link of a screen or in its `cookie`."""
    sent = (connection.query_params.get("token"), connection.cookies.get(cookie))
    return [token for token in sent if token]


def is_secure(scope: Scope) -> bool:
    """Return whether the browser uses TLS, to the dashboard or to a trusted proxy."""
    return scope["scheme"] in ("https", "wss")


def own_address(address: str) -> str:
    """Return `address` if a redirect to it can only lead to this dashboard, else `/`.

    It is a path, and a query if there is one. Browsers take a path that begins with two slashes, or
    a backslash instead of one of them, for the name of another host.
    """
    is_own = len(address) <= MAX_ADDRESS_LENGTH and OWN_ADDRESS.fullmatch(address)
    return address if is_own else "/"


def _wanted(scope: Scope) -> str:
    """Return the page that a request wants, for the address of the log-in page."""
    query = scope["query_string"].decode("latin-1")
    return own_address(f"{scope['path']}?{query}" if query else scope["path"])


def _is_same_origin(scope: Scope, headers: Headers) -> bool:
    """Return whether the `Origin` header names this dashboard.

    Browsers send `Origin` with every such request, so a request without one is refused.
    """
    try:
        origin = urlsplit(headers.get("origin", ""))
        scheme = {"ws": "http", "wss": "https"}.get(scope["scheme"], scope["scheme"])
        return origin.scheme == scheme and origin.netloc.lower() == headers["host"].lower()
    except (ValueError, KeyError):
        return False


def _host_name(host: str) -> str | None:
    """Return the name or address of a `Host` header without its port."""
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None


def _with_security_headers(scope: Scope, send: Send) -> Send:
    headers = dict(SECURITY_HEADERS)
    if is_secure(scope):
        headers["strict-transport-security"] = STRICT_TRANSPORT_SECURITY

    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            present = {name.lower() for name, _ in message.get("headers", ())}
            added: list[Any] = [
                (name.encode(), value.encode())
                for name, value in headers.items()
                if name.encode() not in present
            ]
            message = {**message, "headers": [*message.get("headers", ()), *added]}
        await send(message)

    return send_with_headers
