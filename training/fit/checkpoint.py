"""The state of a run, written atomically to one file: a kill at any moment loses at most
one epoch.
"""

from __future__ import annotations

import dataclasses
import os
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import msgspec
import numpy as np

from edge.common.errors import UsageError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


#: Settings that may differ in a resumed run, because they have no effect on its steps: a run that
#: stopped early can be continued with more patience.
MAY_CHANGE = ("patience",)


#: The errors that a damaged checkpoint causes.
UNREADABLE = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, msgspec.DecodeError)


class RunProgress(msgspec.Struct, frozen=True):
    """The number of complete epochs, the best validation score, and one entry of history per epoch.

    `data`: the digest of each data set that the run trains on, by its name. `model`: the path of
    the model that the run writes, as `RunPaths.recorded_model`, or empty in an earlier version.
    """

    epochs_done: int
    best: float
    history: list[dict[str, Any]]
    config: dict[str, Any]
    data: dict[str, str] = {}
    model: str = ""


def write_state(file: BinaryIO, arrays: list[Any], progress: RunProgress) -> None:
    """Write `arrays` (the weights and the optimizer's state) and `progress` to `file`."""
    named: dict[str, Any] = {f"a{index:04d}": np.asarray(a) for index, a in enumerate(arrays)}
    np.savez(file, progress=np.frombuffer(msgspec.json.encode(progress), np.uint8), **named)


def read_state(file: Path | BinaryIO) -> tuple[list[Any], RunProgress]:
    """Return what `write_state` wrote; raises one of `UNREADABLE` if the file is damaged."""
    with np.load(file) as stored:
        arrays = [stored[name] for name in sorted(stored.files) if name != "progress"]
        return arrays, _progress_in(stored)


def save_state(path: Path, arrays: list[Any], progress: RunProgress) -> None:
    """Write `arrays` and `progress` to `path`, atomically."""
    temporary = path.with_suffix(".part")
    with temporary.open("wb") as file:
        write_state(file, arrays, progress)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def load_state(path: Path, config: DataclassInstance) -> tuple[list[Any], RunProgress]:
    """Return what `save_state` wrote.

    Raises UsageError if the file does not exist, or if its run had other settings than `config`,
    those in `MAY_CHANGE` excepted.
    """
    try:
        arrays, progress = read_state(path)
    except FileNotFoundError:
        raise UsageError(f"there is no run to resume: {path} does not exist") from None
    except UNREADABLE as error:
        raise UsageError(f"the checkpoint {path} cannot be read: {error}") from None
    differing = [
        f"{key} ({progress.config.get(key)} then, {value} now)"
        for key, value in dataclasses.asdict(config).items()
        if key not in MAY_CHANGE and progress.config.get(key) != value
    ]
    if differing:
        raise UsageError(
            f"the run in {path} has other settings: {', '.join(differing)}: repeat its settings, or"
            " give another folder"
        )
    return arrays, progress


def model_of_run(path: Path) -> str | None:
    """Return the `model` of the run whose checkpoint is `path`, or None without such a
    checkpoint.
    """
    try:
        with np.load(path) as stored:
            return _progress_in(stored).model
    except UNREADABLE:
        return None


def _progress_in(stored: Any) -> RunProgress:
    return msgspec.json.decode(stored["progress"].tobytes(), type=RunProgress)
