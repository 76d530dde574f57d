"""The network: pixels in, shares of the labels out."""

from __future__ import annotations

from typing import Any

SIZE_PX = 96  # a face at a door is rarely larger on a Pi's camera; half of 192 costs a quarter
#: (pixel - 128) / 128: exactly what a uint8 tensor of scale 1/128 and zero point 128 means,
#: so that conversion drops the layer and the int8 model takes raw pixels at no cost.
PIXEL_SCALE, PIXEL_OFFSET = 1 / 128, -1.0


def build_model(labels: int, net: str = "small") -> Any:
    """A Keras model: (n, 96, 96, 3) RGB pixels 0 to 255 ──► (n, labels) shares, float32.

    `net` is one of `NETS`.

    Plain convolutions while the picture is large and the channels few (faster there
    than separable ones, on a Pi and in training), separable ones with residuals after.
    Every operator has an int8 kernel in TFLite; batch norms fold away in conversion.
    """
    import keras

    layers = keras.layers
    pixels = layers.Input((SIZE_PX, SIZE_PX, 3), name="pixels")
    x = layers.Rescaling(PIXEL_SCALE, PIXEL_OFFSET, name="scaling")(pixels)
    stem, blocks = NETS[net]
    for channels, kernel, strides in stem:
        x = _convolution(x, channels, kernel, strides)
    for channels, strides in blocks:
        x = _separable(x, channels, strides)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    x = layers.Dropout(0.2)(x)
    shares = layers.Dense(labels, activation="softmax", name="shares")(x)
    return keras.Model(pixels, shares, name="mask")


Stem = tuple[tuple[int, int, int], ...]  # channels, kernel, stride: 96 to 24 to 12 px
Blocks = tuple[tuple[int, int], ...]  # channels, stride: 12 to 6 px
NETS: dict[str, tuple[Stem, Blocks]] = {
    # What runs on the Pi: 98,000 parameters.
    "small": (
        ((24, 5, 4), (64, 3, 2)),
        ((64, 1), (64, 1), (64, 1), (128, 2), (128, 1), (128, 1), (160, 1)),
    ),
    # A teacher for it, five times as large and three times as slow to train.
    "large": (
        ((32, 5, 4), (96, 3, 2)),
        (*(((128, 1),) * 4), (256, 2), *(((256, 1),) * 5)),
    ),
}


def _convolution(x: Any, channels: int, kernel: int, strides: int) -> Any:
    import keras

    x = keras.layers.Conv2D(channels, kernel, strides, padding="same", use_bias=False)(x)
    return keras.layers.ReLU(6.0)(keras.layers.BatchNormalization(momentum=0.98)(x))


def _separable(x: Any, channels: int, strides: int) -> Any:
    import keras

    y = keras.layers.DepthwiseConv2D(3, strides, padding="same", use_bias=False)(x)
    y = keras.layers.ReLU(6.0)(keras.layers.BatchNormalization(momentum=0.98)(y))
    y = _convolution(y, channels, kernel=1, strides=1)
    same_shape = strides == 1 and x.shape[-1] == channels
    return keras.layers.Add()([x, y]) if same_shape else y
