from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.dashboard.dashboards import Dashboard, Device, chromium, playwright
from tests.support.mqtt.brokers import Mosquitto


@pytest.fixture(scope="module")
def driver() -> Iterator[Any]:
    with playwright() as running:
        yield running


@pytest.fixture(scope="module")
def browser(driver: Any) -> Iterator[Any]:
    with chromium(driver) as running:
        yield running


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A browser page; the test fails if a script fails or violates the Content Security Policy."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    opened = context.new_page()
    opened.set_default_timeout(20_000)
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.on(
        "console",
        lambda line: errors.append(line.text) if "Content Security" in line.text else None,
    )
    opened.on("dialog", lambda dialog: (errors.append("a dialog"), dialog.dismiss()))
    yield opened
    context.close()
    assert errors == []


@pytest.fixture
def dashboard(tmp_path: Path, mosquitto: Mosquitto) -> Iterator[Dashboard]:
    running = Dashboard(tmp_path, mosquitto.port).start().wait_connected()
    yield running
    assert running.stop() == 0


@pytest.fixture
def device(mosquitto: Mosquitto) -> Iterator[Device]:
    device = Device(mosquitto.broker)
    yield device
    device.close()
