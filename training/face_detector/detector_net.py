"""The network of the face detector, which gives a score and the code of a box for each point.

Depthwise-separable convolutions reduce the picture to 1/8, 1/16 and 1/32 of its size. A top-down
path adds the features of the coarser levels to the finer ones (Lin and others, "Feature
Pyramid Networks for Object Detection", 2017), and a head at each level predicts without anchors
(Tian and others, "FCOS", 2019). Every operator has an int8 kernel in tflite-runtime 2.14.
"""

from __future__ import annotations

import functools
import math
from typing import Any

from training.face_detector.grid import STRIDES, InputSize
from training.network.model import (
    PIXEL_OFFSET,
    PIXEL_SCALE,
)
from training.network.model import convolution as _convolution
from training.network.model import separable_convolution as _separable_convolution

STEM_CHANNELS = 16
#: Channels and stride of each block; the last block of a size is an input of the top-down path.
BLOCKS = (
    ((32, 2),),  # 1/4
    ((64, 2), (64, 1), (64, 1)),  # 1/8
    ((96, 2), (96, 1), (96, 1)),  # 1/16
    ((128, 2), (128, 1), (128, 1)),  # 1/32
)
NECK_CHANNELS = 48
#: The score of every point at the start. Nearly all points are background: without this bias, they
#: would dominate the first steps (Lin and others, "Focal Loss for Dense Object Detection", 2017).
FIRST_SCORE = 0.01
#: A batch has tens of thousands of values for each channel, so its statistics are precise, and the
#: last ten steps are enough for batch normalisation.
MOMENTUM = 0.9

convolution = functools.partial(_convolution, momentum=MOMENTUM)
separable_convolution = functools.partial(_separable_convolution, momentum=MOMENTUM)


def build_detector(size: InputSize) -> Any:
    """Return a Keras model: pixels (n, height, width, channels) 0 to 255 ──► `logits` (n, points)
    and `codes` (n, points, 4), float32.

    The points are those of `training.face_detector.grid.Grid`.
    """
    import keras

    layers = keras.layers
    pixels = layers.Input(size.shape, name="pixels")
    x = layers.Rescaling(PIXEL_SCALE, PIXEL_OFFSET, name="scaling")(pixels)
    x = convolution(x, STEM_CHANNELS, kernel=3, strides=2)
    sizes = []
    for blocks in BLOCKS:
        for channels, strides in blocks:
            x = separable_convolution(x, channels, strides)
        sizes.append(x)
    levels = _top_down(sizes[-len(STRIDES) :])
    heads = [_head(level, stride) for level, stride in zip(levels, STRIDES, strict=True)]
    logits = layers.Concatenate(axis=1, name="logits")([scores for scores, _ in heads])
    codes = layers.Concatenate(axis=1, name="codes")([codes for _, codes in heads])
    return keras.Model(pixels, {"logits": logits, "codes": codes}, name="face")


def _top_down(sizes: list[Any]) -> list[Any]:
    """Return the levels, finest first, each with the features of the coarser ones added."""
    import keras

    layers = keras.layers
    coarser = convolution(sizes[-1], NECK_CHANNELS, kernel=1, strides=1)
    levels = [coarser]
    for x in reversed(sizes[:-1]):
        lateral = convolution(x, NECK_CHANNELS, kernel=1, strides=1)
        enlarged = layers.UpSampling2D(2, interpolation="nearest")(coarser)
        extra = [enlarged.shape[axis] - lateral.shape[axis] for axis in (1, 2)]
        if any(extra):  # the finer level has an odd number of rows or columns
            enlarged = layers.Cropping2D(((0, extra[0]), (0, extra[1])))(enlarged)
        coarser = separable_convolution(layers.Add()([lateral, enlarged]), NECK_CHANNELS, 1)
        levels.insert(0, coarser)
    return levels


def _head(x: Any, stride: int) -> tuple[Any, Any]:
    import keras

    layers = keras.layers
    x = separable_convolution(x, NECK_CHANNELS, 1)
    bias = keras.initializers.Constant(math.log(FIRST_SCORE / (1 - FIRST_SCORE)))
    scores = layers.Conv2D(1, 1, bias_initializer=bias, name=f"scores{stride}")(x)
    codes = layers.Conv2D(4, 1, name=f"codes{stride}")(x)
    return layers.Reshape((-1,))(scores), layers.Reshape((-1, 4))(codes)
