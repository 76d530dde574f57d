"""Measures the value range of each activation tensor over real faces, on the float flatbuffer."""

from __future__ import annotations

import numpy as np

from convert.network.from_keras import PIXEL_SCALE, PIXEL_ZERO_POINT
from convert.network.silence_converters import quiet
from edge.common.arrays import Pixels

#: Minimum and maximum of each activation tensor, by the tensor's name.
Ranges = dict[str, tuple[float, float]]


def ranges_of(flatbuffer: bytes, crops: Pixels) -> Ranges:
    """Return the minimum and maximum of every activation over `crops`, (n, h, w, 3) uint8 RGB.

    The quantiser itself would use moving averages, which depend on the order of the pictures and
    cut off values that do not occur in the last pictures. With moving averages, the scores differed
    ten times as much from those of Keras.
    """
    from ai_edge_litert.interpreter import Interpreter

    with quiet():
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
