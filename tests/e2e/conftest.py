from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.dashboards import chromium, playwright


@pytest.fixture(scope="module")
def driver() -> Iterator[Any]:
    with playwright() as running:
        yield running


@pytest.fixture(scope="module")
def browser(driver: Any) -> Iterator[Any]:
    with chromium(driver) as running:
        yield running
