"""Training pictures made from boxed photographs: framing, mosaics, and faces pasted into rooms.

Photographs show most faces in the middle, upright, and large or tiny. A camera over a door shows
faces at any place, tilted, and at every size as people come nearer. All choices come from the
random generator that the caller passes, so the same generator state gives the same picture.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from edge.common.arrays import Pixels
from edge.detection.boxes import Corners, areas, corners_of, intersections
from edge.detection.point_grid import InputSize
from training.face_detector.pictures.boxed_pictures import BoxedPicture, BoxKind
from training.face_detector.views.box_maps import Affine, clip, transform_faces

Rng = np.random.Generator

#: The face that a view is framed for gets a size from `MIN_FACE_PX` to this share of the view's
#: height, and in `SMALL_SHARE` of the views at most `MAX_SMALL_PX`, because nearly all faces that
#: the network misses are small.
MIN_FACE_PX, MAX_FACE_SHARE = 12.0, 1.0
SMALL_SHARE, MAX_SMALL_PX = 0.5, 60.0
#: A photograph is enlarged at most by this factor, or it would be more blurred than a camera's
#: picture.
MAX_ENLARGEMENT = 2.5
TILT_SPREAD, MAX_TILT = math.radians(7), math.radians(45)
STRONG_TILT_SHARE = 0.3
#: A face is ignored if a smaller share of it than this lies in the view.
MIN_VISIBLE = 0.5
MOSAIC_SHARE, PASTE_SHARE = 0.25, 0.20
MAX_PASTED = 4
PASTE_MARGIN = 0.45  # around a pasted face, in box widths, to show hair, ears and some neck
MIN_PASTED_PX = 24.0  # faces of a smaller size (square root of the area) are not pasted
#: The level of the bars beside a letterboxed picture.
GREY = 114


@dataclass(frozen=True)
class View:
    """A picture, (height, width) luma or (height, width, 3) RGB uint8, and its boxes as edges.

    `faces` (n, 4) and `ignored` (m, 4) lie within the picture.
    """

    pixels: Pixels
    faces: Corners
    ignored: Corners


@dataclass(frozen=True)
class Photograph:
    """A decoded photograph with its boxes as edges."""

    pixels: Pixels
    faces: Corners
    ignored: Corners


def photograph_of(picture: BoxedPicture, pixels: Pixels) -> Photograph:
    """Return the photograph of a record, from its decoded pixels."""
    return Photograph(pixels, *(_edges(picture, kind) for kind in (BoxKind.FACE, BoxKind.IGNORE)))


def _edges(picture: BoxedPicture, kind: BoxKind) -> Corners:
    return corners_of([each.box_px for each in picture.of_kind(kind)])


#: A function that returns a random photograph. The function's second argument says whether the
#: photograph must show a face.
PhotographSource = Callable[[Rng, bool], Photograph]


def compose(photograph: Photograph, others: PhotographSource, size: InputSize, rng: Rng) -> View:
    """Return a training picture of `size` that shows at least a part of `photograph`."""
    choice = rng.random()
    if choice < MOSAIC_SHARE:
        return _mosaic([photograph, *(others(rng, False) for _ in range(3))], size, rng)
    view = frame(photograph, (size.width, size.height), rng)
    wants_paste = choice < MOSAIC_SHARE + PASTE_SHARE or not len(photograph.faces)
    if wants_paste and rng.random() < 0.8:
        view = _paste(view, others, rng)
    return view


def frame(photograph: Photograph, size: tuple[int, int], rng: Rng) -> View:
    """Return a view of `size` (width, height): scaled, moved, tilted, and often mirrored.

    If the photograph shows faces, one of them gets a random size and place.
    """
    width, height = size
    rows, columns = photograph.pixels.shape[:2]
    fit = min(width / columns, height / rows)
    if len(photograph.faces):
        target = photograph.faces[int(rng.integers(len(photograph.faces)))]
        face_px = float(max(1.0, math.sqrt(areas(target[None])[0])))
        largest = MAX_FACE_SHARE * height
        if rng.random() < SMALL_SHARE:
            largest = min(largest, MAX_SMALL_PX)
        wanted = _log_uniform(rng, MIN_FACE_PX, largest)
        # A lower scale would leave the photograph tiny in an otherwise empty picture.
        scale = float(np.clip(wanted / face_px, 0.45 * fit, MAX_ENLARGEMENT))
        centre = (target[:2] + target[2:]) / 2
        place = rng.uniform((0.1 * width, 0.1 * height), (0.9 * width, 0.9 * height))
        if rng.random() < 0.5:  # show as little as possible of what is outside of the photograph
            place = _keep_covered(place, centre, scale, (columns, rows), size)
    else:
        scale = fit * _log_uniform(rng, 0.7, 3.0)
        centre = rng.uniform((0, 0), (columns, rows))
        place = _keep_covered(
            np.array([width / 2, height / 2]), centre, scale, (columns, rows), size
        )
    stretch = math.exp(float(np.clip(rng.normal(0, 0.06), -0.15, 0.15)))
    matrix = _similarity(centre, place, scale, _tilt(rng), stretch, rng.random() < 0.5)
    return warp(photograph, matrix, size, _border(rng))


def _log_uniform(rng: Rng, low: float, high: float) -> float:
    return math.exp(rng.uniform(math.log(low), math.log(high)))


def _tilt(rng: Rng) -> float:
    if rng.random() < STRONG_TILT_SHARE:
        return float(rng.uniform(-MAX_TILT, MAX_TILT))
    return float(np.clip(rng.normal(0, TILT_SPREAD), -MAX_TILT, MAX_TILT))


def _keep_covered(
    place: np.ndarray[tuple[int], np.dtype[np.float64]],
    centre: np.ndarray[tuple[int], np.dtype[np.float64]],
    scale: float,
    source: tuple[int, int],
    size: tuple[int, int],
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return the place nearest to `place` at which an upright photograph covers the view, or lies
    within the view if the photograph is smaller.
    """
    moved = np.array(place, np.float64)
    for axis in (0, 1):
        scaled = source[axis] * scale
        ends = sorted((scale * centre[axis], size[axis] - scaled + scale * centre[axis]))
        moved[axis] = np.clip(moved[axis], *ends)
    return moved


