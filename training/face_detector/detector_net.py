"""The network of the face detector, which gives a score and the code of a box for each point.

Convolutions reduce the picture to 1/8, 1/16 and 1/32 of its size. A top-down
path adds the features of the coarser levels to the finer ones (Lin and others, "Feature
Pyramid Networks for Object Detection", 2017), and a head at each level predicts without anchors
(Tian and others, "FCOS", 2019). Every operator has an int8 kernel in tflite-runtime 2.14.
"""

from __future__ import annotations

import functools
import math
from pathlib import Path
from typing import Any

import numpy as np

from edge.common.errors import UserError
from edge.detection.point_grid import STRIDES, InputSize
from training.common.quiet_keras import load_model_file
from training.network.model import convolution as _convolution
from training.network.model import separable_convolution as _separable_convolution
from training.network.pixel_scaling import PIXEL_OFFSET, PIXEL_SCALE

#: Channels, kernel size and stride of the first layers, and channels and stride of each block at
#: 1/8, 1/16 and 1/32 of the size.
STEM = ((24, 5, 4), (64, 3, 2))
BLOCKS = (
    ((64, 1),) * 5,
    ((128, 2), *((128, 1),) * 4),
    ((160, 2), (128, 1)),
)
#: Number of blocks of each size, and of layers with weights before them, that the classifier's
#: network `small` (`training.network.model`) has, too, so that its weights can be the start.
SHARED_BLOCKS = (3, 3, 1)
STEM_LAYERS, BLOCK_LAYERS = 4, 4
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

    The points are those of `edge.detection.point_grid.Grid`.
    """
    import keras

    layers = keras.layers
    pixels = layers.Input(size.shape, name="pixels")
    x = layers.Rescaling(PIXEL_SCALE, PIXEL_OFFSET, name="scaling")(pixels)
    for channels, kernel, strides in STEM:
        x = convolution(x, channels, kernel, strides)
    sizes = []
    for blocks in BLOCKS:
        for channels, strides in blocks:
            x = separable_convolution(x, channels, strides)
        sizes.append(x)
    levels = _top_down(sizes)
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
        # Bilinear, because TFLite's XNNPACK has no kernel for nearest neighbours.
        enlarged = layers.UpSampling2D(2, interpolation="bilinear")(coarser)
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


def start_from(model: Any, path: Path) -> None:
    """Set the weights of `model` to those of the detector in `path`, or the weights of its first
    layers to those of the classifier in `path`.

    A classifier already knows what faces look like: after two epochs at 192x144 px, the average
    precision (at IoU 0.3, faces of 20 px and more) was 0.69 instead of 0.41. The first layer of a
    classifier takes RGB; for luma its weights are summed over the colours, which gives the same
    result on a grey picture. Raises UserError if the file is neither a detector of the same input
    nor a classifier of the network `small`.
    """
    source = load_model_file(path)
    if isinstance(source.output, dict):
        if source.input_shape != model.input_shape or len(source.weights) != len(model.weights):
            raise UserError(f"the detector {path} has another --size or --colour, or other layers")
        model.set_weights(source.get_weights())
        return
    for theirs, ours in zip(_with_weights(source), _shared_layers(model), strict=False):
        weights = [np.asarray(each) for each in theirs.get_weights()]
        if weights[0].ndim == 4 and weights[0].shape[2] == 3 != ours.get_weights()[0].shape[2]:
            weights[0] = weights[0].sum(axis=2, keepdims=True)
        if [w.shape for w in weights] != [w.shape for w in ours.get_weights()]:
            raise UserError(
                f"{path} is not a classifier that `python -m training train` made with --net small"
            )
        ours.set_weights(weights)


def _shared_layers(model: Any) -> list[Any]:
    """Return the layers of a detector that the classifier has, too, in the classifier's order."""
    layers, first = _with_weights(model), STEM_LAYERS
    shared = layers[:first]
    for blocks, count in zip(BLOCKS, SHARED_BLOCKS, strict=True):
        shared += layers[first : first + count * BLOCK_LAYERS]
        first += len(blocks) * BLOCK_LAYERS
    return shared


def _with_weights(model: Any) -> list[Any]:
    return [layer for layer in model.layers if layer.weights]
