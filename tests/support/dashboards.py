"""A real dashboard process, and a real browser before it."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import paho.mqtt.client as paho
import pytest

from edge.mqtt.broker import Broker
from tests.support.brokers import PATIENCE_S, accepts, free_port, wait_until
from tests.support.cli_process import command, environment
from tests.support.dashboard_events import encoded, end, start

START_S = 30.0
#: Nothing but pages: no look-ups, no updates, no sandbox that root could not have.
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
#: Tells when a card was first there, on the clock of the page, which is ours, too.
WATCH = """
window.appeared = {};
new MutationObserver(() => {
  for (const card of document.querySelectorAll("#alerts li"))
    window.appeared[card.dataset.episode] ??= Date.now() / 1000;
}).observe(document, { childList: true, subtree: true });
"""


def browser_path() -> str:
    """Where Chromium is; skips the test where there is none."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        pytest.skip("no chromium is installed; `make test` installs it")
    return found


@contextmanager
def playwright() -> Iterator[Any]:
    """What drives browsers; one at a time in a process."""
    from playwright.sync_api import sync_playwright  # of the extra `dev`, as all that tests need

    with sync_playwright() as driver:
        yield driver


@contextmanager
def chromium(driver: Any, *more: str) -> Iterator[Any]:
    """A browser that nothing was done with."""
    browser = driver.chromium.launch(executable_path=browser_path(), args=[*ARGUMENTS, *more])
    yield browser
    browser.close()


def first_news(address: str, cookie: str = "") -> dict[str, Any]:
    """What the live page of the dashboard at `address` is told at first."""
    from websockets.sync.client import connect

    headers = {"Cookie": cookie} if cookie else {}
    with connect(
        f"ws://{address}/live",
        origin=f"http://{address}",  # type: ignore[arg-type]
        additional_headers=headers,
    ) as live:
        return dict(json.loads(live.recv(10)))


class Dashboard:
    """`mask-patrol dashboard`; `start` and `stop` may be called again and again."""

    running: ClassVar[set[Dashboard]] = set()

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
        self.running.add(self)
        process = self._process
        wait_until(
            lambda: process.poll() is not None or accepts(self.port), "the dashboard", START_S
        )
        assert process.poll() is None, self.log()
        self.said = said.read_text()
        return self

    def news(self) -> dict[str, Any]:
        """What the live page is told at first; nobody may be asked for a password."""
        return first_news(f"127.0.0.1:{self.port}")

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
        self.running.discard(self)
        return code


class Device:
    """Says what a test has it say, acknowledged by the broker."""

    def __init__(self, broker: Broker, name: str = "door1") -> None:
        self.name, self._seq, self._at_s = name, 0, 0.0
        self._client = paho.Client(paho.CallbackAPIVersion.VERSION2)
        self._client.connect(broker.host, broker.port)
        self._client.loop_start()
        self.say("status", b"online", retain=True)

    def say(self, leaf: str, body: bytes, retain: bool = False) -> None:
        self.publish(f"maskpatrol/{self.name}/{leaf}", body, retain)

    def publish(self, topic: str, body: bytes, retain: bool = False, wait: bool = True) -> None:
        told = self._client.publish(topic, body, qos=1, retain=retain)
        if wait:
            told.wait_for_publish(20)
            assert told.is_published()

    def alert(self, **more: Any) -> dict[str, Any]:
        self._seq += 1
        # Of two in the same millisecond nobody could say which is newer.
        self._at_s = max(time.time(), self._at_s + 0.002)
        body = start(self.name, self._seq, self._at_s, **more)
        self.say("events", encoded(body))
        return body

    def over(self, of: dict[str, Any]) -> None:
        self._seq += 1
        self.say("events", encoded(end(of, self._seq)))

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def connected(page: Any, address: str) -> Any:
    """The live page, once it shows what is."""
    page.add_init_script(WATCH)
    page.goto(address)
    page.wait_for_function("() => known.online && known.link.connected")
    return page