def _similarity(
    centre: np.ndarray[tuple[int], np.dtype[np.float64]],
    place: np.ndarray[tuple[int], np.dtype[np.float64]],
    scale: float,
    tilt: float,
    stretch: float,
    mirror: bool,
) -> Affine:
    """Return the map that moves `centre` to `place`, stretched in x, mirrored, then turned."""
    cos, sin = math.cos(tilt), math.sin(tilt)
    turned = np.array([[cos, -sin], [sin, cos]])
    linear = turned @ np.diag([(-1.0 if mirror else 1.0) * scale * stretch, scale / stretch])
    moved = np.asarray(place) - linear @ np.asarray(centre)
    return np.concatenate([linear, moved[:, None]], axis=1)


def _border(rng: Rng) -> int | None:
    """Return the grey level of what lies outside of the photograph, or None to repeat its edge."""
    return None if rng.random() < 0.5 else int(rng.integers(0, 256))


def warp(photograph: Photograph, matrix: Affine, size: tuple[int, int], border: int | None) -> View:
    """Return the view of `size` (width, height) that the affine map `matrix` makes.

    Boxes of faces are mapped as ellipses and clipped to the view. A face of which less than
    `MIN_VISIBLE` is in view is ignored, and a face that is not in view is left out.
    """
    pixels, scale = photograph.pixels, math.sqrt(abs(np.linalg.det(matrix[:, :2])))
    drawn = matrix
    if scale < 0.6:  # warpAffine does not average pixels, so scale down before it
        shrink = max(scale * 1.2, 8 / min(pixels.shape[:2]))
        target = (max(1, round(pixels.shape[1] * shrink)), max(1, round(pixels.shape[0] * shrink)))
        ratio = np.array([target[0] / pixels.shape[1], target[1] / pixels.shape[0]])
        pixels = np.asarray(cv2.resize(pixels, target, interpolation=cv2.INTER_AREA), np.uint8)
        drawn = np.concatenate([matrix[:, :2] / ratio, matrix[:, 2:]], axis=1)
    # OpenCV's coordinates are those of the centres of pixels; ours are those of the edges of
    # pixels.
    shifted = drawn.copy()
    shifted[:, 2] += drawn[:, :2] @ (0.5, 0.5) - 0.5
    warped = cv2.warpAffine(
        pixels,
        shifted,
        size,
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE if border is None else cv2.BORDER_CONSTANT,
        borderValue=(border or 0,) * 3,
    )
    faces = transform_faces(photograph.faces, matrix)
    ignored = transform_faces(photograph.ignored, matrix)
    return _within(np.asarray(warped, np.uint8), faces, ignored)


def _within(pixels: Pixels, faces: Corners, ignored: Corners) -> View:
    height, width = pixels.shape[:2]
    shown = clip(faces, width, height)
    visible = areas(shown) / np.maximum(areas(faces), 1e-6)
    ignored = clip(ignored, width, height)
    partly = shown[(visible > 0) & (visible < MIN_VISIBLE)]
    return View(
        pixels,
        shown[visible >= MIN_VISIBLE],
        np.concatenate([ignored[areas(ignored) > 0], partly]),
    )


