"""Access to the dashboard over real HTTP and WebSockets, with the dashboard as a process."""

from __future__ import annotations

import http.client
import json
import re
import socket
import ssl
from pathlib import Path
from urllib.parse import urlencode

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from edge.dashboard.access.access import PUBLIC_PATHS, STRICT_TRANSPORT_SECURITY, own_address
from edge.dashboard.access.password import Password
from edge.dashboard.pages.app import make_app
from edge.dashboard.pages.page_context import PageContext
from tests.support.dashboard.dashboards import Dashboard
from tests.support.dashboard.http_client import PASSWORD, BrowserClient, call_app
from tests.support.dashboard.page_contexts import page_context_in
from tests.support.mqtt.certificates import Authority
from tests.support.ports import free_port


def every_route(context: PageContext) -> list[tuple[str, str]]:
    """Method and path of every route of the application."""
    routes = make_app(context)._app.routes  # type: ignore[attr-defined]
    found = []
    for route in routes:
        path = re.sub(r"\{\w+\}", "x", route.path) + (
            "/style.css" if "static" in route.path else ""
        )
        found += [(m, path) for m in getattr(route, "methods", None) or {"GET"} if m != "HEAD"]
    return found


@pytest.mark.slow
def test_every_route_requires_a_login(dashboard: Dashboard, tmp_path: Path) -> None:
    # Not a name of the loopback interface, at which the screens of doors need no log-in.
    client = BrowserClient(dashboard.port, host=f"{socket.gethostname()}:{dashboard.port}")
    with page_context_in(tmp_path) as context:
        routes = every_route(context)
    assert len(routes) > 12
    for method, path in routes:
        response = client.request(method, path, accept="*/*")
        if path in PUBLIC_PATHS:
            assert response.status in (200, 204, 303, 403), path
        else:
            assert response.status == 401, (method, path, response.status)
            assert client.body == b"Log in first"
        assert "default-src 'none'" in (response.getheader("content-security-policy") or "")
    for script in ("common.js", "live.js", "webcam.js"):
        assert client.request("GET", f"/static/{script}", accept="*/*").status == 401


def first_live_message(dashboard: Dashboard, **headers: str) -> dict[str, object]:
    """Return the first message of the live page's WebSocket."""
    address = f"ws://127.0.0.1:{dashboard.port}/live"
    origin = headers.pop("origin", dashboard.address)
    with connect(address, origin=origin or None, additional_headers=headers) as live:  # type: ignore[arg-type]
        return dict(json.loads(live.recv(10)))


@pytest.mark.slow
def test_websocket_requires_login_and_own_origin(dashboard: Dashboard) -> None:
    with pytest.raises(InvalidStatus, match="403"):
        first_live_message(dashboard)
    client = BrowserClient(dashboard.port)
    client.log_in()
    assert first_live_message(dashboard, cookie=client.cookie)["all"] is True
    for origin in ("http://evil.example", f"http://localhost:{dashboard.port}", "null", ""):
        with pytest.raises(InvalidStatus, match="403"):
            first_live_message(dashboard, cookie=client.cookie, origin=origin)
    with pytest.raises(InvalidStatus, match="403"):
        first_live_message(dashboard, cookie="mask_patrol_session=guess")


@pytest.mark.slow
def test_other_sites_cannot_change_anything(dashboard: Dashboard) -> None:
    client = BrowserClient(dashboard.port)
    client.log_in()
    for origin in ("http://evil.example", "null", ""):
        for path in ("/alerts/acknowledge", "/health/door1/forget"):
            assert client.request("POST", path, origin=origin).status == 403
    # From the dashboard's own origin, the requests reach their handlers.
    assert client.request("POST", "/health/door1/forget").status == 404
    assert client.request("POST", "/alerts/acknowledge").status == 422


@pytest.mark.slow
def test_unknown_host_names_are_refused(dashboard: Dashboard) -> None:
    for host in ("evil.example", "127.0.0.1.evil.example", "x y"):
        status = BrowserClient(dashboard.port, host).request("GET", "/login").status
        assert status in (400, 421)
    for host in ("localhost", socket.gethostname(), "[::1]:80"):
        assert BrowserClient(dashboard.port, host).request("GET", "/login").status == 200


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_only_tls_forbids_unencrypted_connections(tmp_path: Path, scheme: str) -> None:
    """Answers of pages, refusals, errors and static files: a browser may see any of them first."""
    with page_context_in(tmp_path) as context:
        app = make_app(context, host_names=["door.example"])
        for path, headers, status in (
            ("/login", {}, 303),
            ("/static/style.css", {}, 200),
            ("/health", {}, 401),
            ("/health", {"host": "evil.example"}, 421),
            ("/static/none", {}, 401),
        ):
            sent = {"host": "door.example", **headers}
            response = call_app(app, "GET", path, headers=sent, scheme=scheme)
            assert response.status == status, path
            sent_to = response.headers.get("strict-transport-security")
            assert sent_to == (STRICT_TRANSPORT_SECURITY if scheme == "https" else None), path


