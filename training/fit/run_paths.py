"""The files of a run, and the rule that a run overwrites nothing but its own files."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from edge.common.errors import UsageError, UserError
from edge.common.file_access import access_problem
from training.common.schedule import Schedule
from training.fit.checkpoint import load_state, model_of_run

#: The folder of all runs, which git ignores.
RUNS = Path("runs")
DATA_NAME, STATE_NAME = "data.json", "state.npz"


@dataclass(frozen=True)
class RunPaths:
    """The files that a run writes: the model, which is usually in the folder of the run, and a
    folder for the checkpoint, the history, the log, and the list of the data sets.
    """

    model: Path
    run: Path

    @property
    def state(self) -> Path:
        """The checkpoint from which `--resume` continues."""
        return self.run / STATE_NAME

    @property
    def history(self) -> Path:
        """One JSON object for each epoch, rewritten after each epoch."""
        return self.run / "history.json"

    @property
    def curves(self) -> Path:
        """The history as a plot, rewritten after each epoch."""
        return self.run / "curves.png"

    @property
    def log(self) -> Path:
        """What the run logged, with times."""
        return self.run / "train.log"

    @property
    def recorded_model(self) -> str:
        """The path of the model as the checkpoint records it: relative if it is in the folder of
        the run, which may be moved, and absolute otherwise.
        """
        return self.model.name if self._is_own else str(self.model.resolve())

    @property
    def _is_own(self) -> bool:
        return self.model.resolve().parent == self.run.resolve()

    def check_start(self, config: Schedule, resume: bool, fresh: bool) -> None:
        """Raise UsageError if a run cannot start, or be resumed, in this folder.

        It is called before the pictures are read, which may take minutes.
        """
        if resume:
            load_state(self.state, config)
        elif not fresh and (self.state.exists() or (self._is_own and self.model.exists())):
            raise UsageError(
                f"{self.run} holds a run already: --resume continues it, --fresh overwrites it, and"
                " --run-folder (make: RUN=…) selects another folder"
            )
        if self.model.exists() and not self._wrote_model():
            advice = (
                "give another folder with --run-folder"
                if self._is_own
                else f"without --out the model is written to {self.run}"
            )
            raise UsageError(
                f"{self.model} exists, and this run did not write it, so it is not overwritten:"
                f" {advice}; `python -m training adopt` puts the model of a run into models/ if it"
                " is no worse than the present one"
            )

    def _wrote_model(self) -> bool:
        """Return whether an earlier run in this folder wrote the model.

        A run that was stopped in its first epoch has no checkpoint yet. The folder may also be
        none of a run, such as models/.
        """
        if self._is_own and (self.run / DATA_NAME).exists():
            return True
        return model_of_run(self.state) == self.recorded_model

    def remove_earlier(self) -> None:
        """Delete the report and the checkpoint of an earlier run, which do not belong to the model
        that a new run writes after its first epoch.
        """
        for path in (self.model.with_suffix(".json"), self.state):
            path.unlink(missing_ok=True)


def run_paths(out: Path | None, run_folder: Path | None, name: str) -> RunPaths:
    """Return the paths of the run of the model `name`, such as `mask`.

    `out` and `run_folder` are the options `--out` and `--run-folder`. Raises UsageError if `out` is
    not the name of a Keras model.
    """
    if out is not None and out.suffix != ".keras":
        raise UsageError(f"--out {out}: the name of the model must end with .keras")
    run = run_folder or RUNS / (name if out is None else out.stem)
    return RunPaths(out or run / f"{name}.keras", run)


@contextmanager
def recorded_run(paths: RunPaths, data: list[Path], is_chief: bool = True) -> Iterator[None]:
    """Create the folder of a run, record its data sets there, and log to its file as well.

    `data`: the arguments of `--data`. A worker that is not the chief writes nothing. Raises
    UserError if the folder cannot be written.
    """
    if not is_chief:
        yield
        return
    try:
        for folder in (paths.run, paths.model.parent):
            folder.mkdir(parents=True, exist_ok=True)
        (paths.run / DATA_NAME).write_text(json.dumps([_absolute(each) for each in data]) + "\n")
        handler = logging.FileHandler(paths.log, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        denied = access_problem([paths.log, paths.run / DATA_NAME, paths.state, paths.model])
        reason = denied or f"{error.filename or paths.run}: {error.strerror}"
        raise UserError(f"the run cannot be written: {reason}") from None
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    handler.setLevel(logging.INFO)
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)
        handler.close()


def data_of_run(run: Path) -> list[Path]:
    """Return the arguments of `--data` that a run was started with, with absolute paths.

    Raises UsageError if the folder does not record them.
    """
    try:
        recorded = json.loads((run / DATA_NAME).read_bytes())
        return [Path(each) for each in recorded]
    except (OSError, ValueError, TypeError):
        raise UsageError(
            f"{run / DATA_NAME} does not name the data sets of the run: give them with --data"
        ) from None


def _absolute(argument: Path) -> str:
    """Return DIR or LABEL=DIR with an absolute path."""
    label, is_said, folder = str(argument).partition("=")
    if argument.is_dir() or not is_said:
        return str(argument.resolve())
    return f"{label}={Path(folder).resolve()}"
