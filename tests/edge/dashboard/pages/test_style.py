"""The style sheet, which all pages share."""

from __future__ import annotations

import re

import pytest

from edge.dashboard.pages.page_context import DASHBOARD_FOLDER

STYLE = (DASHBOARD_FOLDER / "static/style.css").read_text()
PAGES = {path.name: path.read_text() for path in (DASHBOARD_FOLDER / "templates").glob("*.html")}
#: A selector by identifier; colours are values, which end with `;`.
IDENTIFIERS = sorted(set(re.findall(r"#([a-z][a-z-]*)(?=[^{};]*\{)", STYLE)))


@pytest.mark.parametrize("name", IDENTIFIERS)
def test_rule_for_an_element_applies_to_one_page_only(name: str) -> None:
    # Otherwise it could change an element of another page that happens to have the same identifier.
    assert len([page for page, text in PAGES.items() if f'id="{name}"' in text]) == 1
