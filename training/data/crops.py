"""Samples become pixels: decoded, found, and kept with as much around the face as is needed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from edge.classification.face_crop import crop_face, resize_crop
from edge.common.arrays import Box, Pixels
from edge.common.errors import UserError
from training.data.datasets import DataSet, Sample
from training.data.detector_simulation import MARGIN, box_of_annotation, box_of_framed_picture
from training.data.face_boxes import find_only_face
from training.network.model import SIZE_PX

log = logging.getLogger(__name__)

#: More unreadable pictures than this share of a data set is a broken download.
CORRUPT_SHARE = 0.01
#: Annotated faces narrower than this say little and their labels are guesses.
MIN_TRAINED_WIDTH_PX, MIN_EVALUATED_WIDTH_PX = 20.0, 28.0
#: A whole picture stretched more than this to a square, with no face found, is no crop.
MAX_ASPECT = 1.6

CONTEXT_SIDES = 2.2  # kept around a face, in detector sides: room for the jitter
BOX_LIMIT_PX = 112  # a larger box is scaled down when kept: its crop still exceeds 96 px


@dataclass(frozen=True)
class Face:
    """A training face: pixels around it, (h, w, 3) uint8 RGB, and its box in them.

    `annotated` faces have the detector's spread still to come; others are boxed by
    the detector itself, or fill their picture.
    """

    image: Pixels
    box_px: Box
    label: str
    annotated: bool


def read_picture(path: Path) -> Pixels | None:
    """The picture as (height, width, 3) uint8 RGB, or None when it cannot be decoded."""
    try:
        raw = np.frombuffer(path.read_bytes(), np.uint8)
        image = cv2.imdecode(raw, cv2.IMREAD_COLOR) if raw.size else None
    except (OSError, cv2.error):
        return None
    if image is None:
        return None
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)


def decode_samples(
    data: DataSet, samples: Iterable[Sample], watch: Callable[[list[Sample]], Iterable[Sample]]
) -> Iterator[tuple[Sample, Pixels]]:
    """Each sample with its picture; `watch` wraps the list to show progress.

    Pictures that cannot be decoded are named in the log and left out; raises UserError
    when they are more than `CORRUPT_SHARE` of the samples.
    """
    samples = list(samples)
    corrupt: set[Path] = set()
    last_path, last_image = None, None
    for sample in watch(samples):
        if sample.path != last_path:
            last_path, last_image = sample.path, read_picture(sample.path)
        if last_image is not None:
            yield sample, last_image
        elif sample.path not in corrupt:
            corrupt.add(sample.path)
            log.warning("left out, cannot be decoded: %s", sample.path)
    paths = len({sample.path for sample in samples})
    if len(corrupt) > CORRUPT_SHARE * paths:
        raise UserError(
            f"{len(corrupt)} of {paths} pictures of {data.root} cannot be decoded, such as"
            f" {min(corrupt)}: more than {CORRUPT_SHARE:.0%}, so the download is broken"
        )


def training_face(data: DataSet, sample: Sample, image: Pixels) -> Face | None:
    """The face to train on, or None when the picture shows it too small or not at all."""
    height, width = image.shape[:2]
    if sample.box_px is not None:
        if sample.box_px[2] < MIN_TRAINED_WIDTH_PX:
            return None
        return _crop_context(image, box_of_annotation(sample.box_px), sample.label, annotated=True)
    box = None if data.framed else find_only_face(image)
    if box is None:
        if max(width / height, height / width) > MAX_ASPECT:
            return None
        box = box_of_framed_picture(width, height)
    return _crop_context(image, box, sample.label, annotated=False)


def evaluation_crop(sample: Sample, image: Pixels) -> Pixels | None:
    """The face as the Pi would crop it: (96, 96, 3) uint8; None when it is too small.

    Annotated faces are cut at the detector's mean box; whole pictures are taken as
    framed, like `Classifier.classify_crop` does.
    """
    size = (SIZE_PX, SIZE_PX)
    if sample.box_px is None:
        return resize_crop(image, size)
    if not is_evaluated(sample):
        return None
    return crop_face(image, box_of_annotation(sample.box_px), MARGIN, size)


def is_evaluated(sample: Sample) -> bool:
    """Whether the sample's face is wide enough to be counted."""
    return sample.box_px is None or sample.box_px[2] >= MIN_EVALUATED_WIDTH_PX


def _crop_context(image: Pixels, box_px: Box, label: str, annotated: bool) -> Face:
    """`image` cut to the surroundings of `box_px` and scaled down when larger than needed."""
    x, y, w, h = box_px
    height, width = image.shape[:2]
    reach = CONTEXT_SIDES / 2 * max(w, h)
    x0, x1 = max(0, int(x + w / 2 - reach)), min(width, int(x + w / 2 + reach) + 1)
    y0, y1 = max(0, int(y + h / 2 - reach)), min(height, int(y + h / 2 + reach) + 1)
    around = image[y0:y1, x0:x1]
    scale = min(1.0, BOX_LIMIT_PX / max(w, h))
    if scale < 1.0:
        size = (max(1, round((x1 - x0) * scale)), max(1, round((y1 - y0) * scale)))
        around = np.asarray(cv2.resize(around, size, interpolation=cv2.INTER_AREA), np.uint8)
    box = ((x - x0) * scale, (y - y0) * scale, w * scale, h * scale)
    return Face(np.ascontiguousarray(around), box, label, annotated)
