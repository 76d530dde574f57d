"""Charts as SVG: columns, bars and lines, with the colours of the style sheet.

All text in them is escaped. Each chart has a description for screen readers.
"""

from __future__ import annotations

import itertools
import math
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from edge.config.title import DIRECTION_CONTROLS

WIDTH, HEIGHT = 540, 216
LEFT, RIGHT, TOP, BOTTOM = 58, 8, 12, 34
#: Maximum number of labels below the columns.
MAX_TICKS = 5
#: Half the width of a label on a phone, where the text is largest in relation to the chart.
HALF_TICK = 36
#: Names that are wider than this many small Latin letters are shortened. So many have room on a
#: phone, also in DejaVu Sans, which is wider than most fonts.
MAX_NAME_WIDTH = 41.0
#: Numbers from here on are shortened beside a bar.
MAX_BAR_VALUE = 1e6
#: In a bar chart: the height of a name and its bar, that of the bar, and the room for its value.
BAR_STEP, BAR_HEIGHT, VALUE_WIDTH = 44, 17, 100
#: Joins an emoji to the next one; and what, like accents, cannot stand without the letter before
#: it: joiners and skin tones.
JOINER = "\u200d"
ATTACHED = frozenset(f"{JOINER}\u200c\U0001f3fb\U0001f3fc\U0001f3fd\U0001f3fe\U0001f3ff")
#: The radius of a point that no line joins to another one.
POINT_RADIUS = 2.5
#: A line is interrupted between two points whose distance in time is larger than both this time and
#: this share of the chart's period.
MAX_POINT_DISTANCE_S, MAX_POINT_DISTANCE_SHARE = 300.0, 1 / 60
#: Kinds that are hatched, so that they can be distinguished without seeing the colour.
HATCHED = frozenset({"incorrect_mask"})
HATCH = (
    '<defs><pattern id="hatch" width="7" height="7" patternUnits="userSpaceOnUse"'
    ' patternTransform="rotate(45)"><rect class="between" x="0" y="0" width="2.5" height="7"/>'
    "</pattern></defs>"
)


@dataclass(frozen=True)
class Column:
    """One column or bar: its full name, the label below it if it has one, and its parts.

    `parts` has the number of each kind.
    """

    name: str
    tick: str
    parts: Mapping[str, float]

    @property
    def total(self) -> float:
        """Return the height of the whole column."""
        return sum(self.parts.values())

    def describe(self, kinds: Mapping[str, str]) -> str:
        """Return the name, and the parts with the texts of `kinds`."""
        parts = [
            f"{_format_number(self.parts[kind])} {text}"
            for kind, text in kinds.items()
            if self.parts.get(kind)
        ]
        return f"{self.name}: {', '.join(parts) or 'none'}"


def column_chart(title: str, columns: Sequence[Column], kinds: Mapping[str, str]) -> Markup:
    """Return a chart of stacked columns; `kinds` maps each kind of part to its text.

    A part has its kind as its CSS class.
    """
    top = _round_up(max((column.total for column in columns), default=0.0), are_counts=True)
    step = (WIDTH - LEFT - RIGHT) / max(1, len(columns))
    body = [HATCH, _grid(top)]
    ticks = [number for number, column in enumerate(columns) if column.tick]
    shown_ticks = set(ticks[:: max(1, math.ceil(len(ticks) / MAX_TICKS))])
    for number, column in enumerate(columns):
        x = LEFT + number * step
        body.append(_column(column, kinds, x, step, top))
        if number in shown_ticks:
            body.append(_tick(x + step / 2, column.tick))
    total = sum(column.total for column in columns)
    highest = max(columns, key=lambda column: column.total, default=None)
    description = f"{title}: {_format_number(total)} in total"
    if highest is not None and highest.total:
        description += f"; maximum {_format_number(highest.total)} ({highest.name})"
    return _svg(description, "".join(body))


