"""A model's predictions for the faces of a data set, with what is known of each face."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from edge.common.arrays import Pixels
from edge.common.errors import UserError
from training.common.metrics import Floats, Ints
from training.data.crops import decode_samples, evaluation_crop, is_evaluated
from training.data.datasets import LABELS, DataSet, Sample, read_dataset
from training.data.progress import sample_progress
from training.data.splits import Split
from training.evaluation.scorers import LabelledImages, Scorer

ALL = "all"
ALL_LABELS = LABELS[max(LABELS)]


@dataclasses.dataclass(frozen=True)
class Predictions:
    """`scores` (n, labels) of n faces, including faces whose label the model lacks.

    `width_px` (n,): width of the annotated face, or of the picture if it has no box. `luma` (n,):
    mean grey value of the crop, 0 to 255. `source` (n,): index into `sources`, the names of the
    data sets.
    """

    labels: tuple[str, ...]
    sources: tuple[str, ...]
    samples: tuple[Sample, ...]
    scores: Floats
    width_px: Floats
    luma: Floats
    source: Ints

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
            source=self.source[chosen],
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
        np.concatenate([each.source + int(s) for each, s in zip(several, starts, strict=False)]),
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
    scorer: Scorer, data: DataSet, samples: list[Sample], progress_title: str
) -> Predictions:
    """Return the model's predictions for those of `samples` that are wide enough and can be
    decoded.

    `progress_title` is the title of the progress bar. Raises UserError when an annotated face lies
    outside its picture.
    """
    scored: list[Sample] = []
    widths: list[float] = []
    lumas: list[float] = []

    def pairs() -> LabelledImages:
        wide = [sample for sample in samples if is_evaluated(sample)]
        for sample, image in decode_samples(data, wide, sample_progress(progress_title)):
            scored.append(sample)
            lumas.append(_mean_grey(sample, image))
            box = sample.box_px or sample.found_px
            widths.append(image.shape[1] if box is None else box[2])
            yield sample, image

    scores = scorer.scores(pairs())
    return Predictions(
        scorer.labels,
        (data.name,),
        tuple(scored),
        scores,
        np.array(widths, np.float32),
        np.array(lumas, np.float32),
        np.zeros(len(scored), np.int64),
    )


def _mean_grey(sample: Sample, image: Pixels) -> float:
    try:
        crop = evaluation_crop(sample, image)
    except ValueError as error:
        raise UserError(f"the annotation of {sample.path} is invalid: {error}") from None
    assert crop is not None
    return float(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY).mean())
