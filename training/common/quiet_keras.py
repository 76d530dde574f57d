"""Import Keras without the messages about GPUs that TensorFlow's C++ code writes."""

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
    """Return the keras module; if the import fails, its messages are written to standard error."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with suppress_stderr():
        import keras
        import tensorflow as tf

        tf.config.list_physical_devices()  # searches for GPUs and writes messages
    return keras


def load_model_file(path: Path) -> Any:
    """Load the Keras model in `path`.

    Raises UserError naming the file when it does not exist or is not a Keras model.
    """
    keras = import_keras()
    if not path.is_file():
        raise UserError(f"cannot read the model {path}: the file does not exist")
    try:
        return keras.models.load_model(path, compile=False)
    except Exception as error:  # Keras raises many types of errors if it is not a model
        first = str(error).strip().splitlines()[0]
        raise UserError(f"{path} is not a Keras model: {first}") from None


@contextmanager
def suppress_stderr() -> Iterator[None]:
    """Discard what this process, its C++ code included, writes to standard error.

    If the block raises an exception, the text is written to standard error after all.
    """
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
