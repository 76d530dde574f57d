"""The network of the original Mask Patrol, for comparing speed and accuracy with ours."""

from __future__ import annotations

from typing import Any

ORIGINAL_SIZE_PX = 150


def build_original(labels: int = 2) -> Any:
    """Return an untrained Keras model: (n, 150, 150, 3) RGB pixels 0 to 255 ──► float32.

    With 2 `labels` the output is (n, 1), the probability of `no_mask`, because WithoutMask is the
    second class folder in alphabetical order; 3,453,121 parameters. With 3 `labels` the output is
    (n, 3) probabilities; 3,454,147 parameters.

    The layers are those that github.com/crystal-ctrl/deep_learning_project trains in
    `workflow/2_CNN_binary(colab).ipynb` and `6_multiclass_final(colab).ipynb`: four 3x3
    convolutions without padding, of 32, 64, 128 and 128 filters, each with ReLU and 2x2 max
    pooling, then dense layers. The original was trained without augmentation by Adam with Keras's
    default settings, for 30 epochs of batches of 80. The original's data generator divides pixels
    by 255; in this model the first layer divides them.
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
