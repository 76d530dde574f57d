"""Make the screenshots of the dashboard in edge/dashboard/assets.

A real dashboard shows simulated devices; its Camera page shows a real daemon on the demo clip. The
script needs mosquitto and Chromium. Run it with `python -m tests.demo.make_dashboard_pictures`.
"""

from __future__ import annotations

import math
import random
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import paho.mqtt.client as paho

from edge.common.paths import PACKAGE
from edge.dashboard.access.password import Password
from tests.support.cli_process import command, environment
from tests.support.dashboard.dashboards import Dashboard, chromium, playwright
from tests.support.dashboard.events import encoded, end, start
from tests.support.footage.demo_frames import demo_frame
from tests.support.mqtt.brokers import Mosquitto
from tests.support.waiting import wait_until

ASSETS = PACKAGE / "dashboard" / "assets"
DOORS = ("main-entrance", "loading-bay", "garden-door", "canteen", "reception")
#: Days of simulated alerts, and the most alerts per day.
DAYS, MAX_PER_DAY = 9, 34
DESKTOP, PHONE = (1280, 800), (390, 780)
GAP_PX, WEBP_QUALITY = 16, 72
#: Width of each picture that the script writes.
PICTURE_WIDTH_PX = 1800
#: Rows of screenshots, each with the path of a page and a colour scheme.
DESKTOP_ROWS = (
    (("/", "light"), ("/", "dark")),
    (("/history", "light"), ("/health", "dark")),
    (("/camera", "light"), ("/check", "dark")),
)
PHONE_ROWS = (
    (("/", "light"), ("/", "dark"), ("/history", "light"), ("/health", "dark"),
     ("/camera", "light"), ("/login", "dark")),
)  # fmt: skip


class SimulatedDevices:
    """Publishes messages in the names of all devices in `DOORS`."""

    def __init__(self, port: int) -> None:
        self._seq = dict.fromkeys(DOORS, 0)
        self._client = paho.Client(paho.CallbackAPIVersion.VERSION2)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    def publish(self, door: str, leaf: str, body: bytes) -> None:
        qos = 0 if leaf == "health" else 1
        message = self._client.publish(f"maskpatrol/{door}/{leaf}", body, qos, leaf != "events")
        message.wait_for_publish(10)

    def alert(self, door: str, at_s: float, lasted_s: float | None, by: str = "left", **more: Any):
        """Publish an alert and, unless `lasted_s` is None, its end."""
        self._seq[door] += 1
        body = start(door, self._seq[door], at_s, **more)
        self.publish(door, "events", encoded(body))
        if lasted_s is not None:
            self._seq[door] += 1
            self.publish(door, "events", encoded(end(body, self._seq[door], lasted_s, by)))

    def publish_history(self) -> None:
        """Publish the alerts of some days, most of them in the daytime."""
        rng = random.Random(4)
        times = []
        for day in range(1, DAYS):
            for _ in range(MAX_PER_DAY - 3 * (day % 4)):
                hour = min(20.0, max(6.0, rng.gauss(13.0, 3.2)))
                times.append((time.time() // 86_400 - day) * 86_400 + 3600 * hour)
        for at_s in sorted(times):
            door = rng.choices(DOORS, (9, 5, 2, 6, 4))[0]
            label = "incorrect_mask" if rng.random() < 0.22 else "no_mask"
            by = "masked" if rng.random() < 0.6 else "left"
            score = round(rng.uniform(0.78, 0.99), 2)
            self.alert(door, at_s, rng.uniform(2, 40), by, label=label, score=score)

    def publish_state(self) -> None:
        """Publish the current state of each device, and three recent alerts."""
        for number, door in enumerate(DOORS):
            stalled = door == "garden-door"
            self.publish(door, "status", b"offline" if door == "canteen" else b"online")
            people = (2, 0, 0, 0, 1)[number]
            self.publish(door, "state", encoded({"no_mask": number == 0, "people": people}))
            warnings = ["camera: no picture for 12 s; opening it again"] if stalled else []
            health = {
                "camera": "stalled" if stalled else "ok", "fps": 0.4 if stalled else 9.9,
                "frame_age_s": 12.3 if stalled else 0.1, "memory_mb": 94 + 7 * number,
                "temperature_c": (61, 74, 52, 58, 66)[number], "outbox_depth": 0,
                "events_dropped": 0, "restarts": number // 4, "warnings": warnings,
                "stages_ms": {"frame": {"p50": 31, "p95": 48 + 19 * number}},
            }  # fmt: skip
            self.publish(door, "health", encoded(health))
            self.publish(door, "info", encoded({"version": "0.1.0", "machine": "aarch64"}))
        now_s = time.time()
        self.alert("reception", now_s - 340, 11.0, "masked", score=0.88)
        self.alert("loading-bay", now_s - 95, 24.0, "left", score=0.97)
        self.alert("main-entrance", now_s - 7, None, score=0.95)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@contextmanager
def running_daemon(folder: Path, camera: str) -> Iterator[None]:
    """Run the daemon on the demo clip; the daemon publishes nothing."""
    config = folder / "daemon.toml"
    config.write_text(f'device = "door1"\n{camera}\n')
    daemon = subprocess.Popen(
        command(("run", "--source", "demo", "--config", config, "--no-mqtt")),
        env=environment(folder / "daemon-state"),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    wait_until((folder / "preview").is_socket, "the daemon's socket")
    yield
    daemon.terminate()
    daemon.wait(30)


def checked_picture(folder: Path) -> Path:
    """Write a picture with two frames of the demo clip side by side."""
    frames = [demo_frame(at_s) for at_s in (5.0, 20.0)]
    path = folder / "entrance.jpg"
    cv2.imwrite(str(path), np.hstack(frames))
    return path


def take_screenshot(
    browser: Any, address: str, path: str, size: tuple[int, int], scheme: str, picture: Path
):
    """Return a screenshot of the page `path`; `picture` is uploaded to the Check page."""
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]}, color_scheme=scheme,
        device_scale_factor=1.5 if size == PHONE else 1,
    )  # fmt: skip
    page = context.new_page()
    page.goto(address + path)
    if path == "/":
        page.wait_for_selector("#alerts li.open")
    if path == "/check":
        page.set_input_files("#files", str(picture))
        page.wait_for_selector(".result img")
        if size == PHONE:
            page.locator(".result").scroll_into_view_if_needed()
    if path == "/camera":
        page.wait_for_selector("#seen:has-text('in view')")
        page.fill("#corners", "0.04, 0.05\n0.96, 0.05\n0.96, 0.95\n0.04, 0.95")
        page.wait_for_function("() => seen.textContent.startsWith('1 person')", timeout=60_000)
        page.wait_for_timeout(2500)  # until the person is classified
        page.evaluate("document.activeElement.blur(); scrollTo(0, 0)")
    if path == "/login":
        page.fill("#password", "a password")
    page.wait_for_timeout(400)
    raw = page.screenshot()
    context.close()
    return cv2.imdecode(np.frombuffer(raw, np.uint8), cv2.IMREAD_COLOR)


