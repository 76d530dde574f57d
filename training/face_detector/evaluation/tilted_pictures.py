"""Turned copies of pictures, to measure up to which tilt of the head a detector finds faces."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from edge.camera.pictures.image_files import read_image
from edge.common.arrays import Pixels
from edge.detection.point_grid import Detections
from training.face_detector.evaluation.detection_metrics import FaceTruth
from training.face_detector.evaluation.detector_evaluation import EvaluationPicture
from training.face_detector.evaluation.search_detectors import SearchDetector
from training.face_detector.views.box_maps import Affine, transform_faces
from training.face_detector.views.composition import GREY, Photograph, warp


@dataclass(frozen=True)
class TiltedPictures:
    """What a detector found in pictures that were turned by `degrees` to both sides."""

    degrees: float
    found: tuple[Detections, ...]
    truths: tuple[FaceTruth, ...]


def find_tilted(
    detector: SearchDetector, pictures: Iterable[EvaluationPicture], tilts: Sequence[float]
) -> list[TiltedPictures]:
    """Search all `pictures`, turned by each of `tilts` in degrees, half of them to each side.

    The faces of photographs are upright within about 15 degrees, so these tilts add to their own.
    """
    found: dict[float, list[tuple[Detections, FaceTruth]]] = {tilt: [] for tilt in tilts}
    for index, each in enumerate(pictures):
        image = read_image(each.picture.path)
        for tilt in tilts:
            turned, truth = turn(each, image, tilt if index % 2 else -tilt)
            found[tilt].append((detector.find(turned), truth))
    return [
        TiltedPictures(tilt, tuple(d for d, _ in pairs), tuple(t for _, t in pairs))
        for tilt, pairs in found.items()
    ]


def turn(each: EvaluationPicture, image: Pixels, degrees: float) -> tuple[Pixels, FaceTruth]:
    """Return `image`, turned around its middle in a picture of the same size, and its faces.

    Faces that are not entirely within the turned picture are not counted.
    """
    height, width = image.shape[:2]
    matrix = _turning(degrees, (width / 2, height / 2))
    view = warp(Photograph(image, each.faces, each.ignored), matrix, (width, height), GREY)
    faces = transform_faces(each.faces, matrix)
    inside = (faces[:, :2] >= 0).all(axis=1) & (faces[:, 2:] <= (width, height)).all(axis=1)
    ignored = transform_faces(each.ignored, matrix)
    return view.pixels, FaceTruth(faces, ignored, each.counted & inside)


def _turning(degrees: float, middle: tuple[float, float]) -> Affine:
    angle = math.radians(degrees)
    linear = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    return np.concatenate([linear, (np.array(middle) - linear @ middle)[:, None]], axis=1)
