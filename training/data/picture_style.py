"""The style of a face's picture: what may reveal a label without any mask in view."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields

import cv2
import numpy as np
import numpy.typing as npt

from edge.common.arrays import Pixels

#: If a label has fewer faces than this, the separability of its styles cannot be measured.
MIN_SAMPLES = 25

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Style:
    """The style of a face's picture, which does not depend on whether the face wears a mask.

    `brightness` and `colour`: mean grey value and mean saturation of the crop's upper half, 0 to
    255. `sharpness`: standard deviation of the Laplacian of the upper half, in grey values; it is
    low if the picture is blurred or enlarged. `side_px`: the shorter side of the annotated face, or
    of the whole picture without a box. `aspect`: width divided by height of this face or picture.
    """

    brightness: float
    colour: float
    sharpness: float
    side_px: float
    aspect: float


MEASURES = tuple(field.name for field in fields(Style))
#: The measures that are still visible after a crop is scaled to the model's size.
LOOK_MEASURES = ("brightness", "colour", "sharpness")
COMBINED_MEASURES = {"look": LOOK_MEASURES, "look and size": MEASURES}


def style_of(crop: Pixels, width_px: float, height_px: float) -> Style:
    """Return the style of a `crop`, (h, w, 3) uint8 RGB.

    All crops must have the same size, so that their sharpness is comparable. `width_px` and
    `height_px` are the size that the face had in its picture.
    """
    upper = np.ascontiguousarray(crop[: crop.shape[0] // 2])
    grey = cv2.cvtColor(upper, cv2.COLOR_RGB2GRAY)
    saturation = cv2.cvtColor(upper, cv2.COLOR_RGB2HSV)[..., 1]
    return Style(
        float(grey.mean()),
        float(saturation.mean()),
        float(cv2.Laplacian(grey, cv2.CV_64F).std()),
        float(min(width_px, height_px)),
        width_px / height_px,
    )


def separability(a: Sequence[float] | Floats, b: Sequence[float] | Floats) -> float:
    """Return how well one number separates `a` from `b`: 0.5 not at all, 1 perfectly.

    The result is the area under the ROC curve (Mann and Whitney's U divided by the number of
    pairs), or 1 minus the area if that is larger, because the direction does not matter. Raises
    ValueError if `a` or `b` is empty.
    """
    if not len(a) or not len(b):
        raise ValueError("both groups must have at least one value")
    below = np.sort(np.asarray(b, np.float64))
    values = np.asarray(a, np.float64)
    both = np.searchsorted(below, values, "left") + np.searchsorted(below, values, "right")
    area = float(both.mean()) / 2 / len(below)
    return max(area, 1 - area)


def separabilities(a: Sequence[Style], b: Sequence[Style]) -> dict[str, float]:
    """Return the `separability` by each of `MEASURES` and by each of `COMBINED_MEASURES`.

    The result is empty if `a` or `b` has fewer than `MIN_SAMPLES`. For several measures together,
    gradient-boosted trees predict the label of each face in five-fold cross-validation; the
    separability is computed from their predictions.
    """
    if min(len(a), len(b)) < MIN_SAMPLES:
        return {}
    table_a, table_b = (np.array([astuple(style) for style in styles]) for styles in (a, b))
    found = {
        name: separability(table_a[:, column], table_b[:, column])
        for column, name in enumerate(MEASURES)
    }
    for name, measures in COMBINED_MEASURES.items():
        columns = [MEASURES.index(measure) for measure in measures]
        found[name] = _combined_separability(table_a[:, columns], table_b[:, columns])
    return found


def _combined_separability(a: Floats, b: Floats) -> float:
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from threadpoolctl import threadpool_limits

    table, truth = np.concatenate([a, b]), np.repeat([1, 0], [len(a), len(b)])
    # one thread, because on a busy machine several threads wait for each other for minutes
    with threadpool_limits(1):
        scores = cross_val_predict(
            HistGradientBoostingClassifier(max_iter=60, random_state=0),
            table,
            truth,
            cv=StratifiedKFold(5, shuffle=True, random_state=0),
            method="predict_proba",
        )[:, 1]
    return separability(scores[truth == 1], scores[truth == 0])
