"""`python -m training stress`: alerts on test faces under conditions that occur at a door.

The labels of data sets do not say who has a beard or stands in the dark. Therefore each test face
is evaluated as it is, and then with one object drawn over it or with its light or sharpness
changed; bare faces are also grouped by skin tone. The drawn objects are not real ones: a lower
share of flagged faces is a warning, but an equal share proves nothing.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np

from edge.classification.model_card import ALERT_LABEL, TWO_LABELS
from edge.common.arrays import Pixels
from edge.common.errors import UserError
from training.augmentation.colour import add_infrared, to_grey
from training.augmentation.occlusion import (
    add_beard,
    add_glasses,
    add_hand,
    add_hood,
)
from training.common.metrics import Floats
from training.data.command_options import (
    add_answer_option,
    add_data_option,
    add_limit_option,
    add_model_options,
)
from training.data.crops import decode_samples, evaluation_crop, is_evaluated
from training.data.datasets import LABELS, Sample, read_datasets
from training.data.progress import sample_progress, subsample
from training.data.splits import Split
from training.evaluation.altered_faces import INFRARED
from training.evaluation.scorers import Scorer, load_scorer
from training.evaluation.skin_tone import SKIN_TONES, skin_angle
from training.network.model import SIZE_PX

Rng = np.random.Generator
SEED = 11
JPEG_QUALITY = 15


def _dim(light: float) -> Callable[[Pixels, Rng], Pixels]:
    """Return a function that darkens a picture as less light does: the noise is not reduced."""

    def dim(pixels: Pixels, rng: Rng) -> Pixels:
        linear = (pixels.astype(np.float32) / 255) ** 2.2 * light
        noisy = linear + rng.normal(0, 0.004, pixels.shape)
        return np.asarray(np.clip(noisy, 0, 1) ** (1 / 2.2) * 255, np.uint8)

    return dim


def _blur(sigma_px: float) -> Callable[[Pixels, Rng], Pixels]:
    return lambda pixels, _: np.asarray(cv2.GaussianBlur(pixels, (0, 0), sigma_px), np.uint8)


def _shrink(side_px: int) -> Callable[[Pixels, Rng], Pixels]:
    def shrink(pixels: Pixels, _: Rng) -> Pixels:
        small = cv2.resize(pixels, (side_px, side_px), interpolation=cv2.INTER_AREA)
        return np.asarray(cv2.resize(small, (SIZE_PX, SIZE_PX)), np.uint8)

    return shrink


def _compress(pixels: Pixels, rng: Rng) -> Pixels:
    _, code = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return np.asarray(cv2.imdecode(code, cv2.IMREAD_COLOR), np.uint8)


CONDITIONS: dict[str, Callable[[Pixels, Rng], Pixels]] = {
    "as it is": lambda pixels, _: pixels,
    "glasses": add_glasses,
    "hood": add_hood,
    "hand before mouth or chin": add_hand,
    "beard": add_beard,
    "half of the light": _dim(0.5),
    "a quarter of the light": _dim(0.25),
    "a tenth of the light": _dim(0.1),
    "a thirtieth of the light": _dim(1 / 30),
    "blurred by 2 px": _blur(2.0),
    "blurred by 4 px": _blur(4.0),
    "32 px wide": _shrink(32),
    "20 px wide": _shrink(20),
    "12 px wide": _shrink(12),
    "JPEG of quality 15": _compress,
    "grey": lambda pixels, _: to_grey(pixels),
    "camera without an infrared filter": lambda pixels, _: add_infrared(pixels, *INFRARED),
}
#: Conditions for bare faces only, because a beard drawn over a mask does not look like anything
#: real.
BARE_FACES_ONLY = ("hand before mouth or chin", "beard")


@dataclasses.dataclass(frozen=True)
class ConditionResult:
    """The shares of bare and of masked faces flagged at the model's threshold, and their numbers.

    A share is 0 to 1, or None if there is no such face.
    """

    condition: str
    bare_flagged: float | None
    bare: int
    masked_flagged: float | None
    masked: int


def add_stress_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `python -m training stress`."""
    add_model_options(parser)
    add_answer_option(parser, len(TWO_LABELS))
    add_data_option(parser, "Only the test splits are used.")
    add_limit_option(parser)
    parser.add_argument(
        "--json", action="store_true", help="print one JSON array instead of a Markdown table"
    )
    parser.set_defaults(run=run_stress)


