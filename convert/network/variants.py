"""The variants of a model: all have the same input, uint8 pixels, and the same outputs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from convert.network.activation_ranges import Ranges
from convert.network.compact import compact
from convert.network.from_keras import PIXEL_SCALE, PIXEL_ZERO_POINT
from convert.network.quantise import dynamic, float16, int8
from convert.network.uint8_input import with_uint8_input

INT8 = "int8"
#: The variants that are always made, and that Mask Patrol ships: where tflite-runtime has no fast
#: kernels for int8, the daemon uses float16 (`edge.inference.shipped_variant`).
SHIPPED = (INT8, "float16")


@dataclass(frozen=True)
class Variant:
    """The description of a variant, and the function that makes it.

    `quantisation`: the text of this field in the variant's card, in which `{pixels}` stands for the
    kind of pixels. `make` returns the variant's flatbuffer, made from the float flatbuffer and the
    ranges.
    """

    quantisation: str
    make: Callable[[bytes, Ranges], bytes]


VARIANTS = {
    "float32": Variant(
        "none: float32 weights and activations; input uint8 {pixels} pixels, output float32",
        lambda flatbuffer, _: flatbuffer,
    ),
    "float16": Variant(
        "float16 weights, computed with in float32; input uint8 {pixels} pixels, output float32",
        lambda flatbuffer, _: float16(flatbuffer),
    ),
    "dynamic": Variant(
        "int8 weights, per channel and in the last layer per tensor, activations float32 and"
        " quantised anew for every picture; input uint8 {pixels} pixels, output float32",
        lambda flatbuffer, _: dynamic(flatbuffer),
    ),
    INT8: Variant(
        "int8: weights per channel, activations per tensor; input uint8 {pixels} pixels,"
        " output int8",
        int8,
    ),
}


def quantisation_of(variant: str, pixels: str) -> str:
    """Return the text in the card of `variant` of a model that takes `pixels`, such as RGB."""
    return VARIANTS[variant].quantisation.format(pixels=pixels)


def built(variant: str, flatbuffer: bytes, ranges: Ranges) -> bytes:
    """Return the flatbuffer of `variant`, made from that of `from_keras.float_flatbuffer`.

    Inputs and outputs stay the same.
    Raises UserError when `ranges` do not belong to this model.
    """
    own = VARIANTS[variant].make(flatbuffer, ranges)
    return compact(with_uint8_input(own, PIXEL_SCALE, PIXEL_ZERO_POINT))


def variant_path(out: Path, variant: str) -> Path:
    """Return the path of `variant` beside the int8 model `out`, such as mask-float16.tflite."""
    return out if variant == INT8 else out.with_name(f"{out.stem}-{variant}{out.suffix}")
