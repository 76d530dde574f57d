from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.brokers import Mosquitto
from tests.support.dashboards import Dashboard, Device, chromium, playwright


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
    """A page that nothing goes wrong on: no script fails, nothing is forbidden by the policy."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    opened = context.new_page()
    opened.set_default_timeout(20_000)
    complaints: list[str] = []
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on(
        "console",
        lambda said: complaints.append(said.text) if "Content Security" in said.text else None,
    )
    opened.on("dialog", lambda dialog: (complaints.append("a dialog"), dialog.dismiss()))
    yield opened
    context.close()
    assert complaints == []


@pytest.fixture
def dashboard(tmp_path: Path, mosquitto: Mosquitto) -> Iterator[Dashboard]:
    running = Dashboard(tmp_path, mosquitto.port).start().connected()
    yield running
    assert running.stop() == 0


@pytest.fixture
def device(mosquitto: Mosquitto) -> Iterator[Device]:
    speaker = Device(mosquitto.broker)
    yield speaker
    speaker.close()
