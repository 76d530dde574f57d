"""The weights of Keras models."""

from __future__ import annotations

from pathlib import Path

from tests.support.training import datasets

CORRELATE = """
import sys
import numpy as np
from pathlib import Path
from training.common.quiet_keras import load_model_file
models = [load_model_file(Path(each)) for each in sys.argv[1:]]
first, second = (model.get_layer("shares").get_weights()[0].ravel() for model in models)
print(np.corrcoef(first, second)[0, 1])
"""


def correlation(first: Path, second: Path) -> float:
    """Return the correlation of the weights of the last layers of two classifiers."""
    done = datasets.python("-c", CORRELATE, first, second)
    assert done.returncode == 0, done.stderr
    return float(done.stdout)
