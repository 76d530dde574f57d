"""The epochs of a run: checkpoint, best model and curves after each, resumption, and early stop."""

from __future__ import annotations

import dataclasses
import io
import logging
import math
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from edge.common.errors import UsageError, UserError
from training.common.schedule import Schedule
from training.fit.averaged_model import AveragedModel
from training.fit.checkpoint import RunProgress, load_state, read_state, save_state, write_state
from training.fit.run_paths import RunPaths
from training.workers.workers import Workers

log = logging.getLogger(__name__)

Batch = TypeVar("Batch")


@dataclasses.dataclass(frozen=True)
class EpochSteps:
    """What a run does in an epoch.

    `train` trains on the batches of an epoch, whose number is given, and returns the losses.
    `validate` returns the validation figures, among them `score`; the model has its averaged
    weights then. `write_curves` draws the history.
    """

    train: Callable[[int], dict[str, Any]]
    validate: Callable[[], dict[str, Any]]
    write_curves: Callable[[Path, list[dict[str, Any]]], None]


def run_epochs(
    trained: AveragedModel,
    steps: EpochSteps,
    config: Schedule,
    paths: RunPaths,
    digests: dict[str, str],
    resume: bool,
    keep_last: bool = False,
    workers: Workers | None = None,
) -> RunProgress:
    """Train to the last epoch, or until `config.patience` epochs bring no improvement.

    `paths.model` always contains the best averaged model so far, or the newest with `keep_last`.
    `digests`: the digest of each data set, by its name. Of several `workers`, only the chief
    validates and has files; the others get its weights at the start, and its progress after each
    epoch. Raises UsageError or UserError if the run cannot be resumed.
    """
    workers = workers or Workers()
    progress = RunProgress(
        0, -math.inf, [], dataclasses.asdict(config), digests, paths.recorded_model
    )
    if workers.is_chief:
        progress = _open_run(trained, paths, config, progress, resume)
    if workers.share is not None:
        progress = _start_as_chief(trained, progress, config, workers)
    for epoch in range(progress.epochs_done, config.epochs):
        if stale_epochs(progress.history) >= config.patience:
            log.info(
                "stopped early: the validation score did not improve for %d epochs", config.patience
            )
            break
        started = time.monotonic()
        losses = steps.train(epoch)
        if workers.is_chief:
            progress = _end_epoch(trained, steps, paths, progress, losses, started, keep_last)
            entry = msgspec.json.encode(progress.history[-1]).decode()
            log.info("%s; at most %s left", entry, _time_left(progress.history, config.epochs))
        # MessagePack, because a score may be infinite or undefined, which JSON cannot express.
        sent = msgspec.msgpack.encode(progress)
        progress = msgspec.msgpack.decode(workers.from_chief(sent), type=RunProgress)
    return progress


def _open_run(
    trained: AveragedModel, paths: RunPaths, config: Schedule, new: RunProgress, resume: bool
) -> RunProgress:
    """Make the folders of the run; return the progress of the run to resume, or `new`."""
    paths.run.mkdir(parents=True, exist_ok=True)
    paths.model.parent.mkdir(parents=True, exist_ok=True)
    if resume:
        return _resume(trained, paths, config, new.data)
    paths.remove_earlier()
    return new


def _start_as_chief(
    trained: AveragedModel, progress: RunProgress, config: Schedule, workers: Workers
) -> RunProgress:
    """Give every worker the weights and the progress of the chief.

    Raises UsageError if this worker has other settings or pictures than the chief.
    """
    ours = dataclasses.asdict(config)
    state = io.BytesIO()
    if workers.is_chief:
        # JSON has no infinity, and only the chief needs the best score.
        sent = msgspec.structs.replace(progress, best=0.0, config=ours)
        write_state(state, trained.arrays(), sent)
    arrays, of_chief = read_state(io.BytesIO(workers.from_chief(state.getvalue())))
    if workers.is_chief:
        return progress
    differing = [
        f"{key} ({of_chief.config.get(key)} there, {value} here)"
        for key, value in ours.items()
        if of_chief.config.get(key) != value
    ]
    if progress.data != of_chief.data:
        differing.append(f"pictures ({_names(of_chief.data)} there, {_names(progress.data)} here)")
    if differing:
        raise UsageError(
            f"this worker differs from the chief in {', '.join(differing)}: give the same command"
            " and the same data on every machine (if the names are the same, the files differ)"
        )
    trained.restore(arrays)
    return of_chief


