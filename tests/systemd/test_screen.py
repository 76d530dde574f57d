"""The unit of the screen at the door on a booted Debian, with the real compositor and browser.

The compositor draws into memory (wlroots' headless backend), because a container has no display.
"""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cli_process import ROOT, mask_patrol
from tests.support.dashboard.dashboards import Dashboard
from tests.support.mqtt.brokers import Mosquitto
from tests.support.ports import free_port
from tests.support.systemd.debian_container import Machine, require_tools
from tests.support.waiting import wait_until

UNIT = "mask-patrol-screen.service"
PACKAGES = ("cage", "seatd", "chromium", "fonts-noto-core")
#: Time until the browser has started in the container.
START_S = 180.0
HEADLESS = """[Unit]
ConditionPathExistsGlob=
[Service]
Environment=WLR_BACKENDS=headless WLR_LIBINPUT_NO_DEVICES=1 WLR_RENDERER=pixman
"""
#: The command of the release, which the container lacks: copies the page that the real one made.
COMMAND = """#!/bin/sh
cp /root/start.html "$5" && chmod 644 "$5"
"""


class Screen:
    """A container that runs the unit; `port` is that of the browser's remote debugging."""

    def __init__(self, machine: Machine, page: str) -> None:
        self.machine, self.port = machine, free_port()
        root = machine.root
        (root / "root/start.html").write_text(page)
        command = root / "opt/mask-patrol/current/bin/mask-patrol"
        command.parent.mkdir(parents=True)
        command.write_text(COMMAND)
        command.chmod(0o755)
        unit = (ROOT / "systemd/units" / UNIT).read_text()
        debugged = unit.replace("--kiosk", f"--kiosk --remote-debugging-port={self.port}")
        units = root / "etc/systemd/system"
        (units / UNIT).write_text(debugged)
        (units / f"{UNIT}.d").mkdir()
        (units / f"{UNIT}.d/headless.conf").write_text(HEADLESS)

    def pages(self) -> list[str]:
        """Return the addresses of the pages that the browser shows."""
        try:
            address = f"http://127.0.0.1:{self.port}/json"
            with urllib.request.urlopen(address, timeout=5.0) as answer:
                return [page["url"] for page in json.load(answer) if page["type"] == "page"]
        except OSError:
            return []

    def wait_for(self, address: str) -> None:
        wait_until(lambda: self.pages() == [address], f"the browser shows {address}", START_S)


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    require_tools()
    machine = Machine(tmp_path / "root", "trixie", PACKAGES)
    yield machine
    machine.remove()


@pytest.mark.soak
def test_screen_waits_for_the_dashboard_and_starts_again(
    machine: Machine, tmp_path: Path, mosquitto: Mosquitto
) -> None:
    dashboard = Dashboard(tmp_path, mosquitto.port)
    config = tmp_path / "door.toml"
    config.write_text(f'device = "door1"\n[dashboard]\nport = {dashboard.port}\n')
    page = tmp_path / "start.html"
    result = mask_patrol(tmp_path, "screen", "--config", config, "--page", page)
    assert (result.returncode, result.stderr) == (0, "")
    screen = Screen(machine, page.read_text())
    machine.boot()
    machine.run("systemctl", "start", UNIT)
    screen.wait_for("file:///run/mask-patrol-screen/start.html")
    dashboard.start()
    screen.wait_for(f"{dashboard.address}/door/door1")
    browser = machine.run("pgrep", "--oldest", "chromium").stdout.strip()
    status = machine.run("cat", f"/proc/{browser}/status").stdout
    assert "NoNewPrivs:\t1" in status
    assert "Uid:\t0" not in status
    machine.run("kill", "-KILL", browser)
    wait_until(lambda: machine.property("NRestarts", UNIT) == "1", "the restart", START_S)
    screen.wait_for(f"{dashboard.address}/door/door1")
    assert dashboard.stop() == 0
