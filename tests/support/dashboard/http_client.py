"""Clients for the dashboard, which use the network or call the application directly."""

from __future__ import annotations

import asyncio
import http.client
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from starlette.types import ASGIApp, Message

#: The password that `BrowserClient.log_in` sends.
PASSWORD = "correct horse battery"
TIMEOUT_S = 30.0


class BrowserClient:
    """Sends requests as a browser would: keeps cookies and sends an `Origin`.

    `cookie` is the cookie of the session, and `known_cookie` that of a known browser.
    """

    def __init__(self, port: int, host: str = "", source: str = "127.0.0.1") -> None:
        """Connect to `port` on this machine from the loopback address `source`.

        `host` is the value of the `Host` header.
        """
        self.port, self.host = port, host or f"127.0.0.1:{port}"
        self.source = source
        self.cookie = self.known_cookie = ""

    def request(
        self, method: str, path: str, fields: dict[str, str] | None = None, **headers: str
    ) -> http.client.HTTPResponse:
        """Send a request with the form `fields`, and store the body of the response in `body`.

        In the names of `headers`, an underscore stands for a dash. A header with an empty value is
        not sent.
        """
        connection = http.client.HTTPConnection(
            "127.0.0.1", self.port, timeout=TIMEOUT_S, source_address=(self.source, 0)
        )
        sent = {"host": self.host, "accept": "text/html", "origin": f"http://{self.host}"}
        cookies = [self.cookie, self.known_cookie if path.startswith("/login") else ""]
        sent |= {"cookie": "; ".join(filter(None, cookies))} if any(cookies) else {}
        sent |= {name.replace("_", "-"): value for name, value in headers.items() if value}
        for name in [name for name, value in headers.items() if not value]:
            sent.pop(name, None)
        connection.request(method, path, urlencode(fields) if fields else None, sent)
        response = connection.getresponse()
        self.body = response.read()
        received = response.getheader("set-cookie") or ""
        if found := re.search(r"(mask_patrol_session=[^;]*)", received):
            self.cookie = found[1]
        if found := re.search(r"(mask_patrol_browser=[^;]*)", received):
            self.known_cookie = found[1]
        connection.close()
        return response

    def log_in(self, password: str = PASSWORD) -> int:
        """Log in and return the status of the response."""
        return self.request("POST", "/login", {"password": password}).status


@dataclass(frozen=True)
class Response:
    """The response of an application that was called directly."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    @property
    def text(self) -> str:
        return self.body.decode()

    def json(self) -> Any:
        return json.loads(self.body)


def call_app(
    app: ASGIApp,
    method: str,
    path: str,
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
    query: str = "",
    scheme: str = "http",
) -> Response:
    """Send one request to an ASGI application, as a browser on this machine would."""
    sent = {"host": "localhost", "origin": "http://localhost", **(headers or {})}
    messages: list[Message] = []
    parts: Iterator[Message] = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def receive() -> Message:
        for part in parts:
            return part
        await asyncio.Event().wait()  # the browser stays connected
        raise AssertionError

    async def send(message: Message) -> None:
        messages.append(message)

    scope = {
        "type": "http", "method": method, "path": path, "raw_path": path.encode(),
        "query_string": query.encode(), "root_path": "", "scheme": scheme, "http_version": "1.1",
        "headers": [(name.lower().encode(), value.encode()) for name, value in sent.items()],
        "client": ("127.0.0.1", 50_000), "server": ("127.0.0.1", 80),
    }  # fmt: skip
    asyncio.run(app(scope, receive, send))  # type: ignore[arg-type]
    return Response(
        messages[0]["status"],
        {name.decode(): value.decode() for name, value in messages[0]["headers"]},
        b"".join(message.get("body", b"") for message in messages[1:]),
    )