def arrange(rows: list[list[Any]]) -> Any:
    """Return the pictures in rows, with a gap around each picture."""

    def with_gap(picture: Any) -> Any:
        return cv2.copyMakeBorder(
            picture, GAP_PX, 0, GAP_PX, 0, cv2.BORDER_CONSTANT, value=(160, 150, 140)
        )

    joined = np.vstack([np.hstack([with_gap(p) for p in row]) for row in rows])
    return cv2.copyMakeBorder(
        joined, 0, GAP_PX, 0, GAP_PX, cv2.BORDER_CONSTANT, value=(160, 150, 140)
    )


def write_webp(name: str, picture: Any, width: int) -> None:
    height = math.ceil(picture.shape[0] * width / picture.shape[1])
    small = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    ASSETS.mkdir(exist_ok=True)
    cv2.imwrite(str(ASSETS / name), small, [cv2.IMWRITE_WEBP_QUALITY, WEBP_QUALITY])


def main() -> None:
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        server = Mosquitto(folder).start()
        camera = f'[camera]\npreview = true\npreview_socket = "{folder}/preview"'
        dashboard = Dashboard(folder, server.port, f"{camera}\n").start()
        devices = SimulatedDevices(server.port)
        picture = checked_picture(folder)
        with playwright() as driver, chromium(driver) as browser:
            page = browser.new_page()
            page.goto(dashboard.address)
            page.wait_for_function("() => known.online && known.link.connected")
            devices.publish_history()
            devices.publish_state()
            page.wait_for_selector("#alerts li.open")
            page.close()
            Password(dashboard.state / "dashboard-password").set("a good password")
            for name, size, rows in (
                ("desktop", DESKTOP, DESKTOP_ROWS),
                ("phone", PHONE, PHONE_ROWS),
            ):
                screenshots = []
                for row in rows:
                    row_screenshots = []
                    for path, scheme in row:
                        is_camera = path == "/camera"
                        with running_daemon(folder, camera) if is_camera else nullcontext():
                            screenshot = take_screenshot(
                                browser, dashboard.address, path, size, scheme, picture
                            )
                        row_screenshots.append(screenshot)
                    screenshots.append(row_screenshots)
                write_webp(f"{name}.webp", arrange(screenshots), PICTURE_WIDTH_PX)
        devices.close()
        dashboard.stop()
        server.stop()


if __name__ == "__main__":
    main()
