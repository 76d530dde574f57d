"""The network of the original Mask Patrol."""

from __future__ import annotations

import json

import pytest

from tests.support.training import datasets

pytestmark = pytest.mark.slow

BUILD = """
import json
from training.network.original_network import build_original
models = {labels: build_original(labels) for labels in (2, 3)}
print(json.dumps({labels: [m.count_params(), m.output_shape] for labels, m in models.items()}))
"""


def test_original_networks_have_their_numbers_of_parameters() -> None:
    done = datasets.python("-c", BUILD)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"2": [3_453_121, [None, 1]], "3": [3_454_147, [None, 3]]}