def run_stress(options: argparse.Namespace) -> int:
    """Print the shares of flagged faces under each condition."""
    scorer = load_scorer(options.model, options.runtime, options.classes)
    if scorer.threshold is None:
        raise UserError(f"{options.model} has no alert threshold: there is no report beside it")
    crops = list(_crops(options.data, options.limit))
    if not crops:
        raise UserError("the test splits of the data sets have no face to evaluate")
    results = [_result(scorer, crops, name) for name in CONDITIONS]
    results += _results_by_skin_tone(scorer, crops)
    if options.json:
        sys.stdout.write(json.dumps([dataclasses.asdict(each) for each in results]) + "\n")
    else:
        sys.stdout.write("\n".join(markdown_table(results)) + "\n")
    return 0


def _crops(roots: list[Path], limit: int | None) -> Iterator[tuple[Sample, Pixels]]:
    for data in read_datasets(roots, LABELS[2]):
        samples = subsample([s for s in data.in_split(Split.TEST) if is_evaluated(s)], limit)
        for sample, image in decode_samples(data, samples, sample_progress(data.name)):
            crop = evaluation_crop(sample, image)
            if crop is not None:
                yield dataclasses.replace(sample, box_px=None, found_px=None), crop


def _result(scorer: Scorer, crops: list[tuple[Sample, Pixels]], name: str) -> ConditionResult:
    crops_shown = [
        pair for pair in crops if name not in BARE_FACES_ONLY or pair[0].label == ALERT_LABEL
    ]
    changed = [
        (sample, CONDITIONS[name](crop, np.random.default_rng([SEED, index])))
        for index, (sample, crop) in enumerate(crops_shown)
    ]
    return _count_flagged(
        name, scorer, [sample for sample, _ in crops_shown], scorer.scores(changed)
    )


def _results_by_skin_tone(
    scorer: Scorer, crops: list[tuple[Sample, Pixels]]
) -> Iterator[ConditionResult]:
    bare = [pair for pair in crops if pair[0].label == ALERT_LABEL]
    angles = np.array([skin_angle(crop) for _, crop in bare])
    for name, low, high in SKIN_TONES:
        chosen = [pair for pair, angle in zip(bare, angles, strict=True) if low <= angle < high]
        for light, change in (("", "as it is"), (", a tenth of the light", "a tenth of the light")):
            if chosen:
                result = _result(scorer, chosen, change)
                yield dataclasses.replace(result, condition=name + light)


def _count_flagged(
    name: str, scorer: Scorer, samples: list[Sample], scores: Floats
) -> ConditionResult:
    assert scorer.threshold is not None
    flagged = scores[:, scorer.labels.index(ALERT_LABEL)] >= scorer.threshold
    is_bare = np.array([sample.label == ALERT_LABEL for sample in samples])

    def share(mask: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> float | None:
        return round(float(flagged[mask].mean()), 4) if mask.any() else None

    return ConditionResult(
        name, share(is_bare), int(is_bare.sum()), share(~is_bare), int((~is_bare).sum())
    )


def markdown_table(results: list[ConditionResult]) -> list[str]:
    """Return a Markdown table with one row for each condition."""
    lines = ["| test faces | bare flagged | masked flagged |", "|---|---|---|"]
    for each in results:
        cells = (
            "" if share is None else f"{share:.1%} of {count}"
            for share, count in (
                (each.bare_flagged, each.bare),
                (each.masked_flagged, each.masked),
            )
        )
        lines.append(f"| {each.condition} | {' | '.join(cells)} |")
    return lines
