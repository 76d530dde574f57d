"""Data sets of patterns without near-duplicates, for tests of `python -m training explore`."""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from tests.support.training import datasets
from training.cli import main
from training.data.datasets import LABELS, read_dataset
from training.exploration.dataset_stats import DataSetStats, collect_stats


def pattern_folders(
    root: Path, counts: dict[str, int], brightness: dict[str, float] | None = None
) -> Path:
    """Write `counts[folder]` different patterns to each folder, with `brightness[folder]`."""
    seed = zlib.crc32(root.name.encode())
    for folder, count in counts.items():
        for index in range(count):
            seed += 1
            picture = datasets.pattern(48, seed) * (brightness or {}).get(folder, 1.0)
            path = root / folder / f"{Path(folder).name}-{index}.png"
            datasets.save(path, np.asarray(picture, np.uint8))
    return root


def stats_of(root: Path, limit: int | None = None, seed: int = 1) -> DataSetStats:
    """Return the statistics of the data set in `root`."""
    return collect_stats(read_dataset(root, LABELS[3]), limit, seed)


def explore(out: Path, *roots: Path, more: tuple[str, ...] = ()) -> dict[str, Any]:
    """Run `python -m training explore` and return the content of its explore.json."""
    assert main(["explore", "--data", *map(str, roots), "--out", str(out), *more]) == 0
    found: dict[str, Any] = json.loads((out / "explore.json").read_bytes())
    return found
