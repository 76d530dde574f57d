"""The network of the original Mask Patrol, to hold ours against: its speed and its accuracy."""

from __future__ import annotations

from typing import Any

ORIGINAL_SIZE_PX = 150


def build_original(labels: int = 2) -> Any:
    """An untrained Keras model: (n, 150, 150, 3) RGB pixels 0 to 255 ──► float32.

    `labels` 2: (n, 1), the share of `no_mask`, the second class folder by name (WithMask,
    WithoutMask); 3,453,121 parameters. 3: (n, 3), shares; 3,454,147 parameters.

    Four 3x3 convolutions without padding, of 32, 64, 128 and 128 filters, each with ReLU and
    2x2 max pooling, then dense units: layer by layer what
    github.com/crystal-ctrl/deep_learning_project trains in `workflow/2_CNN_binary(colab).ipynb`
    and `6_multiclass_final(colab).ipynb`, with Adam at Keras's defaults for 30 epochs of batches
    of 80, unaugmented; there the generator divides pixels by 255, here the first layer does.
    """
    import keras

    layers = keras.layers
    pixels = layers.Input((ORIGINAL_SIZE_PX, ORIGINAL_SIZE_PX, 3), name="pixels")
    x = layers.Rescaling(1 / 255, name="scaling")(pixels)
    for filters in (32, 64, 128, 128):
        x = layers.Conv2D(filters, 3, activation="relu")(x)
        x = layers.MaxPooling2D(2)(x)
    x = layers.Dense(512, activation="relu")(layers.Flatten()(x))
    if labels == 2:
        answer = layers.Dense(1, activation="sigmoid", name="no_mask")(x)
    else:
        answer = layers.Dense(labels, activation="softmax", name="shares")(x)
    return keras.Model(pixels, answer, name="original")