def _column(column: Column, kinds: Mapping[str, str], x: float, step: float, top: float) -> str:
    """Return one column with a title for the mouse pointer; the axis ends at `top`."""
    body = [
        f"<g><title>{escape(column.describe(kinds))}</title>",
        f'<rect class="hit" x="{x:.1f}" y="{TOP}" width="{step:.2f}"'
        f' height="{HEIGHT - TOP - BOTTOM}"/>',
    ]
    gap = min(2.0, step * 0.15)
    y = float(HEIGHT - BOTTOM)
    for kind in kinds:
        height = (HEIGHT - TOP - BOTTOM) * column.parts.get(kind, 0.0) / top
        y -= height
        if height > 0.0:
            body.append(_part(kind, x + gap / 2, y, max(0.5, step - gap), height))
    return "".join([*body, "</g>"])


def _part(kind: str, x: float, y: float, width: float, height: float) -> str:
    """Return a rectangle with the colour of `kind` and, if it belongs to the kind, its hatch."""
    position = f'x="{x:.1f}" y="{y:.1f}" width="{width:.2f}" height="{height:.1f}"'
    hatch = f'<rect fill="url(#hatch)" {position}/>' if kind in HATCHED else ""
    return f'<rect class="{escape(kind)}" {position}/>{hatch}'


def _letter_width(letter: str) -> float:
    """Return roughly how wide a letter is, in widths of a small Latin letter."""
    if unicodedata.category(letter) in ("Cf", "Mn", "Me"):  # invisible, or above or below another
        return 0.0
    if unicodedata.east_asian_width(letter) in "WF":
        return 2.0
    return 1.5 if letter.isupper() or letter in "mw@%" else 1.0


def _split(name: str) -> list[str]:
    """Return the parts of `name` between which it may be cut.

    A letter stays with its accents, and an emoji with its skin tone and what is joined to it.
    """
    parts: list[str] = []
    for letter in name:
        is_attached = unicodedata.category(letter) in ("Mn", "Mc", "Me") or letter in ATTACHED
        if parts and (is_attached or parts[-1].endswith(JOINER)):
            parts[-1] += letter
        else:
            parts.append(letter)
    return parts


def _shorten(name: str) -> str:
    """Return `name` as far as it has room above a bar.

    The middle is left out: the identifier is at the end, and often also what tells doors apart.
    """
    parts = _split(name)
    widths = [sum(map(_letter_width, part)) for part in parts]
    if sum(widths) <= MAX_NAME_WIDTH:
        return name
    # The ellipsis is as wide as a capital.
    room = (MAX_NAME_WIDTH - 1.5) / 2
    first = sum(total <= room for total in itertools.accumulate(widths))
    last = len(parts) - sum(total <= room for total in itertools.accumulate(reversed(widths)))
    # Marks of the direction come in pairs: without the second one, the rest would be isolated, too.
    marks = filter(DIRECTION_CONTROLS.__contains__, "".join(parts[first:last]))
    return "".join([*parts[:first], "…", *marks, *parts[last:]])


def bar_chart(title: str, bars: Sequence[Column], kinds: Mapping[str, str]) -> Markup:
    """Return a chart of stacked horizontal bars, each below its name and before its value.

    `kinds` is that of `column_chart`.
    """
    scale = (WIDTH - VALUE_WIDTH) / (max((bar.total for bar in bars), default=0.0) or 1.0)
    body = [HATCH]
    for number, bar in enumerate(bars):
        x, y = 0.0, number * BAR_STEP + 16
        body.append(
            f"<g><title>{escape(bar.describe(kinds))}</title>"
            f'<text class="name" x="0" y="{y}">{escape(_shorten(bar.name))}</text>'
        )
        for kind in kinds:
            if value := bar.parts.get(kind, 0.0):
                body.append(_part(kind, x, y + 6, max(1.0, value * scale), BAR_HEIGHT))
                x += value * scale
        format_value = _format_number if bar.total < MAX_BAR_VALUE else short_number
        body.append(
            f'<text class="value" x="{x + 6:.1f}" y="{y + 20}">{format_value(bar.total)}</text></g>'
        )
    description = f"{title}: {'; '.join(bar.describe(kinds) for bar in bars)}"
    return _svg(description, "".join(body), max(1, len(bars)) * BAR_STEP)


