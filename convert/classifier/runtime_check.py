"""Runs a candidate file in every installed runtime, and applies the parity gate to it."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from convert.classifier.parity import Floats, Parity, check_parity, compare
from convert.classifier.pictures import CheckSet
from convert.classifier.scoring_process import Measured, measured
from edge.common.errors import UserError
from edge.inference.interpreter import RUNTIMES


@dataclass(frozen=True)
class Run:
    """The results of a candidate in one runtime; `scores`, (n, labels), are for the check set."""

    runtime: str
    scores: Floats
    parity: Parity
    latency_ms: float


@dataclass(frozen=True)
class Runs:
    """The results in all installed runtimes, of which there is at least one.

    The first result is that of the runtime that the daemon prefers. `missing`: for each
    runtime that is not installed, the reason.
    """

    ran: tuple[Run, ...]
    missing: dict[str, str]


def installed_runtimes() -> list[str]:
    """Return the names of the installed runtimes; raises UserError if there is none."""
    found = [name for name, module in RUNTIMES if _is_installed(module)]
    if not found:
        raise UserError(
            "nothing is written: no TFLite runtime is installed, so the model cannot be checked"
        )
    return found


def _is_installed(module: str) -> bool:
    return importlib.util.find_spec(module.partition(".")[0]) is not None


def checked(
    variant: str, candidate: Path, check: CheckSet, keras_scores: Floats, pixels: Path
) -> Runs:
    """Check `candidate`, a `.tflite` with a card, in all installed runtimes.

    `pixels` is the file that `save_pixels` wrote for `check`.

    Raises UserError when an installed runtime cannot run it or the gate rejects it, or when no
    runtime is installed: a file that one runtime refuses must not reach devices with that runtime.
    """
    ran = []
    installed = installed_runtimes()
    for runtime in installed:
        answer = measured(candidate, pixels, runtime)
        if not isinstance(answer, Measured):
            raise UserError(f"the {variant} model is not written: {runtime} fails: {answer}")
        parity = compare(keras_scores, answer.scores)
        check_parity(parity, variant)
        ran.append(Run(runtime, answer.scores, parity, answer.latency_ms))
    missing = {name: "it is not installed" for name, _ in RUNTIMES if name not in installed}
    return Runs(tuple(ran), missing)


def save_pixels(folder: Path, check: CheckSet) -> Path:
    """Write the pixels of `check` to a file for `checked`, and return the file's path."""
    path = folder / "check.npy"
    np.save(path, check.pixels)
    return path
