"""Who is let in: over real HTTP and websockets, against the dashboard as a process."""

from __future__ import annotations

import http.client
import json
import os
import re
import socket
import ssl
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from edge.config.settings import Settings
from edge.dashboard.access.access import PUBLIC_PATHS
from edge.dashboard.access.connection_limits import MAX_CONNECTIONS_PER_ADDRESS, REQUEST_TIMEOUT_S
from edge.dashboard.access.login_sessions import LoginSessions
from edge.dashboard.access.login_throttle import FREE_ATTEMPTS, MAX_WAIT_S, LoginThrottle
from edge.dashboard.access.password import Password
from edge.dashboard.history.database import open_database
from edge.dashboard.history.queries import HistoryQueries
from edge.dashboard.history.store import HistoryStore
from edge.dashboard.live.live_state import LiveState
from edge.dashboard.local_camera import LocalCamera
from edge.dashboard.pages.app import make_app
from edge.dashboard.pages.page_context import PageContext
from edge.dashboard.picture_check.worker_client import WorkerClient
from tests.support.brokers import free_port
from tests.support.certificates import Authority
from tests.support.cli_process import command, environment, mask_patrol
from tests.support.dashboards import Dashboard

SECRET = "correct horse battery"


class Visitor:
    """A browser without a screen: keeps a cookie, says where it comes from."""

    def __init__(self, port: int, host: str = "") -> None:
        self.port, self.host = port, host or f"127.0.0.1:{port}"
        self.cookie = ""

    def ask(
        self, method: str, path: str, fields: dict[str, str] | None = None, **headers: str
    ) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        sent = {"host": self.host, "accept": "text/html", "origin": f"http://{self.host}"}
        sent |= {"cookie": self.cookie} if self.cookie else {}
        sent |= {name.replace("_", "-"): value for name, value in headers.items() if value}
        for name in [name for name, value in headers.items() if not value]:
            sent.pop(name, None)
        connection.request(method, path, urlencode(fields) if fields else None, sent)
        answer = connection.getresponse()
        self.body = answer.read()
        if found := re.match(r"(mask_patrol_session=[^;]*)", answer.getheader("set-cookie") or ""):
            self.cookie = found[1]
        return answer

    def log_in(self, password: str = SECRET) -> int:
        return self.ask("POST", "/login", {"password": password}).status


@pytest.fixture
def dashboard(tmp_path: Path) -> Iterator[Dashboard]:
    running = Dashboard(tmp_path, free_port(), open_to_us=False)
    Password(running.state / "dashboard-password").set(SECRET)
    running.start()
    yield running
    assert running.stop() == 0


def test_the_first_password_needs_the_code(tmp_path: Path) -> None:
    running = Dashboard(tmp_path, free_port(), open_to_us=False).start()
    visitor = Visitor(running.port)
    assert visitor.ask("GET", "/").getheader("location") == "/setup?next=/"
    fields = {"password": SECRET, "again": SECRET}
    assert visitor.ask("POST", "/setup", {**fields, "code": "WRNG-WRNG-WRNG"}).status == 403
    assert (
        visitor.ask("POST", "/setup", {**fields, "code": running.code, "again": "x"}).status == 400
    )
    short = {"password": "short", "again": "short", "code": running.code}
    assert visitor.ask("POST", "/setup", short).status == 400
    assert b"10 characters or more" in visitor.body
    assert visitor.ask("POST", "/setup", {**fields, "code": running.code.lower()}).status == 303
    assert visitor.ask("GET", "/").status == 200
    assert visitor.ask("POST", "/setup", {**fields, "code": running.code}).status == 303
    file = running.state / "dashboard-password"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert file.read_text().startswith("$argon2id$")
    running.stop()
    assert SECRET not in running.log() + running.said


def test_logging_in_outlives_a_restart_and_out_is_out(dashboard: Dashboard) -> None:
    visitor = Visitor(dashboard.port)
    assert visitor.log_in("wrong password") == 403
    assert visitor.ask("GET", "/history").status == 303
    assert visitor.log_in() == 303
    assert visitor.ask("GET", "/history").status == 200
    dashboard.stop()
    dashboard.start()
    assert visitor.ask("GET", "/history").status == 200
    kept = visitor.cookie
    assert visitor.ask("POST", "/logout").status == 303
    visitor.cookie = kept
    assert visitor.ask("GET", "/history").status == 303


