"""A network of three labels as one of two: without the third output of its last layer."""

from __future__ import annotations

from typing import Any

import numpy as np

from edge.classification.model_card import KNOWN_LABELS, TWO_LABELS

#: The name of the last layer of every network of `python -m training train`.
LAST = "shares"


def has_third_label(model: Any) -> bool:
    """Return whether `model` is a Keras model of `KNOWN_LABELS` with a last layer `LAST`."""
    is_ours = any(layer.name == LAST for layer in model.layers)
    return is_ours and model.output_shape == (None, len(KNOWN_LABELS))


def without_third_label(whole: Any) -> Any:
    """Return `whole`, a Keras model of `KNOWN_LABELS`, as a model of `TWO_LABELS`: (n, 2)
    probabilities.

    They are those of `edge.classification.answer.scores_among`.
    """
    import keras

    last = whole.get_layer(LAST)
    weights, bias = (np.asarray(value) for value in last.get_weights())
    columns = [KNOWN_LABELS.index(label) for label in TWO_LABELS]
    shares = keras.layers.Dense(len(TWO_LABELS), activation="softmax", name=LAST)
    model = keras.Model(whole.input, shares(last.input), name=whole.name)
    shares.set_weights([weights[:, columns], bias[columns]])
    return model
