"""The loss of the face detector, in TensorFlow.

The score of a point learns by cross-entropy: 0 for background and, for a face, a value that rises
from 0.5 to 1 with the IoU of its box, so that of several boxes of a face the best gets the highest
score. The box learns from the generalised IoU
(Rezatofighi and others, "Generalized Intersection over Union", 2019), and from the error of its
code: a box that is far too large or too small has almost no gradient of the IoU, so without the
error of the code it would never recover from a bad first step.
"""

from __future__ import annotations

from typing import Any

from edge.detection.point_grid import MAX_LOG_SIDE, Grid

BOX_WEIGHT, CODE_WEIGHT = 2.0, 0.5
#: The score that a face's point learns while its box does not overlap the face at all. The quality
#: focal loss (Li and others, "Generalized Focal Loss", 2020), which learns 0 in this case and gives
#: less weight to points that are almost right, learned much more slowly.
MIN_QUALITY = 0.5


def detector_loss(
    grid: Grid, output: dict[str, Any], targets: tuple[Any, Any, Any], faces: Any
) -> Any:
    """Return the losses of scores and boxes of a batch, (2,), each divided by `faces`, the number
    of points that stand for a face.

    `output` is that of the network; `targets` are the arrays of
    `training.face_detector.targets.Targets`, each with a batch axis in front.
    """
    import tensorflow as tf

    corners, positive, weight = targets
    iou, generalised = _overlaps(_decode(grid, output["codes"]), corners)
    count = tf.maximum(faces, 1.0)
    quality = positive * (MIN_QUALITY + (1 - MIN_QUALITY) * tf.stop_gradient(iou))
    entropy = tf.nn.sigmoid_cross_entropy_with_logits(labels=quality, logits=output["logits"])
    score_loss = tf.reduce_sum(entropy * weight) / count
    error = _huber(output["codes"] - _encode(grid, corners))
    per_point = BOX_WEIGHT * (1 - generalised) + CODE_WEIGHT * error
    return tf.stack([score_loss, tf.reduce_sum(per_point * positive) / count])


def _encode(grid: Grid, corners: Any) -> Any:
    """Return the codes of boxes; the code of a point without a face is not used."""
    import tensorflow as tf

    low, high = corners[..., :2], corners[..., 2:]
    strides = grid.strides[:, None]
    sides = tf.maximum((high - low) / strides, 1e-3)
    return tf.concat([((low + high) / 2 - grid.points) / strides, tf.math.log(sides)], axis=-1)


def _huber(errors: Any) -> Any:
    """Return the mean loss of the four sides, quadratic for errors up to 1 and linear above."""
    import tensorflow as tf

    size = tf.abs(errors)
    return tf.reduce_mean(tf.where(size < 1, 0.5 * size**2, size - 0.5), axis=-1)


def _decode(grid: Grid, codes: Any) -> Any:
    import tensorflow as tf

    strides = grid.strides[:, None]
    centres = grid.points + codes[..., :2] * strides
    half = tf.exp(tf.minimum(codes[..., 2:], MAX_LOG_SIDE)) * strides / 2
    return tf.concat([centres - half, centres + half], axis=-1)


def _overlaps(a: Any, b: Any) -> tuple[Any, Any]:
    """Return the IoU and the generalised IoU of boxes (…, 4), pair by pair."""
    import tensorflow as tf

    low, high = tf.maximum(a[..., :2], b[..., :2]), tf.minimum(a[..., 2:], b[..., 2:])
    shared = tf.reduce_prod(tf.maximum(high - low, 0.0), axis=-1)
    union = _area(a) + _area(b) - shared
    iou = shared / tf.maximum(union, 1e-6)
    outer = tf.concat(
        [tf.minimum(a[..., :2], b[..., :2]), tf.maximum(a[..., 2:], b[..., 2:])], axis=-1
    )
    hull = tf.maximum(_area(outer), 1e-6)
    return iou, iou - (hull - union) / hull


def _area(boxes: Any) -> Any:
    import tensorflow as tf

    return tf.reduce_prod(boxes[..., 2:] - boxes[..., :2], axis=-1)
