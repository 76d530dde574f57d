"""Every page of the dashboard, and every look in which it must be legible."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2

from edge.dashboard.access.password import Password
from tests.support.dashboard.camera_daemon import camera_with_snapshot
from tests.support.dashboard.dashboards import Dashboard
from tests.support.dashboard.receivers import HttpReceiver, notify_rule
from tests.support.dashboard.sites import SimulatedSite, device_names, fill_history
from tests.support.footage.pictures import frames_without_mask
from tests.support.mqtt.brokers import Mosquitto

#: Width and height of a phone, a tablet, and a desktop.
SIZES = ((390, 844), (820, 1180), (1440, 900))
SCHEMES = ("light", "dark", "forced")
DEVICE_COUNTS = (0, 5, 505)
PASSWORD = "correct horse battery"


@dataclass(frozen=True)
class Look:
    """A size of the window in CSS pixels, and a colour scheme of `SCHEMES`."""

    width: int
    height: int
    scheme: str

    def apply(self, page: Any) -> None:
        """Give a page of the browser this look."""
        page.set_viewport_size({"width": self.width, "height": self.height})
        page.emulate_media(
            color_scheme="dark" if self.scheme == "dark" else "light",
            forced_colors="active" if self.scheme == "forced" else "none",
        )


LOOKS = tuple(Look(*size, scheme) for size in SIZES for scheme in SCHEMES)


def _shows_state(page: Any) -> None:
    page.wait_for_function("() => known.online && known.link.connected")
    page.wait_for_function("() => !known.devices.size || document.querySelector('#devices li')")


def _asks_for_the_name(page: Any) -> None:
    _shows_state(page)
    page.click("button.acknowledge >> nth=0")
    page.wait_for_selector("#name-dialog[open]")


def _check_picture(page: Any) -> None:
    encoded = cv2.imencode(".jpg", frames_without_mask()[0])[1].tobytes()
    file = {"name": "guest.jpg", "mimeType": "image/jpeg", "buffer": encoded}
    page.set_input_files("#files", file)
    page.wait_for_selector(".faces li")


def _shows_deliveries(page: Any) -> None:
    page.wait_for_selector(".dot.sent")
    page.wait_for_selector("#rule-chat .error")


def _send(page: Any, **fields: str) -> None:
    for name, value in fields.items():
        page.fill(f"#{name}", value)
    page.keyboard.press("Enter")
    page.wait_for_selector("[role=alert]")


@dataclass(frozen=True)
class PageCase:
    """One page in one state: a name for files, the path, and what to do or to wait for."""

    name: str
    path: str
    prepare: Callable[[Any], None] = lambda page: None
    #: Whether the page exists only with devices, or with False only without one; None: always.
    with_devices: bool | None = None
    needs_password: bool = False

    def open(self, page: Any, address: str) -> None:
        """Show the page in the browser, and wait until it is complete."""
        page.goto(address + self.path)
        page.wait_for_selector("main")
        self.prepare(page)


PAGE_CASES = (
    PageCase("live", "/", _shows_state),
    PageCase("live-name", "/", _asks_for_the_name, with_devices=True),
    PageCase("history", "/history?span=30"),
    PageCase("health", "/health"),
    PageCase("health-filtered", "/health?search=door&state=attention"),
    PageCase("device", "/health/door000", with_devices=True),
    PageCase("device-silent", "/health/door002", with_devices=True),
    PageCase("door", "/door/door000", with_devices=True),
    PageCase("door-links", "/health/door000/screen", with_devices=True),
    PageCase("display", "/display", _shows_state),
    PageCase("display-links", "/screens"),
    PageCase("forget", "/health/door002/forget", with_devices=True),
    PageCase("forget-silent", "/forget-silent"),
    PageCase("notifications", "/notifications", _shows_deliveries, with_devices=True),
    PageCase("notifications-none", "/notifications", with_devices=False),
    PageCase("check", "/check"),
    PageCase("check-result", "/check", _check_picture, with_devices=True),
    PageCase(
        "camera", "/camera", lambda page: page.wait_for_selector("#seen:text('1 person in view')"),
        with_devices=True,
    ),
    PageCase(
        "camera-away", "/camera", lambda page: page.wait_for_selector("#saved.error"),
        with_devices=False,
    ),
    PageCase("snapshots", "/camera/snapshots"),
    PageCase("error", "/nothing"),
    PageCase(
        "setup",
        "/setup",
        lambda page: _send(page, code="AAAA-BBBB-CCCC", password="x" * 10, again="x" * 10),
    ),
    PageCase(
        "login", "/login", lambda page: _send(page, password="not the password"),
        needs_password=True,
    ),
)  # fmt: skip


@contextmanager
def site(
    folder: Path, server: Mosquitto, devices: int, alerts: int
) -> Iterator[tuple[Dashboard, SimulatedSite]]:
    """Run a dashboard with this many devices and alerts, whose pages are all turned on.

    With devices, there are also a camera that sees somebody, and rules for notifications: one is
    delivered, one is not.
    """
    with ExitStack() as stack:
        socket, rules = folder / "none", ""
        if devices:
            socket = stack.enter_context(camera_with_snapshot())
            guard, chat = (
                stack.enter_context(HttpReceiver(behaviour)) for behaviour in ("accepts", "fails")
            )
            rules = notify_rule(folder, "guard", guard.address)
            rules += notify_rule(folder, "chat", chat.address, doors=["door0*"], cooldown_min=5)
            rules += '[[notify]]\nname = "phones"\npush = true\n'
        yield from _site(folder, server, devices, alerts, socket, rules)


def _site(
    folder: Path, server: Mosquitto, devices: int, alerts: int, socket: Path, rules: str
) -> Iterator[tuple[Dashboard, SimulatedSite]]:
    camera = f'[camera]\npreview = true\npreview_socket = "{socket}"\n'
    dashboard = Dashboard(folder, server.port, camera + "[snapshot]\nenabled = true\n" + rules)
    names = device_names(devices)
    fill_history(dashboard.state / "dashboard.sqlite3", alerts if names else 0, names)
    dashboard.start().wait_connected()
    simulated = SimulatedSite(server.broker, names)
    simulated.publish_all(dashboard)
    yield dashboard, simulated
    simulated.close()
    assert dashboard.stop() == 0


def page_cases(dashboard: Dashboard, devices: int) -> Iterator[PageCase]:
    """Yield the pages that exist with so many devices; those with a password come last."""
    cases = [case for case in PAGE_CASES if case.with_devices in (None, devices > 0)]
    yield from (case for case in cases if not case.needs_password)
    Password(dashboard.state / "dashboard-password").set(PASSWORD)
    yield from (case for case in cases if case.needs_password)
