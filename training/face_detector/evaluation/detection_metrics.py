"""Metrics of a face detector: matches of detections with faces, precision, recall, and intervals.

A detection is a hit if its IoU with a face that no better detection has taken is at least the
limit, and a false box otherwise. Detections on ignored regions, or on faces that are not counted,
are left out. Detections with equal scores form one step of a curve, so their order
does not matter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from edge.detection.boxes import (
    Bools,
    Corners,
    Floats,
    Ints,
    areas,
    intersections,
    iou_matrix,
    sizes,
)
from edge.detection.point_grid import Detections
from training.common.intervals import (
    RESAMPLES,
    Estimate,
    Values,
    Weights,
    bootstrap_estimates,
    ratio,
)

#: Numbers of false boxes in 100 pictures at which recall is reported.
FALSE_BOXES = (1, 3, 10)
#: A detection that lies in an ignored region with more than this share of its area is left out.
IGNORED_SHARE = 0.5
#: Number of bootstrap draws that are computed at once, to limit memory.
CHUNK = 100


@dataclass(frozen=True)
class FaceTruth:
    """The annotated faces (n, 4) and ignored regions (m, 4) of a picture, as edges.

    `counted` (n,): whether a face is counted; the faces that are not counted are ignored.
    `size_range`: false boxes of other sizes, in pixels of the picture, do not count for the average
    precision.
    """

    faces: Corners
    ignored: Corners
    counted: Bools
    size_range: tuple[float, float] = (0.0, float("inf"))


@dataclass(frozen=True)
class ScoredHits:
    """All k detections that count, from `pictures` pictures, sorted by falling score.

    `hits` (k,): whether a detection is a hit. `picture` (k,): the index of its picture. `relevant`
    (k,): False for a false box outside of the size range. `faces` (pictures,): the number of
    counted faces.
    """

    scores: Floats
    hits: Bools
    picture: Ints
    relevant: Bools
    faces: Ints


@dataclass(frozen=True)
class PictureMatch:
    """The detections of one picture that count: scores (k,), hits (k,), and relevant (k,).

    `face` (n,): the score with which each face was found, or NaN.
    """

    scores: Floats
    hits: Bools
    relevant: Bools
    face: Floats


def match_picture(found: Detections, truth: FaceTruth, min_iou: float) -> PictureMatch:
    """Match the detections of a picture with its faces, in the order of falling scores."""
    overlap = iou_matrix(found.corners, truth.faces)
    absorbed = _absorbed(found.corners, truth, overlap, min_iou)
    face = np.full(len(truth.faces), np.nan, np.float32)
    hits = np.zeros(len(found.scores), np.bool_)
    for index in np.argsort(-found.scores, kind="stable"):
        free = np.where(truth.counted & np.isnan(face), overlap[index], 0)
        if len(free) and free.max() >= min_iou:
            face[int(free.argmax())] = found.scores[index]
            hits[index] = True
    kept = hits | ~absorbed
    low, high = truth.size_range
    side = sizes(found.corners)
    relevant = hits | ((side >= low) & (side < high))
    return PictureMatch(found.scores[kept], hits[kept], relevant[kept], face)


def _absorbed(corners: Corners, truth: FaceTruth, overlap: Floats, min_iou: float) -> Bools:
    """Return whether each detection lies on an ignored region or on a face that is not counted."""
    regions = np.concatenate([truth.ignored, truth.faces[~truth.counted]])
    within = intersections(corners, regions) / np.maximum(areas(corners), 1e-9)[:, None]
    by_iou = iou_matrix(corners, regions)
    return np.asarray(((within > IGNORED_SHARE) | (by_iou >= min_iou)).any(axis=1), np.bool_)


def match_all(
    found: Sequence[Detections], truths: Sequence[FaceTruth], min_iou: float
) -> ScoredHits:
    """Match the detections of all pictures."""
    matches = [match_picture(a, b, min_iou) for a, b in zip(found, truths, strict=True)]
    scores = np.concatenate([each.scores for each in matches])
    order = np.argsort(-scores, kind="stable")
    picture = np.repeat(np.arange(len(matches)), [len(each.scores) for each in matches])
    return ScoredHits(
        scores[order],
        np.concatenate([each.hits for each in matches])[order],
        picture[order].astype(np.int64),
        np.concatenate([each.relevant for each in matches])[order],
        np.array([int(truth.counted.sum()) for truth in truths], np.int64),
    )


@dataclass(frozen=True)
class Curve:
    """Points of a detector at falling thresholds, each (n,): the threshold, precision, recall, and
    false boxes per picture.
    """

    thresholds: Floats
    precision: Values
    recall: Values
    false_boxes: Values


def precision_recall(found: ScoredHits) -> Curve:
    """Return the curve of one detector; recall is NaN if there is no face."""
    ends = _ends(found.scores)
    hits = np.cumsum(found.hits)[ends].astype(np.float64)
    false = np.cumsum(~found.hits)[ends].astype(np.float64)
    total = np.full(len(ends), float(found.faces.sum()))
    pictures = max(1, len(found.faces))
    return Curve(
        found.scores[ends], ratio(hits, hits + false), ratio(hits, total), false / pictures
    )


def average_precision(found: ScoredHits) -> float:
    """Return the area below the curve of precision over recall, NaN if there is no face.

    The precision at a recall is taken as the highest precision at this recall or above, as in
    Pascal VOC since 2010.
    """
    return float(_average_precisions(found, np.ones((1, len(found.faces)), np.float32))[0])


def threshold_at(found: ScoredHits, false_boxes: float) -> float:
    """Return the lowest threshold with at most `false_boxes` in 100 pictures.

    The threshold is infinite if even the highest score gives more false boxes.
    """
    curve = precision_recall(found)
    allowed = np.flatnonzero(100 * curve.false_boxes <= false_boxes + 1e-9)
    return float(curve.thresholds[allowed[-1]]) if len(allowed) else float("inf")


def estimate(found: ScoredHits, resamples: int = RESAMPLES) -> dict[str, Estimate | None]:
    """Return `ap` and `recall_at_N` for each N of `FALSE_BOXES`, with 95% intervals by picture.

    The threshold is chosen anew in each draw of pictures. Values are None if there is no face.
    """
    pictures = np.arange(len(found.faces))
    estimates = bootstrap_estimates(lambda weights: _statistic(found, weights), pictures, resamples)
    count = int(found.faces.sum())
    return {
        name: None if each is None else Estimate(each.value, each.low, each.high, count)
        for name, each in estimates.items()
    }


def _statistic(found: ScoredHits, weights: Weights) -> Mapping[str, Values]:
    parts = [weights[start : start + CHUNK] for start in range(0, len(weights), CHUNK)]
    recalls = [_recalls(found, part) for part in parts]
    values = {"ap": np.concatenate([_average_precisions(found, part) for part in parts])}
    for number in FALSE_BOXES:
        values[f"recall_at_{number}"] = np.concatenate([each[number] for each in recalls])
    return values


def _average_precisions(found: ScoredHits, weights: Weights) -> Values:
    """Return the average precision for each row of `weights` (draws, pictures)."""
    chosen = found.relevant
    hits, false = _cumulative(
        found.scores[chosen], found.hits[chosen], found.picture[chosen], weights
    )
    total = weights.astype(np.float64) @ found.faces
    precision = ratio(hits, hits + false)
    envelope = np.maximum.accumulate(np.nan_to_num(precision)[:, ::-1], axis=1)[:, ::-1]
    steps = np.diff(hits, axis=1, prepend=0)
    return ratio((steps * envelope).sum(axis=1), total)


def _recalls(found: ScoredHits, weights: Weights) -> dict[int, Values]:
    hits, false = _cumulative(found.scores, found.hits, found.picture, weights)
    total = weights.astype(np.float64) @ found.faces
    pictures = weights.sum(axis=1, dtype=np.float64)
    recalls = {}
    for number in FALSE_BOXES:
        allowed = false <= number / 100 * pictures[:, None] + 1e-9
        best = np.where(allowed, hits, 0).max(axis=1, initial=0)
        recalls[number] = ratio(best, total)
    return recalls


def _cumulative(
    scores: Floats, hits: Bools, picture: Ints, weights: Weights
) -> tuple[Values, Values]:
    """Return the numbers of found faces and of false boxes at falling thresholds, as two arrays of
    shape (draws, steps)."""
    ends = _ends(scores)
    each = weights[:, picture].astype(np.float64)
    return (
        np.cumsum(each * hits, axis=1)[:, ends],
        np.cumsum(each * ~hits, axis=1)[:, ends],
    )


def _ends(scores: Floats) -> Ints:
    """Return the last index of each group of equal scores; `scores` must be falling."""
    if not len(scores):
        return np.zeros(0, np.int64)
    return np.append(np.flatnonzero(np.diff(scores)), len(scores) - 1).astype(np.int64)
