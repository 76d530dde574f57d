"""Effects of cameras and light on a picture: darkness, back light, blur, noise, compression."""

from __future__ import annotations

import math

import cv2
import numpy as np

from edge.common.arrays import Pixels
from edge.detection.boxes import Corners

Rng = np.random.Generator

_LEVELS = np.arange(256, dtype=np.float32) / 255


def change_appearance(pixels: Pixels, faces: Corners, rng: Rng) -> Pixels:
    """Return `pixels` as another camera in another light would show them, in the same shape.

    `pixels` is (height, width) luma or (height, width, 3) RGB, uint8. `faces` (n, 4) are the edges
    of the faces, which back light leaves dark.
    """
    if pixels.ndim == 3:
        pixels = _change_colour(pixels, rng)
    if rng.random() < 0.12 and len(faces):
        pixels = add_back_light(pixels, faces, rng)
    if rng.random() < 0.20:
        pixels = _light_from_one_side(pixels, rng)
    if rng.random() < 0.75:
        pixels = _change_exposure(pixels, rng)
    if rng.random() < 0.20:
        pixels = reduce_resolution(pixels, rng)
    if rng.random() < 0.15:
        sigma = float(rng.uniform(0.4, 1.6))
        pixels = np.asarray(cv2.GaussianBlur(pixels, (0, 0), sigma), np.uint8)
    if rng.random() < 0.15:
        pixels = blur_by_motion(pixels, rng)
    if rng.random() < 0.18:
        pixels = darken(pixels, rng)
    if rng.random() < 0.25:
        pixels = _add_noise(pixels, rng, float(rng.uniform(2, 14)))
    if rng.random() < 0.30:
        pixels = _compress(pixels, rng)
    return pixels


def _change_colour(pixels: Pixels, rng: Rng) -> Pixels:
    """Change the saturation and the colour of the light; often remove all colour, as at night."""
    if rng.random() < 0.5:
        grey = cv2.cvtColor(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
        colour = 0.0 if rng.random() < 0.4 else float(rng.uniform(0.3, 1.5))
        pixels = np.asarray(cv2.addWeighted(pixels, colour, grey, 1 - colour, 0), np.uint8)
    if rng.random() < 0.5:
        cast = np.exp(rng.normal(0, 0.10, 3))
        table = np.clip(_LEVELS[:, None] * cast[None] * 255, 0, 255).astype(np.uint8)
        pixels = np.asarray(cv2.LUT(pixels, table[None]), np.uint8)
    return pixels


def _change_exposure(pixels: Pixels, rng: Rng) -> Pixels:
    gamma = math.exp(rng.normal(0, 0.35))
    contrast, brightness = rng.uniform(0.5, 1.4), rng.normal(0, 0.10)
    return _apply_curve(pixels, (_LEVELS**gamma - 0.5) * contrast + 0.5 + brightness)


def darken(pixels: Pixels, rng: Rng) -> Pixels:
    """Return the picture as a camera takes it in the dark: dim, and noisy."""
    dark = _apply_curve(pixels, _LEVELS ** rng.uniform(1.0, 1.8) * rng.uniform(0.12, 0.5))
    return _add_noise(dark, rng, float(rng.uniform(2, 7)))


def add_back_light(pixels: Pixels, faces: Corners, rng: Rng) -> Pixels:
    """Return the picture with a bright background and dark faces, as in front of a glass door."""
    height, width = pixels.shape[:2]
    shade = np.zeros((height, width), np.float32)
    for left, top, right, bottom in faces:
        middle = (round(float(left + right) / 2), round(float(top + bottom) / 2))
        axes = (round(float(right - left) * 0.8) + 1, round(float(bottom - top) * 0.8) + 1)
        cv2.ellipse(shade, middle, axes, 0, 0, 360, (1.0,), -1)
    side = float(np.max(faces[:, 2:] - faces[:, :2]))
    shade = np.asarray(cv2.GaussianBlur(shade, (0, 0), 0.25 * side + 1), np.float32)
    gain = rng.uniform(1.2, 2.2) * (1 - shade) + rng.uniform(0.25, 0.6) * shade
    return _apply_gain(pixels, gain.astype(np.float32))


def _light_from_one_side(pixels: Pixels, rng: Rng) -> Pixels:
    height, width = pixels.shape[:2]
    angle, strength = rng.uniform(0, 2 * math.pi), rng.uniform(0.4, 1.4)
    x = np.linspace(-0.5, 0.5, width, dtype=np.float32)
    y = np.linspace(-0.5, 0.5, height, dtype=np.float32)
    slope = math.cos(angle) * x[None, :] + math.sin(angle) * y[:, None]
    return _apply_gain(pixels, (1 + strength * slope).astype(np.float32))


def reduce_resolution(pixels: Pixels, rng: Rng) -> Pixels:
    """Return the picture scaled down and up again, as a cheap or distant camera shows it."""
    height, width = pixels.shape[:2]
    share = float(rng.uniform(0.45, 0.9))
    small = cv2.resize(
        pixels, (round(width * share), round(height * share)), interpolation=cv2.INTER_AREA
    )
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


def blur_by_motion(pixels: Pixels, rng: Rng) -> Pixels:
    """Return the picture as if the camera or everybody had moved while the shutter was open."""
    length = int(rng.integers(3, 10))
    path: Pixels = np.zeros((length, length), np.uint8)
    angle, middle = rng.uniform(0, math.pi), (length - 1) / 2
    reach_x, reach_y = middle * math.cos(angle), middle * math.sin(angle)
    start = (round(middle - reach_x), round(middle - reach_y))
    cv2.line(path, start, (round(middle + reach_x), round(middle + reach_y)), (1,))
    return np.asarray(cv2.filter2D(pixels, -1, path / path.sum()), np.uint8)


def _add_noise(pixels: Pixels, rng: Rng, strength: float) -> Pixels:
    noise = rng.standard_normal(pixels.shape, np.float32) * np.float32(strength)
    return np.asarray(np.clip(pixels + noise, 0, 255), np.uint8)


def _compress(pixels: Pixels, rng: Rng) -> Pixels:
    quality = int(rng.integers(20, 90))
    _, code = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
    flag = cv2.IMREAD_GRAYSCALE if pixels.ndim == 2 else cv2.IMREAD_COLOR
    return np.asarray(cv2.imdecode(code, flag), np.uint8)


def _apply_curve(pixels: Pixels, curve: np.ndarray[tuple[int], np.dtype[np.float32]]) -> Pixels:
    table = np.clip(curve * 255, 0, 255).astype(np.uint8)
    return np.asarray(cv2.LUT(pixels, table), np.uint8)


def _apply_gain(pixels: Pixels, gain: np.ndarray[tuple[int, int], np.dtype[np.float32]]) -> Pixels:
    factors = gain if pixels.ndim == 2 else cv2.merge([gain] * 3)
    return np.asarray(cv2.multiply(pixels, factors, dtype=cv2.CV_8U), np.uint8)
