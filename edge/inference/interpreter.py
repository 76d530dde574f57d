"""Loads a model into one of the TFLite runtimes that may be installed."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from collections.abc import Iterator
from typing import Any

from edge.common.errors import UserError, first_line

#: Distribution name and module of each runtime, in the order in which they are tried: the faster
#: first (see "Which runtime" in edge/bench/README.md).
RUNTIMES = (
    ("ai-edge-litert", "ai_edge_litert.interpreter"),
    ("tflite-runtime", "tflite_runtime.interpreter"),
)


def load_interpreter(model: bytes, threads: int = 1, runtime: str | None = None) -> tuple[Any, str]:
    """Return an interpreter for `model` with allocated tensors, and the name of its runtime.

    `runtime` selects one of `RUNTIMES` by its distribution name. By default the first runtime is
    used that is installed *and* whose interpreter can be constructed: with numpy 2, tflite-runtime
    can be imported, but its interpreter cannot be constructed. A process that calls this function
    must not import TensorFlow, whose symbols clash with those of tflite-runtime. A damaged model
    can crash the process: see `edge.inference.network`.

    Raises UserError if no runtime can load the model.
    """
    failures = []
    for name, module_name in RUNTIMES:
        if runtime not in (None, name):
            continue
        try:
            module = importlib.import_module(module_name)
        except ImportError as error:
            failures.append(f"{name}: {error}")
            continue
        try:
            with _native_stderr_silenced():
                interpreter = module.Interpreter(model_content=model, num_threads=threads)
                interpreter.allocate_tensors()
        except Exception as error:  # the bindings of the runtimes document no exceptions
            failures.append(f"{name}: {first_line(error)}")
            continue
        return interpreter, name
    raise UserError("no TFLite runtime could load the model: " + "; ".join(failures))


@contextlib.contextmanager
def _native_stderr_silenced() -> Iterator[None]:
    """Discard what native code writes to file descriptor 2.

    The runtimes write a message to this file descriptor ("INFO: Created TensorFlow Lite XNNPACK
    delegate") that cannot be turned off. The runtimes report errors as exceptions.
    """
    sys.stderr.flush()
    original, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(null, 2)
        yield
    finally:
        os.dup2(original, 2)
        os.close(original)
        os.close(null)
