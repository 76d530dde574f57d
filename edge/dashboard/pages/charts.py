"""Charts as SVG: bars and lines that take their colours from the page's style.

All text in them is escaped; each has words for who does not see it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

WIDTH, HEIGHT = 540, 210
LEFT, RIGHT, TOP, BOTTOM = 52, 8, 12, 28
#: Labels below the bars, at most, and how far one reaches to each side on a phone.
TICKS, HALF_TICK = 6, 36
#: A kind is told by its colour and, for who does not see that, by being hatched.
HATCHED = frozenset({"incorrect_mask"})
HATCH = (
    '<defs><pattern id="hatch" width="7" height="7" patternUnits="userSpaceOnUse"'
    ' patternTransform="rotate(45)"><rect class="between" x="0" y="0" width="2.5" height="7"/>'
    "</pattern></defs>"
)


@dataclass(frozen=True)
class Column:
    """A bar: what it is called in full, what stands below it, and its parts by kind."""

    name: str
    tick: str
    parts: Mapping[str, float]

    @property
    def total(self) -> float:
        """Its height."""
        return sum(self.parts.values())


def columns(title: str, bars: Sequence[Column], kinds: Sequence[str]) -> Markup:
    """Stacked columns; a part of kind k has the class `k`."""
    top = _round_up(max((bar.total for bar in bars), default=0.0))
    step = (WIDTH - LEFT - RIGHT) / max(1, len(bars))
    body = [HATCH, _grid(top)]
    every = max(1, math.ceil(len(bars) / TICKS))
    for number, bar in enumerate(bars):
        x, y = LEFT + number * step, float(HEIGHT - BOTTOM)
        shown = ", ".join(f"{_plain(bar.parts[k])} {k.replace('_', ' ')}" for k in kinds
                          if bar.parts.get(k))  # fmt: skip
        body.append(f"<g><title>{escape(bar.name)}: {escape(shown or 'none')}</title>")
        body.append(
            f'<rect class="hit" x="{x:.1f}" y="{TOP}" width="{step:.2f}"'
            f' height="{HEIGHT - TOP - BOTTOM}"/>'
        )
        for kind in kinds:
            height = (HEIGHT - TOP - BOTTOM) * bar.parts.get(kind, 0.0) / top
            y -= height
            if height > 0.0:
                gap = min(2.0, step * 0.15)
                place = (
                    f'x="{x + gap / 2:.1f}" y="{y:.1f}"'
                    f' width="{max(0.5, step - gap):.2f}" height="{height:.1f}"'
                )
                body.append(f'<rect class="{escape(kind)}" {place}/>')
                if kind in HATCHED:
                    body.append(f'<rect fill="url(#hatch)" {place}/>')
        body.append("</g>")
        if number % every == 0:
            body.append(_tick(x + step / 2, bar.tick))
    total = sum(bar.total for bar in bars)
    most = max(bars, key=lambda bar: bar.total, default=None)
    words = f"{title}: {_plain(total)} in all"
    if most is not None and most.total:
        words += f"; most, {_plain(most.total)}, {most.name}"
    return _svg(words, "".join(body))


def rows(title: str, values: Sequence[tuple[str, float]], kind: str) -> Markup:
    """Lying bars with their names and values."""
    line, name_width = 27, 190
    height = max(1, len(values)) * line + 6
    top = max((value for _, value in values), default=0.0) or 1.0
    body = []
    for number, (name, value) in enumerate(values):
        y = number * line + 4
        length = (WIDTH - name_width - 70) * value / top
        shown = name if len(name) <= 20 else f"{name[:19]}…"
        body.append(
            f"<g><title>{escape(name)}: {_plain(value)}</title>"
            f'<text class="name" x="{name_width - 8}" y="{y + 15}" text-anchor="end">'
            f"{escape(shown)}</text>"
            f'<rect class="{escape(kind)}" x="{name_width}" y="{y + 2}"'
            f' width="{max(1.0, length):.1f}" height="{line - 10}"/>'
            f'<text class="value" x="{name_width + length + 6:.1f}" y="{y + 15}">'
            f"{_plain(value)}</text></g>"
        )
    words = f"{title}: " + ", ".join(f"{name} {_plain(value)}" for name, value in values)
    return _svg(words, "".join(body), height)


def line(
    title: str,
    points: Sequence[tuple[float, float | None]],
    from_s: float,
    to_s: float,
    ticks: Sequence[tuple[float, str]],
    limits: Sequence[tuple[float, str]] = (),
) -> Markup:
    """A line over time (x in seconds); `limits` are drawn across with the class given, if the
    line comes near. Where nothing was told for long, the line is broken."""
    known = [value for _, value in points if value is not None]
    top = _round_up(max(known, default=0.0))
    near = [(at, kind) for at, kind in limits if at <= 1.25 * top]
    top = max([top, *(_round_up(at) for at, _ in near)])
    body = [_grid(top)]

    def place(at_s: float, value: float) -> tuple[float, float]:
        x = LEFT + (WIDTH - LEFT - RIGHT) * (at_s - from_s) / max(1.0, to_s - from_s)
        return x, HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * max(0.0, value) / top

    for at, kind in near:
        _, y = place(from_s, at)
        body.append(
            f'<line class="limit {escape(kind)}" x1="{LEFT}" x2="{WIDTH - RIGHT}"'
            f' y1="{y:.1f}" y2="{y:.1f}"/>'
        )
    path, before_s = [], -math.inf
    max_s = max(300.0, (to_s - from_s) / 60.0)
    for at_s, value in points:
        if value is None:
            before_s = -math.inf
            continue
        x, y = place(at_s, value)
        # h0: a point that stands alone is a dot.
        joined = at_s - before_s <= max_s
        path.append(f"L{x:.1f} {y:.1f}" if joined else f"M{x:.1f} {y:.1f}h0")
        before_s = at_s
    body.append(f'<path class="curve" d="{" ".join(path)}"/>' if path else "")
    for at_s, text in ticks:
        x, _ = place(at_s, 0.0)
        body.append(_tick(x, text))
    words = f"{title}: nothing was told"
    if known:
        words = (
            f"{title}: from {_plain(min(known))} to {_plain(max(known))}, last {_plain(known[-1])}"
        )
    return _svg(words, "".join(body))


def _tick(x: float, text: str) -> str:
    """A label below `x`, all of it within the picture."""
    anchor = "middle"
    if x > WIDTH - HALF_TICK:
        x, anchor = float(WIDTH), "end"
    return (
        f'<text class="tick" x="{x:.1f}" y="{HEIGHT - 8}" text-anchor="{anchor}">'
        f"{escape(text)}</text>"
    )


def _grid(top: float) -> str:
    lines = []
    for part in (0.0, 0.5, 1.0):
        y = HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * part
        lines.append(
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text class="tick" x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">'
            f"{_plain(top * part)}</text>"
        )
    return "".join(lines)


def _svg(words: str, body: str, height: int = HEIGHT) -> Markup:
    return Markup(
        f'<svg class="chart" viewBox="0 0 {WIDTH} {height}" role="img"'
        f' aria-label="{escape(words)}">{body}</svg>'
    )


def _round_up(value: float) -> float:
    """The next 1, 2, 4 or 10 times a power of ten: halves of these read well."""
    if not value > 1e-12 or not math.isfinite(value):
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1.0, 2.0, 4.0, 10.0) if value <= step * power * 1.0001)


def _plain(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"
