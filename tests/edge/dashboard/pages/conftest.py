from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.types import ASGIApp

from edge.dashboard.pages.app import make_app
from edge.dashboard.pages.page_context import PageContext
from tests.support.dashboard.page_contexts import page_context_in


@pytest.fixture
def context(tmp_path: Path) -> Iterator[PageContext]:
    with page_context_in(tmp_path) as context:
        yield context


@pytest.fixture
def app(context: PageContext) -> ASGIApp:
    """The application; a browser on this machine needs no password."""
    return make_app(context, password_on_loopback=False)
