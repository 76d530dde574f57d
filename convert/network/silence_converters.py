"""Suppresses the output of the converters; their errors still raise exceptions."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Iterator

from training.common.quiet_keras import suppress_stderr


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Suppress all output of the `with` block, also from C++.

    If the block raises an exception, the output of C++ on standard error is shown.
    """
    with (
        warnings.catch_warnings(action="ignore"),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
        suppress_stderr(),
    ):
        yield
