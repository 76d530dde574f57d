"""A real dashboard process, and a real browser before it."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import connect

from tests.brokers import PATIENCE_S, accepts, free_port, wait_until
from tests.commands import command, environment

START_S = 30.0
#: Nothing but pages: no look-ups, no updates, no sandbox that root could not have.
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip


def browser_path() -> str:
    """Where Chromium is; skips the test where there is none."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        pytest.skip("no chromium is installed; `make test` installs it")
    return found


@contextmanager
def playwright() -> Iterator[Any]:
    """What drives browsers; one at a time in a process."""
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as driver:
        yield driver


@contextmanager
def chromium(driver: Any, *more: str) -> Iterator[Any]:
    """A browser that nothing was done with."""
    browser = driver.chromium.launch(executable_path=browser_path(), args=[*ARGUMENTS, *more])
    yield browser
    browser.close()


def first_news(port: int) -> dict[str, Any]:
    """What the live page of the dashboard at `port` is told at first."""
    address = f"127.0.0.1:{port}"
    with connect(f"ws://{address}/live", origin=f"http://{address}") as live:  # type: ignore[arg-type]
        return dict(json.loads(live.recv(10)))


class Dashboard:
    """`mask-patrol dashboard`; `start` and `stop` may be called again and again."""

    def __init__(self, folder: Path, broker_port: int, settings: str = "", open_to_us: bool = True):
        """`open_to_us`: nobody on this machine is asked for a password."""
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self.state = folder / "dashboard"
        self.state.mkdir(exist_ok=True)
        self.config = folder / "dashboard.toml"
        self.config.write_text(
            f'[mqtt]\nhost = "127.0.0.1"\nport = {broker_port}\n[dashboard]\n'
            f"password_on_loopback = {str(not open_to_us).lower()}\n{settings}"
        )
        self._process: subprocess.Popen[bytes] | None = None
        self.said = ""

    def start(self) -> Dashboard:
        said = self.state / "said"
        self._process = subprocess.Popen(
            command(("dashboard", "--config", self.config, "--port", str(self.port))),
            env=environment(self.state),
            stdout=said.open("w"),
            stderr=(self.state / "log").open("a"),
        )
        process = self._process
        wait_until(
            lambda: process.poll() is not None or accepts(self.port), "the dashboard", START_S
        )
        assert process.poll() is None, self.log()
        self.said = said.read_text()
        return self

    def news(self) -> dict[str, Any]:
        """What the live page is told at first; nobody may be asked for a password."""
        return first_news(self.port)

    def connected(self) -> Dashboard:
        """Once it has subscribed: what is published before that is not for it."""
        wait_until(lambda: self.news()["link"]["connected"], "the broker")
        return self

    @property
    def code(self) -> str:
        """What it printed for the first password."""
        found = re.search(r"the code (\S+)", self.said)
        assert found is not None, self.said
        return found[1]

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def log(self) -> str:
        return (self.state / "log").read_text()

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        if self._process is None:
            return 0
        self._process.send_signal(number)
        code = self._process.wait(PATIENCE_S)
        self._process = None
        return code
