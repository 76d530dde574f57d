from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.camera.fake_camera import capture_threads, wait_for_threads


@pytest.fixture(autouse=True)
def _no_reader_thread_is_left() -> Iterator[None]:
    """Fail a test whose reader threads do not end."""
    before = len(capture_threads())
    yield
    wait_for_threads(before)
