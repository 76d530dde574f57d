"""Quantises a float flatbuffer, by recipes for which tflite-runtime 2.14 has kernels."""

from __future__ import annotations

from typing import Any

import numpy as np

from convert.network.activation_ranges import Ranges
from convert.network.from_keras import INPUT_NAME
from convert.network.silence_converters import quiet
from edge.common.errors import UserError


def float16(flatbuffer: bytes) -> bytes:
    """Store weights as float16, converted to float32 at loading; everything else stays float32."""
    from ai_edge_quantizer import recipe_manager

    recipe = recipe_manager.RecipeManager()
    recipe.add_weight_only_config(".*", "*", num_bits=16, algorithm_key="float_casting")
    return _quantised(flatbuffer, recipe.get_quantization_recipe())


def dynamic(flatbuffer: bytes) -> bytes:
    """Store weights as int8; activations are float and quantised for every picture.

    tflite-runtime 2.14 reads only one scale for the weights of a fully connected layer here.
    Given one scale for each channel, it silently computes wrong results.
    """
    from ai_edge_quantizer import qtyping, recipe_manager

    recipe, names = recipe_manager.RecipeManager(), qtyping.TFLOperationName
    for operation, granularity in (
        (names.CONV_2D, qtyping.QuantGranularity.CHANNELWISE),
        (names.DEPTHWISE_CONV_2D, qtyping.QuantGranularity.CHANNELWISE),
        (names.FULLY_CONNECTED, qtyping.QuantGranularity.TENSORWISE),
    ):
        recipe.add_dynamic_config(".*", operation, num_bits=8, granularity=granularity)
    return _quantised(flatbuffer, recipe.get_quantization_recipe())


def int8(flatbuffer: bytes, ranges: Ranges) -> bytes:
    """Quantise everything to int8: weights per channel, activations per tensor by `ranges`.

    Only the input stays float; it is quantised by the first operator, so uint8 pixels are converted
    to float and then to int8. The result is, bit for bit, that of a direct conversion from
    uint8 to int8. XNNPACK has no kernel for the direct conversion, which took a fifth of the total
    time on a desktop.

    Raises UserError when `ranges` do not belong to this model.
    """
    from ai_edge_quantizer import algorithm_manager, qtyping, recipe, recipe_manager

    rules = recipe_manager.RecipeManager()
    rules.load_quantization_recipe(recipe.static_wi8_ai8())
    nothing = algorithm_manager.AlgorithmName.NO_QUANTIZE
    rules.add_quantization_config(".*", qtyping.TFLOperationName.INPUT, algorithm_key=nothing)
    calibration = {
        name: {"min": np.array([[low]], np.float32), "max": np.array([[high]], np.float32)}
        for name, (low, high) in ranges.items()
    }
    pixels = [name for name in calibration if INPUT_NAME in name]
    for name in pixels:  # the whole range of uint8, even if the crops used only a part
        calibration[name] = {
            "min": np.array([[-1.0]], np.float32),
            "max": np.array([[127 / 128]], np.float32),
        }
    try:
        return _quantised(flatbuffer, rules.get_quantization_recipe(), calibration)
    except (ValueError, RuntimeError, KeyError) as error:
        first = str(error).strip().splitlines()[0]
        raise UserError(
            f"the activation ranges do not fit the model ({first}); compute them anew with --data"
        ) from None


def _quantised(flatbuffer: bytes, recipe: Any, calibration: Any = None) -> bytes:
    with quiet():
        from ai_edge_quantizer import quantizer

        result = quantizer.Quantizer(flatbuffer, recipe).quantize(
            calibration, enable_progress_bar=False, enable_progress_report=False
        )
    return bytes(result.quantized_model)
