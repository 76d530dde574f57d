"""Surgical masks, drawn to fit a face: form, pleats, nose wire, ear loops, light and shade."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from cutouts import Cutout, Floats
from hands import Limb, paint

#: Working area around the eyes, in eye distances: left, right, up, down.
AREA = (3.4, 3.4, 0.6, 7.0)
SOLVER_ROUNDS = 12


@dataclass(frozen=True)
class Mask:
    """The appearance of a mask; its shape depends on the face."""

    bgr: tuple[float, float, float]
    seed: int
    shade: float = 1.0


def _area(person: Cutout) -> tuple[slice, slice, Floats, Floats]:
    """Return the area that the mask may cover, and its face coordinates (in eye distances)."""
    (x0, y0), (x1, y1) = person.eye_left, person.eye_right
    unit, angle = float(np.hypot(x1 - x0, y1 - y0)), float(np.arctan2(y1 - y0, x1 - x0))
    ex, ey = person.eyes
    left, right, up, down = (round(side * unit) for side in AREA)
    columns, rows = slice(int(ex) - left, int(ex) + right), slice(int(ey) - up, int(ey) + down)
    py, px = np.mgrid[rows, columns].astype(np.float32)
    dx, dy = (px - ex) / unit, (py - ey) / unit
    x = dx * np.cos(angle) + dy * np.sin(angle)
    y = dy * np.cos(angle) - dx * np.sin(angle)
    return rows, columns, x.astype(np.float32), y.astype(np.float32)


def _top(q: Floats) -> Floats:
    """Return the y position of the upper rim, which is highest at the nose."""
    return 0.50 - 0.34 * np.exp(-((q / 0.40) ** 2)) - 0.05 * q**2


def _bottom(q: Floats) -> Floats:
    """Return the y position of the lower rim, which runs under the chin and rises to the jaw."""
    return 1.86 - 0.44 * np.abs(q) ** 2.4


def _half_width(v: Floats) -> Floats:
    """Return half of the mask's width at height `v` (0 top, 1 bottom)."""
    return 0.955 - 0.05 * v - 0.16 * np.clip(v, 0, 1.2) ** 3


