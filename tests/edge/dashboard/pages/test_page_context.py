"""The texts that several pages share, and the templates."""

from __future__ import annotations

import json
import re
from typing import get_args

import pytest
from starlette.requests import Request

from edge.dashboard.live.device_state import Condition
from edge.dashboard.pages.page_context import (
    CONDITION_EXPLANATIONS,
    CONDITIONS,
    DASHBOARD_FOLDER,
    LABELS,
    PageContext,
    sentence,
)


def texts_in_script(file: str, name: str) -> dict[str, str]:
    """Return the texts in the object `name` of the script `file`."""
    script = (DASHBOARD_FOLDER / "static" / file).read_text()
    found = re.search(rf"const {name} = (\{{[^}}]*\}})", script)
    assert found is not None
    quoted = re.sub(r"(\w+):", r'"\1":', re.sub(r",\s*\}", "}", found[1]))
    return dict(json.loads(quoted))


def test_scripts_and_templates_use_the_same_texts() -> None:
    assert texts_in_script("common.js", "LABELS") == LABELS
    assert texts_in_script("live_view.js", "CONDITIONS") == CONDITIONS


def test_every_condition_has_texts() -> None:
    assert set(CONDITIONS) == set(CONDITION_EXPLANATIONS) == set(get_args(Condition))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("no broker", "No broker."),
        ("is the port right?", "Is the port right?"),
        ("Connecting …", "Connecting …"),
    ],
)
def test_sentence_has_capital_and_full_stop(text: str, expected: str) -> None:
    assert sentence(text) == expected


def test_values_are_escaped(context: PageContext) -> None:
    request = Request(
        {
            "type": "http", "method": "GET", "path": "/", "query_string": b"", "scheme": "http",
            "headers": [(b"host", b"localhost")], "server": ("localhost", 80), "root_path": "",
        }
    )  # fmt: skip
    page = context.render_error(request, 404, "<script>alert(1)</script>")
    assert page.status_code == 404
    assert b"&lt;script&gt;alert(1)&lt;/script&gt;" in page.body
