"""The seam to whichever TFLite interpreter this machine has."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from collections.abc import Iterator
from typing import Any

from edge.common.errors import UserError

#: Distribution and module of each runtime, in the order in which they are tried.
RUNTIMES = (
    ("tflite-runtime", "tflite_runtime.interpreter"),
    ("ai-edge-litert", "ai_edge_litert.interpreter"),
)


def load_interpreter(model: bytes, threads: int = 1, runtime: str | None = None) -> tuple[Any, str]:
    """An allocated TFLite interpreter over `model`, and the runtime's distribution name.

    `runtime` asks for one of `RUNTIMES` by name; by default the first one that is
    installed *and can be constructed* is taken: tflite-runtime imports happily on
    numpy 2 and fails only here. TensorFlow in the same process breaks
    tflite-runtime (clashing symbols), so nothing that calls this may import it.

    Raises UserError when no runtime is usable or the model cannot be read.
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
        except (ValueError, RuntimeError, MemoryError, AttributeError, ImportError) as error:
            reason = str(error).strip() or type(error).__name__
            failures.append(f"{name}: {reason.splitlines()[0]}")
            continue
        return interpreter, name
    raise UserError("no TFLite runtime could load the model: " + "; ".join(failures))


@contextlib.contextmanager
def _native_stderr_silenced() -> Iterator[None]:
    """Keep what native code writes to file descriptor 2 off the terminal.

    The runtimes greet there ("INFO: Created TensorFlow Lite XNNPACK delegate") and offer
    no switch; errors come back as exceptions.
    """
    sys.stderr.flush()
    kept, silence = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(silence, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(silence)
