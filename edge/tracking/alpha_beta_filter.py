"""Where a face is heading: a filter over the boxes that a jittering detector gives."""

from __future__ import annotations

import math

from edge.common.arrays import Box

#: The filter looks back so far: long enough to average a detector's jitter away, short
#: enough to follow someone who stops or turns.
MEMORY_S = 0.6
#: … but over so many boxes at least, however slow the machine: two give a speed, a third
#: says whether it holds.
MEMORY_BOXES = 3
#: A speed is not carried farther than this into a gap: people stop.
MAX_EXTRAPOLATION_S = 0.7
#: A box this many face widths off is no jitter (of 6% at most, say): the person has set off
#: or stopped, and what was before says little of where to.
SURPRISE = 0.35
#: Share of a new box in the smoothed size; a size changes slowly, by walking nearer.
SIZE_GAIN = 0.3


class Motion:
    """Position, speed and size of one face.

    An alpha-beta filter with the gains of a growing memory, 2(2n-1)/(n(n+1)) and
    6/(n(n+1)): a least-squares line through the first n boxes, and from `MEMORY_S` on one
    that forgets. Positions are pixels of the frame, times seconds on the frames' clock; `at_s`
    is when it was last told a box.
    """

    def __init__(self, box_px: Box, at_s: float) -> None:
        """Standing still, as far as one box can tell."""
        self._x, self._y = centre(box_px)
        self._vx = self._vy = 0.0
        self._log_side = math.log(_side(box_px))
        self.at_s = at_s
        self._boxes = 1

    @property
    def side_px(self) -> float:
        """The smoothed width of the face, pixels."""
        return math.exp(self._log_side)

    def expected(self, at_s: float) -> tuple[float, float]:
        """Where the face's centre should be at `at_s`, pixels."""
        ahead_s = min(at_s - self.at_s, MAX_EXTRAPOLATION_S)
        return self._x + self._vx * ahead_s, self._y + self._vy * ahead_s

    def off(self, box_px: Box, at_s: float) -> float:
        """How far `box_px` lies from where the face should be, in face widths."""
        x, y = centre(box_px)
        ex, ey = self.expected(at_s)
        return math.hypot(x - ex, y - ey) / math.sqrt(self.side_px * _side(box_px))

    def grown(self, box_px: Box) -> float:
        """The width of `box_px` over the smoothed one, as a logarithm: 0 when equal."""
        return math.log(_side(box_px)) - self._log_side

    def coast(self, at_s: float) -> None:
        """Go on at the speed known so far up to `at_s`, unseen."""
        gap_s = at_s - self.at_s
        self._x, self._y = self._x + self._vx * gap_s, self._y + self._vy * gap_s
        self.at_s = at_s

    def take(self, box_px: Box, at_s: float) -> None:
        """Follow the face to `box_px`, seen at `at_s`."""
        surprised = self.off(box_px, at_s) > SURPRISE
        self._boxes = MEMORY_BOXES if surprised and self._boxes > MEMORY_BOXES else self._boxes + 1
        gap_s = at_s - self.at_s
        (x, y), (ex, ey) = centre(box_px), self.expected(at_s)
        if gap_s > 0.0:
            n = min(self._boxes, max(MEMORY_BOXES, MEMORY_S / gap_s))
            position = 2.0 * (2.0 * n - 1.0) / (n * (n + 1.0))
            speed = 6.0 / (n * (n + 1.0)) / gap_s
            self._vx += speed * (x - ex)
            self._vy += speed * (y - ey)
            self._x, self._y = ex + position * (x - ex), ey + position * (y - ey)
        self._log_side += max(SIZE_GAIN, 1.0 / self._boxes) * self.grown(box_px)
        self.at_s = at_s


def centre(box_px: Box) -> tuple[float, float]:
    """The middle of a box, pixels."""
    return box_px[0] + box_px[2] / 2.0, box_px[1] + box_px[3] / 2.0


def _side(box_px: Box) -> float:
    return max(1.0, math.sqrt(box_px[2] * box_px[3]))
