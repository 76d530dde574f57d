from __future__ import annotations

import pytest

from edge.dashboard.base.display_names import END, ISOLATE, display_name


@pytest.mark.parametrize(
    ("title", "shown"),
    [
        ("Tür 1", f"{ISOLATE}Tür 1{END} (door1)"),
        ("door2", f"{ISOLATE}door2{END} (door1)"),  # the title may be the name of another device
        ("door1", "door1"),
        ("", "door1"),
    ],
)
def test_title_stands_beside_the_name(title: str, shown: str) -> None:
    assert display_name("door1", title) == shown
