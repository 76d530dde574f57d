"""The colours of a face under other cameras and of other people: grey and infrared pictures, and
darker skin.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt

from edge.common.arrays import Pixels

Rng = np.random.Generator
Floats = npt.NDArray[np.float32]

#: How much near infrared light the red, green and blue pixels of a sensor without an infrared
#: filter take in, relative to red. The colour filters of common sensors let most of it through.
INFRARED_RESPONSE = np.array([1.0, 0.6, 0.8], np.float32)
#: The strength of the infrared light relative to the visible light.
INFRARED_STRENGTH = 0.2, 2.0
#: Skin, hair and most cloth reflect more infrared than red light. The infrared picture is estimated
#: as the red one to the power of a number below 1.
INFRARED_GAMMA = 0.4, 0.9
#: The lower and upper limits of Y, Cr and Cb of skin of any brightness (Chai and Ngan, "Face
#: segmentation using skin-color map in videophone applications", 1999). It hardly depends on how
#: dark the skin is.
SKIN_LOW, SKIN_HIGH = np.array([0, 133, 77]), np.array([255, 173, 127])
#: How much of the light dark skin reflects, relative to the skin in the picture.
SKIN_REFLECTANCE = 0.25, 0.8
#: Exponents of the reflectance for red, green and blue: melanin absorbs more of the blue light.
MELANIN = np.array([0.85, 1.0, 1.15], np.float32)


def to_grey(pixels: Pixels) -> Pixels:
    """Return `pixels`, (h, w, 3) uint8 RGB, without colour, as a night camera shows them."""
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    return np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB), np.uint8)


def add_infrared(pixels: Pixels, strength: float, gamma: float) -> Pixels:
    """Return `pixels`, (h, w, 3) uint8 RGB, as a camera without an infrared filter shows them.

    They turn pink or purple, and colours fade. `strength` and `gamma` are explained at
    `INFRARED_STRENGTH` and `INFRARED_GAMMA`. The mean brightness stays the same, because the
    camera's exposure control keeps it.
    """
    light = (pixels.astype(np.float32) / 255) ** 2.2
    infrared = light[..., :1] ** np.float32(gamma)
    mixed = light + np.float32(strength) * INFRARED_RESPONSE * infrared
    mixed *= light.mean() / max(float(mixed.mean()), 1e-6)
    return np.asarray(np.clip(mixed, 0, 1) ** np.float32(1 / 2.2) * 255, np.uint8)


def draw_infrared(pixels: Pixels, rng: Rng) -> Pixels:
    """Return `add_infrared` of a random strength."""
    return add_infrared(pixels, rng.uniform(*INFRARED_STRENGTH), rng.uniform(*INFRARED_GAMMA))


def darken_skin(pixels: Pixels, reflectance: float) -> Pixels:
    """Return `pixels`, (h, w, 3) uint8 RGB, with what has the colour of skin darkened.

    `reflectance`, 0 to 1, is explained at `SKIN_REFLECTANCE`. Highlights stay, because the gloss of
    skin does not depend on its pigment. Things of the same colour darken as well.
    """
    chroma = cv2.cvtColor(pixels, cv2.COLOR_RGB2YCrCb)
    found = cv2.inRange(chroma, SKIN_LOW, SKIN_HIGH).astype(np.float32) / 255
    skin = cv2.GaussianBlur(found, (0, 0), 1.5)[..., None]
    light = (pixels.astype(np.float32) / 255) ** 2.2
    gloss = np.clip(light.max(axis=2, keepdims=True) - 0.6, 0, 1)
    pigment = np.float32(reflectance) ** MELANIN * (1 - gloss) + gloss
    darker = light * (1 - skin * (1 - pigment))
    return np.asarray(darker ** np.float32(1 / 2.2) * 255, np.uint8)


def draw_skin(pixels: Pixels, rng: Rng) -> Pixels:
    """Return `darken_skin` of a random reflectance."""
    return darken_skin(pixels, math.exp(rng.uniform(*np.log(SKIN_REFLECTANCE))))
