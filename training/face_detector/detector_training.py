"""The training of the face detector."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge.common.errors import UserError
from edge.detection.point_grid import Grid
from training.common.plotting import OTHER_COLOURS, plot
from training.common.quiet_keras import import_keras
from training.face_detector.detector_batches import Batch, DetectorTrainingSet
from training.face_detector.detector_config import DetectorConfig
from training.face_detector.detector_net import build_detector, start_from
from training.face_detector.evaluation.detection_metrics import FALSE_BOXES
from training.face_detector.losses import detector_loss
from training.face_detector.validation_pictures import ValidationPictures
from training.fit.averaged_model import AveragedModel
from training.fit.checkpoint import RunProgress
from training.fit.epochs import EpochSteps, run_epochs, with_progress_bar
from training.fit.run_paths import RunPaths
from training.workers.workers import Workers

#: Larger gradients are scaled down to this norm.
MAX_GRADIENT_NORM = 10.0


@dataclass(frozen=True)
class DetectorData:
    """What a run needs of its data sets; `digests` holds a digest of each data set's annotations,
    by the name of the data set.
    """

    training: DetectorTrainingSet
    validation: ValidationPictures
    digests: dict[str, str]


def train_detector(
    data: DetectorData,
    config: DetectorConfig,
    paths: RunPaths,
    resume: bool,
    start: Path | None = None,
    workers: Workers | None = None,
) -> RunProgress:
    """Train to the last epoch, or until `config.patience` epochs bring no improvement.

    `paths.model` always contains the best averaged model so far, by average precision on the
    validation pictures. `start` is as in `start_from`. `workers`: those that train together; None
    if this process trains alone. Raises UsageError if a run cannot be resumed, and UserError if
    `start` does not fit.
    """
    workers = workers or Workers()
    keras = import_keras()
    keras.utils.set_random_seed(config.seed)
    loop = TrainingLoop(config, data.training.steps(config.batch), workers)
    if start is not None:
        start_from(loop.model, start)
        loop.trained.set_weights(loop.model.get_weights())

    def train(epoch: int) -> dict[str, Any]:
        batches = data.training.epoch(config.seed, epoch, config.batch, workers.share)
        shown = workers.is_chief
        return loop.run(with_progress_bar(batches, loop.steps, epoch, config.epochs, shown))

    steps = EpochSteps(
        train,
        lambda: data.validation.figures(loop.model),
        write_detector_curves,
    )
    return run_epochs(loop.trained, steps, config, paths, data.digests, resume, workers=workers)


class TrainingLoop:
    """The network in training, with one training step compiled by TensorFlow."""

    def __init__(self, config: DetectorConfig, steps: int, workers: Workers | None = None) -> None:
        """Build the network with new weights; `steps` is the number of batches in an epoch."""
        import tensorflow as tf

        self.steps = steps
        self._workers = workers or Workers()
        self._grid = Grid.of(config.size)
        self.model = build_detector(config.size)
        self.trained = AveragedModel(self.model, config, steps, MAX_GRADIENT_NORM)
        self._call = self._workers.training_call(self.model)
        self._step = tf.function(self._one_step)

    def run(self, batches: Iterable[Batch]) -> dict[str, float]:
        """Train on `batches` and return the mean losses of scores and boxes, and their sum."""
        parts = np.mean([np.asarray(self._step(*batch)) for batch in batches], axis=0)
        scores, boxes = float(parts[0]), float(parts[1])
        if not math.isfinite(scores + boxes):
            raise UserError("the loss is not finite: try a lower --learning-rate")
        return {
            "loss": round(scores + boxes, 4),
            "score_loss": round(scores, 4),
            "box_loss": round(boxes, 4),
        }

    def _one_step(self, *batch: Any) -> Any:
        parts, gradients = self._workers.run(self._gradients, batch)
        self.trained.apply(gradients)
        return parts

    def _gradients(
        self, pixels: Any, corners: Any, positive: Any, weight: Any
    ) -> tuple[Any, list[Any]]:
        """Return the losses of scores and boxes, (2,), and the gradients of their sum, of the rows
        of all workers.
        """
        import tensorflow as tf

        faces = self._workers.total(tf.reduce_sum(positive))
        with tf.GradientTape() as tape:
            output = self._call(tf.cast(pixels, tf.float32))
            parts = detector_loss(self._grid, output, (corners, positive, weight), faces)
            loss = tf.reduce_sum(parts)
        gradients = tape.gradient(loss, self.model.trainable_variables)
        parts, *gradients = self._workers.total([parts, *gradients])
        return parts, gradients


def write_detector_curves(path: Path, history: list[dict[str, Any]]) -> None:
    """Draw `history`, one entry for each epoch, as PNG: the losses, and the validation figures."""
    epochs = [entry["epoch"] for entry in history]
    with plot(path, width_in=10, height_in=4, columns=2) as (left, right):
        for name, colour in (("loss", "black"), ("score_loss", "#0072B2"), ("box_loss", "#D55E00")):
            left.plot(
                epochs, [entry[name] for entry in history], color=colour, marker=".", label=name
            )
        left.set(title="Training loss", xlabel="epoch", ylabel="loss for each point with a face")
        left.legend()
        lines = {"score": "average precision"}
        lines |= {f"recall_at_{n}": f"recall, {n} false boxes in 100 pictures" for n in FALSE_BOXES}
        for colour, (name, title) in zip(OTHER_COLOURS, lines.items(), strict=False):
            values = [entry[name] for entry in history]
            right.plot(epochs, values, color=colour, marker=".", label=title)
        right.set(title="Validation, IoU 0.5", xlabel="epoch", ylim=(0, 1))
        right.legend(loc="lower right")
        for axes in (left, right):
            axes.xaxis.get_major_locator().set_params(integer=True)
