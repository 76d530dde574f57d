"""The training loop of the face detector: cosine schedule, averaged weights, and a checkpoint after
every epoch.
"""

from __future__ import annotations

import dataclasses
import logging
import math
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from edge.common.errors import UsageError, UserError
from training.common.plotting import OTHER_COLOURS, plot
from training.common.quiet_keras import import_keras
from training.face_detector.detection_metrics import FALSE_BOXES
from training.face_detector.detector_batches import Batch, DetectorTrainingSet
from training.face_detector.detector_config import DetectorConfig
from training.face_detector.detector_net import build_detector
from training.face_detector.grid import Grid
from training.face_detector.losses import detector_loss
from training.face_detector.validation_pictures import ValidationPictures
from training.fit.checkpoint import RunProgress, load_state, save_state
from training.fit.training_loop import RunPaths, SwappedWeights, save_model, stale_epochs

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class DetectorData:
    """What a run needs of its data sets; `digests` holds a digest of each data set's annotations,
    by the name of the data set.
    """

    training: DetectorTrainingSet
    validation: ValidationPictures
    digests: dict[str, str]


def train_detector(
    data: DetectorData, config: DetectorConfig, paths: RunPaths, resume: bool
) -> RunProgress:
    """Train to the last epoch, or until `config.patience` epochs bring no improvement.

    `paths.model` always contains the best averaged model so far, by average precision on the
    validation pictures. Raises UsageError if a run cannot be resumed.
    """
    keras = import_keras()
    keras.utils.set_random_seed(config.seed)
    loop = TrainingLoop(config, data.training.steps(config.batch))
    progress = RunProgress(0, -math.inf, [], dataclasses.asdict(config), data.digests)
    paths.run.mkdir(parents=True, exist_ok=True)
    paths.model.parent.mkdir(parents=True, exist_ok=True)
    if resume:
        arrays, progress = load_state(paths.state, config)
        if progress.data != data.digests:
            raise UsageError(
                f"the run in {paths.run} was trained on other pictures or boxes: give the same"
                " --data, or --fresh"
            )
        loop.restore(arrays)
        if progress.epochs_done >= config.epochs and not paths.model.is_file():
            raise UserError(
                f"the run in {paths.run} is finished, but its model is not {paths.model}:"
                " give the --out that it was trained with"
            )
    for epoch in range(progress.epochs_done, config.epochs):
        if stale_epochs(progress.history) >= config.patience:
            log.info("stopped early: no better validation score in %d epochs", config.patience)
            break
        progress = _run_epoch(loop, data, config, paths, progress, epoch)
    return progress


def _run_epoch(
    loop: TrainingLoop,
    data: DetectorData,
    config: DetectorConfig,
    paths: RunPaths,
    progress: RunProgress,
    epoch: int,
) -> RunProgress:
    """Train one epoch; write the checkpoint, the curves, and the model if it is the best so far."""
    started = time.monotonic()
    batches = data.training.epoch(config.seed, epoch, config.batch)
    losses = loop.run(_with_progress_bar(batches, loop.steps, epoch, config.epochs))
    with loop.averaged_weights():
        figures = data.validation.figures(loop.model)
        if figures["score"] >= progress.best or not paths.model.is_file():
            save_model(loop.model, paths.model)
    seconds = round(time.monotonic() - started, 1)
    entry = {"epoch": epoch + 1, **losses, **figures, "seconds": seconds}
    history = [*progress.history, entry]
    progress = RunProgress(
        epoch + 1, max(progress.best, figures["score"]), history, progress.config, progress.data
    )
    save_state(paths.state, loop.arrays(), progress)
    paths.history.write_bytes(msgspec.json.format(msgspec.json.encode(history)))
    write_detector_curves(paths.curves, history)
    log.info(
        "%s; at most %s left", msgspec.json.encode(entry).decode(), _time_left(history, config)
    )
    return progress


def _with_progress_bar(
    batches: Iterable[Batch], steps: int, epoch: int, epochs: int
) -> Iterable[Batch]:
    from tqdm import tqdm

    return tqdm(  # type: ignore[no-any-return]
        batches,
        desc=f"epoch {epoch + 1}/{epochs}",
        total=steps,
        unit="batch",
        mininterval=0.5 if sys.stderr.isatty() else 30,
    )


def _time_left(history: list[dict[str, Any]], config: DetectorConfig) -> str:
    """Return the time that the remaining epochs take if they are as long as the recent ones."""
    recent = [entry["seconds"] for entry in history[-5:]]
    minutes = (config.epochs - len(history)) * sum(recent) / len(recent) / 60
    return f"{minutes:.0f} min" if minutes < 90 else f"{minutes / 60:.1f} h"


class TrainingLoop:
    """Model, optimizer and averaged weights, with one training step compiled by TensorFlow."""

    def __init__(self, config: DetectorConfig, steps: int) -> None:
        """Build the network with new weights; `steps` is the number of batches in an epoch."""
        import keras
        import tensorflow as tf

        self._config, self.steps = config, steps
        self._grid = Grid.of(config.size)
        self.model = build_detector(config.size)
        warm_up = max(1, int(config.warm_up_epochs * steps))
        total = max(1, config.epochs * steps - warm_up)
        rate = keras.optimizers.schedules.CosineDecay(
            0.0, total, 0.01, warmup_target=config.learning_rate, warmup_steps=warm_up
        )
        self._optimizer = keras.optimizers.AdamW(
            rate, weight_decay=config.weight_decay, global_clipnorm=10.0
        )
        self._optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
        self._optimizer.build(self.model.trainable_variables)
        self._average = [tf.Variable(v, trainable=False) for v in self.model.weights]
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

    def _one_step(self, pixels: Any, corners: Any, positive: Any, weight: Any) -> Any:
        import tensorflow as tf

        variables = self.model.trainable_variables
        with tf.GradientTape() as tape:
            output = self.model(tf.cast(pixels, tf.float32), training=True)
            parts = detector_loss(self._grid, output, (corners, positive, weight))
            loss = tf.reduce_sum(parts)
        self._optimizer.apply(tape.gradient(loss, variables), variables)
        done = tf.cast(self._optimizer.iterations, tf.float32)
        # The average has a shorter memory at first, because an average that includes the random
        # initial weights is useless.
        keep = tf.minimum(self._config.average, (1.0 + done) / (10.0 + done))
        for average, variable in zip(self._average, self.model.weights, strict=True):
            average.assign(keep * average + (1 - keep) * tf.cast(variable, tf.float32))
        return parts

    def averaged_weights(self) -> SwappedWeights:
        """Return a context in which the model has the averaged weights."""
        return SwappedWeights(self.model, [average.numpy() for average in self._average])

    def arrays(self) -> list[Any]:
        """Return all state that another process needs to continue the run from this point."""
        return [np.asarray(variable) for variable in self._variables()]

    def restore(self, arrays: list[Any]) -> None:
        """Set the state that `arrays` returned."""
        for variable, value in zip(self._variables(), arrays, strict=True):
            variable.assign(value)

    def _variables(self) -> list[Any]:
        return [*self.model.variables, *self._optimizer.variables, *self._average]


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
