"""What a conversion reads and writes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Job:
    """A conversion to do; `data`: folders of data sets, empty to use the stored figures.

    `out`: the path of the int8 model; `variant_path` gives the paths of the other variants.
    """

    model: Path
    out: Path
    ranges: Path
    variants: tuple[str, ...]
    data: tuple[Path, ...]