def test_another_password_ends_all_sessions(dashboard: Dashboard) -> None:
    visitor = Visitor(dashboard.port)
    visitor.log_in()
    assert visitor.ask("GET", "/").status == 200
    result = subprocess.run(
        command(("dashboard", "--set-password")),
        input="another password\n",
        text=True,
        env=environment(dashboard.state),
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert visitor.ask("GET", "/").status == 303
    assert visitor.log_in("another password") == 303


def every_address(site: PageContext) -> list[tuple[str, str]]:
    """Method and path of all that the application answers."""
    routes = make_app(site)._app.routes  # type: ignore[attr-defined]
    found = []
    for route in routes:
        path = re.sub(r"\{\w+\}", "x", route.path) + (
            "/style.css" if "static" in route.path else ""
        )
        found += [(m, path) for m in getattr(route, "methods", None) or {"GET"} if m != "HEAD"]
    return found


@pytest.fixture
def site(tmp_path: Path) -> PageContext:
    engine = open_database(f"sqlite:///{tmp_path}/x.sqlite3")
    password = Password(tmp_path / "password")
    return PageContext(
        LiveState(),
        HistoryStore(engine),
        HistoryQueries(engine),
        password,
        LoginSessions(engine, 60.0),
        LoginThrottle(),
        WorkerClient(Settings()),
        LocalCamera(Settings(), None),
    )


def test_nothing_is_there_for_strangers(dashboard: Dashboard, site: PageContext) -> None:
    visitor = Visitor(dashboard.port)
    addresses = every_address(site)
    assert len(addresses) > 12
    for method, path in addresses:
        answer = visitor.ask(method, path, accept="*/*")
        if path in PUBLIC_PATHS:
            assert answer.status in (200, 303, 403), path
        else:
            assert answer.status == 401, (method, path, answer.status)
            assert visitor.body == b"Log in first"
        assert "default-src 'none'" in (answer.getheader("content-security-policy") or "")
    for script in ("common.js", "live.js", "webcam.js"):
        assert visitor.ask("GET", f"/static/{script}", accept="*/*").status == 401


def open_socket(dashboard: Dashboard, **headers: str) -> dict[str, object]:
    """The first message of the live page's websocket."""
    address = f"ws://127.0.0.1:{dashboard.port}/live"
    origin = headers.pop("origin", dashboard.address)
    with connect(address, origin=origin or None, additional_headers=headers) as live:  # type: ignore[arg-type]
        return dict(json.loads(live.recv(10)))


def test_no_websocket_without_logging_in_nor_for_another_site(dashboard: Dashboard) -> None:
    with pytest.raises(InvalidStatus, match="403"):
        open_socket(dashboard)
    visitor = Visitor(dashboard.port)
    visitor.log_in()
    assert open_socket(dashboard, cookie=visitor.cookie)["all"] is True
    for origin in ("http://evil.example", f"http://localhost:{dashboard.port}", "null", ""):
        with pytest.raises(InvalidStatus, match="403"):
            open_socket(dashboard, cookie=visitor.cookie, origin=origin)
    with pytest.raises(InvalidStatus, match="403"):
        open_socket(dashboard, cookie="mask_patrol_session=guess")


def test_another_site_can_change_nothing(dashboard: Dashboard) -> None:
    visitor = Visitor(dashboard.port)
    visitor.log_in()
    for origin in ("http://evil.example", "null", ""):
        for path in ("/alerts/acknowledge", "/health/door1/forget"):
            assert visitor.ask("POST", path, origin=origin).status == 403
    assert visitor.ask("POST", "/health/door1/forget").status == 404  # it is let in
    assert visitor.ask("POST", "/alerts/acknowledge").status == 422


def test_a_name_that_is_not_ours_is_not_answered(dashboard: Dashboard) -> None:
    for host in ("evil.example", "127.0.0.1.evil.example", ""):
        assert Visitor(dashboard.port, host or "x y").ask("GET", "/login").status in (400, 421)
    for host in ("localhost", socket.gethostname(), "[::1]:80"):
        assert Visitor(dashboard.port, host).ask("GET", "/login").status == 200


def test_the_cookie_is_for_the_browser_alone(dashboard: Dashboard) -> None:
    visitor = Visitor(dashboard.port)
    answer = visitor.ask("POST", "/login", {"password": SECRET})
    cookie = (answer.getheader("set-cookie") or "").lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert "secure" not in cookie  # this was no TLS
    assert visitor.ask("GET", "/").getheader("cache-control") == "no-store"


def test_behind_a_proxy_with_tls_the_cookie_is_secure(tmp_path: Path) -> None:
    running = Dashboard(tmp_path, free_port(), 'proxies = ["127.0.0.1"]\n', open_to_us=False)
    Password(running.state / "dashboard-password").set(SECRET)
    running.start()
    visitor = Visitor(running.port)
    seen = {"x_forwarded_proto": "https", "x_forwarded_for": "192.0.2.7"}
    origin = f"https://{visitor.host}"
    assert visitor.ask("GET", "/", **seen).status == 303  # not loopback: it comes from afar
    answer = visitor.ask("POST", "/login", {"password": SECRET}, origin=origin, **seen)
    assert answer.status == 303
    assert "secure" in (answer.getheader("set-cookie") or "").lower()
    running.stop()


def test_its_own_certificate(tmp_path: Path, authority: Authority) -> None:
    pair = authority.issue_for_broker()
    running = Dashboard(
        tmp_path, free_port(), f'cert_file = "{pair.cert}"\nkey_file = "{pair.key}"\n', False
    )
    Password(running.state / "dashboard-password").set(SECRET)
    running.start()
    assert running.said.startswith("Dashboard: https://")
    trusted = ssl.create_default_context(cafile=str(authority.pair.cert))
    connection = http.client.HTTPSConnection("127.0.0.1", running.port, context=trusted)
    origin = {"origin": f"https://127.0.0.1:{running.port}"}
    connection.request("POST", "/login", urlencode({"password": SECRET}), origin)
    cookie = connection.getresponse().getheader("set-cookie") or ""
    assert "secure" in cookie.lower()
    address = f"wss://127.0.0.1:{running.port}/live"
    kept = {"cookie": cookie.split(";")[0]}
    with connect(address, ssl=trusted, origin=origin["origin"], additional_headers=kept) as live:  # type: ignore[arg-type]
        assert json.loads(live.recv(10))["all"] is True
    running.stop()
    bad = mask_patrol(tmp_path, "dashboard", "--config", tls_config(tmp_path, "nowhere.pem"))
    assert "cannot use dashboard.cert_file nowhere.pem" in bad.stderr


def tls_config(folder: Path, cert: str) -> Path:
    path = folder / "tls.toml"
    path.write_text(f'[dashboard]\ncert_file = "{cert}"\n')
    return path


def test_on_loopback_without_a_password_only_if_told_and_never_through_a_proxy(
    tmp_path: Path,
) -> None:
    running = Dashboard(tmp_path, free_port(), open_to_us=True).start()
    visitor = Visitor(running.port)
    assert visitor.ask("GET", "/").status == 200
    assert visitor.ask("GET", "/", x_forwarded_for="192.0.2.7").status == 303
    assert Visitor(running.port, socket.gethostname()).ask("GET", "/").status == 303
    running.stop()


def test_no_password_and_a_proxy_are_refused_together(tmp_path: Path) -> None:
    path = tmp_path / "both.toml"
    path.write_text('[dashboard]\npassword_on_loopback = false\nproxies = ["127.0.0.1"]\n')
    result = mask_patrol(tmp_path, "dashboard", "--config", path)
    assert result.returncode == 2
    assert "leave one of them out" in result.stderr


def is_closed(connection: socket.socket, within_s: float) -> bool:
    connection.settimeout(within_s)
    try:
        return connection.recv(1) == b""
    except ConnectionError:
        return True
    except TimeoutError:
        return False


def test_connections_that_say_nothing_keep_nobody_out(dashboard: Dashboard) -> None:
    silent = [
        socket.create_connection(("127.0.0.1", dashboard.port))
        for _ in range(MAX_CONNECTIONS_PER_ADDRESS)
    ]
    slow = socket.create_connection(("127.0.0.1", dashboard.port))
    assert is_closed(slow, 5.0)  # one too many
    silent[0].sendall(b"GET /login HTTP/1.1\r\nhost: ")
    for connection in silent:
        assert is_closed(connection, REQUEST_TIMEOUT_S + 5.0)
    assert Visitor(dashboard.port).ask("GET", "/login").status == 200


def test_a_form_that_does_not_come_is_not_waited_for(dashboard: Dashboard) -> None:
    with socket.create_connection(("127.0.0.1", dashboard.port), timeout=30) as connection:
        connection.sendall(
            f"POST /login HTTP/1.1\r\nhost: 127.0.0.1:{dashboard.port}\r\norigin:"
            f" {dashboard.address}\r\ncontent-length: 99\r\n\r\npassword=".encode()
        )
        assert b" 408 " in connection.recv(100)


def test_it_listens_on_loopback_alone(dashboard: Dashboard) -> None:
    hexadecimal = f"{dashboard.port:04X}"
    listening = [
        line.split()[1]
        for table in ("tcp", "tcp6")
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]
        if line.split()[3] == "0A" and line.split()[1].endswith(hexadecimal)
    ]
    assert listening == [f"0100007F:{hexadecimal}"]


