"""The geometry, descriptions and escaping of the charts."""

from __future__ import annotations

import re
from itertools import groupby
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.dashboard.base.display_names import display_name
from edge.dashboard.pages.charts import (
    HALF_TICK,
    HEIGHT,
    WIDTH,
    Column,
    bar_chart,
    column_chart,
    line_chart,
    short_number,
)

NO_MASK = {"no_mask": "no mask"}
KINDS = {**NO_MASK, "incorrect_mask": "worn incorrectly"}
HTML = '"><script>alert(1)</script>'
values = st.floats(0, 1e12, allow_nan=False)


@given(st.lists(values, max_size=40))
def test_columns_stay_within_the_chart(heights: list[float]) -> None:
    columns = [Column(f"day {n}", str(n), {"no_mask": v}) for n, v in enumerate(heights)]
    tree = ElementTree.fromstring(str(column_chart("Alerts", columns, NO_MASK)))
    for rectangle in tree.iter("rect"):
        x, y, w, h = (float(rectangle.attrib[k]) for k in ("x", "y", "width", "height"))
        assert x >= 0.0
        assert y >= 0.0
        assert x + w <= WIDTH + 0.1
        assert y + h <= HEIGHT + 0.1


def test_column_chart_describes_its_values() -> None:
    columns = [
        Column("Monday", "Mo", {"no_mask": 3}),
        Column("Tuesday", "Tu", {"no_mask": 5}),
        Column("Wednesday", "We", {}),
    ]
    tree = ElementTree.fromstring(str(column_chart("Alerts", columns, NO_MASK)))
    assert tree.attrib["aria-label"] == "Alerts: 8 in total; maximum 5 (Tuesday)"
    titles = [title.text for title in tree.iter("title")]
    assert titles == ["Monday: 3 no mask", "Tuesday: 5 no mask", "Wednesday: none"]


def test_bar_chart_describes_its_values() -> None:
    long = Column("a-name-of-some-letters", "", {"incorrect_mask": 1, "no_mask": 2})
    chart = bar_chart("By device", [Column("a", "", {"no_mask": 4}), long], KINDS)
    tree = ElementTree.fromstring(str(chart))
    assert tree.attrib["aria-label"] == (
        "By device: a: 4 no mask; a-name-of-some-letters: 2 no mask, 1 worn incorrectly"
    )
    # The parts of a bar are side by side, each with its colour, and have the width of their number.
    places = [
        (r.attrib["class"], float(r.attrib["x"]), float(r.attrib["width"]))
        for r in tree.iter("rect")
        if r.attrib.get("class") in KINDS
    ]
    unit = places[0][2] / 4
    assert [(kind, x / unit, w / unit) for kind, x, w in places] == [
        ("no_mask", 0, 4),
        ("no_mask", 0, 2),
        ("incorrect_mask", 2, 1),
    ]


ACCENTED = "e\u0301"
FAMILY, THUMB = "\U0001f468\u200d\U0001f469\u200d\U0001f467", "\U0001f44d\U0001f3fd"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("入" * 20, "入" * 20),
        ("入" * 21, f"{'入' * 9}…{'入' * 9}"),
        ("a" * 64, f"{'a' * 19}…{'a' * 19}"),
        (display_name("door12", "w" * 64), f"\u2068{'w' * 13}…{'w' * 7}\u2069 (door12)"),
        (display_name("d" * 32, "w" * 64), f"\u2068{'w' * 13}…\u2069{'d' * 18})"),
        # Accents have no width, and stay with their letters.
        (ACCENTED * 41, ACCENTED * 41),
        (ACCENTED * 42, f"{ACCENTED * 19}…{ACCENTED * 19}"),
        (
            display_name("door12", ACCENTED * 32 + "a" * 20),
            f"\u2068{ACCENTED * 19}…{'a' * 10}\u2069 (door12)",
        ),
        # An emoji is not divided, and its joiners do not stay behind.
        (FAMILY * 12, f"{FAMILY * 3}…{FAMILY * 3}"),
        (THUMB * 16, f"{THUMB * 4}…{THUMB * 4}"),
        (f"\u2068{'a' * 60}\u200d\u2069{'b' * 30}", f"\u2068{'a' * 19}…\u2069{'b' * 19}"),
        ("x" * 60 + "\u200d", f"{'x' * 19}…{'x' * 19}\u200d"),
    ],
)
def test_long_name_keeps_its_end(name: str, shown: str) -> None:
    chart = bar_chart("By device", [Column(name, "", {"no_mask": 1})], NO_MASK)
    texts = [text.text for text in ElementTree.fromstring(str(chart)).iter("text")]
    assert texts == [shown, "1"]


