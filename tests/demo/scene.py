"""Draws the entrance, the counter in front of it, and the people who walk through."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import cv2
import numpy as np
from cutouts import Cutout, Floats

WIDTH, HEIGHT, FPS = 640, 480, 15
#: The edges of the doorway in pixels (left, top, right). The doorway is wide enough for people
#: whose faces are `DOOR_FACE_PX` wide.
DOORWAY = (178, 38, 470)
#: The y position of the counter, which hides the lower edge of the portraits at the waist.
COUNTER_Y = 390
#: A person is behind the wall while the face is narrower than this, and later in front of the wall.
DOOR_FACE_PX = 57.0
#: The width of the face at the start of the way in, when the person is out of sight.
FAR_FACE_PX = 48.0
#: Durations of the way in and of the way out.
ENTER_S, LEAVE_S = 1.5, 0.8
#: For motion blur, a moving person is drawn once for each BLUR_STEP_PX pixels of movement in a
#: frame, at most MAX_SUBFRAMES times.
BLUR_STEP_PX, MAX_SUBFRAMES = 2.0, 10
NOISE = 1.3 / 255


def eye_height(face_px: float) -> float:
    """Return the y position of the eyes, in pixels, of a face that is `face_px` wide."""
    return 260.0 - 0.963 * face_px


#: Returns the cut-out of a person at a time, in seconds since the start of the visit.
Looks = Callable[[float], Cutout]


@dataclass(frozen=True)
class Visit:
    """One person's path through the scene; times are seconds of the clip.

    `looks` returns the cut-out at a time, in seconds since `start_s`. The person comes in from
    behind the wall on the side of `from_x`, stands at `stand_x`, and walks out of
    the picture at `leave_x`.
    """

    start_s: float
    stay_s: float
    looks: Looks
    from_x: float
    stand_x: float
    leave_x: float
    face_px: float
    light: float = 1.0
    warmth: float = 0.0
    bare_until_s: float = np.inf
    masked_from_s: float = np.inf
    phase: float = 0.0
    lower_px: float = 0.0
    _cache: dict[int, list[Floats]] = field(default_factory=dict, repr=False)

    @property
    def end_s(self) -> float:
        """The time from which the person is out of the picture."""
        return self.leaves_s + LEAVE_S

    @property
    def stands_from_s(self) -> float:
        """The time at which the person stops walking."""
        return self.start_s + ENTER_S

    @property
    def leaves_s(self) -> float:
        """The time at which the person starts to leave."""
        return self.stands_from_s + self.stay_s

    def stands(self, time_s: float) -> bool:
        """Return whether the person stands still at `time_s`."""
        return self.stands_from_s <= time_s < self.leaves_s

    def standing(self) -> list[tuple[str, tuple[float, float]]]:
        """Return the times in which the person stands bare and masked, as (name, (from, to))."""
        spans = []
        if self.bare_until_s > 0:
            spans.append(("bare", (self.stands_from_s, min(self.leaves_s, self.bare_until_s))))
        if self.masked_from_s < self.leaves_s:
            spans.append(("masked", (max(self.stands_from_s, self.masked_from_s), self.leaves_s)))
        return spans

    def place(self, t: float) -> tuple[float, float, float]:
        """Return the eye point (x, y) and the face width in pixels, `t` seconds after `start_s`."""
        door_x = (DOORWAY[0] + DOORWAY[2]) / 2
        if t < ENTER_S + self.stay_s:
            p = min(t / ENTER_S, 1.0)
            p = 1 - (1 - p) ** 1.7
            face = np.interp(p, (0, 0.42, 1), (FAR_FACE_PX, DOOR_FACE_PX, self.face_px))
            x = np.interp(p, (0, 0.42, 1), (self.from_x, door_x, self.stand_x))
            step = np.clip((1 - p) * 3, 0, 1)
        else:
            p = ((t - ENTER_S - self.stay_s) / LEAVE_S) ** 1.5
            face = self.face_px * (1 + 0.30 * p)
            x = self.stand_x + (self.leave_x - self.stand_x) * p
            step = np.clip(p * 3, 0, 1)
        unit, turn = float(face) / 100, 2 * np.pi * t
        x += unit * (1.8 * np.sin(0.43 * turn + self.phase) + 2.5 * step * np.sin(1.0 * turn))
        y = eye_height(float(face)) + unit * (
            self.lower_px + 0.8 * np.sin(0.31 * turn + self.phase) + 4.0 * step * np.sin(2.0 * turn)
        )
        return float(x), float(y), float(face)

    def subframes(self, time_s: float) -> int:
        """Return how often the person is drawn for one frame, so that movement blurs."""
        x0, y0, face0 = self.place(time_s - self.start_s)
        x1, y1, face1 = self.place(min(time_s + 0.5 / FPS, self.end_s) - self.start_s)
        way = max(abs(x1 - x0), abs(y1 - y0), 2 * abs(face1 - face0))
        return int(np.clip(np.ceil(way / BLUR_STEP_PX), 1, MAX_SUBFRAMES))

    def draw(self, canvas: Floats, time_s: float, doorway: Floats) -> Floats:
        """Return `canvas` with this person, drawn in the state at `time_s`."""
        t = time_s - self.start_s
        person = self.looks(t)
        x, y, face = self.place(t)
        levels = self._cache.setdefault(id(person), [])
        if not levels:
            layer = np.dstack([person.bgr * person.alpha[..., None], person.alpha])
            levels.extend([layer, cv2.pyrDown(layer), cv2.pyrDown(cv2.pyrDown(layer))])
        scale = face / person.face_px
        level = int(np.clip(np.floor(np.log2(1 / scale)), 0, len(levels) - 1))
        lean = np.deg2rad(0.8 * np.sin(2 * np.pi * 0.37 * t + self.phase))
        c, s = scale * 2**level * np.cos(lean), scale * 2**level * np.sin(lean)
        ex, ey = (value / 2**level for value in person.eyes)
        matrix = np.array([[c, -s, x - c * ex + s * ey], [s, c, y - s * ex - c * ey]])
        drawn = cv2.warpAffine(levels[level], matrix, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR)
        if face < DOOR_FACE_PX:
            drawn = drawn * doorway[..., None]
        # In the doorway, the light comes from behind; near the camera, lamps light the face.
        near = np.interp(face, (FAR_FACE_PX, 85), (0.72, 1.0)) * self.light
        tint = np.array([1 - self.warmth, 1.0, 1 + self.warmth], np.float32) * near
        return canvas * (1 - drawn[..., 3:]) + drawn[..., :3] * tint


def _smooth(seed: int, sigma: float) -> Floats:
    noise = np.random.default_rng(seed).normal(0, 1, (HEIGHT, WIDTH)).astype(np.float32)
    soft = cv2.GaussianBlur(noise, (0, 0), sigma)
    return np.asarray(soft / soft.std(), dtype=np.float32)


def doorway_mask() -> Floats:
    """Return a mask: 1 in the doorway, 0 on the wall."""
    left, top, right = DOORWAY
    mask = np.zeros((HEIGHT, WIDTH), np.float32)
    mask[top:, left:right] = 1
    return cv2.GaussianBlur(mask, (0, 0), 0.7)


def _outside() -> Floats:
    """Return the street behind the doorway, bright and out of focus."""
    rows = np.linspace(0, 1, HEIGHT, dtype=np.float32)[:, None, None]
    sky, ground = np.array([0.90, 0.87, 0.83]), np.array([0.66, 0.69, 0.70])
    view = np.float32(sky * (1 - rows) + ground * rows) * np.ones((1, WIDTH, 1), np.float32)
    green = np.array([0.50, 0.66, 0.58], np.float32)
    hedge = np.zeros((HEIGHT, WIDTH), np.float32)
    for x, y, size in ((205, 235, 60), (300, 265, 80), (395, 225, 70), (455, 270, 60)):
        cv2.ellipse(hedge, (x, y), (size, size * 3 // 4), 0, 0, 360, 1.0, -1)
    hedge = cv2.GaussianBlur(hedge, (0, 0), 24)[..., None] * 0.65
    view = view * (1 - hedge) + green * hedge
    # The street is nearly overexposed, as in the picture of a camera indoors.
    return np.minimum((view + 0.015 * _smooth(11, 18)[..., None]) * 1.06, 0.97)


def _open_door(wall: Floats) -> None:
    """Draw the open door, which has swung into the room on the right of the doorway."""
    right, top = DOORWAY[2], DOORWAY[1]
    wood = np.array([0.50, 0.57, 0.63], np.float32)

    def panel(x0: int, x1: int, rise: float, fall: float) -> list[tuple[int, int]]:
        ys = [(top + rise - 0.42 * (x - right), HEIGHT - fall) for x in (x0, x1)]
        return [(x0, int(ys[0][0])), (x1, int(ys[1][0])), (x1, int(ys[1][1])), (x0, int(ys[0][1]))]

    shadow = np.zeros((HEIGHT, WIDTH), np.float32)
    cv2.fillPoly(shadow, [np.int32(panel(right, right + 82, 6, 0))], 1.0)
    wall *= 1 - 0.25 * cv2.GaussianBlur(shadow, (0, 0), 8)[..., None]
    for (x0, x1, rise, fall), light in (
        ((right, right + 66, 0, 0), 0.92),
        ((right + 66, right + 71, 0, 0), 1.14),
        ((right + 12, right + 54, 40, 120), 0.84),
        ((right + 14, right + 53, 43, 123), 1.18),
    ):
        colour = tuple(float(c) for c in wood * light)
        cv2.fillPoly(wall, [np.int32(panel(x0, x1, rise, fall))], colour, cv2.LINE_AA)
    cv2.line(wall, (right + 60, 300), (right + 60, 268), (0.70, 0.72, 0.73), 3, cv2.LINE_AA)


def background() -> Floats:
    """Return the empty scene without the counter: a plaster wall around a wide doorway."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    lamp = np.exp(-((columns - 250) ** 2 / 420**2) - ((rows - 60) ** 2 / 380**2))
    level = 0.60 + 0.16 * lamp + 0.006 * _smooth(1, 1.2) + 0.010 * _smooth(2, 30)
    wall = level[..., None] * np.array([0.93, 0.98, 1.0], np.float32)
    left, top, right = DOORWAY
    # The door frame: painted wood, lit from above, with a narrow shadow on the wall.
    shadow = np.zeros((HEIGHT, WIDTH), np.float32)
    shadow[top - 16 :, left - 16 : right + 20] = 1
    wall *= 1 - 0.22 * cv2.GaussianBlur(shadow, (0, 0), 6)[..., None]
    frame = np.array([0.52, 0.60, 0.66], np.float32) * (0.96 + 0.02 * _smooth(3, 4))[..., None]
    wall[top - 16 :, left - 16 : right + 16] = frame[top - 16 :, left - 16 : right + 16]
    for inset, light in ((15, 1.12), (4, 0.84)):
        cv2.rectangle(
            wall,
            (left - inset, top - inset),
            (right + inset - 1, HEIGHT + 20),
            tuple(float(c) for c in np.array([0.52, 0.60, 0.66]) * light),
            1,
        )
    # A poster and a bell push, both without text, because text could be detected as a face.
    cv2.rectangle(wall, (566, 128), (622, 206), (0.80, 0.82, 0.83), -1)
    cv2.rectangle(wall, (566, 128), (622, 148), (0.66, 0.58, 0.48), -1)
    cv2.rectangle(wall, (566, 128), (622, 206), (0.58, 0.60, 0.61), 1)
    cv2.rectangle(wall, (120, 236), (134, 256), (0.84, 0.85, 0.86), -1)
    _open_door(wall)
    view = doorway_mask()[..., None]
    return np.asarray(wall * (1 - view) + _outside() * view, dtype=np.float32)