def test_wrong_passwords_are_slowed_down(dashboard: Dashboard) -> None:
    visitor = Visitor(dashboard.port)
    answers = [visitor.log_in(f"guess number {number}") for number in range(FREE_ATTEMPTS + 3)]
    assert answers[:FREE_ATTEMPTS] == [403] * FREE_ATTEMPTS
    assert answers[-1] == 429
    assert b"try again in" in visitor.body
    assert visitor.log_in() == 429  # the right one, too, or guessing would go on


def test_waiting_grows_with_each_wrong_attempt_and_has_an_end() -> None:
    attempts, now_s, waits = LoginThrottle(), 0.0, []
    for _ in range(20):
        wait_s = attempts.begin_attempt("192.0.2.7", now_s)
        waits.append(wait_s)
        now_s += wait_s
        assert attempts.begin_attempt("192.0.2.7", now_s) == 0.0 if wait_s else True
    assert waits[:FREE_ATTEMPTS] == [0.0] * FREE_ATTEMPTS
    assert max(waits) == MAX_WAIT_S
    assert attempts.begin_attempt("192.0.2.8", now_s) == 0.0
    attempts.reset("192.0.2.7", now_s)
    assert attempts.begin_attempt("192.0.2.7", now_s) == 0.0


def test_one_network_of_ipv6_is_one_guesser() -> None:
    attempts = LoginThrottle()
    waits = [
        attempts.begin_attempt(f"2001:db8::{number:x}", 0.0) for number in range(FREE_ATTEMPTS + 1)
    ]
    assert waits[-1] > 0.0


