"""The start of `mask-patrol dashboard`: addresses, wrong settings, and imported modules."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cli_process import command, environment, mask_patrol
from tests.support.dashboard.dashboards import Dashboard
from tests.support.ports import free_port


@pytest.fixture
def dashboard(tmp_path: Path) -> Iterator[Dashboard]:
    """A running dashboard without a broker."""
    running = Dashboard(tmp_path, free_port()).start()
    yield running
    assert running.stop() == 0


@pytest.mark.slow
def test_dashboard_listens_on_loopback_only(dashboard: Dashboard) -> None:
    hexadecimal = f"{dashboard.port:04X}"
    listening = [
        line.split()[1]
        for table in ("tcp", "tcp6")
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]
        if line.split()[3] == "0A" and line.split()[1].endswith(hexadecimal)
    ]
    assert listening == [f"0100007F:{hexadecimal}"]


def test_open_loopback_and_proxies_are_refused_together(tmp_path: Path) -> None:
    path = tmp_path / "both.toml"
    path.write_text('[dashboard]\npassword_on_loopback = false\nproxies = ["127.0.0.1"]\n')
    result = mask_patrol(tmp_path, "dashboard", "--config", path)
    assert result.returncode == 2
    assert "leave one of them out" in result.stderr


def test_wrong_broker_settings_leave_no_database(tmp_path: Path) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text('[mqtt]\nhost = "127.0.0.1"\npassword_file = "/nowhere/password"\n')
    result = mask_patrol(tmp_path, "dashboard", "--config", path)
    assert result.returncode in (1, 2)
    assert "/nowhere/password" in result.stderr
    assert not list(tmp_path.rglob("dashboard.sqlite3"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--port", "99999"), "`dashboard.port`"),
        (("--host", "nowhere.invalid"), "cannot listen on nowhere.invalid:8080"),
        (("--broker", "a b"), "--broker must be HOST"),
    ],
)
def test_invalid_options_are_reported_in_one_line(
    tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    result = mask_patrol(tmp_path, "dashboard", *arguments)
    assert result.returncode in (1, 2)
    assert message in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_missing_certificate_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "tls.toml"
    path.write_text('[dashboard]\ncert_file = "nowhere.pem"\n')
    result = mask_patrol(tmp_path, "dashboard", "--config", path)
    assert result.returncode == 1
    assert "cannot use dashboard.cert_file nowhere.pem" in result.stderr


@pytest.mark.slow
def test_second_dashboard_on_the_same_state_is_refused(dashboard: Dashboard) -> None:
    result = mask_patrol(dashboard.state, "dashboard", "--port", str(free_port()))
    assert result.returncode == 1
    assert "another dashboard uses" in result.stderr


@pytest.mark.slow
def test_occupied_port_is_reported(dashboard: Dashboard, tmp_path: Path) -> None:
    result = mask_patrol(tmp_path, "dashboard", "--port", str(dashboard.port))
    assert result.returncode == 1
    assert "Address already in use" in result.stderr


def test_other_commands_do_not_import_the_dashboard(tmp_path: Path) -> None:
    """A device that only publishes neither installs nor loads the libraries of the dashboard."""
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
