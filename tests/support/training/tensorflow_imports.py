"""Imports the slow modules that the programs of `training` and `convert` use.

Only the server of `forked_python` imports this module. It does not search for GPUs, because a
process cannot use a GPU that was found before its fork.
"""

from __future__ import annotations

import atexit
import importlib
import os

from training.common.quiet_keras import suppress_stderr

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
with suppress_stderr():
    for name in (
        "keras",
        "tensorflow",
        "ai_edge_quantizer.algorithm_manager",
        "ai_edge_quantizer.quantizer",
        "matplotlib.backends.backend_agg",
        "scipy.optimize",
        "training.cli",
        "convert.classifier.conversion",
    ):
        importlib.import_module(name)

atexit.register(os._exit, 0)  # without taking TensorFlow apart, which takes a second
