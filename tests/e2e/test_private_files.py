"""Files of commands that a user runs by hand: other users cannot access them."""

from __future__ import annotations

import os
import stat
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cli_process import command, environment
from tests.support.mqtt.brokers import Mosquitto
from tests.support.ports import accepts
from tests.support.waiting import PATIENCE_S, wait_until

OTHERS = stat.S_IRWXG | stat.S_IRWXO


@pytest.fixture(autouse=True)
def _usual_umask() -> Iterator[None]:
    """Have the umask of most users, which lets everybody read new files."""
    previous = os.umask(0o022)
    yield
    os.umask(previous)


def run(state: Path, *arguments: str | Path) -> None:
    subprocess.run(
        command(arguments), env=environment(state), check=True, timeout=120, capture_output=True
    )


def accessible(folder: Path) -> set[str]:
    """Return the names of the files and folders below `folder` that other users can access."""
    found = [folder, *folder.rglob("*")]
    return {path.name for path in found if not path.is_symlink() and path.stat().st_mode & OTHERS}


def test_run_makes_private_files(tmp_path: Path, mosquitto: Mosquitto) -> None:
    config = tmp_path / "door.toml"
    config.write_text("[snapshot]\nenabled = true\n")
    state, events = tmp_path / "state", tmp_path / "events.jsonl"
    line = ("run", "--config", config, "--source", "demo", "--pace", "fast", "--events", events)
    broker = ("--broker", f"127.0.0.1:{mosquitto.port}")
    run(state, *line, *broker)
    names = {path.name for path in state.iterdir()}
    assert {"outbox.sqlite3", "outbox.sqlite3.seq", "snapshots"} <= names
    assert list((state / "snapshots").iterdir())
    assert accessible(state) == accessible(events) == set()

    # Files that an earlier version made for all users become private. What the user has opened to
    # a group stays so.
    for path in state.glob("outbox.sqlite3*"):
        path.chmod(0o644)
    events.chmod(0o640)
    run(state, *line, *broker)
    assert accessible(state) == set()
    assert stat.S_IMODE(events.stat().st_mode) == 0o640


def test_check_makes_private_files(tmp_path: Path, mosquitto: Mosquitto) -> None:
    state = tmp_path / "state"
    run(state, "check", "--source", "demo", "--broker", f"127.0.0.1:{mosquitto.port}")
    assert (state / "outbox.sqlite3").exists()
    assert accessible(state) == set()


def test_dashboard_makes_private_files(tmp_path: Path, mosquitto: Mosquitto) -> None:
    state = tmp_path / "state"
    wanted = {"dashboard.sqlite3", "dashboard-name", "dashboard.lock"}

    def serve() -> None:
        """Run the dashboard until it answers."""
        line = ("dashboard", "--port", "0", "--broker", f"127.0.0.1:{mosquitto.port}")
        process = subprocess.Popen(
            command(line), env=environment(state), stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        address = process.stdout.readline().removeprefix("Dashboard: ").strip()
        # The address is printed before the dashboard listens.
        port = int(address.rpartition(":")[2])
        wait_until(lambda: accepts(port), "the dashboard listens")
        with urllib.request.urlopen(f"{address}/login", timeout=PATIENCE_S) as response:
            assert response.status == 200
        assert wanted <= {path.name for path in state.iterdir()}
        assert accessible(state) == set()
        process.terminate()
        assert process.wait(PATIENCE_S) == 0
        process.stdout.close()

    serve()
    for name in wanted:
        (state / name).chmod(0o644)
    (state / "dashboard.lock").chmod(0o600)  # no version has made it for all users
    serve()
