"""Metrics on slices of the faces: by data set, width, brightness, skin tone, colour, framing, and
kind of mask.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge.classification.model_card import ALERT_LABEL
from training.common.intervals import Estimate, share_estimates
from training.common.metrics import Floats
from training.evaluation.altered_faces import ALTERATIONS
from training.evaluation.calibration_error import calibration_errors
from training.evaluation.predictions import ALL_LABELS, Predictions
from training.evaluation.skin_tone import SKIN_TONES

#: The model's input is 96 px wide, so narrower faces are enlarged; about 40 px is the narrowest
#: face that the daemon's detector searches for in a frame of 640 px (`detector.min_face`).
WIDTHS_PX = (40.0, 64.0, 96.0, 160.0)
#: Mean grey value of the crop, of 255: about an eighth of the faces in photographs and portraits
#: from the web are darker than DARK, and about a fifth are brighter than BRIGHT.
DARK, BRIGHT = 80.0, 150.0
#: MaskedFace-Net's suffixes, after the picture's number, for how its masks are worn.
KINDS = {
    "_Mask": "worn correctly",
    "_Mask_Nose_Mouth": "chin bare",
    "_Mask_Mouth_Chin": "nose bare",
    "_Mask_Chin": "under the chin",
}
#: Kinds, by label, of pictures whose name has no suffix, in data sets where other names have a
#: suffix.
KIND_WITHOUT_SUFFIX = {"mask": KINDS["_Mask"], "incorrect_mask": "incorrectly, unknown how"}


@dataclass(frozen=True)
class Slice:
    """A subset of the faces.

    `accuracy` and `ece`, the expected calibration error of the predicted label's score: over the
    faces whose label the model has. `flagged`: by true label, the share of faces that reach the
    alert threshold; empty if the model has no threshold.
    """

    name: str
    accuracy: Estimate | None
    flagged: dict[str, Estimate]
    ece: Estimate | None = None


@dataclass(frozen=True)
class _Faces:
    """The faces of a slice, as `chosen` (n,), and their scores, (n, labels)."""

    scores: Floats
    chosen: npt.NDArray[np.bool_]


def slices(predictions: Predictions, threshold: float | None) -> dict[str, list[Slice]]:
    """Return slices by their grouping, without empty slices and without groupings of a single
    slice.
    """
    by_property = {
        "source": _sources(predictions),
        "width": value_bands(predictions.width_px, WIDTHS_PX, "px"),
        "brightness": _brightness(predictions.luma),
        "skin": _skin_tones(predictions),
        "kind": _kinds(predictions),
    }
    groups = {
        group: {name: _Faces(predictions.scores, chosen) for name, chosen in named.items()}
        for group, named in by_property.items()
    }
    groups |= {group: _alterations(predictions, group) for group in ALTERATIONS}
    found = {}
    for group, named in groups.items():
        non_empty = {name: faces for name, faces in named.items() if faces.chosen.any()}
        if len(non_empty) > 1:
            found[group] = _slice_metrics(predictions, non_empty, threshold)
    return found


def value_bands(
    values: Floats, edges: tuple[float, ...], unit: str
) -> dict[str, npt.NDArray[np.bool_]]:
    """Return which of `values` (n,) are below, between and above `edges`, by the band's name."""
    names = [
        f"under {edges[0]:g} {unit}",
        *(f"{low:g} to {high:g} {unit}" for low, high in itertools.pairwise(edges)),
        f"{edges[-1]:g} {unit} and more",
    ]
    number = np.digitize(values, edges)
    return {name: np.asarray(number == index) for index, name in enumerate(names)}


def mask_kind(file_name: str) -> str | None:
    """Return how the mask is worn, from MaskedFace-Net's file name, or None for other names."""
    number = re.fullmatch(r"\d+(_\w+)\.\w+", file_name)
    return None if number is None else KINDS.get(number[1])


def _sources(predictions: Predictions) -> dict[str, npt.NDArray[np.bool_]]:
    return {name: predictions.source == number for number, name in enumerate(predictions.sources)}


def _brightness(luma: Floats) -> dict[str, npt.NDArray[np.bool_]]:
    dark, medium, bright = value_bands(luma, (DARK, BRIGHT), "").values()
    return {
        f"dark (under {DARK:g})": dark,
        "medium": medium,
        f"bright ({BRIGHT:g} and more)": bright,
    }


def _skin_tones(predictions: Predictions) -> dict[str, npt.NDArray[np.bool_]]:
    """Return the bare faces of each skin tone: a mask hides the skin that is measured."""
    bare, angle = predictions.is_label(ALERT_LABEL), predictions.skin_angle
    return {name: bare & (angle >= low) & (angle < high) for name, low, high in SKIN_TONES}


def _alterations(predictions: Predictions, group: str) -> dict[str, _Faces]:
    """Return the unaltered faces, those of grey pictures, and each alteration, if faces were
    altered.
    """
    if not predictions.altered:
        return {}
    altered = {
        name: _Faces(scores, np.isfinite(scores).all(axis=1))
        for name in ALTERATIONS[group]
        for scores in [predictions.altered[name]]
    }
    if group == "framing":
        boxed = np.array(
            [(each.box_px or each.found_px) is not None for each in predictions.samples], np.bool_
        )
        return {"box as the detector draws it": _Faces(predictions.scores, boxed), **altered}
    return {
        "photographed in colour": _Faces(predictions.scores, ~predictions.is_grey),
        "photographed in grey": _Faces(predictions.scores, predictions.is_grey),
        **altered,
    }


def _kinds(predictions: Predictions) -> dict[str, npt.NDArray[np.bool_]]:
    kinds = [mask_kind(sample.path.name) for sample in predictions.samples]
    named_sources = {source for source, kind in zip(predictions.source, kinds, strict=True) if kind}
    for index, (sample, source) in enumerate(
        zip(predictions.samples, predictions.source, strict=True)
    ):
        if source in named_sources and kinds[index] is None:
            kinds[index] = KIND_WITHOUT_SUFFIX.get(sample.label)
    names = [*KINDS.values(), KIND_WITHOUT_SUFFIX["incorrect_mask"]]
    return {name: np.array([kind == name for kind in kinds], np.bool_) for name in names}


def _slice_metrics(
    predictions: Predictions, named: Mapping[str, _Faces], threshold: float | None
) -> list[Slice]:
    truth = predictions.truth
    parts, confidences = {}, {}
    for name, faces in named.items():
        right = faces.scores.argmax(axis=1) == truth
        known = faces.chosen & (truth >= 0)
        parts["", name] = (right & known, known)
        confidences[name] = (faces.scores.max(axis=1), right, known)
    if threshold is not None:
        alert = predictions.labels.index(ALERT_LABEL)
        for label, (name, faces) in itertools.product(ALL_LABELS, named.items()):
            of_label = faces.chosen & predictions.is_label(label)
            parts[label, name] = ((faces.scores[:, alert] >= threshold) & of_label, of_label)
    errors = calibration_errors(confidences, predictions.pictures)
    found = share_estimates(
        {"\n".join(key): pair for key, pair in parts.items()}, predictions.pictures
    )
    return [
        Slice(
            name,
            found[f"\n{name}"],
            {
                label: share
                for label in ALL_LABELS
                if (share := found.get(f"{label}\n{name}")) is not None
            },
            errors[name],
        )
        for name in named
    ]
