from __future__ import annotations

from pathlib import Path

import pytest

from edge.common.errors import UsageError
from edge.config.settings import Settings, change, load_settings
from edge.config.title import MAX_CHARACTERS, title_mistake

#: Titles in several scripts, with marks of HTML, MQTT and templates, and with joined characters.
TITLES = (
    "", "Tür 1", "入口", "מסדרון ראשי", "Eingang / Lager #2 +", "<b>Küche</b>", "{{ 7 * 7 }} %s",
    "👩‍🏭 Werk", "می‌خواهم", "a" * MAX_CHARACTERS, "😀" * MAX_CHARACTERS,
)  # fmt: skip


@pytest.mark.parametrize("title", TITLES)
def test_any_text_in_one_line_is_a_title(title: str) -> None:
    assert title_mistake(title) == ""
    settings = change(Settings(), title=title, camera={"title": title})
    assert (settings.title, settings.camera.title) == (title, title)


@pytest.mark.parametrize(
    ("title", "why"),
    [
        ("a" * (MAX_CHARACTERS + 1), "at most 64 characters, and this one has 65"),
        *((f"a{char}b", f"U+{ord(char):04X}") for char in "\0\t\n\r\x1b\x7f\x85\u2028\u2029"),
        *((f"a{char}b", f"U+{ord(char):04X}") for char in "\ud800\u202a\u202e\u2066\u2068\u2069"),
        (" a", "begin or end with a space"),
        ("a\u00a0", "begin or end with a space"),
        (" ", "begin or end with a space"),
    ],
)
def test_mistake_in_a_title_is_explained(title: str, why: str) -> None:
    assert why in title_mistake(title)


@pytest.mark.parametrize("section", ["", "[camera]\n"])
def test_mistake_in_the_file_names_the_setting(tmp_path: Path, section: str) -> None:
    path = tmp_path / "door.toml"
    path.write_text(f'{section}title = "{"x" * 65}"\n', encoding="utf-8")
    with pytest.raises(UsageError, match="`title`: a title has at most 64") as caught:
        load_settings(path)
    assert ("`camera`" in str(caught.value)) is bool(section)
    path.write_text(f'{section}title = "a\\u202eb"\n', encoding="utf-8")
    with pytest.raises(UsageError, match=r"this one contains U\+202E: remove it"):
        load_settings(path)
