"""The workers that train one network: this process alone, or with others on other machines.

Every worker has all weights, makes its share of each batch, and adds its gradients to those of the
others. All workers then change their weights equally, as one worker with the whole batch would.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from training.workers.share import Share
from training.workers.task import Task
from training.workers.whole_batch import whole_batch_copy


class Workers:
    """This process alone, which trains with whole batches."""

    is_chief = True
    count = 1
    #: None if this process makes whole batches.
    share: Share | None = None

    def run(self, step: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        """Return `step(*arguments)`; `step` may call `total`."""
        return step(*arguments)

    def total(self, values: Any) -> Any:
        """Return the sum over all workers of a tensor, or of each tensor of a list."""
        return values

    def training_call(self, model: Any) -> Callable[[Any], Any]:
        """Return a function from this worker's rows of a batch to the outputs of `model`, in
        training.

        Batch normalisation and dropout act as they do on the whole batch.
        """
        return functools.partial(model, training=True)

    def from_chief(self, payload: bytes) -> bytes:
        """Return the `payload` of the chief; all workers must call this at the same point."""
        return payload


class ConnectedWorkers(Workers):
    """This process and others, which TensorFlow's MultiWorkerMirroredStrategy connects."""

    def __init__(self, task: Task, strategy: Any) -> None:
        """Use `strategy`, in which this process has one replica."""
        import tensorflow as tf

        self.is_chief, self.count = task.is_chief, len(task.addresses)
        self.share = self._own = Share(task.index, self.count)
        self._strategy = strategy
        self._sum = tf.function(
            self._sum_numbers, input_signature=[tf.TensorSpec([None], tf.int32)]
        )

    def run(self, step: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        return self._strategy.run(step, args=arguments)

    def total(self, values: Any) -> Any:
        import tensorflow as tf

        # A tensor without an operation of this replica would have no device.
        own = tf.nest.map_structure(tf.identity, values)
        return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, own)

    def training_call(self, model: Any) -> Callable[[Any], Any]:
        copy = whole_batch_copy(model, self._own)

        def call(pixels: Any) -> Any:
            outputs, state = copy.stateless_call(
                [variable.value for variable in model.trainable_variables],
                [variable.value for variable in model.non_trainable_variables],
                pixels,
                training=True,
            )
            for variable, value in zip(model.non_trainable_variables, state, strict=True):
                variable.assign(value)
            return outputs

        return call

    def from_chief(self, payload: bytes) -> bytes:
        length = int(self._sum(np.array([len(payload) * self.is_chief], np.int32))[0])
        own = payload if self.is_chief else b""
        numbers = np.frombuffer(own.ljust(length + -length % 4, b"\0"), np.int32)
        received: bytes = self._sum(numbers).numpy().tobytes()
        return received[:length]

    def _sum_numbers(self, numbers: Any) -> Any:
        return self.run(self.total, (numbers,))