def counter() -> tuple[Floats, Floats]:
    """Return the counter in the foreground: its colours and its alpha."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    depth = np.clip((rows - COUNTER_Y) / (HEIGHT - COUNTER_Y), 0, 1)
    grain = np.sin(columns * 0.021 + 9 * depth + 0.5 * _smooth(5, 26)) * 0.02
    rng = np.random.default_rng(6).normal(0, 1, (HEIGHT, WIDTH)).astype(np.float32)
    grain += 0.012 * cv2.GaussianBlur(rng, (0, 0), sigmaX=14, sigmaY=0.8) * 4
    level = 0.54 - 0.16 * depth + grain
    level += 0.22 * np.exp(-((rows - COUNTER_Y - 2) ** 2) / 5.0)
    gloss = np.exp(-((columns - 322) ** 2) / 150**2) * (1 - depth) ** 2
    colours = level[..., None] * np.array([0.62, 0.82, 1.0], np.float32)
    colours += 0.16 * gloss[..., None] * np.array([1.0, 0.98, 0.95], np.float32)
    alpha = cv2.GaussianBlur((rows >= COUNTER_Y).astype(np.float32), (0, 0), 1.0)
    return colours.astype(np.float32), alpha[..., None]


def frames(visits: list[Visit], length_s: float):
    """Yield the clip's frames, uint8 BGR."""
    empty, doorway = background(), doorway_mask()
    wood, hides = counter()
    rng = np.random.default_rng(20)
    for number in range(round(length_s * FPS)):
        total = np.zeros_like(empty)
        here = [v for v in visits if v.start_s <= number / FPS < v.end_s]
        steps = max([v.subframes(number / FPS) for v in here], default=1)
        for part in range(steps):
            canvas = empty
            for visit in here:
                # The shutter is open for half of a frame's duration.
                time_s = min((number + 0.5 * part / steps) / FPS, visit.end_s)
                canvas = visit.draw(canvas, time_s, doorway)
            total += canvas * (1 - hides) + wood * hides
        shot = cv2.GaussianBlur(total / steps, (0, 0), 0.55)
        shot += rng.normal(0, NOISE, shot.shape).astype(np.float32)
        yield np.clip(shot * 255 + 0.5, 0, 255).astype(np.uint8)
