"""The training loop: cosine schedule, averaged weights, and a checkpoint after every epoch.

If there is a teacher, its outputs are targets beside the labels. The teacher and the trained
network get the same augmented picture, as in Beyer and others, "Knowledge distillation: A good
teacher is patient and consistent", 2022.
"""

from __future__ import annotations

import dataclasses
import logging
import math
import sys
import time
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from edge.common.errors import UsageError, UserError
from training.common.metrics import Floats, classification_metrics
from training.common.quiet_keras import import_keras
from training.common.train_config import TrainConfig
from training.fit.checkpoint import RunProgress, load_state, save_state
from training.fit.learning_curves import write_learning_curves
from training.fit.prepare import CropSet, Prepared
from training.network.model import build_model

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class RunPaths:
    """The files that a run writes: the model, and a folder for the checkpoint and the history."""

    model: Path
    run: Path

    @property
    def state(self) -> Path:
        """The checkpoint from which `--resume` continues."""
        return self.run / "state.npz"

    @property
    def history(self) -> Path:
        """One JSON object for each epoch, rewritten after each epoch."""
        return self.run / "history.json"

    @property
    def curves(self) -> Path:
        """The history as a plot, rewritten after each epoch."""
        return self.run / "curves.png"


def train(
    data: Prepared,
    config: TrainConfig,
    labels: tuple[str, ...],
    paths: RunPaths,
    resume: bool,
    teacher: Any = None,
    start: Any = None,
) -> RunProgress:
    """Train to the last epoch, or until `config.patience` epochs bring no improvement.

    `paths.model` always contains the best averaged model so far. `teacher`, whose outputs are
    targets as well, and `start`, whose weights the run starts from, are Keras models with the same
    input and labels, or None; `start` must have the architecture of the new model.
    """
    keras = import_keras()
    keras.utils.set_random_seed(config.seed)
    loop = _Loop(config, len(labels), data.training.steps(config.batch), teacher)
    if start is not None:
        loop.begin_with(start)
    digests = {source.name: source.sha256 for source in data.sources}
    progress = RunProgress(0, -math.inf, [], dataclasses.asdict(config), digests)
    paths.run.mkdir(parents=True, exist_ok=True)
    paths.model.parent.mkdir(parents=True, exist_ok=True)
    if resume:
        progress = _resume(loop, paths, config, digests)
    for _ in range(progress.epochs_done, config.epochs):
        if stale_epochs(progress.history) >= config.patience:
            log.info(
                "stopped early: the validation score did not improve for %d epochs", config.patience
            )
            break
        progress = _train_epoch(loop, data, labels, paths, progress)
        save_state(paths.state, loop.arrays(), progress)
        paths.history.write_bytes(msgspec.json.format(msgspec.json.encode(progress.history)))
        write_learning_curves(paths.curves, progress.history)
        log.info("%s", msgspec.json.encode(progress.history[-1]).decode())
    return progress


def _resume(
    loop: _Loop, paths: RunPaths, config: TrainConfig, digests: dict[str, str]
) -> RunProgress:
    """Restore the checkpoint of the run, which must have the same settings and pictures."""
    arrays, progress = load_state(paths.state, config)
    if progress.data != digests:
        raise UsageError(
            f"the run in {paths.run} has other pictures: {_data_set_names(progress.data)}"
            f" then, {_data_set_names(digests)} now (if the names are the same, the files have"
            " changed)"
        )
    loop.restore(arrays)
    if _finished(progress, config) and not paths.model.is_file():
        raise UserError(
            f"the run in {paths.run} is finished, but its model is not {paths.model}:"
            " give the --out that it was trained with"
        )
    return progress


def _train_epoch(
    loop: _Loop, data: Prepared, labels: tuple[str, ...], paths: RunPaths, progress: RunProgress
) -> RunProgress:
    """Train for one epoch, and save the averaged model if it is the best so far."""
    started = time.monotonic()
    loss = loop.run_epoch(data, progress.epochs_done)
    with loop.averaged_weights():
        scores = {name: loop.scores(crops) for name, crops in data.held_out.validation.items()}
        quality = validation_figures(data.held_out.validation, scores, labels)
        if quality["score"] >= progress.best or not paths.model.is_file():
            save_model(loop.model, paths.model)
    entry = {"epoch": progress.epochs_done + 1, "loss": loss, **quality}
    entry["seconds"] = round(time.monotonic() - started, 1)
    return RunProgress(
        progress.epochs_done + 1,
        max(progress.best, quality["score"]),
        [*progress.history, entry],
        progress.config,
        progress.data,
    )


