"""What a trained network's card must state: the threshold of its scores, and how its tight boxes
become the square boxes of the cascade. Both are measured on the validation pictures.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np

from edge.common.arrays import Pixels
from edge.detection.boxes import Corners, corners_of, iou_matrix, sizes
from edge.detection.detector_card import BoxConvention, Threshold
from edge.detection.haar_detector import HaarDetector
from edge.detection.luma import Luma
from edge.detection.point_grid import Detections
from training.face_detector.evaluation.detection_metrics import FaceTruth, match_all, threshold_at

log = logging.getLogger(__name__)

#: Numbers of false boxes in 100 pictures at the thresholds `score` and `sure`. The daemon decides
#: over several frames, gives a doubtful box less weight, and has a classifier that was trained on
#: boxes without a face, so it can afford many false boxes. With the shipped network half of the
#: boxes with a score of about `score` hold a face, and nine tenths of those with a score of about
#: `sure`; this is what the supports of the cascade stand for (`edge.detection.tight_boxes`).
FALSE_BOXES, SURE_FALSE_BOXES = 25.0, 5.0
#: As in `training.face_detector.evaluation.detector_evaluation.RECALL_IOU`.
MIN_IOU = 0.3
#: The thresholds lie within these limits, so that few pictures without a false box do not set them
#: to extremes, and at least this far apart.
MIN_SCORE, MAX_SCORE, MIN_GAP = 0.1, 0.9, 0.05
#: The fewest faces that both detectors must have found to compare their boxes, and the convention
#: that is used otherwise: that of the shipped network.
MIN_PAIRS = 20
SHIPPED_BOX = BoxConvention(side=1.13, measured="as for the shipped network")


def choose_thresholds(found: Sequence[Detections], truths: Sequence[FaceTruth]) -> Threshold:
    """Return the thresholds at which `found` has the wanted numbers of false boxes."""
    matched = match_all(found, truths, MIN_IOU)
    score, sure = (threshold_at(matched, n) for n in (FALSE_BOXES, SURE_FALSE_BOXES))
    score = round(float(np.clip(score, MIN_SCORE, MAX_SCORE - MIN_GAP)), 3)
    sure = round(float(np.clip(sure, score + MIN_GAP, MAX_SCORE)), 3)
    return Threshold(
        score=score,
        sure=sure,
        chosen=f"at most {FALSE_BOXES:g} and {SURE_FALSE_BOXES:g} false boxes in 100 pictures, on"
        f" {len(truths)} validation pictures",
    )


def measure_box_convention(pairs: Sequence[tuple[Corners, Corners]]) -> BoxConvention:
    """Compare the boxes of the network with those of the cascade for the same faces.

    `pairs` holds, for each picture, the tight boxes (n, 4) and the boxes of the cascade (m, 4).
    Returns `SHIPPED_BOX` if they share fewer than `MIN_PAIRS` faces.
    """
    sides = []
    for tight, squares in pairs:
        overlap = iou_matrix(tight, squares)
        for first, second in zip(*np.nonzero(overlap >= MIN_IOU), strict=True):
            sides.append(float(sizes(squares)[second] / sizes(tight)[first]))
    if len(sides) < MIN_PAIRS:
        log.warning(
            "the cascade and the network both find only %d faces in the validation pictures, too"
            " few to compare their boxes",
            len(sides),
        )
        return SHIPPED_BOX
    return BoxConvention(
        side=round(float(np.median(sides)), 3),
        measured=f"median over {len(sides)} faces that OpenCV's default cascade finds, too",
    )


def cascade_boxes(pixels: Pixels, detector: HaarDetector) -> Corners:
    """Return the boxes (n, 4) that the cascade finds in a (height, width, 1 or 3) uint8 picture."""
    grey = np.asarray(pixels.mean(axis=2), np.uint8)
    return corners_of([face.box_px for face in detector.search(Luma(grey, 1.0))])
