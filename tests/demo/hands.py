"""Draws the gloved hands and the sleeves of a person who puts a mask on.

The hands wear gloves, because a drawn bare hand does not look real. All positions are face
coordinates: eye distances from the point between the eyes. `side` is -1 for the left side of the
picture, and 1 for the right side.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from cutouts import Floats

Point = tuple[float, float]

GLOVE_BGR = (0.115, 0.105, 0.10)
#: The point where a sleeve disappears behind the counter.
ELBOW = (2.75, 6.4)


@dataclass(frozen=True)
class Limb:
    """A rounded bar from `start` to `end`; its radius changes from `wide` to `thin`."""

    start: Point
    end: Point
    wide: float
    thin: float
    bgr: tuple[float, float, float]
    gloss: float


def arm(side: int, grip: Point, coat_bgr: tuple[float, float, float]) -> list[Limb]:
    """Return the sleeve and the glove that hold the mask's rim at `grip`, farthest part first."""
    gx, gy = grip

    def at(dx: float, dy: float) -> Point:
        return gx + side * dx, gy + dy

    palm, wrist = at(0.36, 0.34), at(0.62, 0.95)
    elbow = (side * ELBOW[0], max(ELBOW[1], wrist[1] + 2.0))
    fingers = [
        Limb(
            at(0.40, 0.12 + 0.15 * n),
            at(0.0 + 0.03 * n, -0.16 + 0.17 * n),
            0.15,
            0.105,
            GLOVE_BGR,
            0.5,
        )
        for n in range(4)
    ]
    thumb = Limb(at(0.34, 0.50), at(-0.02, 0.36), 0.15, 0.11, GLOVE_BGR, 0.6)
    return [
        Limb(elbow, wrist, 0.62, 0.43, coat_bgr, 0.0),
        Limb(at(0.60, 0.88), palm, 0.34, 0.36, GLOVE_BGR, 0.25),
        *fingers,
        thumb,
    ]


def paint(
    limbs: list[Limb], area: tuple[Floats, Floats], bgr: Floats, alpha: Floats, soft: float
) -> None:
    """Paint `limbs` over `bgr` and `alpha` in place; `soft` is the width of soft edges.

    `area` gives the face coordinates x and y of each pixel.
    """
    x, y = area
    for limb in limbs:
        inside, light = _shape(limb, x, y, soft)
        colour = np.array(limb.bgr, np.float32) * light[..., None]
        colour += (limb.gloss * 0.22 * np.clip(light - 1.0, 0, 1) ** 2)[..., None]
        # Each limb casts a soft shadow on everything behind it.
        shade, _ = _shape(limb, x, y - 0.05, 0.22)
        bgr *= (1 - 0.30 * shade * (1 - inside))[..., None]
        bgr += (colour - bgr) * inside[..., None]
        np.maximum(alpha, inside, out=alpha)


def _shape(limb: Limb, x: Floats, y: Floats, soft: float) -> tuple[Floats, Floats]:
    """Return the alpha of a limb, and the light on it, from above and slightly from the left."""
    (x0, y0), (x1, y1) = limb.start, limb.end
    ax, ay = x1 - x0, y1 - y0
    along = np.clip(((x - x0) * ax + (y - y0) * ay) / (ax**2 + ay**2), 0, 1)
    dx, dy = x - x0 - along * ax, y - y0 - along * ay
    radius = limb.wide + (limb.thin - limb.wide) * along
    distance = np.hypot(dx, dy)
    inside = np.clip((radius - distance) / soft + 0.5, 0, 1)
    nx, ny = dx / radius, dy / radius
    height = np.sqrt(np.clip(1 - nx**2 - ny**2, 0, 1))
    creases = 1 + 0.05 * np.sin(14 * along + 5 * nx) * (limb.gloss == 0)
    light = (0.35 + 0.75 * height - 0.40 * ny - 0.22 * nx) * creases
    return inside.astype(np.float32), light.astype(np.float32)