def _end_epoch(
    trained: AveragedModel,
    steps: EpochSteps,
    paths: RunPaths,
    progress: RunProgress,
    losses: dict[str, Any],
    started_s: float,
    keep_last: bool,
) -> RunProgress:
    """Validate, write the files of the run, and return the progress after this epoch.

    The averaged model is saved if it is the best so far or `keep_last`.
    """
    with trained.averaged_weights():
        figures = steps.validate()
        if keep_last or figures["score"] >= progress.best or not paths.model.is_file():
            save_model(trained.model, paths.model)
    seconds = round(time.monotonic() - started_s, 1)
    epoch = progress.epochs_done + 1
    progress = msgspec.structs.replace(
        progress,
        epochs_done=epoch,
        best=max(progress.best, figures["score"]),
        history=[*progress.history, {"epoch": epoch, **losses, **figures, "seconds": seconds}],
        model=paths.recorded_model,
    )
    save_state(paths.state, trained.arrays(), progress)
    paths.history.write_bytes(msgspec.json.format(msgspec.json.encode(progress.history)))
    steps.write_curves(paths.curves, progress.history)
    return progress


def _resume(
    trained: AveragedModel, paths: RunPaths, config: Schedule, digests: dict[str, str]
) -> RunProgress:
    """Restore the checkpoint of the run, which must have the same settings and pictures."""
    arrays, progress = load_state(paths.state, config)
    if progress.data != digests:
        raise UsageError(
            f"the run in {paths.run} has other pictures: {_names(progress.data)} then,"
            f" {_names(digests)} now (if the names are the same, the files have changed)"
        )
    trained.restore(arrays)
    finished = progress.epochs_done >= config.epochs
    finished |= stale_epochs(progress.history) >= config.patience
    if finished and not paths.model.is_file():
        raise UserError(
            f"the run in {paths.run} is finished, but its model is not {paths.model}:"
            " give the --out that it was trained with"
        )
    return progress


def _names(digests: dict[str, str]) -> str:
    return ", ".join(sorted(digests)) or "unknown ones"


def stale_epochs(history: list[dict[str, Any]]) -> int:
    """Return the number of epochs since the validation score last equalled its maximum."""
    scores = [entry["score"] for entry in history]
    best = max((i for i, score in enumerate(scores) if score == max(scores)), default=-1)
    return len(scores) - 1 - best


def _time_left(history: list[dict[str, Any]], epochs: int) -> str:
    """Return the time that the remaining epochs take if they are as long as the recent ones."""
    recent = [entry["seconds"] for entry in history[-5:]]
    minutes = (epochs - len(history)) * sum(recent) / len(recent) / 60
    return f"{minutes:.0f} min" if minutes < 90 else f"{minutes / 60:.1f} h"


def save_model(model: Any, path: Path) -> None:
    """Write a Keras model atomically."""
    temporary = path.with_name(f".{path.stem}.part.keras")
    model.save(temporary)
    temporary.replace(path)


def with_progress_bar(
    batches: Iterable[Batch], steps: int, epoch: int, epochs: int, shown: bool = True
) -> Iterable[Batch]:
    """Return `batches`, of which there are `steps`, with a progress bar on standard error if
    `shown`.
    """
    from tqdm import tqdm

    return tqdm(  # type: ignore[no-any-return]
        batches,
        desc=f"epoch {epoch + 1}/{epochs}",
        total=steps,
        unit="batch",
        disable=not shown,
        mininterval=0.5 if sys.stderr.isatty() else 30,
    )
