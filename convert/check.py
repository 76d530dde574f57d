"""Tries a candidate file in every runtime that is here, and lets it pass the gate or not."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from convert.measure import Measured, measured
from convert.parity import Floats, Parity, check_parity, compare
from convert.pictures import CheckSet
from edge.classification.interpreter import RUNTIMES
from edge.common.errors import UserError


@dataclass(frozen=True)
class Run:
    """A candidate in a runtime; `scores` (n, labels), of the check set."""

    runtime: str
    scores: Floats
    parity: Parity
    latency_ms: float


@dataclass(frozen=True)
class Runs:
    """At least one run, the first in the runtime that the edge would take; `missing`: the
    runtimes that are not here, and why."""

    ran: tuple[Run, ...]
    missing: dict[str, str]


def checked(
    variant: str, candidate: Path, check: CheckSet, keras_scores: Floats, pixels: Path
) -> Runs:
    """`candidate`, a `.tflite` with a card, in all runtimes; `pixels` holds those of `check`.

    Raises UserError when one that is installed does not run it or does not let it pass, or
    when none is: a file that one runtime refuses is not for devices of unknown kind.
    """
    ran, missing = [], {}
    for runtime, module in RUNTIMES:
        if importlib.util.find_spec(module.partition(".")[0]) is None:
            missing[runtime] = "it is not installed"
            continue
        answer = measured(candidate, pixels, runtime)
        if not isinstance(answer, Measured):
            raise UserError(f"the {variant} model is not written: {runtime} fails: {answer}")
        parity = compare(keras_scores, answer.scores)
        check_parity(parity, variant)
        ran.append(Run(runtime, answer.scores, parity, answer.latency_ms))
    if not ran:
        raise UserError("nothing is written: no TFLite runtime is installed to check it in")
    return Runs(tuple(ran), missing)


def save_pixels(folder: Path, check: CheckSet) -> Path:
    """The check set's pixels as a file for `checked`."""
    path = folder / "check.npy"
    np.save(path, check.pixels)
    return path
