"""Keras ──► float flatbuffer ──► int8 flatbuffer that takes raw uint8 pixels."""

from __future__ import annotations

import contextlib
import io
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from convert.uint8_input import with_uint8_input
from edge.errors import UserError
from edge.framing import Pixels
from training.keras_quietly import import_keras, standard_error_held_back

#: What the scaling layer computes is what a uint8 tensor of this scale and zero point
#: *means*, so the layer itself is left out of the int8 graph.
PIXEL_SCALE, PIXEL_ZERO_POINT = 1 / 128, 128
INPUT_NAME = "pixels"

#: Smallest and largest value of each activation tensor, by the tensor's name.
Ranges = dict[str, tuple[float, float]]


def load_keras(path: Path) -> Any:
    """The Keras model in `path`; raises UserError when it is none."""
    keras = import_keras()
    try:
        model = keras.models.load_model(path, compile=False)
        layer = model.get_layer("scaling")
    except Exception as error:  # Keras raises many types for a file that is no model
        first = str(error).strip().splitlines()[0]
        raise UserError(f"{path} is no model that `python -m training` made: {first}") from None
    if (layer.scale, layer.offset) != (PIXEL_SCALE, -PIXEL_SCALE * PIXEL_ZERO_POINT):
        raise UserError(
            f"{path} scales pixels by {layer.scale:g} and {layer.offset:+g};"
            f" only 1/128 and -1 become a uint8 input without loss"
        )
    return model


def float_flatbuffer(model: Any) -> bytes:
    """The model behind its scaling layer as a float32 `.tflite`, batch of one."""
    import keras
    import tensorflow as tf

    _, height, width, channels = model.input_shape
    pixels = keras.Input(batch_shape=(1, height, width, channels), name=INPUT_NAME)
    behind = keras.Model(model.get_layer("scaling").output, model.output, name="mask")
    whole = keras.Model(pixels, behind(pixels), name="whole")
    with tempfile.TemporaryDirectory() as folder, _quiet():
        whole.export(folder, format="tf_saved_model", verbose=False)
        return bytes(tf.lite.TFLiteConverter.from_saved_model(folder).convert())


def ranges_of(flatbuffer: bytes, crops: Pixels) -> Ranges:
    """Least and largest value over `crops`, (n, h, w, 3) uint8 RGB, of every activation.

    Plain extremes: the quantiser's own moving average depends on the pictures' order and
    cuts off what the last ones lack, which cost ten times the distance to Keras.
    """
    from ai_edge_litert.interpreter import Interpreter

    with _quiet(), warnings.catch_warnings(action="ignore"):
        interpreter = Interpreter(
            model_content=flatbuffer, experimental_preserve_all_tensors=True, num_threads=1
        )
        interpreter.allocate_tensors()
    pixels = interpreter.get_input_details()[0]["index"]
    names = {each["index"]: each["name"] for each in interpreter.get_tensor_details()}
    computed = {int(i) for op in interpreter._get_ops_details() for i in op["outputs"]}
    found: Ranges = {}
    for crop in crops:
        scaled = (crop.astype(np.float32) - PIXEL_ZERO_POINT) * PIXEL_SCALE
        interpreter.set_tensor(pixels, scaled[np.newaxis])
        interpreter.invoke()
        for index in (pixels, *computed):
            values = interpreter.get_tensor(index)
            low, high = found.get(names[index], (np.inf, -np.inf))
            found[names[index]] = min(low, float(values.min())), max(high, float(values.max()))
    return dict(sorted(found.items()))


def quantised(flatbuffer: bytes, ranges: Ranges) -> bytes:
    """The int8 `.tflite`: weights per channel, input uint8 pixels, output int8 shares.

    Raises UserError when `ranges` are not those of this model.
    """
    calibration = {
        name: {"min": np.array([[low]], np.float32), "max": np.array([[high]], np.float32)}
        for name, (low, high) in ranges.items()
    }
    pixels = [name for name in calibration if INPUT_NAME in name]
    for name in pixels:  # the whole of uint8, whatever the crops at hand used of it
        calibration[name] = {
            "min": np.array([[-1.0]], np.float32),
            "max": np.array([[127 / 128]], np.float32),
        }
    try:
        with _quiet():
            result = _quantizer(flatbuffer).quantize(
                calibration, enable_progress_bar=False, enable_progress_report=False
            )
    except (ValueError, RuntimeError, KeyError) as error:
        first = str(error).strip().splitlines()[0]
        raise UserError(
            f"the activation ranges do not fit the model ({first}); compute them anew with --data"
        ) from None
    return with_uint8_input(bytes(result.quantized_model))


def _quantizer(flatbuffer: bytes) -> Any:
    from ai_edge_quantizer import quantizer, recipe

    return quantizer.Quantizer(flatbuffer, recipe.static_wi8_ai8())


@contextlib.contextmanager
def _quiet() -> Any:
    """The converters write what nobody asked for; their errors still raise."""
    with (
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
        standard_error_held_back(),
    ):
        yield
