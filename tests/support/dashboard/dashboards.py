"""A real dashboard process, a real browser, and simulated devices."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import paho.mqtt.client as paho
import pytest

from edge.mqtt.broker import Broker
from tests.support.cli_process import command, environment
from tests.support.dashboard.events import encoded, end, start
from tests.support.ports import accepts, free_port
from tests.support.waiting import PATIENCE_S, wait_until

#: Options of Chromium: no background requests, no updates, and no sandbox, which root cannot use.
CHROMIUM_ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
#: The name of the user, for which the live page otherwise asks at the first acknowledgement.
SET_NAME = "localStorage.setItem('mask_patrol_name', 'Anna');"
#: Records when the card of each alert first appeared, by this machine's clock.
RECORD_APPEARANCES = """
window.appeared = {};
new MutationObserver(() => {
  for (const card of document.querySelectorAll("#alerts li"))
    window.appeared[card.dataset.episode] ??= Date.now() / 1000;
}).observe(document, { childList: true, subtree: true });
"""


def browser_path(is_complete: bool = False) -> str:
    """Return the path of Chromium; skip the test if it is not installed.

    The headless shell, which Debian packages separately, is the same browser without windows: a new
    page takes a quarter of the CPU time. With `is_complete` it does not count, because it never
    permits notifications.
    """
    names = ("chromium", "chromium-browser")
    names = names if is_complete else ("chromium-headless-shell", *names)
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        pytest.skip("no chromium is installed; `make test` installs it")
    return found


@contextmanager
def playwright() -> Iterator[Any]:
    """Run Playwright, which controls browsers; a process can run only one Playwright at a time."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        yield driver


@contextmanager
def chromium(driver: Any, *more: str, is_complete: bool = False) -> Iterator[Any]:
    """Run a browser with a new profile; `more` are additional arguments."""
    browser = driver.chromium.launch(
        executable_path=browser_path(is_complete), args=[*CHROMIUM_ARGUMENTS, *more]
    )
    yield browser
    browser.close()


def first_live_message(address: str, cookie: str = "") -> dict[str, Any]:
    """Return the first message of the live page's WebSocket of the dashboard at `address`."""
    from websockets.sync.client import connect

    headers = {"Cookie": cookie} if cookie else {}
    with connect(
        f"ws://{address}/live",
        origin=f"http://{address}",  # type: ignore[arg-type]
        additional_headers=headers,
    ) as live:
        return dict(json.loads(live.recv(10)))


class Dashboard:
    """`mask-patrol dashboard` as a process; it can be started and stopped repeatedly."""

    running: ClassVar[set[Dashboard]] = set()

    def __init__(
        self,
        folder: Path,
        broker_port: int,
        settings: str = "",
        needs_password: bool = False,
        prepare: Callable[[], None] | None = None,
    ):
        """Keep the files of the dashboard in `folder`.

        `needs_password`: whether browsers on this machine need a password. `prepare` is called in
        the new process before the dashboard starts in it.
        """
        self._prepare = prepare
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self.state = folder / "dashboard"
        self.state.mkdir(exist_ok=True)
        self.config = folder / "dashboard.toml"
        self.config.write_text(
            f'[mqtt]\nhost = "127.0.0.1"\nport = {broker_port}\n[dashboard]\n'
            f"password_on_loopback = {str(needs_password).lower()}\n{settings}"
        )
        self._process: subprocess.Popen[bytes] | None = None
        #: The output of the process until its start was complete.
        self.output = ""

    def start(self) -> Dashboard:
        output = self.state / "output"
        self._process = subprocess.Popen(
            command(("dashboard", "--config", self.config, "--port", str(self.port))),
            env=environment(self.state),
            stdout=output.open("w"),
            stderr=(self.state / "log").open("a"),
            preexec_fn=self._prepare,  # noqa: PLW1509 - the functions take no lock
        )
        self.running.add(self)
        process = self._process
        wait_until(lambda: process.poll() is not None or accepts(self.port), "the dashboard")
        assert process.poll() is None, self.log()
        self.output = output.read_text()
        return self

    def live_message(self) -> dict[str, Any]:
        """Return the first message of the live page, which must not need a password."""
        return first_live_message(f"127.0.0.1:{self.port}")

    def wait_connected(self) -> Dashboard:
        """Wait until the dashboard has subscribed; it does not receive messages sent earlier."""
        wait_until(lambda: self.live_message()["link"]["connected"], "the broker")
        return self

    @property
    def code(self) -> str:
        """Return the code for setting the first password, which the dashboard has printed."""
        found = re.search(r"the code (\S+)", self.output)
        assert found is not None, self.output
        return found[1]

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def log(self) -> str:
        return (self.state / "log").read_text()

    def memory_mb(self, kind: str = "VmRSS") -> float:
        """Return the memory of the process in MB; `kind` is a field of proc_pid_status(5)."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.split(f"{kind}:")[1].split()[0]) / 1024

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        if self._process is None:
            return 0
        self._process.send_signal(number)
        code = self._process.wait(PATIENCE_S)
        self._process = None
        self.running.discard(self)
        return code


class Device:
    """A simulated device; it waits until the broker has acknowledged each message."""

    def __init__(self, broker: Broker, name: str = "door1") -> None:
        self.name, self._seq, self._at_s = name, 0, 0.0
        self._client = paho.Client(paho.CallbackAPIVersion.VERSION2)
        self._client.connect(broker.host, broker.port)
        self._client.loop_start()
        self.send("status", b"online", retain=True)

    def send(self, leaf: str, body: bytes, retain: bool = False) -> None:
        """Publish a message of this device; `leaf` is the last level of the topic."""
        self.publish(f"maskpatrol/{self.name}/{leaf}", body, retain)

    def publish(self, topic: str, body: bytes, retain: bool = False, wait: bool = True) -> None:
        message = self._client.publish(topic, body, qos=1, retain=retain)
        if wait:
            message.wait_for_publish(20)
            assert message.is_published()

    def start_alert(self, **more: Any) -> dict[str, Any]:
        """Publish the start of an alert and return the event."""
        self._seq += 1
        # Two alerts in the same millisecond would have no defined order.
        self._at_s = max(time.time(), self._at_s + 0.002)
        body = start(self.name, self._seq, self._at_s, **more)
        self.send("events", encoded(body))
        return body

    def end_alert(self, of: dict[str, Any]) -> None:
        """Publish the end of the alert that began with the event `of`."""
        self._seq += 1
        self.send("events", encoded(end(of, self._seq)))

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def open_live_page(page: Any, address: str) -> Any:
    """Open the live page and wait until it shows the current state."""
    page.add_init_script(RECORD_APPEARANCES + SET_NAME)
    page.goto(address)
    page.wait_for_function("() => known.online && known.link.connected")
    return page
