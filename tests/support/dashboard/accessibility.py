"""Checks of a page with axe, which finds what keeps people with a disability from using it."""

from __future__ import annotations

from typing import Any

import pytest


def violations(page: Any) -> list[str]:
    """Return what axe finds wrong with the page that is open; skip the test without axe."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", exc_type=ImportError)
    results = axe.Axe().run(page)
    return [
        f"{page.url}: {found['id']}: {found['help']}: {node['html'][:200]}"
        for found in results.response["violations"]
        for node in found["nodes"]
    ]
