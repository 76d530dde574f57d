"""The networks that are trained: face crops in, a probability for each label out."""

from __future__ import annotations

from typing import Any

from training.network.efficientnet_lite import SHAPES, build_efficientnet_lite
from training.network.pixel_scaling import PIXEL_OFFSET, PIXEL_SCALE

# At a door, faces in the picture of a Pi's camera are rarely wider than 96 px. An input of 192 px
# would need four times as much computation.
SIZE_PX = 96
#: The name of the shipped classifier in models/, and of the model of a run.
MODEL_NAME = "mask"
MOMENTUM = 0.98  # for batch normalisation, whose statistics cover about the last 50 steps


def build_model(labels: int, net: str = "small") -> Any:
    """Return a Keras model: (n, 96, 96, 3) RGB pixels 0 to 255 ──► (n, labels) probabilities,
    float32.

    `net` is one of `NET_NAMES`.

    In the networks of `NETS` the first layers are plain convolutions, which are faster than
    separable ones while the picture is large and the channels are few, on a Pi and in training.
    Separable convolutions with residual connections follow. Every operator has an int8 kernel in
    TFLite, and conversion folds the batch normalisations into the convolutions.
    """
    if net in SHAPES:
        return build_efficientnet_lite(labels, SIZE_PX, net)
    import keras

    layers = keras.layers
    pixels = layers.Input((SIZE_PX, SIZE_PX, 3), name="pixels")
    x = layers.Rescaling(PIXEL_SCALE, PIXEL_OFFSET, name="scaling")(pixels)
    stem, blocks = NETS[net]
    for channels, kernel, strides in stem:
        x = convolution(x, channels, kernel, strides)
    for channels, strides in blocks:
        x = separable_convolution(x, channels, strides)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    x = layers.Dropout(0.2)(x)
    shares = layers.Dense(labels, activation="softmax", name="shares")(x)
    return keras.Model(pixels, shares, name="mask")


#: Channels, kernel size and stride of each layer; the strides reduce 96 px to 24 px and then 12 px.
Stem = tuple[tuple[int, int, int], ...]
#: Channels and stride of each block; the strides reduce 12 px to 6 px.
Blocks = tuple[tuple[int, int], ...]
NETS: dict[str, tuple[Stem, Blocks]] = {
    # Runs on the Pi: 98,000 parameters.
    "small": (
        ((24, 5, 4), (64, 3, 2)),
        ((64, 1), (64, 1), (64, 1), (128, 2), (128, 1), (128, 1), (160, 1)),
    ),
    # 1.8 times the computation of `small`.
    "medium": (
        ((28, 5, 4), (80, 3, 2)),
        (*(((80, 1),) * 4), (160, 2), *(((160, 1),) * 3), (208, 1)),
    ),
}
NET_NAMES = (*NETS, *SHAPES)


def convolution(
    x: Any, channels: int, kernel: int, strides: int, momentum: float = MOMENTUM
) -> Any:
    """Return a convolution of `x` with batch normalisation and ReLU6."""
    import keras

    x = keras.layers.Conv2D(channels, kernel, strides, padding="same", use_bias=False)(x)
    return keras.layers.ReLU(6.0)(keras.layers.BatchNormalization(momentum=momentum)(x))


def separable_convolution(x: Any, channels: int, strides: int, momentum: float = MOMENTUM) -> Any:
    """Return a depthwise 3x3 and a 1x1 convolution of `x`, each with batch normalisation and ReLU6.

    If the shape stays the same, `x` is added to the result.
    """
    import keras

    y = keras.layers.DepthwiseConv2D(3, strides, padding="same", use_bias=False)(x)
    y = keras.layers.ReLU(6.0)(keras.layers.BatchNormalization(momentum=momentum)(y))
    y = convolution(y, channels, kernel=1, strides=1, momentum=momentum)
    same_shape = strides == 1 and x.shape[-1] == channels
    return keras.layers.Add()([x, y]) if same_shape else y