def line_chart(
    title: str,
    points: Sequence[tuple[float, float | None]],
    from_s: float,
    to_s: float,
    ticks: Sequence[tuple[float, str]],
    limits: Sequence[tuple[float, str]] = (),
    are_counts: bool = False,
) -> Markup:
    """Return a chart of one line over time, from `from_s` to `to_s` (seconds since the epoch).

    `limits` are horizontal lines, each with its value and its CSS class; a limit that is far above
    the line is left out. The line is interrupted where values are missing. `are_counts`: whether
    the values are whole numbers.
    """
    known = [value for _, value in points if value is not None]
    top = _round_up(max(known, default=0.0), are_counts)
    near_limits = [(limit, kind) for limit, kind in limits if limit <= 1.25 * top]
    top = max([top, *(_round_up(limit) for limit, _ in near_limits)])

    def position(at_s: float, value: float) -> tuple[float, float]:
        x = LEFT + (WIDTH - LEFT - RIGHT) * (at_s - from_s) / max(1.0, to_s - from_s)
        return x, HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * max(0.0, value) / top

    body = [_grid(top)]
    for limit, kind in near_limits:
        _, y = position(from_s, limit)
        body.append(
            f'<line class="limit {escape(kind)}" x1="{LEFT}" x2="{WIDTH - RIGHT}"'
            f' y1="{y:.1f}" y2="{y:.1f}"/>'
        )
    max_distance_s = max(MAX_POINT_DISTANCE_S, (to_s - from_s) * MAX_POINT_DISTANCE_SHARE)
    for joined in _joined(points, max_distance_s):
        places = [position(at_s, value) for at_s, value in joined]
        if len(places) == 1:
            x, y = places[0]
            body.append(f'<circle class="point" cx="{x:.1f}" cy="{y:.1f}" r="{POINT_RADIUS}"/>')
        else:
            line = "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
            body.append(f'<path class="curve" d="M{line}"/>')
    for at_s, text in ticks:
        x, _ = position(at_s, 0.0)
        body.append(_tick(x, text))
    description = "no data"
    if known:
        low, high, last = (_format_number(value) for value in (min(known), max(known), known[-1]))
        description = f"from {low} to {high}, last {last}"
    return _svg(f"{title}: {description}", "".join(body))


def _joined(
    points: Sequence[tuple[float, float | None]], max_distance_s: float
) -> list[list[tuple[float, float]]]:
    """Return the points that have a value, in groups that one line joins."""
    groups: list[list[tuple[float, float]]] = []
    previous_s = -math.inf
    for at_s, value in points:
        if value is None:
            previous_s = -math.inf
            continue
        if at_s - previous_s > max_distance_s:
            groups.append([])
        groups[-1].append((at_s, value))
        previous_s = at_s
    return groups


def _tick(x: float, text: str) -> str:
    """Return a label below `x`, moved to the left if it would leave the chart."""
    anchor = "middle"
    if x > WIDTH - HALF_TICK:
        x, anchor = float(WIDTH), "end"
    return (
        f'<text class="tick" x="{x:.1f}" y="{HEIGHT - 8}" text-anchor="{anchor}">'
        f"{escape(text)}</text>"
    )


def _grid(top: float) -> str:
    """Return three horizontal lines with their values, from 0 to `top`."""
    lines = []
    for share in (0.0, 0.5, 1.0):
        y = HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share
        lines.append(
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text class="tick" x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">'
            f"{short_number(top * share)}</text>"
        )
    return "".join(lines)


def _svg(description: str, body: str, height: int = HEIGHT) -> Markup:
    return Markup(
        f'<svg class="chart" viewBox="0 0 {WIDTH} {height}" role="img"'
        f' aria-label="{escape(description)}">{body}</svg>'
    )


def _round_up(value: float, are_counts: bool = False) -> float:
    """Round up to 1, 2 or 4 times a power of ten; half of such a number has few digits, too.

    For counts the result is 2 or more, so that half of it is a whole number.
    """
    if are_counts:
        value = max(value, 2.0)
    if not value > 1e-12 or not math.isfinite(value):
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1.0, 2.0, 4.0, 10.0) if value <= step * power * 1.0001)


def _format_number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"


def short_number(value: float) -> str:
    """Return a number as text of few letters, such as 950, 1.2k, 12k, 3M."""
    for unit, text in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        scaled = value / unit
        if abs(scaled) >= 0.9995:
            return f"{scaled:.{int(abs(scaled) < 9.95)}f}".removesuffix(".0") + text
    return _format_number(value)
