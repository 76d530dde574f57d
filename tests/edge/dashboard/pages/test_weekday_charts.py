"""The heat map and the comparison of two weeks."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from edge.dashboard.pages.page_context import DASHBOARD_FOLDER
from edge.dashboard.pages.weekday_charts import (
    HEIGHT,
    SHADES,
    WIDTH,
    compare_totals,
    heat_map,
    week_chart,
)
from edge.dashboard.pages.weekday_counts import WeekComparison

STYLE = (DASHBOARD_FOLDER / "static/style.css").read_text()
#: The smallest contrast of text that WCAG 2 permits at level AA.
MIN_CONTRAST = 4.5


def luminance(colour: str) -> float:
    """Return the relative luminance of a colour such as `#14202e`, as WCAG 2 defines it."""
    parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(*colours: str) -> float:
    low, high = sorted(map(luminance, colours))
    return (high + 0.05) / (low + 0.05)


def test_heat_map_is_a_table_with_numbers() -> None:
    counts = [[0] * 24 for _ in range(7)]
    counts[0][8], counts[6][23], counts[6][22] = 100, 1, 12_345
    table = ElementTree.fromstring(str(heat_map(counts)))
    rows = list(table.iter("tr"))
    assert [cell.text for cell in rows[0]] == ["Hour", *map(str, range(24))]
    assert [row.find("th/abbr").attrib["title"] for row in rows[1:]][::6] == ["Monday", "Sunday"]  # type: ignore[union-attr]
    assert {len(row) for row in rows} == {25}
    monday, sunday = rows[1].findall("td"), rows[7].findall("td")
    assert [(monday[n].text, monday[n].attrib["class"]) for n in (7, 8)] == [
        ("0", "heat0"),
        ("100", "heat1"),
    ]
    assert [(cell.text, cell.attrib["class"]) for cell in sunday[22:]] == [
        ("12k", f"heat{SHADES}"),
        ("1", "heat1"),
    ]


def test_heat_map_without_alerts_has_no_shades() -> None:
    table = str(heat_map([[0] * 24 for _ in range(7)]))
    assert set(re.findall(r'class="(heat\d)"', table)) == {"heat0"}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_numbers_are_legible_on_every_shade(scheme: str) -> None:
    light, dark = STYLE.split("@media (prefers-color-scheme: dark)")[:2]
    colours = dict(re.findall(r"--([a-z0-9-]+): (#[0-9a-f]{6});", light.split("}")[0]))
    if scheme == "dark":
        colours |= dict(re.findall(r"--([a-z0-9-]+): (#[0-9a-f]{6});", dark.split("}")[0]))
    for shade in range(SHADES + 1):
        found = re.search(rf"(?m)^\.heat{shade} {{ (.*) }}$", STYLE)
        assert found is not None
        used = dict(re.findall(r"(background|color): var\(--([a-z0-9-]+)\);", found[1]))
        pair = colours[used["background"]], colours[used.get("color", "ink")]
        assert contrast(*pair) >= MIN_CONTRAST, (shade, pair)


def test_week_chart_shows_and_describes_its_values() -> None:
    weeks = WeekComparison((3, 0), (1, 2, 0, 0, 0, 0, 4000), 2)
    tree = ElementTree.fromstring(str(week_chart(weeks)))
    assert tree.attrib["aria-label"].startswith(
        "This week and the last one: Monday 1 last week, 3 this week; Tuesday 2 last week,"
        " 0 this week; Wednesday 0 last week; "
    )
    bars = list(tree.iter("rect"))
    assert [bar.attrib["class"] for bar in bars] == ["before", "now"] * 2 + ["before"] * 5
    for bar in bars:
        x, y, w, h = (float(bar.attrib[k]) for k in ("x", "y", "width", "height"))
        assert 0.0 <= x <= WIDTH - w
        assert 0.0 <= y <= HEIGHT - h
    texts = [text.text for text in tree.iter("text")]
    assert texts[:6] == ["1", "3", "Mon", "2", "0", "Tue"]
    assert "4k" in texts


@pytest.mark.parametrize(
    ("now", "before", "expected"),
    [
        (3, 2, "3 so far this week, 2 in the last week until the same time (50% more), 9"),
        (1, 4, "1 so far this week, 4 in the last week until the same time (75% fewer), 9"),
        (2, 2, "2 so far this week, 2 in the last week until the same time, 9"),
        (2, 0, "2 so far this week, 0 in the last week until the same time, 9"),
    ],
)
def test_totals_are_compared_in_a_sentence(now: int, before: int, expected: str) -> None:
    text = compare_totals(WeekComparison((now,), (9, 0, 0, 0, 0, 0, 0), before))
    assert text == f"{expected} in the whole last week."
