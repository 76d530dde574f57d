"""The networks: their inputs, outputs and sizes."""

from __future__ import annotations

import json

import pytest

from tests.support.training import datasets

pytestmark = pytest.mark.slow

#: The least and the largest number of parameters.
SIZES = {
    "small": (95_000, 100_000),
    "medium": (180_000, 190_000),
    "efficientnet-lite0": (3_200_000, 3_400_000),
    "efficientnet-lite0-8": (250_000, 262_000),
}
BUILD = """
import json
import numpy as np
from training.network.model import NET_NAMES, build_model
found = {}
for net in NET_NAMES:
    for labels in (2, 3):
        model = build_model(labels, net)
        pixels = np.random.default_rng(0).integers(0, 256, (4, 96, 96, 3)).astype(np.float32)
        shares = np.asarray(model(pixels, training=False))
        parameters = sum(variable.numpy().size for variable in model.trainable_variables)
        sums, last_layer = shares.sum(axis=1).tolist(), model.layers[-1].name
        found[f"{net} {labels}"] = [parameters, list(shares.shape), sums, last_layer]
print(json.dumps(found))
"""


def test_networks_give_probabilities_of_each_label() -> None:
    done = datasets.python("-c", BUILD)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert set(found) == {f"{net} {labels}" for net in SIZES for labels in (2, 3)}
    for name, (parameters, shape, sums, last_layer) in found.items():
        assert shape == [4, int(name[-1])]
        assert all(abs(total - 1) < 1e-5 for total in sums)
        assert last_layer == "shares"
        low, high = SIZES[name.split()[0]]
        assert low < parameters < high, name
