"""A tiny ONNX file with the inputs and outputs of YuNet, which finds no faces.

OpenCV's `FaceDetectorYN` takes an input with 3 channels, and has four outputs for each of the
strides 8, 16 and 32. Here each output is one convolution whose weights are zero. ONNX files are
Protocol Buffers, of which only two kinds of fields are needed: integers, and fields with a length.
"""

from __future__ import annotations

from collections.abc import Sequence

STRIDES = (8, 16, 32)
CHANNELS = {"cls": 1, "obj": 1, "bbox": 4, "kps": 10}
#: Codes of ONNX: the type of 32-bit floats, and the types of an integer and of integers.
FLOAT, INT, INTS = 1, 2, 7


def tiny_yunet(strides: Sequence[int] = STRIDES, names: Sequence[int] = STRIDES) -> bytes:
    """Return the content of the file; the outputs of `strides` are named after `names`."""
    graph = b""
    outputs = b""
    for stride, named in zip(strides, names, strict=True):
        for kind, channels in CHANNELS.items():
            name, weights = f"{kind}_{named}", f"weights_{kind}_{named}"
            graph += field(1, _convolution(name, weights, stride))
            graph += field(5, _zeros(weights, (channels, 3, 1, 1)))
            outputs += field(12, _value(name, (1, channels, 64 // stride, 64 // stride)))
    graph += field(2, b"tiny") + field(11, _value("input", (1, 3, 64, 64))) + outputs
    opset = field(1, b"") + number(2, 11)
    return number(1, 8) + field(7, graph) + field(8, opset)


def number(tag: int, value: int) -> bytes:
    """Return the field `tag` with an integer that is not negative."""
    return _varint(tag << 3) + _varint(value)


def field(tag: int, content: bytes) -> bytes:
    """Return the field `tag` with a text, bytes, or a message."""
    return _varint(tag << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*encoded, value])


def _convolution(output: str, weights: str, stride: int) -> bytes:
    node = field(1, b"input") + field(1, weights.encode()) + field(2, output.encode())
    node += field(3, f"node_{output}".encode()) + field(4, b"Conv")
    for name, values in (
        ("kernel_shape", (1, 1)),
        ("strides", (stride, stride)),
        ("pads", (0, 0, 0, 0)),
        ("dilations", (1, 1)),
    ):
        items = b"".join(number(8, value) for value in values)
        node += field(5, field(1, name.encode()) + items + number(20, INTS))
    return node + field(5, field(1, b"group") + number(3, 1) + number(20, INT))


def _zeros(name: str, shape: tuple[int, ...]) -> bytes:
    count = 1
    for side in shape:
        count *= side
    dimensions = b"".join(number(1, side) for side in shape)
    return dimensions + number(2, FLOAT) + field(8, name.encode()) + field(9, bytes(4 * count))


def _value(name: str, shape: tuple[int, ...]) -> bytes:
    dimensions = b"".join(field(1, number(1, side)) for side in shape)
    tensor = number(1, FLOAT) + field(2, dimensions)
    return field(1, name.encode()) + field(2, field(1, tensor))
