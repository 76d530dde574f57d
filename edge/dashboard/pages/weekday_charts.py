"""When alerts happen: a heat map of the hours of the week, and this week against the last one.

The heat map is a table whose cells contain their numbers, so that it needs no colours. Colours are
classes of the style sheet.
"""

from __future__ import annotations

from markupsafe import Markup

from edge.dashboard.pages.charts import short_number
from edge.dashboard.pages.weekday_counts import (
    DAYS_PER_WEEK,
    HOURS_PER_DAY,
    WeekComparison,
    WeekdayHours,
)

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
#: The number of shades of the heat map; a cell without alerts has none.
SHADES = 5
#: The size of the comparison, and the space above and below its bars. The text in it is 14 high.
WIDTH, HEIGHT, TOP, BOTTOM = 540, 216, 22, 26
BAR_WIDTH, GAP = 34.0, 3.0


def heat_map(counts: WeekdayHours) -> Markup:
    """Return a table with a row for each weekday and a column for each hour."""
    highest = max(map(max, counts))
    heads = "".join(f'<th scope="col">{hour}</th>' for hour in range(HOURS_PER_DAY))
    rows = "".join(
        f'<tr><th scope="row"><abbr title="{day}">{day[:3]}</abbr></th>'
        f"{''.join(_cell(count, highest) for count in row)}</tr>"
        for day, row in zip(WEEKDAYS, counts, strict=True)
    )
    return Markup(
        '<table class="heat"><caption class="unseen">Alerts by weekday and hour</caption>'
        f'<thead><tr><th scope="col">Hour</th>{heads}</tr></thead><tbody>{rows}</tbody></table>'
    )


def _cell(count: int, highest: int) -> str:
    shade = -(-SHADES * count // highest) if highest else 0
    text = f"{count}" if count < 10_000 else f"{count // 1000}k"
    return f'<td class="heat{shade}">{text}</td>'


def week_chart(weeks: WeekComparison) -> Markup:
    """Return a chart with two bars for each weekday: the last week, and this one."""
    top = max(1, *weeks.last_week, *weeks.this_week)
    body, parts = [], []
    for number, day in enumerate(WEEKDAYS):
        middle = WIDTH * (number + 0.5) / DAYS_PER_WEEK
        before = weeks.last_week[number]
        body.append(_bar("before", middle - BAR_WIDTH - GAP / 2, before, top))
        part = f"{day} {before} last week"
        if number < len(weeks.this_week):
            body.append(_bar("now", middle + GAP / 2, weeks.this_week[number], top))
            part += f", {weeks.this_week[number]} this week"
        body.append(_text("name", middle, HEIGHT - 6, day[:3]))
        parts.append(part)
    return Markup(
        f'<svg class="chart weeks" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"'
        f' aria-label="This week and the last one: {"; ".join(parts)}">{"".join(body)}</svg>'
    )


def compare_totals(weeks: WeekComparison) -> str:
    """Return one sentence about the two weeks up to the present time of the week."""
    now, before = sum(weeks.this_week), weeks.last_week_so_far
    difference = ""
    if before and now != before:
        percent = 100 * abs(now - before) / before
        difference = f" ({percent:,.0f}% {'more' if now > before else 'fewer'})"
    return (
        f"{now:,} so far this week, {before:,} in the last week until the same time{difference},"
        f" {sum(weeks.last_week):,} in the whole last week."
    )


def _bar(kind: str, x: float, value: int, top: int) -> str:
    height = (HEIGHT - TOP - BOTTOM) * value / top
    y = HEIGHT - BOTTOM - height
    return (
        f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{BAR_WIDTH}" height="{height:.1f}"/>'
        f"{_text('value', x + BAR_WIDTH / 2, y - 5, short_number(value))}"
    )


def _text(kind: str, x: float, y: float, text: str) -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="middle">{text}</text>'
