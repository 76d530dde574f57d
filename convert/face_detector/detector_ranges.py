"""Ranges of the outputs of a face detector's network, limited to values that mean something.

At points without a face, logits fall without limit and codes take any value. If int8 had to cover
these values, the codes of faces would be rounded to a tenth of a stride.
"""

from __future__ import annotations

import math
from typing import Any

from ai_edge_litert import schema_py_generated as schema

from convert.network.activation_ranges import Ranges
from convert.network.flatbuffer import parsed
from edge.detection.point_grid import InputSize, point_count

#: Scores from 0.0025 to 0.9975.
LOGITS = (-6.0, 6.0)
#: The centre of a face is at most 1.5 strides from its points
#: (`training.face_detector.targets.CENTRE_RADIUS`), which leaves some room for errors; its sides
#: are 0.6 to 7.5 strides long, so their logarithms are -0.5 to 2.0.
CODES = (-2.2, 2.2)
#: Operators between the last convolutions and the outputs, which only arrange values.
ARRANGING = (schema.BuiltinOperator.RESHAPE, schema.BuiltinOperator.CONCATENATION)


def limited_ranges(flatbuffer: bytes, ranges: Ranges, size: InputSize) -> Ranges:
    """Return `ranges`, by the names of tensors, with fixed ones for all values of the outputs.

    `flatbuffer` is that of `convert.network.from_keras.float_flatbuffer` for a network of `size`.
    """
    model = parsed(flatbuffer)
    points = point_count(size)
    limited = dict(ranges)
    for shape, limits in (((1, points), LOGITS), ((1, points, 4), CODES)):
        for name in _names_of_values(model, shape):
            limited[name] = limits
    return limited


def _names_of_values(model: Any, shape: tuple[int, ...]) -> set[str]:
    """Return the names of the output with `shape`, and of the tensors whose values it arranges."""
    graph = model.subgraphs[0]
    waiting = [int(i) for i in graph.outputs if tuple(graph.tensors[i].shape) == shape]
    makers = {int(operator.outputs[0]): operator for operator in graph.operators}
    names = set()
    while waiting:
        index = waiting.pop()
        names.add(bytes(graph.tensors[index].name).decode())
        maker = makers.get(index)
        if maker is None or model.operatorCodes[maker.opcodeIndex].builtinCode not in ARRANGING:
            continue
        values = maker.inputs[:1] if _is_reshape(model, maker) else maker.inputs
        waiting += [int(i) for i in values if math.prod(graph.tensors[i].shape) > 1]
    return names


def _is_reshape(model: Any, operator: Any) -> bool:
    code = model.operatorCodes[operator.opcodeIndex].builtinCode
    return bool(code == schema.BuiltinOperator.RESHAPE)
