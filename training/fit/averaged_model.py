"""A model in training: its optimizer, and the moving average of its weights."""

from __future__ import annotations

from typing import Any

import numpy as np

from training.common.schedule import Schedule


class AveragedModel:
    """A Keras model with AdamW, a cosine schedule with warm-up, and averaged weights."""

    def __init__(
        self, model: Any, config: Schedule, steps: int, clip_norm: float | None = None
    ) -> None:
        """`steps` is the number of batches in an epoch; `clip_norm` limits the gradient's norm."""
        import keras
        import tensorflow as tf

        self.model = model
        self._decay = config.average
        warm_up = int(config.warm_up_epochs * steps)
        total = max(1, config.epochs * steps - warm_up)
        rate = keras.optimizers.schedules.CosineDecay(
            0.0, total, 0.01, warmup_target=config.learning_rate, warmup_steps=max(1, warm_up)
        )
        self._optimizer = keras.optimizers.AdamW(
            rate, weight_decay=config.weight_decay, global_clipnorm=clip_norm
        )
        self._optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
        self._optimizer.build(model.trainable_variables)
        self._average = [tf.Variable(v, trainable=False) for v in model.weights]

    def apply(self, gradients: Any) -> None:
        """Change the weights by `gradients`, and update their average."""
        import tensorflow as tf

        self._optimizer.apply(gradients, self.model.trainable_variables)
        done = tf.cast(self._optimizer.iterations, tf.float32)
        # The average forgets faster at first, because the random initial weights must not remain in
        # it.
        keep = tf.minimum(self._decay, (1.0 + done) / (10.0 + done))
        for average, variable in zip(self._average, self.model.weights, strict=True):
            average.assign(keep * average + (1 - keep) * tf.cast(variable, tf.float32))

    def set_weights(self, weights: list[Any]) -> None:
        """Set the weights of the model, and their average, to `weights`."""
        self.model.set_weights(weights)
        for average, value in zip(self._average, weights, strict=True):
            average.assign(value)

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
