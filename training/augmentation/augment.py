"""Augmented crops of a face, as other detector boxes, cameras, lenses and light would show it.

The style of a picture must not reveal its label. Web crops, portraits and scenes differ in
sharpness, aspect ratio, colour and compression, so all of these are drawn at random for every crop.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt

from edge.common.arrays import Pixels
from training.augmentation.colour import draw_infrared, draw_skin, to_grey
from training.augmentation.occlusion import occlude
from training.data.crops import Face
from training.data.detector_simulation import (
    FRAMED_SHARE,
    MARGIN,
    SHIFT_SPREAD_X,
    SHIFT_SPREAD_Y,
    SIDE_SPREAD,
)
from training.network.model import SIZE_PX

Rng = np.random.Generator

TILTED_SHARE, MAX_TILT = 0.25, math.radians(40)
MIN_SIDE_PX = 18  # smallest size of a distant face, before it is scaled up
#: Standard deviations of the blur of a crop: up to a tenth of the width of a face.
DEFOCUS_PX = 0.4, 8.0
#: Mean grey levels of a crop in the dark, and standard deviations of the camera's noise there. From
#: 9 on, `edge.tracking.face_quality` gives a face the full weight.
DARK_LUMAS, DARK_NOISE = (8.0, 48.0), (1.0, 4.0)
ENLARGEMENTS = (cv2.INTER_LINEAR, cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_NEAREST)
_LEVELS = np.arange(256, dtype=np.float32) / 255


def augment(face: Face, rng: Rng, style: float = 1.0) -> Pixels:
    """Return one augmented crop of `face`, (96, 96, 3) uint8 RGB, determined by `rng` alone.

    `style`, 0 to 1, scales the probability of every change except the framing. 0 leaves the
    picture's own light, sharpness and compression, which may reveal the label.
    """
    pixels = _frame(face, rng)
    if rng.random() < 0.30 * style:
        pixels = occlude(pixels, face.label == "no_mask", rng)
    if rng.random() < 0.25 * style:
        pixels = draw_skin(pixels, rng)
    if rng.random() < 0.12 * style:
        pixels = draw_infrared(pixels, rng)
    if rng.random() < 0.85 * style:
        pixels = _change_light(pixels, rng)
    if rng.random() < 0.15 * style:
        pixels = to_grey(pixels)
    if rng.random() < 0.25 * style:
        pixels = _blur(pixels, rng)
    if rng.random() < 0.45 * style:
        pixels = _reduce_resolution(pixels, rng)
    if rng.random() < 0.15 * style:
        pixels = _darken(pixels, rng)
    if rng.random() < 0.20 * style:
        pixels = _add_noise(pixels, rng)
    if rng.random() < 0.30 * style:
        pixels = _compress(pixels, rng)
    return pixels


def _frame(face: Face, rng: Rng) -> Pixels:
    """Return the crop at a jittered detector box, turned, slightly stretched, and often
    mirrored.
    """
    x, y, w, h = face.box_px
    spread = SIDE_SPREAD if face.annotated else SIDE_SPREAD / 2
    shift = 1.0 if face.annotated else 0.6
    # In data sets of crops the whole picture shows a little less than the box with its margin, so
    # the mean of the two sizes is taken.
    sides_per_box = (
        (1 + 2 * MARGIN) if face.annotated else (0.5 / FRAMED_SHARE + 0.5 * (1 + 2 * MARGIN))
    )
    zoom = sides_per_box * float(np.clip(rng.normal(1.0, spread), 0.65, 1.45))
    stretch = math.exp(float(np.clip(rng.normal(0, 0.07), -0.18, 0.18)))
    side_x, side_y = w * zoom * stretch, h * zoom / stretch
    centre_x = x + w / 2 + shift * SHIFT_SPREAD_X * w * _clipped_normal(rng)
    centre_y = y + h / 2 + shift * SHIFT_SPREAD_Y * h * _clipped_normal(rng)
    turn = _turn(rng)
    mirror = -1.0 if rng.random() < 0.5 else 1.0
    cos, sin = math.cos(turn), math.sin(turn)
    to_x, to_y = SIZE_PX / side_x * mirror, SIZE_PX / side_y
    matrix = np.array([[to_x * cos, -to_x * sin, 0], [to_y * sin, to_y * cos, 0]], np.float64)
    matrix[:, 2] = SIZE_PX / 2 - matrix[:, :2] @ (centre_x - 0.5, centre_y - 0.5)
    warped = cv2.warpAffine(
        face.image,
        matrix,
        (SIZE_PX, SIZE_PX),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(warped, np.uint8)


def _turn(rng: Rng) -> float:
    """Return the angle in radians by which a crop is turned: mostly small, sometimes as large as
    the tilt of the faces that the network finds.
    """
    if rng.random() < TILTED_SHARE:
        return float(rng.uniform(-MAX_TILT, MAX_TILT))
    return math.radians(8.0) * _clipped_normal(rng)


def _clipped_normal(rng: Rng) -> float:
    return float(np.clip(rng.normal(), -2.2, 2.2))


def _change_light(pixels: Pixels, rng: Rng) -> Pixels:
    """Change the saturation, exposure, contrast and colour cast of a crop; sometimes light it from
    one side.
    """
    if rng.random() < 0.5:
        grey = cv2.cvtColor(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
        colour = 0.0 if rng.random() < 0.3 else float(rng.uniform(0.2, 1.6))
        pixels = np.asarray(cv2.addWeighted(pixels, colour, grey, 1 - colour, 0), np.uint8)
    gamma = math.exp(rng.normal(0, 0.35))
    contrast, brightness = rng.uniform(0.55, 1.35), rng.normal(0, 0.10)
    cast = np.exp(rng.normal(0, 0.10, 3)) if rng.random() < 0.6 else np.ones(3)
    curve = (_LEVELS**gamma - 0.5) * contrast + 0.5 + brightness
    table = np.clip(curve[:, None] * cast[None, :] * 255, 0, 255).astype(np.uint8)
    pixels = np.asarray(cv2.LUT(pixels, table[None]), np.uint8)
    if rng.random() < 0.2:
        pixels = _add_shading(pixels, rng)
    return pixels


def _add_shading(pixels: Pixels, rng: Rng) -> Pixels:
    angle = rng.uniform(0, 2 * math.pi)
    ramp = np.linspace(-0.5, 0.5, SIZE_PX, dtype=np.float32)
    slope = math.cos(angle) * ramp[None, :] + math.sin(angle) * ramp[:, None]
    gain = (1 + rng.uniform(0.3, 0.9) * slope).astype(np.float32)
    shaded = cv2.multiply(pixels, cv2.merge([gain] * 3), dtype=cv2.CV_8U)
    return np.asarray(shaded, np.uint8)


def _blur(pixels: Pixels, rng: Rng) -> Pixels:
    """Blur the crop as if out of focus, or as if the face moved while the shutter was open."""
    if rng.random() < 0.65:
        sigma = math.exp(rng.uniform(*np.log(DEFOCUS_PX)))
        return np.asarray(cv2.GaussianBlur(pixels, (0, 0), sigma), np.uint8)
    length = int(rng.integers(3, 10))
    path: npt.NDArray[np.uint8] = np.zeros((length, length), np.uint8)
    angle, middle = rng.uniform(0, math.pi), (length - 1) / 2
    reach_x, reach_y = middle * math.cos(angle), middle * math.sin(angle)
    start = (round(middle - reach_x), round(middle - reach_y))
    cv2.line(path, start, (round(middle + reach_x), round(middle + reach_y)), (1,))
    return np.asarray(cv2.filter2D(pixels, -1, path / path.sum()), np.uint8)


def _reduce_resolution(pixels: Pixels, rng: Rng) -> Pixels:
    """Scale the crop down to the resolution of a more distant face, and up again; sometimes
    compress it in between.
    """
    side = int(math.exp(rng.uniform(math.log(MIN_SIDE_PX), math.log(SIZE_PX))))
    shrink = cv2.INTER_AREA if rng.random() < 0.7 else cv2.INTER_LINEAR
    small = np.asarray(cv2.resize(pixels, (side, side), interpolation=shrink), np.uint8)
    if rng.random() < 0.3:
        small = _compress(small, rng)
    enlarge = ENLARGEMENTS[int(rng.integers(len(ENLARGEMENTS)))]
    return np.asarray(cv2.resize(small, (SIZE_PX, SIZE_PX), interpolation=enlarge), np.uint8)


def _darken(pixels: Pixels, rng: Rng) -> Pixels:
    """Show the crop in little light, in which the camera's noise stays as it is."""
    luma = math.exp(rng.uniform(*np.log(DARK_LUMAS)))
    gain = min(1.0, luma / max(1.0, float(pixels.mean())))
    noise = rng.standard_normal(pixels.shape, np.float32) * np.float32(rng.uniform(*DARK_NOISE))
    return np.asarray(np.clip(np.float32(gain) * pixels + noise, 0, 255), np.uint8)


def _add_noise(pixels: Pixels, rng: Rng) -> Pixels:
    noise = rng.standard_normal(pixels.shape, np.float32) * np.float32(rng.uniform(2, 16))
    if rng.random() < 0.4:
        noise = np.repeat(noise[:, :, :1], 3, axis=2)
    return np.asarray(np.clip(pixels + noise, 0, 255), np.uint8)


def _compress(pixels: Pixels, rng: Rng) -> Pixels:
    quality = int(rng.integers(25, 95))
    _, code = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(code, cv2.IMREAD_COLOR), np.uint8)