@pytest.mark.slow
def test_session_cookie_is_protected(dashboard: Dashboard) -> None:
    client = BrowserClient(dashboard.port)
    response = client.request("POST", "/login", {"password": PASSWORD})
    session, known = (cookie.lower() for cookie in response.headers.get_all("set-cookie") or ())
    assert "httponly" in session
    assert "samesite=lax" in session
    assert "httponly" in known
    assert "samesite=strict" in known
    assert "path=/login;" in known
    assert "secure" not in session + known  # the connection has no TLS
    assert client.request("GET", "/").getheader("cache-control") == "no-store"


@pytest.mark.slow
def test_cookie_is_secure_behind_a_tls_proxy(tmp_path: Path) -> None:
    running = Dashboard(tmp_path, free_port(), 'proxies = ["127.0.0.1"]\n', needs_password=True)
    Password(running.state / "dashboard-password").set(PASSWORD)
    running.start()
    client = BrowserClient(running.port)
    forwarded = {"x_forwarded_proto": "https", "x_forwarded_for": "192.0.2.7"}
    origin = f"https://{client.host}"
    page = client.request("GET", "/", **forwarded)
    assert page.status == 303  # the client is not on loopback
    assert page.getheader("strict-transport-security") == STRICT_TRANSPORT_SECURITY
    response = client.request("POST", "/login", {"password": PASSWORD}, origin=origin, **forwarded)
    assert response.status == 303
    cookies = response.headers.get_all("set-cookie") or []
    assert ["secure" in cookie.lower() for cookie in cookies] == [True, True]
    running.stop()


@pytest.mark.slow
def test_cookie_of_a_known_browser_gives_no_access(dashboard: Dashboard) -> None:
    client = BrowserClient(dashboard.port)
    client.log_in()
    for cookie in (client.known_cookie, client.known_cookie.replace("_browser", "_session")):
        client.cookie = cookie
        assert client.request("GET", "/history").status == 303


@pytest.mark.slow
def test_dashboard_serves_its_own_certificate(tmp_path: Path, authority: Authority) -> None:
    pair = authority.issue_for_broker()
    running = Dashboard(
        tmp_path, free_port(), f'cert_file = "{pair.cert}"\nkey_file = "{pair.key}"\n', True
    )
    Password(running.state / "dashboard-password").set(PASSWORD)
    running.start()
    assert running.output.startswith("Dashboard: https://")
    trusted = ssl.create_default_context(cafile=str(authority.pair.cert))
    connection = http.client.HTTPSConnection("127.0.0.1", running.port, context=trusted)
    origin = {"origin": f"https://127.0.0.1:{running.port}"}
    connection.request("POST", "/login", urlencode({"password": PASSWORD}), origin)
    response = connection.getresponse()
    assert response.getheader("strict-transport-security") == STRICT_TRANSPORT_SECURITY
    cookie = response.getheader("set-cookie") or ""
    assert "secure" in cookie.lower()
    address = f"wss://127.0.0.1:{running.port}/live"
    sent = {"cookie": cookie.split(";")[0]}
    with connect(address, ssl=trusted, origin=origin["origin"], additional_headers=sent) as live:  # type: ignore[arg-type]
        assert json.loads(live.recv(10))["all"] is True
    running.stop()


@pytest.mark.slow
def test_loopback_needs_no_password_only_if_configured(tmp_path: Path) -> None:
    running = Dashboard(tmp_path, free_port(), needs_password=False).start()
    client = BrowserClient(running.port)
    assert client.request("GET", "/").status == 200
    assert client.request("GET", "/", x_forwarded_for="192.0.2.7").status == 303
    assert BrowserClient(running.port, socket.gethostname()).request("GET", "/").status == 303
    running.stop()


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("/history", "/history"),
        ("/health/door-1", "/health/door-1"),
        ("/", "/"),
        ("//evil.example", "/"),
        ("https://evil.example", "/"),
        ("/\\evil.example", "/"),
        ("/history?span=30&device=door_1", "/history?span=30&device=door_1"),
        ("/health/door_1.x?span=7", "/health/door_1.x?span=7"),
        ("/camera?camera=%C3%A4", "/camera?camera=%C3%A4"),
        ("/?//evil.example", "/?//evil.example"),
        ("/history?a\r\nset-cookie: b", "/"),
        ("/history?" + "x" * 3000, "/"),
        ("history", "/"),
        ("/säge", "/"),
    ],
)
def test_redirects_stay_on_the_dashboard(address: str, expected: str) -> None:
    assert own_address(address) == expected
