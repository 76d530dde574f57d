"""Face crops from samples: pictures are decoded, and faces are cropped with their surroundings."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from edge.camera.pictures.image_files import read_image
from edge.classification.face_crop import crop_face, framed_square, resize_crop
from edge.common.arrays import Box, Pixels
from edge.common.errors import UserError
from training.data.datasets import DataSet, Sample
from training.data.detector_simulation import MARGIN, box_of_annotation, box_of_framed_picture
from training.data.face_boxes import find_only_face
from training.network.model import SIZE_PX

log = logging.getLogger(__name__)

#: If a larger share of a data set's pictures is unreadable, the download is considered broken.
CORRUPT_SHARE = 0.01
#: Narrower annotated faces show little, and their labels are guesses.
MIN_TRAINED_WIDTH_PX, MIN_EVALUATED_WIDTH_PX = 20.0, 28.0
#: A picture without boxes in which no face is found counts as a face crop if its aspect ratio is
#: at most this.
MAX_ASPECT = 1.6

# Surroundings of a face that are kept, as a square whose side is this many sides of its box. Such a
# square leaves room for the random shifts of the augmentation.
CONTEXT_SIDES = 2.2
BOX_LIMIT_PX = 112  # A larger box is scaled down to this size; its crop is still larger than 96 px.


@dataclass(frozen=True)
class Face:
    """A face to train on: the pixels around it, (h, w, 3) uint8 RGB, and its box in them.

    The box of an `annotated` face is the detector's mean box, to which its spread must still be
    added. The box of any other face was drawn by the detector itself, or covers the picture.
    """

    image: Pixels
    box_px: Box
    label: str
    annotated: bool


def read_picture(path: Path) -> Pixels | None:
    """Return the picture as (height, width, 3) uint8 RGB, or None if it cannot be read."""
    try:
        image = read_image(path)
    except UserError:
        return None
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)


def decode_samples(
    data: DataSet,
    samples: Iterable[Sample],
    progress: Callable[[list[Sample]], Iterable[Sample]],
) -> Iterator[tuple[Sample, Pixels]]:
    """Yield what `decode_pictures` does, with the faces of whole pictures found.

    The daemon's network searches them, unless the data set consists of face crops.
    """
    for sample, image in decode_pictures(data, samples, progress):
        yield _located(data, sample, image), image


def decode_pictures(
    data: DataSet,
    samples: Iterable[Sample],
    progress: Callable[[list[Sample]], Iterable[Sample]],
) -> Iterator[tuple[Sample, Pixels]]:
    """Yield each sample with its picture, as (height, width, 3) uint8 RGB.

    `progress` wraps the list of samples to show progress. Pictures that cannot be decoded are named
    in the log and left out. Raises UserError after the last sample if more than `CORRUPT_SHARE` of
    the pictures of the whole data set cannot be decoded, those that earlier calls found included,
    or if none of the pictures of this call can be decoded; and at once if an annotated face that is
    wide enough for training lies outside its picture.
    """
    samples = list(samples)
    last_path, last_image = None, None
    for sample in progress(samples):
        if sample.path != last_path:
            last_path, last_image = sample.path, read_picture(sample.path)
        if last_image is not None:
            _check_annotation(sample, last_image)
            yield sample, last_image
        elif sample.path not in data.unreadable:
            data.unreadable.add(sample.path)
            log.warning("left out a picture that cannot be decoded: %s", sample.path)
    _check_readable(data, {sample.path for sample in samples})


def _check_annotation(sample: Sample, image: Pixels) -> None:
    """Raise UserError if the crop of the annotated face would hold nothing of the picture."""
    if sample.box_px is None or sample.box_px[2] < MIN_TRAINED_WIDTH_PX:
        return
    height, width = image.shape[:2]
    x, y, side, _ = framed_square(box_of_annotation(sample.box_px), MARGIN)
    if not (1 - side < x < width - 1 and 1 - side < y < height - 1):
        left, top, wide, high = sample.box_px
        raise UserError(
            f"the annotation of {sample.path} is invalid: box {left:g},{top:g} to"
            f" {left + wide:g},{top + high:g} lies outside the {width}x{height} picture"
        )


def _located(data: DataSet, sample: Sample, image: Pixels) -> Sample:
    if data.framed or sample.box_px is not None:
        return sample
    found = find_only_face(image)
    if found is None or found[2] < MIN_EVALUATED_WIDTH_PX:
        return sample
    return dataclasses.replace(sample, found_px=found)


def _check_readable(data: DataSet, read: set[Path]) -> None:
    pictures = max(data.pictures, len({sample.path for sample in data.samples}))
    unreadable = data.unreadable
    if len(unreadable) > CORRUPT_SHARE * pictures:
        raise UserError(
            f"{len(unreadable)} of {pictures} pictures of {data.root} cannot be decoded, such as"
            f" {min(unreadable)}; more than {CORRUPT_SHARE:.0%} means that the download is broken:"
            " download it again"
        )
    if read and read <= unreadable:
        raise UserError(
            f"none of the {len(read)} pictures that are needed of {data.root} can be decoded, such"
            f" as {min(read)}: replace or remove them"
        )


def training_face(data: DataSet, sample: Sample, image: Pixels) -> Face | None:
    """Return the face to train on, or None if it is too small or the picture is not a face crop."""
    height, width = image.shape[:2]
    if sample.box_px is not None:
        if sample.box_px[2] < MIN_TRAINED_WIDTH_PX:
            return None
        return _crop_context(image, box_of_annotation(sample.box_px), sample.label, annotated=True)
    box = sample.found_px
    if box is None:
        if max(width / height, height / width) > MAX_ASPECT:
            return None
        box = box_of_framed_picture(width, height)
    return _crop_context(image, box, sample.label, annotated=False)


def evaluation_crop(sample: Sample, image: Pixels) -> Pixels | None:
    """Return the face as the Pi would crop it, (96, 96, 3) uint8, or None if it is too small.

    Annotated faces are cropped at the detector's mean box, other faces where the detector found
    them; other pictures are taken whole, as `Classifier.classify_crop` does.
    """
    size = (SIZE_PX, SIZE_PX)
    if not is_evaluated(sample):
        return None
    box = detector_box(sample)
    return resize_crop(image, size) if box is None else crop_face(image, box, MARGIN, size)


def evaluation_view(face: Face) -> Pixels:
    """Return the crop of a face to train on without augmentation, (96, 96, 3) uint8."""
    return crop_face(face.image, face.box_px, MARGIN, (SIZE_PX, SIZE_PX))


def detector_box(sample: Sample) -> Box | None:
    """Return the detector's box of the face: x, y, width, height in pixels of the picture.

    It is the mean box of an annotated face, or the box that was found, or None for a picture that
    is taken whole.
    """
    return sample.found_px if sample.box_px is None else box_of_annotation(sample.box_px)


def is_evaluated(sample: Sample) -> bool:
    """Return whether the sample's face is wide enough to be evaluated."""
    return sample.box_px is None or sample.box_px[2] >= MIN_EVALUATED_WIDTH_PX


def _crop_context(image: Pixels, box_px: Box, label: str, annotated: bool) -> Face:
    """Return the surroundings of `box_px` in `image`, scaled down if they are larger than
    needed.
    """
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
