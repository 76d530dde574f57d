"""The same figures on parts of the faces: by source, size, light, and how the mask is worn."""

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

#: The model looks at 96 px, so narrower faces are enlarged; 40 px is about the narrowest face
#: that the daemon's detector looks for in a frame of 640 px (`detector.min_face`).
WIDTHS_PX = (40.0, 64.0, 96.0, 160.0)
#: Mean grey value of the crop, of 255: about the darkest eighth and the brightest fifth of
#: the faces in photographs and portraits from the web.
DARK, BRIGHT = 80.0, 150.0
#: How MaskedFace-Net names the ways in which its masks are drawn, after the picture's number.
KINDS = {
    "_Mask": "worn correctly",
    "_Mask_Nose_Mouth": "chin bare",
    "_Mask_Mouth_Chin": "nose bare",
    "_Mask_Chin": "under the chin",
}
#: Some of its pictures have only a number for a name, beside others that say how.
KIND_WITHOUT_SUFFIX = {"mask": KINDS["_Mask"], "incorrect_mask": "incorrectly, not said how"}


@dataclass(frozen=True)
class Slice:
    """Some of the faces: `accuracy` over those whose label the model knows; `flagged`: by true
    label, the share that reaches the alert threshold, None where the model has none."""

    name: str
    accuracy: Estimate | None
    flagged: dict[str, Estimate]


def slices(predictions: Predictions, threshold: float | None) -> dict[str, list[Slice]]:
    """Slices by what tells them apart; empty ones, and a lone one, are left out."""
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
    """Which of `values` (n,) lie below, between and above `edges`, by the band's name."""
    names = [
        f"under {edges[0]:g} {unit}",
        *(f"{low:g} to {high:g} {unit}" for low, high in itertools.pairwise(edges)),
        f"{edges[-1]:g} {unit} and more",
    ]
    number = np.digitize(values, edges)
    return {name: np.asarray(number == index) for index, name in enumerate(names)}


def mask_kind(file_name: str) -> str | None:
    """How the mask is worn, as MaskedFace-Net's file names say; None for other names."""
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