def _surface(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Return coordinates on the mask: `q` from -1 (left) to 1 (right), `v` from 0 (top) to 1.

    Both rims are bent and the sides converge, so the coordinates are found by iteration.
    """
    v = np.full_like(x, 0.5)
    q = x
    for _ in range(SOLVER_ROUNDS):
        q = np.clip(x / _half_width(v), -1.6, 1.6)
        v = np.clip((y - _top(q)) / (_bottom(q) - _top(q)), -0.6, 1.6)
    return q, v


def _inside(q: Floats, v: Floats, soft: float) -> Floats:
    """Return 1 on the mask and 0 outside of the mask, with a soft, rounded edge `soft` wide."""
    a, b = np.abs(q), np.abs(2 * v - 1)
    distance = (a**14 + b**14) ** (1 / 14)
    return np.clip((1 - distance) / soft + 0.5, 0, 1)


def _pleats(q: Floats, v: Floats) -> Floats:
    """Return the brightness of the folds: dark lines below lit edges, weaker in the middle."""
    light = np.ones_like(v)
    for place, depth in ((0.30, 0.9), (0.48, 1.0), (0.66, 0.8)):
        # The folds bend down in the middle, where nose and mouth push them out.
        d = v - place - 0.035 * (1 - q**2)
        strength = depth * (0.55 + 0.45 * q**2)
        light -= 0.20 * strength * np.exp(-((d / 0.014) ** 2))
        light -= 0.07 * strength * np.exp(-(((d - 0.03) / 0.035) ** 2))
        light += 0.06 * strength * np.exp(-(((d + 0.03) / 0.022) ** 2))
    return light


def _form(q: Floats, v: Floats) -> Floats:
    """Return the brightness that the face under the mask causes: nose, cheeks, mouth, and chin."""
    ridge = np.exp(-((q / 0.20) ** 2)) * np.clip(1 - v / 0.55, 0, 1)
    side = np.exp(-(((np.abs(q) - 0.33) / 0.13) ** 2)) * np.clip(1 - v / 0.5, 0, 1)
    light = 1 + 0.05 * ridge - 0.10 * side
    light -= 0.26 * np.clip(np.abs(q) - 0.30, 0, 1) ** 1.5
    light -= 0.45 * np.clip(v - 0.72, 0, 1) ** 1.3 * (1 + 0.5 * np.abs(q))
    mouth = np.exp(-((q / 0.45) ** 2) - ((v - 0.56) / 0.22) ** 2)
    return light + 0.05 * mouth


def _seams(q: Floats, v: Floats) -> Floats:
    """Return the brightness of the hems and of the wire that is pressed around the nose."""
    light = np.ones_like(v)
    light -= 0.10 * np.exp(-(((v - 0.085) / 0.012) ** 2))
    light -= 0.08 * np.exp(-(((v - 0.945) / 0.012) ** 2))
    light -= 0.09 * np.exp(-(((np.abs(q) - 0.925) / 0.014) ** 2))
    wire = np.exp(-(((v - 0.045) / 0.016) ** 2)) * (np.abs(q) < 0.5)
    return light + 0.07 * wire


def _cloth(shape: tuple[int, int], seed: int) -> Floats:
    """Return the brightness of the non-woven cloth: soft dents and a fine grain."""
    rng = np.random.default_rng(seed)
    grain = cv2.GaussianBlur(rng.normal(0, 1, shape).astype(np.float32), (0, 0), 0.8)
    dents = cv2.GaussianBlur(rng.normal(0, 1, shape).astype(np.float32), (0, 0), 9)
    return 1 + 0.012 * grain / grain.std() + 0.022 * dents / dents.std()


def _light(person: Cutout, rows: slice, columns: slice, unit: float) -> Floats:
    """Return the light on the face, measured where the mask is drawn; 1 is the median."""
    grey = cv2.cvtColor(person.bgr[rows, columns], cv2.COLOR_BGR2GRAY)
    weight = ((grey > 0.35) & (person.alpha[rows, columns] > 0.9)).astype(np.float32)
    height = round(2.4 * unit)
    weight[height:] = 0  # measure the light on the face only, not on collar and coat
    near = cv2.GaussianBlur(weight, (0, 0), 0.24 * unit)
    level = cv2.GaussianBlur(grey * weight, (0, 0), 0.24 * unit) / np.maximum(near, 0.05)
    middle = float(np.median(level[weight > 0]))
    known = np.clip(near * 4, 0, 1)
    return np.clip(level / middle * known + 0.85 * (1 - known), 0.7, 1.2).astype(np.float32)


def _loops(x: Floats, y: Floats) -> Floats:
    """Return the alpha of the ear loops, from the four corners of the mask to behind the ears."""
    alpha = np.zeros_like(x)
    width = x.shape[1]
    unit = width / (AREA[0] + AREA[1])
    for sign in (-1, 1):
        for start, middle, end in (
            ((0.93, 0.50), (1.00, 0.44), (1.07, 0.33)),
            ((0.87, 1.28), (1.02, 1.02), (1.10, 0.66)),
        ):
            t = np.linspace(0, 1, 24)[:, None]
            path = (1 - t) ** 2 * np.array(start) + 2 * t * (1 - t) * np.array(middle)
            path = path + t**2 * np.array(end)
            for px, py in path:
                d = np.hypot(x - sign * px, y - py) * unit
                alpha = np.maximum(alpha, np.clip(1.9 - d, 0, 1))
    return alpha


def masked(
    person: Cutout, mask: Mask, drop: float = 0.0, hands: list[Limb] | None = None
) -> Cutout:
    """Return `person` with `mask`, drawn `drop` eye distances below its place on the face.

    `hands` are painted over the mask.
    """
    rows, columns, x, y = _area(person)
    unit = x.shape[1] / (AREA[0] + AREA[1])
    q, v = _surface(x, y - drop)
    alpha = _inside(q, v, 0.022)
    shape = _pleats(q, v) * _form(q, v) * _seams(q, v) * _cloth(x.shape, mask.seed)
    light = _light(person, rows, columns, unit) ** 0.8 * mask.shade
    cloth = np.array(mask.bgr, np.float32) * (shape * light)[..., None]
    bgr, whole = person.bgr.copy(), person.alpha.copy()
    skin, solid = bgr[rows, columns], whole[rows, columns]
    shadow = cv2.GaussianBlur(alpha, (0, 0), 0.045 * unit)
    skin = skin * (1 - 0.38 * shadow * (1 - alpha))[..., None]
    if drop == 0:
        loops = _loops(x, y)
        shadow = cv2.GaussianBlur(loops, (0, 0), 0.03 * unit)
        skin = skin * (1 - 0.25 * shadow * (1 - loops))[..., None]
        skin += (0.86 * light - skin.transpose(2, 0, 1)).transpose(1, 2, 0) * loops[..., None]
    skin += (cloth - skin) * alpha[..., None]
    solid = np.maximum(solid, alpha)
    skin = cv2.GaussianBlur(np.clip(skin, 0, 1), (0, 0), 0.010 * unit)
    if hands:
        paint(hands, (x, y), skin, solid, 1.5 / unit)
    bgr[rows, columns], whole[rows, columns] = np.clip(skin, 0, 1), solid
    return Cutout(bgr, whole, person.eye_left, person.eye_right, person.face_px)
