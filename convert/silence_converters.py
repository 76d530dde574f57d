"""The converters write what nobody asked for; their errors still raise."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Iterator

from training.common.quiet_keras import suppress_stderr


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Nothing of what runs inside, C++ too, reaches the terminal unless it fails."""
    with (
        warnings.catch_warnings(action="ignore"),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
        suppress_stderr(),
    ):
        yield
