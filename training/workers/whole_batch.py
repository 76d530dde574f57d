"""Layers that act on the rows of one worker as they would act on the whole batch."""

from __future__ import annotations

import functools
from typing import Any

from training.workers.share import Share


def whole_batch_copy(model: Any, share: Share) -> Any:
    """Return a copy of `model` for training on the rows of `share`, with weights of its own.

    Batch normalisation uses the moments of the rows of all workers. Dropout draws the mask of the
    whole batch and applies its own rows of it.
    """
    import keras

    return keras.models.clone_model(model, clone_function=functools.partial(_copy, share=share))


def _copy(layer: Any, share: Share) -> Any:
    import keras

    config = layer.get_config()
    if isinstance(layer, keras.layers.BatchNormalization):
        return keras.layers.BatchNormalization.from_config({**config, "synchronized": True})
    if isinstance(layer, keras.layers.Dropout):
        return _shared_dropout()(share, **config)
    return type(layer).from_config(config)


@functools.cache
def _shared_dropout() -> Any:
    """Return the class of the layer; importing this module must not import Keras."""
    import keras

    class SharedDropout(keras.layers.Dropout):  # type: ignore[misc]
        """Dropout of the rows of one worker."""

        def __init__(self, share: Share, **config: Any) -> None:
            super().__init__(**config)
            self._share = share

        def call(self, inputs: Any, training: bool = False) -> Any:
            if not training:
                return inputs
            ones = keras.ops.ones_like(inputs)
            whole = keras.ops.repeat(ones, self._share.count, axis=0)
            mask = super().call(whole, training=True)
            return inputs * mask[self._share.index :: self._share.count]

    return SharedDropout