def test_large_number_has_room_beside_its_bar() -> None:
    bars = [Column("a", "", {"no_mask": 999_999}), Column("b", "", {"no_mask": 1_234_567})]
    chart = str(bar_chart("By device", bars, NO_MASK))
    texts = [text.text for text in ElementTree.fromstring(chart).iter("text")]
    assert texts == ["a", "999,999", "b", "1.2M"]
    assert "1,234,567 no mask" in chart


def test_line_chart_describes_its_values() -> None:
    points = [(0.0, 2.0), (60.0, None), (120.0, 0.5)]
    tree = ElementTree.fromstring(str(line_chart("Frames", points, 0.0, 600.0, [])))
    assert tree.attrib["aria-label"] == "Frames: from 0.5 to 2, last 0.5"
    tree = ElementTree.fromstring(str(line_chart("Frames", [], 0.0, 600.0, [])))
    assert tree.attrib["aria-label"] == "Frames: no data"


def test_only_limits_near_the_line_are_drawn() -> None:
    limits = [(70.0, "warn"), (800.0, "bad")]
    chart = line_chart("Temperature", [(0.0, 65.0)], 0.0, 600.0, [], limits)
    classes = [line.attrib["class"] for line in ElementTree.fromstring(str(chart)).iter("line")]
    assert [name for name in classes if name != "grid"] == ["limit warn"]


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (0.25, "0.25"), (999.0, "999"), (1000.0, "1k"), (1240.0, "1.2k"), (9960.0, "10k"),
     (12_345.0, "12k"), (999_600.0, "1M"), (2.5e6, "2.5M"), (1e9, "1G"), (5e11, "500G"),
     (1e12, "1T"), (-1500.0, "-1.5k")],
)  # fmt: skip
def test_short_number_has_few_letters(value: float, text: str) -> None:
    assert short_number(value) == text


@given(st.integers(0, 10_000))
def test_axis_of_counts_has_whole_numbers(count: int) -> None:
    for chart in (
        column_chart("Alerts", [Column("today", "", {"no_mask": count})], NO_MASK),
        line_chart("Waiting", [(0.0, count)], 0.0, 600.0, [], are_counts=True),
    ):
        ticks = ElementTree.fromstring(str(chart)).iter("text")
        assert all(re.fullmatch(r"\d+k?", tick.text or "") for tick in ticks)


def test_names_are_escaped() -> None:
    for chart in (
        column_chart(HTML, [Column(HTML, HTML, {HTML: 1})], {HTML: HTML}),
        bar_chart(HTML, [Column(HTML, "", {HTML: 1})], {HTML: HTML}),
        line_chart(HTML, [(0.0, 1.0)], 0.0, 1.0, [(0.5, HTML)], [(1.0, HTML)]),
    ):
        tree = ElementTree.fromstring(str(chart))
        assert not list(tree.iter("script"))


@given(st.lists(st.none() | st.floats(-1e6, 1e9, allow_nan=False), max_size=30))
def test_line_is_interrupted_at_missing_values(measured: list[float | None]) -> None:
    points = [(60.0 * n, value) for n, value in enumerate(measured)]
    tree = ElementTree.fromstring(str(line_chart("t", points, 0.0, 1800.0, [])))
    lines = [path.attrib["d"] for path in tree.iter("path")]
    runs = [
        len(list(run))
        for is_known, run in groupby(measured, lambda value: value is not None)
        if is_known
    ]
    assert [d.count("M") + d.count("L") for d in lines] == [run for run in runs if run > 1]
    # One measurement between two gaps is a point that can be seen.
    assert len(list(tree.iter("circle"))) == runs.count(1)


@given(st.integers(1, 400))
def test_labels_stay_within_the_chart(count: int) -> None:
    columns = [Column("d", "28 Nov", {"no_mask": 1}) for _ in range(count)]
    tree = ElementTree.fromstring(str(column_chart("Alerts", columns, NO_MASK)))
    for text in tree.iter("text"):
        reach = {"middle": HALF_TICK, "end": 0}[text.attrib["text-anchor"]]
        assert float(text.attrib["x"]) + reach <= WIDTH
