"""Metrics on slices of the faces: by data set, width, brightness, and kind of mask."""

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
from training.evaluation.predictions import ALL_LABELS, Predictions

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

    `accuracy`: over the faces whose label the model has. `flagged`: by true label, the share of
    faces that reach the alert threshold; empty if the model has no threshold.
    """

    name: str
    accuracy: Estimate | None
    flagged: dict[str, Estimate]


def slices(predictions: Predictions, threshold: float | None) -> dict[str, list[Slice]]:
    """Return slices by their grouping, without empty slices and without groupings of a single
    slice.
    """
    groups = {
        "source": _sources(predictions),
        "width": value_bands(predictions.width_px, WIDTHS_PX, "px"),
        "brightness": _brightness(predictions.luma),
        "kind": _kinds(predictions),
    }
    found = {}
    for group, named in groups.items():
        non_empty = {name: chosen for name, chosen in named.items() if chosen.any()}
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
    predictions: Predictions, named: Mapping[str, npt.NDArray[np.bool_]], threshold: float | None
) -> list[Slice]:
    truth = predictions.truth
    right = predictions.scores.argmax(axis=1) == truth
    parts = {("", name): (right & chosen, chosen & (truth >= 0)) for name, chosen in named.items()}
    if threshold is not None:
        reached = predictions.scores_of(ALERT_LABEL) >= threshold
        for label, (name, chosen) in itertools.product(ALL_LABELS, named.items()):
            of_label = chosen & predictions.is_label(label)
            parts[label, name] = (reached & of_label, of_label)
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
        )
        for name in named
    ]
