"""An alpha-beta filter that predicts where a face will be, from boxes with detector jitter."""

from __future__ import annotations

import math

from edge.common.arrays import Box

#: Length of the filter's memory: long enough to average out a detector's jitter, short enough
#: to follow a person who stops or turns.
MEMORY_S = 0.6
#: The smallest number of boxes in the memory, whatever the frame rate: two boxes give a speed,
#: and a third confirms it.
MEMORY_BOXES = 3
#: The longest time over which a speed is extrapolated, because people stop.
MAX_EXTRAPOLATION_S = 0.7
#: A distance of a box from the predicted position, in face widths, that jitter (at most about 0.06)
#: cannot explain: the person has started to walk or has stopped, and older boxes no longer predict
#: the movement.
MAX_JITTER = 0.35
#: Weight of a new box in the smoothed size. The size of a face changes slowly, as the person walks
#: nearer.
SIZE_GAIN = 0.3
#: The centre of a face in pixels (x, y), and the logarithm of its width in pixels.
Place = tuple[float, float, float]


class AlphaBetaFilter:
    """Position, speed and size of one face.

    The gains are those of a growing memory, 2(2n-1)/(n(n+1)) and 6/(n(n+1)): the filter fits a
    least-squares line to the first n boxes. Once the memory spans `MEMORY_S`, older boxes fade out.
    Positions are pixels of the frame; times are seconds on the clock of the frames. `at_s` is the
    time of the last update.
    """

    def __init__(self, box_px: Box, at_s: float) -> None:
        """Start at `box_px` with a speed of zero."""
        self._x, self._y = box_centre(box_px)
        self._vx = self._vy = 0.0
        self._log_side = math.log(_side(box_px))
        self.at_s = at_s
        self._boxes = 1

    @property
    def side_px(self) -> float:
        """The smoothed width of the face, in pixels."""
        return math.exp(self._log_side)

    @property
    def speed(self) -> float | None:
        """The speed in face widths a second; None after one box, which gives no speed."""
        if self._boxes < 2:
            return None
        return math.hypot(self._vx, self._vy) / self.side_px

    def predict(self, at_s: float) -> tuple[float, float]:
        """Return the predicted centre of the face at `at_s`, in pixels."""
        ahead_s = min(at_s - self.at_s, MAX_EXTRAPOLATION_S)
        return self._x + self._vx * ahead_s, self._y + self._vy * ahead_s

    def distance(self, box_px: Box, at_s: float) -> float:
        """Return the distance of `box_px` from the predicted position, in face widths."""
        return distance(self.place(at_s), place_of(box_px))

    def place(self, at_s: float) -> Place:
        """Return the predicted place of the face at `at_s`."""
        return (*self.predict(at_s), self._log_side)

    def log_growth(self, box_px: Box) -> float:
        """Return the logarithm of the width of `box_px` over the smoothed width."""
        return log_growth(self.place(self.at_s), place_of(box_px))

    def coast(self, at_s: float) -> None:
        """Advance to `at_s` at the present speed, without a box."""
        gap_s = at_s - self.at_s
        self._x, self._y = self._x + self._vx * gap_s, self._y + self._vy * gap_s
        self.at_s = at_s

    def rescale(self, x_factor: float, y_factor: float) -> None:
        """Convert everything to the pixels of a frame that is larger by these factors."""
        self._x, self._vx = self._x * x_factor, self._vx * x_factor
        self._y, self._vy = self._y * y_factor, self._vy * y_factor
        self._log_side += math.log(x_factor * y_factor) / 2.0

    def update(self, box_px: Box, at_s: float) -> None:
        """Correct position, speed and size by a box detected at `at_s`."""
        jumped = self.distance(box_px, at_s) > MAX_JITTER
        self._boxes = MEMORY_BOXES if jumped and self._boxes > MEMORY_BOXES else self._boxes + 1
        gap_s = at_s - self.at_s
        (x, y), (px, py) = box_centre(box_px), self.predict(at_s)
        if gap_s > 0.0:
            n = min(self._boxes, max(MEMORY_BOXES, MEMORY_S / gap_s))
            position_gain = 2.0 * (2.0 * n - 1.0) / (n * (n + 1.0))
            speed_gain = 6.0 / (n * (n + 1.0)) / gap_s
            self._vx += speed_gain * (x - px)
            self._vy += speed_gain * (y - py)
            self._x, self._y = px + position_gain * (x - px), py + position_gain * (y - py)
        self._log_side += max(SIZE_GAIN, 1.0 / self._boxes) * self.log_growth(box_px)
        self.at_s = at_s


def place_of(box_px: Box) -> Place:
    """Return the place of a box."""
    return (*box_centre(box_px), math.log(_side(box_px)))


def distance(a: Place, b: Place) -> float:
    """Return the distance of two faces, in face widths (the geometric mean of both widths)."""
    return math.hypot(a[0] - b[0], a[1] - b[1]) * math.exp(-(a[2] + b[2]) / 2.0)


def log_growth(before: Place, after: Place) -> float:
    """Return the logarithm of the ratio of two faces' widths."""
    return after[2] - before[2]


def box_centre(box_px: Box) -> tuple[float, float]:
    """Return the centre of a box, in pixels."""
    return box_px[0] + box_px[2] / 2.0, box_px[1] + box_px[3] / 2.0


def _side(box_px: Box) -> float:
    return max(1.0, math.sqrt(box_px[2] * box_px[3]))
