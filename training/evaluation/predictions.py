"""A model's predictions for the faces of a data set, with what is known of each face."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from edge.common.arrays import Pixels
from training.common.metrics import Floats, Ints
from training.data.crops import decode_samples, evaluation_crop, is_evaluated
from training.data.datasets import LABELS, DataSet, Sample, read_dataset
from training.data.progress import sample_progress
from training.data.splits import Split
from training.evaluation.altered_faces import ALTERATIONS, altered_crops
from training.evaluation.scorers import LabelledImages, Scorer
from training.evaluation.skin_tone import is_grey, skin_angle

ALL = "all"
UNALTERED = ""
ALL_LABELS = LABELS[max(LABELS)]


@dataclasses.dataclass(frozen=True)
class Predictions:
    """`scores` (n, labels) of n faces, including faces whose label the model lacks.

    `width_px` (n,): width of the annotated face, or of the picture if it has no box. `luma` (n,):
    mean grey value of the crop, 0 to 255. `skin_angle` (n,): individual typology angle, in
    degrees, or NaN if unknown. `is_grey` (n,): whether the picture has no colour. `source` (n,):
    index into `sources`, the names of the data sets. `altered`: by the name of an alteration of
    `altered_faces`, the scores (n, labels) of the altered faces, with NaN where a face cannot be
    altered; empty if they were not scored.
    """

    labels: tuple[str, ...]
    sources: tuple[str, ...]
    samples: tuple[Sample, ...]
    scores: Floats
    width_px: Floats
    luma: Floats
    skin_angle: Floats
    is_grey: npt.NDArray[np.bool_]
    source: Ints
    altered: Mapping[str, Floats] = dataclasses.field(default_factory=dict)

    @property
    def truth(self) -> Ints:
        """(n,) indices into `labels`, or -1 where the model lacks the label."""
        index = {label: column for column, label in enumerate(self.labels)}
        return np.array([index.get(sample.label, -1) for sample in self.samples], np.int64)

    @property
    def pictures(self) -> Ints:
        """(n,) a number for each face that is the same for faces of one picture."""
        index: dict[Path, int] = {}
        return np.array([index.setdefault(s.path, len(index)) for s in self.samples], np.int64)

    def is_label(self, label: str) -> npt.NDArray[np.bool_]:
        """Return (n,) whether the true label is `label`, which the model may lack."""
        return np.array([sample.label == label for sample in self.samples], np.bool_)

    def scores_of(self, label: str) -> Floats:
        """Return the (n,) scores of one of the model's labels."""
        return np.asarray(self.scores[:, self.labels.index(label)], np.float32)

    def select(self, chosen: npt.NDArray[np.bool_]) -> Predictions:
        """Return the faces for which `chosen` (n,) is true."""
        return dataclasses.replace(
            self,
            samples=tuple(s for s, keep in zip(self.samples, chosen, strict=True) if keep),
            scores=self.scores[chosen],
            width_px=self.width_px[chosen],
            luma=self.luma[chosen],
            skin_angle=self.skin_angle[chosen],
            is_grey=self.is_grey[chosen],
            source=self.source[chosen],
            altered={name: scores[chosen] for name, scores in self.altered.items()},
        )

    def with_known_label(self) -> Predictions:
        """Return the faces whose label the model has."""
        return self.select(self.truth >= 0)


def pool(several: Sequence[Predictions]) -> Predictions:
    """Return the predictions of one model for several data sets as one."""
    starts = np.cumsum([0, *(len(each.sources) for each in several)])
    return Predictions(
        several[0].labels,
        tuple(name for each in several for name in each.sources),
        tuple(sample for each in several for sample in each.samples),
        np.concatenate([each.scores for each in several]),
        np.concatenate([each.width_px for each in several]),
        np.concatenate([each.luma for each in several]),
        np.concatenate([each.skin_angle for each in several]),
        np.concatenate([each.is_grey for each in several]),
        np.concatenate([each.source + int(s) for each, s in zip(several, starts, strict=False)]),
        {
            name: np.concatenate([each.altered[name] for each in several])
            for name in several[0].altered
        },
    )


def read_with_all_labels(root: Path) -> DataSet:
    """Read the data set in `root`, including faces with labels that a 2-class model lacks."""
    return read_dataset(root, ALL_LABELS)


def split_for(data: DataSet, split: str | None) -> str:
    """Return `split`, or by default `test` if the data set has splits, and `all` for
    class folders.
    """
    return split or (ALL if data.layout == "classes" else str(Split.TEST))


def samples_in(data: DataSet, split: str) -> list[Sample]:
    """Return the samples of one split, or of all splits."""
    return list(data.samples) if split == ALL else data.in_split(Split(split))


def collect_predictions(
    scorer: Scorer,
    data: DataSet,
    samples: list[Sample],
    progress_title: str,
    altered: bool = False,
) -> Predictions:
    """Return the model's predictions for those of `samples` that are wide enough and can be
    decoded.

    `progress_title` is the title of the progress bar. With `altered`, altered faces are scored as
    well, which takes up to eight times as long. Raises UserError as `decode_samples`.
    """
    scored: list[Sample] = []
    measures: list[tuple[float, float, float, float]] = []
    rows: list[tuple[str, int]] = []  # what each row of the scores is: an alteration of a face

    def pairs() -> LabelledImages:
        wide = [sample for sample in samples if is_evaluated(sample)]
        for sample, image in decode_samples(data, wide, sample_progress(progress_title)):
            measures.append(_measures(sample, image))
            rows.append((UNALTERED, len(scored)))
            yield sample, image
            for name, crop in altered_crops(sample, image) if altered else ():
                rows.append((name, len(scored)))
                yield dataclasses.replace(sample, box_px=None, found_px=None), crop
            scored.append(sample)

    found = scorer.scores(pairs())
    scores = {
        name: np.full((len(scored), len(scorer.labels)), np.nan, np.float32)
        for name in [UNALTERED, *(chain(*ALTERATIONS.values()) if altered else ())]
    }
    for (name, index), own in zip(rows, found, strict=True):
        scores[name][index] = own
    widths, lumas, angles, grey = np.array(measures, np.float32).reshape(-1, 4).T
    return Predictions(
        scorer.labels,
        (data.name,),
        tuple(scored),
        scores.pop(UNALTERED),
        widths,
        lumas,
        angles,
        grey > 0,
        np.zeros(len(scored), np.int64),
        scores,
    )


def _measures(sample: Sample, image: Pixels) -> tuple[float, float, float, float]:
    """Return the width, the mean grey value and the skin angle of a face, and 1 if it is grey."""
    crop = evaluation_crop(sample, image)
    assert crop is not None
    box = sample.box_px or sample.found_px
    width = image.shape[1] if box is None else box[2]
    luma = float(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY).mean())
    return width, luma, skin_angle(crop), float(is_grey(crop))
