"""Statistics of a data set from one pass over its pictures: sizes, styles, fingerprints."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge.classification.face_crop import crop_face, resize_crop
from edge.common.arrays import Pixels
from edge.common.errors import UserError
from training.common.contact_sheet import CELL_PX
from training.data.crops import is_evaluated, read_picture
from training.data.datasets import DataSet, Sample
from training.data.detector_simulation import MARGIN, box_of_annotation
from training.data.duplicates import Fingerprint, fingerprint
from training.data.picture_style import Style, style_of
from training.data.progress import sample_progress, subsample
from training.network.model import SIZE_PX

#: Maximum number of faces on a contact sheet: four rows.
FACES_PER_SHEET = 40
SHEET_MARGIN = 0.5  # margin around a face, in box sides, to show the person as well


@dataclass(frozen=True)
class FaceStats:
    """A face: the width and height of its picture, its own width and height, in pixels, and its
    style.

    The face of a sample without a box fills its picture. `style` is None if the face is too small
    to judge.
    """

    sample: Sample
    picture_px: tuple[int, int]
    face_px: tuple[float, float]
    style: Style | None


@dataclass(frozen=True)
class PictureFingerprint:
    """The fingerprint of a face, or of a whole scene (`label` None), for finding
    near-duplicates.
    """

    data: str
    path: Path
    label: str | None
    split: str
    fingerprint: Fingerprint


@dataclass(frozen=True)
class DataSetStats:
    """The statistics of a data set.

    `sheet_faces`: faces for the contact sheets, by label, with the names of their files.
    `left_out`: number of samples that `--limit` left out.
    """

    data: DataSet
    faces: list[FaceStats]
    fingerprints: list[PictureFingerprint]
    unreadable: list[Path]
    sheet_faces: dict[str, list[tuple[Pixels, str]]]
    left_out: int


def collect_stats(data: DataSet, limit: int | None, seed: int) -> DataSetStats:
    """Read `limit` samples of `data`, evenly spread over it, or all if `limit` is None.

    Pictures that cannot be decoded are listed, even if they are many. Raises UserError if no
    picture can be decoded.
    """
    samples = subsample(list(data.samples), limit)
    chosen = _choose_for_sheets(samples, seed)
    stats = DataSetStats(data, [], [], [], defaultdict(list), len(data.samples) - len(samples))
    last: tuple[Path, Pixels | None] | None = None
    for index, sample in enumerate(sample_progress(f"looking at {data.name}")(samples)):
        is_first = last is None or last[0] != sample.path
        if last is None or last[0] != sample.path:
            last = sample.path, read_picture(sample.path)
        image = last[1]
        if image is None:
            if is_first:
                stats.unreadable.append(sample.path)
            continue
        _add_face(stats, sample, image, is_first)
        if index in chosen:
            stats.sheet_faces[sample.label].append((_thumbnail(sample, image), sample.path.name))
    if not stats.faces:
        raise UserError(f"none of the {len(samples)} pictures of {data.root} can be decoded")
    return stats


def _add_face(stats: DataSetStats, sample: Sample, image: Pixels, is_first: bool) -> None:
    """Add one face to `stats`, and its whole picture if this is the first face of the picture."""
    height, width = image.shape[:2]
    name, split = stats.data.name, str(sample.split)
    face_px = (float(width), float(height)) if sample.box_px is None else sample.box_px[2:]
    style = None
    if is_evaluated(sample):
        crop = _crop(sample, image)
        style = style_of(crop, *face_px)
        mark = fingerprint(image if sample.box_px is None else crop)
        stats.fingerprints.append(PictureFingerprint(name, sample.path, sample.label, split, mark))
    if sample.box_px is not None and is_first:
        stats.fingerprints.append(
            PictureFingerprint(name, sample.path, None, split, fingerprint(image))
        )
    stats.faces.append(FaceStats(sample, (width, height), face_px, style))


def _crop(sample: Sample, image: Pixels) -> Pixels:
    size = (SIZE_PX, SIZE_PX)
    if sample.box_px is None:
        return resize_crop(image, size)
    return crop_face(image, box_of_annotation(sample.box_px), MARGIN, size)


def _thumbnail(sample: Sample, image: Pixels) -> Pixels:
    """Return the face in the size of a cell, with its surroundings if it is in a scene."""
    if sample.box_px is not None:
        return crop_face(image, box_of_annotation(sample.box_px), SHEET_MARGIN, (CELL_PX, CELL_PX))
    height, width = image.shape[:2]
    scale = CELL_PX / max(height, width)
    return resize_crop(image, (max(1, round(height * scale)), max(1, round(width * scale))))


def _choose_for_sheets(samples: list[Sample], seed: int) -> set[int]:
    """Return the indices of up to `FACES_PER_SHEET` samples of each label.

    The samples of a label are divided into equal stretches, and one is drawn from each.
    """
    by_label: dict[str, list[int]] = defaultdict(list)
    for index, sample in enumerate(samples):
        by_label[sample.label].append(index)
    rng = np.random.default_rng([seed, 11])
    chosen: set[int] = set()
    for indices in by_label.values():
        stretches = np.array_split(np.array(indices), min(FACES_PER_SHEET, len(indices)))
        chosen |= {int(rng.choice(stretch)) for stretch in stretches}
    return chosen
