"""Keras, imported without the dozen lines that TensorFlow's C++ side writes about GPUs."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


def import_keras() -> Any:
    """The keras module; what a failing import wrote is passed on."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with standard_error_held_back():
        import keras
        import tensorflow as tf

        tf.config.list_physical_devices()  # looks for a GPU now, and says so now
    return keras


@contextmanager
def standard_error_held_back() -> Iterator[None]:
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