def test_a_session_ends(tmp_path: Path) -> None:
    now = [1000.0]
    engine = open_database(f"sqlite:///{tmp_path}/x.sqlite3")
    sessions = LoginSessions(engine, 3600.0, lambda: now[0])
    token = sessions.create("tag")
    for _ in range(5):
        now[0] += 3000.0
        assert sessions.is_valid(token, "tag")
    assert not sessions.is_valid(token, "another")
    assert not sessions.is_valid(token + "x", "tag")
    now[0] += 3700.0
    assert not sessions.is_valid(token, "tag")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--port", "99999"), "`dashboard.port`"),
        (("--host", "nowhere.invalid"), "cannot listen on nowhere.invalid:8080"),
        (("--broker", "a b"), "--broker must be HOST"),
    ],
)
def test_mistakes_are_one_clear_line(
    tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    result = mask_patrol(tmp_path, "dashboard", *arguments)
    assert result.returncode in (1, 2)
    assert words in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_a_second_dashboard_on_the_same_state_and_a_taken_port_are_refused(
    dashboard: Dashboard, tmp_path: Path
) -> None:
    second = mask_patrol(dashboard.state, "dashboard", "--port", str(free_port()))
    assert "another dashboard uses" in second.stderr
    taken = mask_patrol(tmp_path, "dashboard", "--port", str(dashboard.port))
    assert "Address already in use" in taken.stderr
    assert (second.returncode, taken.returncode) == (1, 1)


def test_it_is_not_asked_of_the_daemon(tmp_path: Path) -> None:
    """A Pi that only publishes neither installs nor loads what the page needs."""
    code = "import sys, edge.cli.main; edge.cli.main._parser(); print(*sys.modules)"
    result = subprocess.run(
        [*command(())[:1], "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **environment(tmp_path)},
        timeout=60,
    )
    loaded = set(result.stdout.split())
    assert not loaded & {"sqlalchemy", "starlette", "uvicorn", "argon2", "jinja2", "jsonschema"}
