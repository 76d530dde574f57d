"""The training of the classifier.

If there is a teacher, its outputs are targets beside the labels. The teacher and the trained
network get the same augmented picture, as in Beyer and others, "Knowledge distillation: A good
teacher is patient and consistent", 2022.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from training.common.metrics import Floats, classification_metrics
from training.common.quiet_keras import import_keras
from training.common.train_config import TrainConfig
from training.fit.averaged_model import AveragedModel
from training.fit.checkpoint import RunProgress
from training.fit.epochs import EpochSteps, run_epochs, with_progress_bar
from training.fit.learning_curves import write_learning_curves
from training.fit.prepare import CropSet, Prepared
from training.fit.run_paths import RunPaths
from training.network.model import build_model
from training.workers.workers import Workers


def train(
    data: Prepared,
    config: TrainConfig,
    labels: tuple[str, ...],
    paths: RunPaths,
    resume: bool,
    teacher: Any = None,
    start: Any = None,
    workers: Workers | None = None,
) -> RunProgress:
    """Train to the last epoch, or until `config.patience` epochs bring no improvement.

    `paths.model` always contains the best averaged model so far, or the newest with
    `config.keep_last`. `teacher`, whose outputs are
    targets as well, and `start`, whose weights the run starts from, are Keras models with the same
    input and labels, or None; `start` must have the architecture of the new model. `workers`: those
    that train together; None if this process trains alone.
    """
    workers = workers or Workers()
    keras = import_keras()
    keras.utils.set_random_seed(config.seed)
    loop = _Loop(config, len(labels), data.training.steps(config.batch), teacher, workers)
    if start is not None:
        loop.trained.set_weights(start.get_weights())

    def validate() -> dict[str, Any]:
        validation = data.held_out.validation
        scores = {name: predict(loop.model, crops.pixels) for name, crops in validation.items()}
        return validation_figures(validation, scores, labels)

    steps = EpochSteps(
        lambda epoch: {"loss": loop.run_epoch(data, epoch)}, validate, write_learning_curves
    )
    digests = {source.name: source.sha256 for source in data.sources}
    return run_epochs(
        loop.trained, steps, config, paths, digests, resume, config.keep_last, workers
    )


def validation_figures(
    validation: dict[str, CropSet], scores: dict[str, Floats], labels: tuple[str, ...]
) -> dict[str, Any]:
    """Return the accuracy by data set, and `score`, to which data sets contribute equally.

    The score is 1 minus the mean cross-entropy, with probabilities clipped; it is finer than the
    accuracy on a few hundred faces.
    """
    accuracy, losses = {}, []
    for name, crops in validation.items():
        shares = scores[name]
        metrics = classification_metrics(crops.truth, shares.argmax(axis=1), labels)
        accuracy[name] = round(metrics.accuracy, 4)
        right = shares[np.arange(len(shares)), crops.truth]
        losses.append(float(-np.log(np.clip(right, 1e-3, 1)).mean()))
    return {"accuracy": accuracy, "score": 1 - sum(losses) / len(losses)}


class _Loop:
    """The network in training, with one training step compiled by TensorFlow."""

    def __init__(
        self, config: TrainConfig, labels: int, steps: int, teacher: Any, workers: Workers
    ) -> None:
        import tensorflow as tf

        self._config, self._steps, self._teacher = config, steps, teacher
        self._workers = workers
        self.model = build_model(labels, config.net)
        self.trained = AveragedModel(self.model, config, steps)
        self._call = workers.training_call(self.model)
        self._step = tf.function(self._one_step)

    def _one_step(self, pixels: Any, targets: Any, weights: Any) -> Any:
        loss, gradients = self._workers.run(self._gradients, (pixels, targets, weights))
        self.trained.apply(gradients)
        return loss

    def _gradients(self, pixels: Any, targets: Any, weights: Any) -> tuple[Any, list[Any]]:
        """Return the loss and its gradients, of the rows of all workers."""
        import keras
        import tensorflow as tf

        views = tf.cast(pixels, tf.float32)
        answers = None if self._teacher is None else self._teacher(views, training=False)
        with tf.GradientTape() as tape:
            shares = self._call(views)
            losses = keras.losses.categorical_crossentropy(targets, shares)
            if answers is not None:
                taught = keras.losses.categorical_crossentropy(answers, shares)
                share = self._config.teacher_share
                losses = (1 - share) * losses + share * taught
            loss = tf.reduce_mean(losses * weights) / self._workers.count
        gradients = tape.gradient(loss, self.model.trainable_variables)
        loss, *gradients = self._workers.total([loss, *gradients])
        return loss, gradients

    def run_epoch(self, data: Prepared, epoch: int) -> float:
        """Train on one epoch's batches and return the mean loss."""
        config = self._config
        batches = data.training.epoch(config.seed, epoch, config.batch, self._workers.share)
        shown = self._workers.is_chief
        watched = with_progress_bar(batches, self._steps, epoch, config.epochs, shown)
        losses = [float(self._step(*batch)) for batch in watched]
        return round(sum(losses) / len(losses), 4)


def predict(model: Any, pixels: Any) -> Floats:
    """Return the (n, labels) float32 probabilities of (n, 96, 96, 3) uint8 pixels, using little
    memory.
    """
    chunks = [
        np.asarray(model(pixels[i : i + 256].astype(np.float32), training=False), np.float32)
        for i in range(0, len(pixels), 256)
    ]
    return np.concatenate(chunks)