def _mosaic(photographs: Sequence[Photograph], size: InputSize, rng: Rng) -> View:
    """Return four views, one in each corner, that meet at a random point."""
    middle_x = round(size.width * rng.uniform(0.3, 0.7))
    middle_y = round(size.height * rng.uniform(0.3, 0.7))
    shape = size.shape if size.channels == 3 else size.shape[:2]
    canvas = np.zeros(shape, np.uint8)
    faces, ignored = [], []
    for index, photograph in enumerate(photographs):
        left, right = ((0, middle_x), (middle_x, size.width))[index % 2]
        top, bottom = ((0, middle_y), (middle_y, size.height))[index // 2]
        part = frame(photograph, (right - left, bottom - top), rng)
        canvas[top:bottom, left:right] = part.pixels
        offset = np.array([left, top, left, top], np.float32)
        faces.append(part.faces + offset)
        ignored.append(part.ignored + offset)
    return View(canvas, np.concatenate(faces), np.concatenate(ignored))


def _paste(view: View, others: PhotographSource, rng: Rng) -> View:
    """Return `view` with faces of other photographs at random places without a face."""
    pixels = view.pixels.copy()
    faces, taken = view.faces, np.concatenate([view.faces, view.ignored])
    height, width = pixels.shape[:2]
    for _ in range(int(rng.integers(1, MAX_PASTED + 1))):
        donor = others(rng, True)
        large = donor.faces[areas(donor.faces) >= MIN_PASTED_PX**2]
        if not len(large):
            continue
        face = large[int(rng.integers(len(large)))]
        side = math.sqrt(areas(face[None])[0])
        wanted = _log_uniform(rng, MIN_FACE_PX, 0.5 * height)
        place = rng.uniform((0, 0), (width, height))
        scale = min(wanted / side, MAX_ENLARGEMENT)
        centre = (face[:2] + face[2:]) / 2
        matrix = _similarity(centre, place, scale, _tilt(rng), 1.0, rng.random() < 0.5)
        box = transform_faces(face[None], matrix)
        shown = clip(box, width, height)
        hidden = areas(shown)[0] < 0.8 * areas(box)[0]
        if hidden or (intersections(_enlarged(box), taken) > 0).any():
            continue
        if _neighbours_show(donor, face):
            continue  # the crop would show a part of another face, without a box
        _blend(pixels, donor.pixels, face, matrix)
        faces, taken = np.concatenate([faces, shown]), np.concatenate([taken, _enlarged(box)])
    return View(pixels, faces, view.ignored)


def _enlarged(corners: Corners, margin: float = PASTE_MARGIN) -> Corners:
    reach = margin * (corners[:, 2:3] - corners[:, :1])
    return np.concatenate([corners[:, :2] - reach, corners[:, 2:] + reach], axis=1)


def _neighbours_show(donor: Photograph, face: Corners) -> bool:
    shown = intersections(_enlarged(face[None]), np.concatenate([donor.faces, donor.ignored])) > 0
    return int(shown.sum()) > 1  # the face itself is one of the boxes that show


def _blend(canvas: Pixels, source: Pixels, face: Corners, matrix: Affine) -> None:
    """Draw the surroundings of `face` in `source` onto `canvas`, with a soft edge."""
    height, width = canvas.shape[:2]
    opacity: Pixels = np.zeros(source.shape[:2], np.uint8)
    left, top, right, bottom = _enlarged(face[None], PASTE_MARGIN * 0.7)[0]
    middle = (round(float(left + right) / 2), round(float(top + bottom) / 2))
    axes = (max(1, round(float(right - left) / 2)), max(1, round(float(bottom - top) / 2)))
    cv2.ellipse(opacity, middle, axes, 0, 0, 360, (255,), -1)
    photograph = Photograph(source, np.zeros((0, 4), np.float32), np.zeros((0, 4), np.float32))
    drawn = warp(photograph, matrix, (width, height), 0).pixels
    masked = Photograph(opacity, photograph.faces, photograph.ignored)
    alpha = warp(masked, matrix, (width, height), 0).pixels.astype(np.float32) / 255
    scale = math.sqrt(abs(np.linalg.det(matrix[:, :2])))
    alpha = np.asarray(
        cv2.GaussianBlur(alpha, (0, 0), max(0.6, 0.06 * scale * float(right - left))), np.float32
    )
    if canvas.ndim == 3:
        alpha = alpha[:, :, None]
    canvas[:] = np.clip(canvas + alpha * (drawn.astype(np.float32) - canvas), 0, 255).astype(
        np.uint8
    )


def letterbox(pixels: Pixels, size: InputSize) -> tuple[Pixels, Affine]:
    """Return `pixels` scaled to fit `size`, in the middle of a grey picture, and the map to it."""
    rows, columns = pixels.shape[:2]
    scale = min(size.width / columns, size.height / rows)
    shift = ((size.width - scale * columns) / 2, (size.height - scale * rows) / 2)
    matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]], np.float64)
    empty = np.zeros((0, 4), np.float32)
    view = warp(Photograph(pixels, empty, empty), matrix, (size.width, size.height), GREY)
    return view.pixels, matrix
