"""Converts a Keras model to a float flatbuffer without the layer that scales pixels."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from convert.network.silence_converters import quiet
from edge.common.errors import UserError
from training.common.quiet_keras import load_model_file

#: The scaling layer computes exactly the real value of a uint8 tensor with this scale and zero
#: point. So the layer is left out, and `uint8_input` adds an input tensor with this scale.
PIXEL_SCALE, PIXEL_ZERO_POINT = 1 / 128, 128
INPUT_NAME = "pixels"


def load_keras(path: Path) -> Any:
    """Load the Keras model in `path`; raises UserError unless training made it."""
    model = load_model_file(path)
    try:
        layer = model.get_layer("scaling")
    except ValueError:
        raise UserError(
            f"{path} has no layer `scaling`, which every model of `python -m training` has"
        ) from None
    if (layer.scale, layer.offset) != (PIXEL_SCALE, -PIXEL_SCALE * PIXEL_ZERO_POINT):
        raise UserError(
            f"{path} scales pixels by {layer.scale:g} and {layer.offset:+g};"
            f" only 1/128 and -1 can become a uint8 input without loss"
        )
    return model


def float_flatbuffer(model: Any, reshapes: bool = False) -> bytes:
    """Return the part of the model after its scaling layer as a float32 `.tflite`, batch of one.

    `reshapes` is as in `exported`.
    """
    import keras

    _, height, width, channels = model.input_shape
    pixels = keras.Input(batch_shape=(1, height, width, channels), name=INPUT_NAME)
    behind = keras.Model(model.get_layer("scaling").output, model.output, name="mask")
    return exported(keras.Model(pixels, behind(pixels), name="whole"), reshapes)


def exported(model: Any, reshapes: bool = False) -> bytes:
    """Convert any Keras model to a float32 `.tflite` with TensorFlow's converter.

    A model that `reshapes` is exported with a fixed batch size. Otherwise, its shapes would be
    computed at run time, and tflite-runtime 2.14 would run it without XNNPACK, which takes ten
    times as long.
    """
    import tensorflow as tf

    fixed = tf.TensorSpec(model.input_shape, tf.float32, name=INPUT_NAME)
    options = {"input_signature": [fixed]} if reshapes else {}
    with tempfile.TemporaryDirectory() as folder, quiet():
        model.export(folder, format="tf_saved_model", verbose=False, **options)
        return bytes(tf.lite.TFLiteConverter.from_saved_model(folder).convert())