def stale_epochs(history: list[dict[str, Any]]) -> int:
    """Return the number of epochs since the validation score last equalled its maximum."""
    scores = [entry["score"] for entry in history]
    best = max((i for i, score in enumerate(scores) if score == max(scores)), default=-1)
    return len(scores) - 1 - best


def _finished(progress: RunProgress, config: TrainConfig) -> bool:
    stale = stale_epochs(progress.history)
    return progress.epochs_done >= config.epochs or stale >= config.patience


def _data_set_names(data: dict[str, str]) -> str:
    return ", ".join(sorted(data)) or "unknown ones"


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


def save_model(model: Any, path: Path) -> None:
    """Write a Keras model atomically."""
    temporary = path.with_name(f".{path.stem}.part.keras")
    model.save(temporary)
    temporary.replace(path)


class _Loop:
    """Model, optimizer and averaged weights, with one training step compiled by TensorFlow."""

    def __init__(self, config: TrainConfig, labels: int, steps: int, teacher: Any) -> None:
        import keras
        import tensorflow as tf

        self._config, self._steps, self._teacher = config, steps, teacher
        self.model = build_model(labels, config.net)
        warm_up = int(config.warm_up_epochs * steps)
        total = max(1, config.epochs * steps - warm_up)
        rate = keras.optimizers.schedules.CosineDecay(
            0.0, total, 0.01, warmup_target=config.learning_rate, warmup_steps=max(1, warm_up)
        )
        self._optimizer = keras.optimizers.AdamW(rate, weight_decay=config.weight_decay)
        self._optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
        self._optimizer.build(self.model.trainable_variables)
        self._average = [tf.Variable(v, trainable=False) for v in self.model.weights]
        self._step = tf.function(self._one_step)

    def _one_step(self, pixels: Any, targets: Any, weights: Any) -> Any:
        import keras
        import tensorflow as tf

        variables = self.model.trainable_variables
        views = tf.cast(pixels, tf.float32)
        answers = None if self._teacher is None else self._teacher(views, training=False)
        with tf.GradientTape() as tape:
            shares = self.model(views, training=True)
            losses = keras.losses.categorical_crossentropy(targets, shares)
            if answers is not None:
                taught = keras.losses.categorical_crossentropy(answers, shares)
                share = self._config.teacher_share
                losses = (1 - share) * losses + share * taught
            loss = tf.reduce_mean(losses * weights)
        self._optimizer.apply(tape.gradient(loss, variables), variables)
        done = tf.cast(self._optimizer.iterations, tf.float32)
        # The average forgets faster at first, because the random initial weights must not remain in
        # it.
        keep = tf.minimum(self._config.average, (1.0 + done) / (10.0 + done))
        for average, variable in zip(self._average, self.model.weights, strict=True):
            average.assign(keep * average + (1 - keep) * tf.cast(variable, tf.float32))
        return loss

    def begin_with(self, start: Any) -> None:
        """Copy the weights of `start` to the model and to the average of its weights."""
        self.model.set_weights(start.get_weights())
        for average, value in zip(self._average, start.get_weights(), strict=True):
            average.assign(value)

    def run_epoch(self, data: Prepared, epoch: int) -> float:
        """Train on one epoch's batches and return the mean loss."""
        from tqdm import tqdm

        config = self._config
        batches = data.training.epoch(config.seed, epoch, config.batch)
        title = f"epoch {epoch + 1}/{config.epochs}"
        progress: Any = tqdm(
            batches,
            desc=title,
            total=self._steps,
            unit="batch",
            mininterval=0.5 if sys.stderr.isatty() else 30,
        )
        losses = [float(self._step(*batch)) for batch in progress]
        return round(sum(losses) / len(losses), 4)

    def scores(self, crops: CropSet) -> Floats:
        """Return the (n, labels) float32 probabilities of crops (n, 96, 96, 3) uint8."""
        return predict(self.model, crops.pixels)

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
        # `model.variables` includes the state of dropout's random numbers.
        return [*self.model.variables, *self._optimizer.variables, *self._average]


class SwappedWeights:
    """A context inside which a model has other weights than outside."""

    def __init__(self, model: Any, inside: list[Any]) -> None:
        """Remember `model` and the weights that it has `inside` the context."""
        self._model, self._inside = model, inside

    def __enter__(self) -> None:
        self._outside = self._model.get_weights()
        self._model.set_weights(self._inside)

    def __exit__(self, *_: object) -> None:
        self._model.set_weights(self._outside)


def predict(model: Any, pixels: Any) -> Floats:
    """Return the (n, labels) float32 probabilities of (n, 96, 96, 3) uint8 pixels, using little
    memory.
    """
    chunks = [
        np.asarray(model(pixels[i : i + 256].astype(np.float32), training=False), np.float32)
        for i in range(0, len(pixels), 256)
    ]
    return np.concatenate(chunks)
