"""Evaluation of a detector: matches with all faces, and figures of groups of faces."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from edge.camera.pictures.image_files import read_image
from edge.common.arrays import Pixels
from edge.detection.boxes import Bools, Corners, Floats, corners_of, sizes
from edge.detection.point_grid import Detections, InputSize
from training.common.intervals import RESAMPLES, Estimate
from training.face_detector.evaluation.detection_metrics import (
    FALSE_BOXES,
    Curve,
    FaceTruth,
    estimate,
    match_all,
    match_picture,
    precision_recall,
    threshold_at,
)
from training.face_detector.evaluation.search_detectors import SearchDetector
from training.face_detector.pictures.boxed_pictures import BoxedPicture, BoxKind, read_pixels

#: The IoU from which a detection is a hit. 0.5 is the usual limit. But detectors box a face
#: differently (a cascade draws squares, others leave out the forehead), and the classifier can use
#: all of these boxes, so recall is measured at 0.3: at 0.5 the boxes of many found faces would
#: count as false boxes.
IOU_LIMITS = (0.5, 0.3)
RECALL_IOU = 0.3
#: About the size of the picture in which the daemon searches.
SEARCH_SIZE = InputSize(320, 240)
#: Groups by size, which is the square root of the box's area when the picture is scaled to fit
#: `SEARCH_SIZE`. A group contains the faces from its first size up to, but not including, its
#: second size.
SIZE_GROUPS = ((12, 24), (24, 48), (48, 96), (96, 240))
#: Groups of labels.
LABEL_GROUPS = {
    "bare": ("no_mask",),
    "masked": ("mask",),
    "mask worn incorrectly": ("incorrect_mask",),
}
#: A face is dark if its mean luma is below this.
DARK_LUMA = 60.0
ALL = "all"


@dataclass(frozen=True)
class EvaluationPicture:
    """A picture, and its faces (n, 4) and ignored regions (m, 4) in pixels.

    `counted` (n,): whether a face is wide enough to be counted. `scale`: the factor by
    which the picture is scaled to fit `SEARCH_SIZE`. `luma` (n,): the mean luma of each face.
    """

    picture: BoxedPicture
    faces: Corners
    ignored: Corners
    counted: Bools
    labels: tuple[str | None, ...]
    luma: Floats
    scale: float

    def truth(
        self, chosen: Bools | None = None, size_range: tuple[float, float] = (0.0, float("inf"))
    ) -> FaceTruth:
        """Return the truth in which only the counted faces that are `chosen` count.

        `size_range` is in pixels of the picture scaled to fit `SEARCH_SIZE`.
        """
        counted = self.counted if chosen is None else self.counted & chosen
        low, high = (limit / self.scale for limit in size_range)
        return FaceTruth(self.faces, self.ignored, np.asarray(counted, np.bool_), (low, high))


@dataclass(frozen=True)
class GroupFigures:
    """Figures of one group of faces, with 95% intervals: `ap_0.5` and `ap_0.3`, the average
    precision at each IoU limit, and `recall_at_N` at `RECALL_IOU` with N false boxes in 100
    pictures.

    Faces of other groups are ignored, and all false boxes count, except that the average precision
    by size leaves out false boxes of other sizes.
    """

    faces: int
    figures: dict[str, Estimate | None]


@dataclass(frozen=True)
class DetectorEvaluation:
    """The figures of one detector.

    The keys of `curves` are IoU limits, those of `thresholds` are numbers of false boxes in 100
    pictures, and those of `groups` are names, with `all` first.
    """

    detector: str
    pictures: int
    curves: dict[float, Curve]
    thresholds: dict[int, float]
    groups: dict[str, GroupFigures]


def evaluation_pictures(
    pictures: Iterable[BoxedPicture], min_width_px: float
) -> list[EvaluationPicture]:
    """Prepare `pictures` for evaluation, which reads each of them to measure its faces' luma.

    Faces narrower than `min_width_px` are not counted. Raises UserError for a picture that cannot
    be read.
    """
    return [_evaluation_picture(picture, min_width_px) for picture in pictures]


def _evaluation_picture(picture: BoxedPicture, min_width_px: float) -> EvaluationPicture:
    luma = read_pixels(picture, 1)
    height, width = luma.shape
    boxes = picture.of_kind(BoxKind.FACE)
    faces = corners_of([each.box_px for each in boxes])
    return EvaluationPicture(
        picture,
        faces,
        corners_of([each.box_px for each in picture.of_kind(BoxKind.IGNORE)]),
        np.asarray(faces[:, 2] - faces[:, 0] >= min_width_px, np.bool_),
        tuple(each.label for each in boxes),
        np.array([_mean_luma(luma, face) for face in faces], np.float32),
        min(SEARCH_SIZE.width / width, SEARCH_SIZE.height / height),
    )


def _mean_luma(luma: Pixels, face: Corners) -> float:
    left, top, right, bottom = (max(0, round(float(edge))) for edge in face)
    inside = luma[top:bottom, left:right]
    return float(inside.mean()) if inside.size else 0.0


def find_all(detector: SearchDetector, pictures: Iterable[EvaluationPicture]) -> list[Detections]:
    """Return what `detector` finds in each picture."""
    return [detector.find(read_image(each.picture.path)) for each in pictures]


def evaluate_detections(
    name: str,
    found: Sequence[Detections],
    pictures: Sequence[EvaluationPicture],
    resamples: int = RESAMPLES,
) -> DetectorEvaluation:
    """Return all figures of the detector `name`, which found `found` in `pictures`."""
    members = {ALL: [each.truth() for each in pictures], **_groups(pictures)}
    groups = {}
    for group, truths in members.items():
        faces = sum(int(truth.counted.sum()) for truth in truths)
        if faces or group == ALL:
            groups[group] = GroupFigures(faces, _figures(found, truths, resamples))
    matched = {limit: match_all(found, members[ALL], limit) for limit in IOU_LIMITS}
    return DetectorEvaluation(
        name,
        len(pictures),
        {limit: precision_recall(hits) for limit, hits in matched.items()},
        {number: threshold_at(matched[RECALL_IOU], number) for number in FALSE_BOXES},
        groups,
    )


def add_groups(
    evaluation: DetectorEvaluation,
    groups: Mapping[str, tuple[Sequence[Detections], Sequence[FaceTruth]]],
    resamples: int = RESAMPLES,
) -> DetectorEvaluation:
    """Return `evaluation` with more groups: what was found in other pictures, by their name."""
    added = {
        name: GroupFigures(
            sum(int(truth.counted.sum()) for truth in truths), _figures(found, truths, resamples)
        )
        for name, (found, truths) in groups.items()
    }
    return replace(evaluation, groups={**evaluation.groups, **added})


def _figures(
    found: Sequence[Detections], truths: Sequence[FaceTruth], resamples: int
) -> dict[str, Estimate | None]:
    figures: dict[str, Estimate | None] = {}
    for limit in IOU_LIMITS:
        estimates = estimate(match_all(found, truths, limit), resamples)
        figures[f"ap_{limit:g}"] = estimates.pop("ap")
        if limit == RECALL_IOU:
            figures |= estimates
    return figures


def _groups(pictures: Sequence[EvaluationPicture]) -> dict[str, list[FaceTruth]]:
    groups = {}
    for low, high in SIZE_GROUPS:
        groups[f"{low} to {high} px"] = [
            each.truth(_within(each, low, high), (low, high)) for each in pictures
        ]
    for name, labels in LABEL_GROUPS.items():
        groups[name] = [
            each.truth(np.array([label in labels for label in each.labels], np.bool_))
            for each in pictures
        ]
    groups["dark"] = [each.truth(np.asarray(each.luma < DARK_LUMA)) for each in pictures]
    return groups


def _within(each: EvaluationPicture, low: float, high: float) -> Bools:
    side = sizes(each.faces) * each.scale
    return np.asarray((side >= low) & (side < high), np.bool_)


def missed_faces(
    found: Sequence[Detections], pictures: Sequence[EvaluationPicture], threshold: float
) -> list[tuple[int, int]]:
    """Return the (picture, face) indices of counted faces that are not found, largest face first.

    A face counts as found if a detection of at least `threshold` has IoU `RECALL_IOU` with it.
    """
    missed = []
    for index, (each, detections) in enumerate(zip(pictures, found, strict=True)):
        likely = detections.scores >= threshold
        kept = replace(
            detections, corners=detections.corners[likely], scores=detections.scores[likely]
        )
        scores = match_picture(kept, each.truth(), RECALL_IOU).face
        side = sizes(each.faces) * each.scale
        missed += [
            (float(side[face]), index, int(face))
            for face in np.flatnonzero(each.counted & np.isnan(scores))
        ]
    return [(index, face) for _, index, face in sorted(missed, reverse=True)]
