"""Logging in and out, and the first password, with the dashboard as a process."""

from __future__ import annotations

import signal
import socket
import subprocess
from pathlib import Path

import pytest

from edge.dashboard.access.login_throttle import FREE_ATTEMPTS
from tests.support.cli_process import command, environment
from tests.support.dashboard.attacks import loopback_addresses, send_wrong_passwords
from tests.support.dashboard.dashboards import Dashboard
from tests.support.dashboard.http_client import PASSWORD, BrowserClient
from tests.support.ports import free_port


@pytest.mark.slow
def test_first_password_requires_the_printed_code(tmp_path: Path) -> None:
    running = Dashboard(tmp_path, free_port(), needs_password=True).start()
    client = BrowserClient(running.port)

    def set_up(code: str = running.code, password: str = PASSWORD, again: str = PASSWORD) -> int:
        fields = {"code": code, "password": password, "again": again}
        return client.request("POST", address, fields).status

    address = client.request("GET", "/history?span=30&ended=left").getheader("location") or ""
    assert address == "/setup?next=/history%3Fspan%3D30%26ended%3Dleft"
    assert set_up(code='WRNG-"WRNG') == 403
    assert b'value="WRNG-&#34;WRNG"' in client.body
    assert set_up(again="x") == 400
    assert b"The two passwords differ." in client.body
    # The code is kept, the passwords are not, and the form still knows the page that was wanted.
    assert f'value="{running.code}"'.encode() in client.body
    assert PASSWORD.encode() not in client.body
    assert f'action="{address}"'.encode() in client.body
    assert set_up(password="short", again="short") == 400
    assert b"10 characters or more" in client.body
    fields = {"code": running.code.lower(), "password": PASSWORD, "again": PASSWORD}
    response = client.request("POST", address, fields)
    assert response.getheader("location") == "/history?span=30&ended=left"
    assert client.request("GET", "/").status == 200
    assert set_up() == 303  # a password is set: redirected to the log-in page
    running.stop()
    assert PASSWORD not in running.log() + running.output


@pytest.mark.slow
def test_login_survives_a_restart_but_not_a_logout(dashboard: Dashboard) -> None:
    client = BrowserClient(dashboard.port)
    assert client.log_in("wrong password") == 403
    assert client.request("GET", "/history").status == 303
    assert client.log_in() == 303
    assert client.request("GET", "/history").status == 200
    dashboard.stop()
    dashboard.start()
    assert client.request("GET", "/history").status == 200
    cookie = client.cookie
    assert client.request("POST", "/logout").status == 303
    client.cookie = cookie
    assert client.request("GET", "/history").status == 303


@pytest.mark.slow
def test_new_password_ends_all_login_sessions(dashboard: Dashboard) -> None:
    client = BrowserClient(dashboard.port)
    client.log_in()
    assert client.request("GET", "/").status == 200
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
    assert client.request("GET", "/").status == 303
    assert client.log_in("another password") == 303


@pytest.mark.slow
def test_wrong_passwords_delay_further_attempts(dashboard: Dashboard) -> None:
    client = BrowserClient(dashboard.port)
    statuses = [client.log_in(f"guess number {number}") for number in range(FREE_ATTEMPTS + 3)]
    assert statuses[:FREE_ATTEMPTS] == [403] * FREE_ATTEMPTS
    assert statuses[-1] == 429
    assert b"try again in" in client.body
    # The right password must wait, too: otherwise the answer would show that a guess was right.
    assert client.log_in() == 429


@pytest.mark.slow
def test_many_wrong_passwords_need_the_memory_of_one(dashboard: Dashboard) -> None:
    client = BrowserClient(dashboard.port)
    assert client.log_in() == 303
    before_mb = dashboard.memory_mb()
    statuses = send_wrong_passwords(dashboard.port, loopback_addresses(10), 4)
    assert set(statuses) <= {403, 429}
    assert statuses[403] >= 10
    # The hash of each thread that has ever hashed would add 19 MB.
    assert dashboard.memory_mb("VmHWM") < before_mb + 2 * 19
    assert client.log_in() == 303


@pytest.mark.slow
def test_wrong_passwords_count_after_a_crash(dashboard: Dashboard) -> None:
    client = BrowserClient(dashboard.port)
    for number in range(FREE_ATTEMPTS):
        assert client.log_in(f"guess number {number}") == 403
    dashboard.stop(signal.SIGKILL)
    dashboard.start()
    # A dashboard that has forgotten them would check all of these.
    assert 429 in {client.log_in(f"another guess {number}") for number in range(FREE_ATTEMPTS)}


@pytest.mark.slow
def test_attacker_at_the_same_address_does_not_lock_a_known_browser_out(
    dashboard: Dashboard,
) -> None:
    owner, attacker = BrowserClient(dashboard.port), BrowserClient(dashboard.port)
    assert owner.log_in() == 303
    assert owner.known_cookie
    guesses = [attacker.log_in(f"guess number {number}") for number in range(FREE_ATTEMPTS + 4)]
    assert 429 in guesses
    dashboard.stop()
    dashboard.start()
    for _ in range(32):
        assert owner.request("POST", "/logout").status == 303
        assert owner.log_in() == 303
        attacker.log_in("yet another guess")
    # Guessing makes no browser known, and a known browser is delayed, too.
    assert not attacker.known_cookie
    assert 429 in {owner.log_in(f"guess number {number}") for number in range(FREE_ATTEMPTS + 1)}
    assert owner.known_cookie


@pytest.mark.slow
def test_client_that_disconnects_while_it_sends_is_not_an_error(dashboard: Dashboard) -> None:
    head = f"host: 127.0.0.1:{dashboard.port}\r\norigin: {dashboard.address}\r\n"
    for _ in range(3):
        with socket.create_connection(("127.0.0.1", dashboard.port), timeout=30) as connection:
            connection.sendall(
                f"POST /login HTTP/1.1\r\n{head}expect: 100-continue\r\n"
                "content-length: 99\r\n\r\n".encode()
            )
            # The page has begun to read the form.
            assert connection.recv(100).startswith(b"HTTP/1.1 100")
    assert BrowserClient(dashboard.port).log_in() == 303
    dashboard.stop()
    assert "Traceback" not in dashboard.log()
    dashboard.start()


@pytest.mark.slow
def test_incomplete_form_times_out(dashboard: Dashboard) -> None:
    with socket.create_connection(("127.0.0.1", dashboard.port), timeout=30) as connection:
        connection.sendall(
            f"POST /login HTTP/1.1\r\nhost: 127.0.0.1:{dashboard.port}\r\norigin:"
            f" {dashboard.address}\r\ncontent-length: 99\r\n\r\npassword=".encode()
        )
        assert b" 408 " in connection.recv(100)


@pytest.mark.slow
def test_login_returns_to_the_requested_page(dashboard: Dashboard) -> None:
    client = BrowserClient(dashboard.port)
    wanted = "/health/door_1?span=7&x=%C3%A4"
    address = client.request("GET", wanted).getheader("location") or ""
    assert client.request("POST", address, {"password": "wrong password"}).status == 403
    assert f'action="{address}"'.encode() in client.body
    for page, target in ((address, wanted), ("/login?next=//evil.example", "/")):
        response = client.request("POST", page, {"password": PASSWORD})
        assert response.getheader("location") == target


@pytest.mark.slow
def test_form_that_is_too_large_counts_as_wrong(dashboard: Dashboard) -> None:
    client = BrowserClient(dashboard.port)
    assert client.log_in("x" * 9000) == 403
