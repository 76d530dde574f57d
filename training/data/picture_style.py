"""How a face was photographed, whoever is on it: what may tell a label without any mask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields

import cv2
import numpy as np
import numpy.typing as npt

from edge.common.arrays import Pixels

#: Fewer faces than this of a label say nothing on how well a number tells it apart.
MIN_SAMPLES = 25

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Style:
    """Of the upper half of a crop, where no mask is, but for `side_px` and `aspect`.

    `brightness` and `colour`: mean grey value and mean saturation, 0 to 255. `sharpness`:
    standard deviation of the Laplacian, in grey values; low when blurred or enlarged.
    `side_px`: the shorter side of the annotated face, or of the whole picture. `aspect`:
    its width by its height.
    """

    brightness: float
    colour: float
    sharpness: float
    side_px: float
    aspect: float


MEASURES = tuple(field.name for field in fields(Style))
#: Those that a crop still shows once it has the model's size.
LOOK_MEASURES = ("brightness", "colour", "sharpness")
COMBINED_MEASURES = {"look": LOOK_MEASURES, "look and size": MEASURES}


def style_of(crop: Pixels, width_px: float, height_px: float) -> Style:
    """The style of a `crop`, (h, w, 3) uint8 RGB, always of one size so that sharpness
    compares; `width_px` by `height_px` is what the face measured before it was cut out."""
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
    """How well one number tells `a` from `b`: 0.5 not at all, 1 perfectly.

    The area under the ROC curve (Mann and Whitney's U by the number of pairs), turned
    round when below 0.5: which way the number tells does not matter. Raises ValueError
    when either is empty.
    """
    if not len(a) or not len(b):
        raise ValueError("nothing to tell apart")
    below = np.sort(np.asarray(b, np.float64))
    values = np.asarray(a, np.float64)
    both = np.searchsorted(below, values, "left") + np.searchsorted(below, values, "right")
    area = float(both.mean()) / 2 / len(below)
    return max(area, 1 - area)


def separabilities(a: Sequence[Style], b: Sequence[Style]) -> dict[str, float]:
    """`separability` by each measure, by the look as a whole, and by look and size.

    Empty when either has fewer than `MIN_SAMPLES`. For several measures at once, trees grown on
    four fifths of the faces say what the last fifth is, in turn: what a picture shows never
    comes into it.
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
    with threadpool_limits(1):  # on a busy machine its threads wait for each other for minutes
        scores = cross_val_predict(
            HistGradientBoostingClassifier(max_iter=60, random_state=0),
            table,
            truth,
            cv=StratifiedKFold(5, shuffle=True, random_state=0),
            method="predict_proba",
        )[:, 1]
    return separability(scores[truth == 1], scores[truth == 0])
