"""A temporary folder from which finished files are moved to their places."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def temporary_folder(out: Path) -> Iterator[Path]:
    """Provide a temporary folder on the disk of `out`, so that files can be moved atomically."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".convert-") as folder:
        yield Path(folder)
