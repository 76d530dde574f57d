"""`python -m training train` for one epoch on tiny data, in a process of its own."""

from __future__ import annotations

from pathlib import Path

from tests.support.training import datasets


def train(data: Path, out: Path, *more: str | Path, compiled: bool = False) -> tuple[int, str]:
    """Train a model on `data`, write it to `out`, and return exit status and standard error.

    `compiled`: whether TensorFlow compiles the training step.
    """
    done = datasets.python(
        *("-m", "training", "train", "--data", data, "--out", out),
        *("--run-folder", out.with_suffix(".run"), "--fresh"),
        *("--epochs", "1", "--batch", "24", *more),
        compiled=compiled,
    )
    return done.returncode, done.stderr
