"""Charts: what they say in words, and that no name gets out of its text."""

from __future__ import annotations

from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from edge.dashboard.pages.charts import (
    HALF_TICK,
    HEIGHT,
    WIDTH,
    Column,
    bar_chart,
    column_chart,
    line_chart,
)

NO_MASK = {"no_mask": "no mask"}
figures = st.floats(0, 1e12, allow_nan=False)
HTML = '"><script>alert(1)</script>'


@given(st.lists(figures, max_size=40))
def test_bars_stay_within_the_picture(values: list[float]) -> None:
    bars = [Column(f"day {n}", str(n), {"no_mask": v}) for n, v in enumerate(values)]
    tree = ElementTree.fromstring(str(column_chart("Alerts", bars, NO_MASK)))
    for bar in tree.iter("rect"):
        x, y, w, h = (float(bar.attrib[k]) for k in ("x", "y", "width", "height"))
        assert x >= 0.0
        assert y >= 0.0
        assert x + w <= WIDTH + 0.1
        assert y + h <= HEIGHT + 0.1


def test_they_say_what_they_show() -> None:
    bars = [Column("Monday", "Mo", {"no_mask": 3}), Column("Tuesday", "Tu", {"no_mask": 5})]
    tree = ElementTree.fromstring(str(column_chart("Alerts", bars, NO_MASK)))
    assert tree.attrib["aria-label"] == "Alerts: 8 in total; maximum 5 (Tuesday)"
    assert [title.text for title in tree.iter("title")] == [
        "Monday: 3 no mask", "Tuesday: 5 no mask",
    ]  # fmt: skip
    tree = ElementTree.fromstring(str(bar_chart("By device", [("a", 3), ("b", 1)], "no_mask")))
    assert tree.attrib["aria-label"] == "By device: a 3, b 1"


def test_names_stay_text() -> None:
    for chart in (
        column_chart(HTML, [Column(HTML, HTML, {HTML: 1})], {HTML: HTML}),
        bar_chart(HTML, [(HTML, 1)], HTML),
        line_chart(HTML, [(0.0, 1.0)], 0.0, 1.0, [(0.5, HTML)], [(1.0, HTML)]),
    ):
        tree = ElementTree.fromstring(str(chart))
        assert not list(tree.iter("script"))


@given(st.lists(st.none() | st.floats(-1e6, 1e9, allow_nan=False), max_size=30))
def test_a_line_has_gaps_where_nothing_was_told(values: list[float | None]) -> None:
    points = [(60.0 * n, v) for n, v in enumerate(values)]
    tree = ElementTree.fromstring(str(line_chart("t", points, 0.0, 1800.0, [])))
    drawn = [path.attrib["d"] for path in tree.iter("path")]
    known = [v is not None for v in values]
    starts = sum(now and not before for before, now in zip([False, *known], known, strict=False))
    assert sum(d.count("M") for d in drawn) == starts


@given(st.integers(1, 400))
def test_no_label_reaches_out_at_the_right(count: int) -> None:
    bars = [Column("d", "28 Nov", {"no_mask": 1}) for _ in range(count)]
    tree = ElementTree.fromstring(str(column_chart("Alerts", bars, NO_MASK)))
    for text in tree.iter("text"):
        reach = {"middle": HALF_TICK, "end": 0}[text.attrib["text-anchor"]]
        assert float(text.attrib["x"]) + reach <= WIDTH
