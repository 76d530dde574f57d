"""Every page of the dashboard, and every look in which it must be legible."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.dashboard.access.password import Password
from tests.support.dashboard.dashboards import Dashboard
from tests.support.dashboard.sites import SimulatedSite, device_names, fill_history
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
    needs_device: bool = False
    needs_password: bool = False

    def open(self, page: Any, address: str) -> None:
        """Show the page in the browser, and wait until it is complete."""
        page.goto(address + self.path)
        page.wait_for_selector("main")
        self.prepare(page)


PAGE_CASES = (
    PageCase("live", "/", _shows_state),
    PageCase("live-name", "/", _asks_for_the_name, needs_device=True),
    PageCase("history", "/history?span=30"),
    PageCase("health", "/health"),
    PageCase("health-filtered", "/health?search=door&state=attention"),
    PageCase("device", "/health/door000", needs_device=True),
    PageCase("device-silent", "/health/door002", needs_device=True),
    PageCase("door", "/door/door000", needs_device=True),
    PageCase("door-links", "/health/door000/screen", needs_device=True),
    PageCase("display", "/display", _shows_state),
    PageCase("display-links", "/screens"),
    PageCase("forget", "/health/door002/forget", needs_device=True),
    PageCase("forget-silent", "/forget-silent"),
    PageCase("notifications", "/notifications"),
    PageCase("check", "/check"),
    PageCase("camera", "/camera", lambda page: page.wait_for_selector("#saved.error")),
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
    """Run a dashboard with this many devices and alerts, whose pages are all turned on."""
    camera = f'[camera]\npreview = true\npreview_socket = "{folder}/none"\n'
    dashboard = Dashboard(folder, server.port, camera + "[snapshot]\nenabled = true\n")
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
    cases = [case for case in PAGE_CASES if devices or not case.needs_device]
    yield from (case for case in cases if not case.needs_password)
    Password(dashboard.state / "dashboard-password").set(PASSWORD)
    yield from (case for case in cases if case.needs_password)
