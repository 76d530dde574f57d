"""Keras, imported without the dozen lines that TensorFlow's C++ side writes about GPUs."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from edge.common.errors import UserError


def import_keras() -> Any:
    """The keras module; what a failing import wrote is passed on."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with suppress_stderr():
        import keras
        import tensorflow as tf

        tf.config.list_physical_devices()  # looks for a GPU now, and says so now
    return keras


def load_model_file(path: Path) -> Any:
    """The Keras model in `path`; raises UserError naming the file when it is none."""
    keras = import_keras()
    if not path.is_file():
        raise UserError(f"cannot read the model {path}: there is no such file")
    try:
        return keras.models.load_model(path, compile=False)
    except Exception as error:  # Keras raises many types for a file that is no model
        first = str(error).strip().splitlines()[0]
        raise UserError(f"{path} is no Keras model: {first}") from None


@contextmanager
def suppress_stderr() -> Iterator[None]:
    """Holds back all that this process writes to standard error, C++ too, unless it fails."""
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            held.seek(0)
            os.write(kept, held.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)
