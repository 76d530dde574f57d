"""The network of the original Mask Patrol, to hold ours against: its speed and its accuracy."""

from __future__ import annotations

from typing import Any

ORIGINAL_SIZE_PX = 150


def build_original() -> Any:
    """An untrained Keras model: (n, 150, 150, 3) RGB pixels 0 to 255 ──► (n, 1), float32.

    The binary CNN of the Mask Patrol project that this one follows, 3,453,121 parameters:
    four 3x3 convolutions without padding, of 32, 64, 128 and 128 filters, each with ReLU and
    2x2 max pooling, then 512 and 1 dense units. Its answer is the share of `no_mask`, the
    second class folder by name (WithMask, WithoutMask).
    """
    import keras

    layers = keras.layers
    pixels = layers.Input((ORIGINAL_SIZE_PX, ORIGINAL_SIZE_PX, 3), name="pixels")
    x = layers.Rescaling(1 / 255, name="scaling")(pixels)
    for filters in (32, 64, 128, 128):
        x = layers.Conv2D(filters, 3, activation="relu")(x)
        x = layers.MaxPooling2D(2)(x)
    x = layers.Dense(512, activation="relu")(layers.Flatten()(x))
    share = layers.Dense(1, activation="sigmoid", name="no_mask")(x)
    return keras.Model(pixels, share, name="original")
