"""Cuts people out of photographs, with soft edges, and gives them new coat colours."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Points = list[tuple[int, int]]

GRABCUT_ROUNDS = 6


@dataclass(frozen=True)
class Outline:
    """The hand-traced outline of a person; all positions are pixels of the photograph.

    `rough` follows the edge of the body to within a few pixels; OpenCV's grabCut finds the
    exact edge in a band of `band_px` on both sides of `rough`. `face_px` is the width of the box
    that the face detector draws.
    """

    rough: Points
    band_px: int
    eye_left: tuple[float, float]
    eye_right: tuple[float, float]
    face_px: float


@dataclass(frozen=True)
class Cutout:
    """A person without background: colours 0..1 (not premultiplied) and alpha 0..1."""

    bgr: Floats
    alpha: Floats
    eye_left: tuple[float, float]
    eye_right: tuple[float, float]
    face_px: float

    @property
    def eyes(self) -> tuple[float, float]:
        """The point between the eyes, which positions the person in the scene."""
        (x0, y0), (x1, y1) = self.eye_left, self.eye_right
        return (x0 + x1) / 2, (y0 + y1) / 2


COLLINS = Outline(
    rough=[
        *[(230, 15), (255, 19), (285, 36), (298, 60), (302, 85), (295, 107), (281, 125)],
        *[(275, 136), (268, 137), (263, 152), (256, 165), (252, 173), (275, 187), (300, 215)],
        *[(305, 240), (340, 275), (358, 315), (364, 352), (400, 345), (440, 357), (478, 395)],
        *[(496, 440), (497, 470), (506, 511), (70, 511), (30, 460), (22, 400), (25, 350)],
        *[(36, 300), (48, 265), (70, 245), (108, 226), (113, 195), (125, 165), (150, 151)],
        *[(183, 149), (183, 133), (175, 131), (170, 119), (158, 103), (152, 75), (165, 50)],
        *[(190, 32), (205, 21)],
    ],
    band_px=9,
    eye_left=(203.5, 101.5),
    eye_right=(246.5, 103.5),
    face_px=102.0,
)
OBAMA = Outline(
    rough=[
        *[(778, 220), (680, 245), (630, 310), (615, 415), (582, 430), (585, 490), (615, 525)],
        *[(640, 560), (650, 630), (620, 660), (455, 745), (320, 785), (270, 980), (233, 1200)],
        *[(262, 1380), (335, 1418), (385, 1422), (345, 1600), (256, 2085), (355, 2105)],
        *[(358, 2332), (1106, 2332), (1108, 2090), (1168, 2080), (1145, 1635), (1090, 1378)],
        *[(1190, 1310), (1227, 1200), (1200, 1090), (1155, 955), (1150, 790), (1090, 765)],
        *[(890, 690), (845, 645), (850, 600), (880, 555), (918, 545), (927, 455), (915, 430)],
        *[(915, 330), (880, 255)],
    ],
    band_px=22,
    eye_left=(741.0, 388.0),
    eye_right=(857.0, 401.0),
    face_px=320.0,
)


def cut_out(photo: Pixels, outline: Outline, scale: float) -> Cutout:
    """Cut the person of `outline` out of `photo`, and scale the result by `scale`."""
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LANCZOS4
    small = min(scale, 1.0)
    image = cv2.resize(photo, None, fx=small, fy=small, interpolation=cv2.INTER_AREA)
    alpha = _alpha(image, np.array(outline.rough, np.float32) * small, outline.band_px * small)
    bgr = _edge_colours(image.astype(np.float32) / 255, alpha)
    if scale > 1:
        bgr = cv2.resize(bgr, None, fx=scale, fy=scale, interpolation=how)
        alpha = cv2.resize(alpha, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    places = ((x * scale, y * scale) for x, y in (outline.eye_left, outline.eye_right))
    return Cutout(
        np.clip(bgr, 0, 1), np.clip(alpha, 0, 1), *places, face_px=outline.face_px * scale
    )


def _alpha(image: Pixels, rough: Floats, band_px: float) -> Floats:
    """Run grabCut in a band around the rough outline, then soften the edge inwards."""
    inside = cv2.fillPoly(np.zeros(image.shape[:2], np.uint8), [np.int32(rough)], 1)
    size = int(2 * band_px + 1)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    # The photograph's lower edge cuts through the body, so there is no background below it.
    sure = cv2.erode(inside, kernel, borderType=cv2.BORDER_REPLICATE)
    near = cv2.dilate(inside, kernel)
    labels = np.where(inside, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    labels[sure > 0] = cv2.GC_FGD
    labels[near == 0] = cv2.GC_BGD
    cv2.setRNGSeed(1)
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(image, labels, None, *models, GRABCUT_ROUNDS, cv2.GC_INIT_WITH_MASK)
    person = np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    person = cv2.morphologyEx(person, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    _, parts, stats, _ = cv2.connectedComponentsWithStats(person)
    person = (parts == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))).astype(np.float32)
    soft = cv2.GaussianBlur(person, (0, 0), 1.6)
    # Alpha is 0.5 at the edge. A lower alpha at the edge keeps the old background invisible.
    return np.clip((soft - 0.45) / 0.5, 0, 1).astype(np.float32)


def _edge_colours(bgr: Floats, alpha: Floats) -> Floats:
    """Spread colours from inside the person over the edge, to hide the old background."""
    solid = (alpha > 0.97).astype(np.float32)
    spread, weight = bgr * solid[..., None], solid.copy()
    result = np.where(solid[..., None] > 0, bgr, 0.0)
    for _ in range(8):
        spread, weight = (cv2.blur(layer, (3, 3)) for layer in (spread, weight))
        empty = (result.sum(axis=2) == 0) & (weight > 1e-4)
        result[empty] = spread[empty] / weight[empty][:, None]
    return result.astype(np.float32)


def mirrored(person: Cutout) -> Cutout:
    """Return the mirror image of the person."""
    width = person.bgr.shape[1]
    left, right = ((width - 1 - x, y) for x, y in (person.eye_right, person.eye_left))
    return replace(
        person,
        bgr=np.ascontiguousarray(person.bgr[:, ::-1]),
        alpha=np.ascontiguousarray(person.alpha[:, ::-1]),
        eye_left=left,
        eye_right=right,
    )


def without_badges(photo: Pixels) -> Pixels:
    """Return the photograph of Collins without the emblems and the name on the suit."""
    cover = np.zeros(photo.shape[:2], np.uint8)
    cv2.circle(cover, (171, 385), 43, 255, -1)
    cv2.fillPoly(cover, [np.int32([(272, 334), (332, 342), (332, 380), (276, 380)])], 255)
    cv2.rectangle(cover, (14, 318), (60, 390), 255, -1)
    filled = cv2.inpaint(photo, cover, 9, cv2.INPAINT_TELEA).astype(np.float32)
    # Cloth is not smooth: add the fine texture of the suit to the filled areas.
    grain = photo[300:344, 90:150].astype(np.float32)
    grain -= cv2.GaussianBlur(grain, (0, 0), 3)
    tiled = np.tile(grain, (12, 9, 1))[: photo.shape[0], : photo.shape[1]]
    weight = cv2.GaussianBlur(cover, (0, 0), 2).astype(np.float32)[..., None] / 255
    return np.clip(filled + 1.2 * tiled * weight, 0, 255).astype(np.uint8)


def dressed(photo: Pixels, coat_bgr: tuple[float, float, float], hair: float) -> Pixels:
    """Return the photograph of Collins with a new coat colour and hair `hair` times as bright."""
    hsv = cv2.cvtColor(photo, cv2.COLOR_BGR2HSV).astype(np.float32)
    hue, saturation, value = hsv[..., 0], hsv[..., 1] / 255, hsv[..., 2] / 255
    rows, columns = np.mgrid[: photo.shape[0], : photo.shape[1]].astype(np.float32)
    orange = ((hue < 16) | (hue > 172)) & (saturation > 0.45) & (rows > 190)
    weight = cv2.GaussianBlur(orange.astype(np.float32), (0, 0), 1.2)[..., None]
    coat = np.array(coat_bgr, np.float32) * (value[..., None] ** 1.3) * 255
    result = photo * (1 - weight) + coat * weight
    # The hair is the part of the head that is outside of the oval of the face.
    head = ((columns - 228) / 82) ** 2 + ((rows - 72) / 66) ** 2 < 1
    face = ((columns - 225) / 45) ** 2 + ((rows - 125) / 50) ** 2 < 1
    brown = (hue > 8) & (hue < 30) & (saturation > 0.22) & (value < 0.86)
    locks = (head & ~face & brown).astype(np.float32)
    locks = cv2.GaussianBlur(cv2.medianBlur(locks, 5), (0, 0), 1.5)[..., None]
    result *= 1 - locks * (1 - hair * np.array([0.92, 0.98, 1.05], np.float32))
    return np.clip(result, 0, 255).astype(np.uint8)
