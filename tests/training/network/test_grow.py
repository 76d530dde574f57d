"""A network grown from a smaller one gives nearly the same outputs, and can still learn."""

from __future__ import annotations

import json

import pytest

from tests.support.training import datasets
from training.network.grow import can_grow

GROW = """
import json
import keras
import numpy as np
from training.network import grow as module
from training.network.model import build_model
keras.utils.set_random_seed(2)
small = build_model(3, "small")
kernel, offsets = small.get_layer("shares").get_weights()
small.get_layer("shares").set_weights([1000 * kernel, offsets])  # outputs far from a third
rng = np.random.default_rng(0)
levels = np.linspace(0, 255, 8)[:, None, None, None]
pixels = np.clip(rng.normal(levels, 60, (8, 96, 96, 3)), 0, 255).astype(np.float32)
medium = module.grow(small, "small", "medium", seed=1)
kernels = [w.reshape(-1, w.shape[-1]) for w in medium.get_weights() if w.ndim == 4]
module.COPY_SPREAD = module.ADDED_SCALE = 0.0
exact = module.grow(small, "small", "medium", seed=1)
before, after = (np.asarray(model(pixels, training=False)) for model in (small, exact))
print(json.dumps({
    "names": [module.net_of(small), module.net_of(medium)],
    "difference": float(np.abs(before - after).max()),
    "range": float(np.ptp(before, axis=0).max()),
    "kernels with equal channels": sum(
        len(np.unique(kernel, axis=1).T) < kernel.shape[1] for kernel in kernels
    ),
}))
"""


def test_only_larger_networks_of_the_same_shape_are_grown() -> None:
    assert can_grow("small", "medium")
    assert not can_grow("medium", "small")
    assert not can_grow("small", "efficientnet-lite0")


@pytest.mark.slow
def test_grown_network_starts_with_the_outputs_of_the_smaller_one() -> None:
    done = datasets.python("-c", GROW)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["names"] == ["small", "medium"]
    assert found["range"] > 0.02
    assert found["difference"] < 0.001
    assert found["kernels with equal channels"] == 0
