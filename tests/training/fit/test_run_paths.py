"""A run overwrites only its own files."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from edge.common.errors import UsageError, UserError
from training.common.train_config import TrainConfig
from training.fit.checkpoint import RunProgress, save_state
from training.fit.run_paths import RunPaths, data_of_run, recorded_run, run_paths

CONFIG = TrainConfig()


def stopped(paths: RunPaths) -> RunPaths:
    """Return a run that was stopped after its first epoch."""
    for folder in (paths.run, paths.model.parent):
        folder.mkdir(parents=True, exist_ok=True)
    paths.model.write_bytes(b"model")
    config = TrainConfig.__dataclass_fields__
    settings = {name: getattr(CONFIG, name) for name in config}
    save_state(paths.state, [], RunProgress(1, 0.5, [], settings, {}, paths.recorded_model))
    return paths


def test_default_folder_and_model() -> None:
    assert run_paths(None, None, "mask") == RunPaths(
        Path("runs/mask/mask.keras"), Path("runs/mask")
    )
    assert run_paths(None, Path("r"), "face") == RunPaths(Path("r/face.keras"), Path("r"))
    out = Path("elsewhere/x.keras")
    assert run_paths(out, None, "mask") == RunPaths(out, Path("runs/x"))
    with pytest.raises(UsageError, match="the name of the model must end"):
        run_paths(Path("x.h5"), None, "mask")


def test_new_run_does_not_overwrite_a_run(tmp_path: Path) -> None:
    paths = stopped(run_paths(None, tmp_path / "run", "mask"))
    with pytest.raises(UsageError, match="holds a run already"):
        paths.check_start(CONFIG, resume=False, fresh=False)
    paths.check_start(CONFIG, resume=False, fresh=True)
    with recorded_run(paths, []):
        paths.state.unlink()  # a run that was killed in its first epoch
    with pytest.raises(UsageError, match="holds a run already"):
        paths.check_start(CONFIG, resume=False, fresh=False)
    paths.check_start(CONFIG, resume=False, fresh=True)


@pytest.mark.parametrize("fresh", [False, True])
def test_folder_of_models_is_no_run_folder(tmp_path: Path, fresh: bool) -> None:
    (tmp_path / "mask.keras").write_bytes(b"shipped")
    paths = run_paths(None, tmp_path, "mask")
    with pytest.raises(UsageError, match="--run-folder"):
        paths.check_start(CONFIG, resume=False, fresh=fresh)


@pytest.mark.parametrize(("resume", "fresh"), [(False, False), (False, True), (True, False)])
def test_no_run_overwrites_a_model_that_it_did_not_write(
    tmp_path: Path, resume: bool, fresh: bool
) -> None:
    shipped = tmp_path / "models" / "mask.keras"
    shipped.parent.mkdir()
    shipped.write_bytes(b"shipped")
    if resume or fresh:
        stopped(run_paths(None, tmp_path / "run", "mask"))
    paths = run_paths(shipped, tmp_path / "run", "mask")
    with pytest.raises(UsageError, match="training adopt"):
        paths.check_start(CONFIG, resume, fresh)


def test_run_continues_with_its_own_model(tmp_path: Path) -> None:
    outside = stopped(run_paths(tmp_path / "m" / "x.keras", tmp_path / "a", "mask"))
    outside.check_start(CONFIG, resume=True, fresh=False)
    outside.check_start(CONFIG, resume=False, fresh=True)
    inside = stopped(run_paths(None, tmp_path / "b", "mask"))
    inside.run.rename(tmp_path / "moved")
    moved = run_paths(tmp_path / "moved" / "mask.keras", tmp_path / "moved", "mask")
    moved.check_start(CONFIG, resume=True, fresh=False)


def test_run_records_its_log_and_its_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    paths = run_paths(None, tmp_path / "run", "mask")
    with pytest.raises(UsageError, match="--data"):
        data_of_run(paths.run)
    for line in ("first", "resumed"):
        with recorded_run(paths, [Path("scenes"), Path("no_mask=portraits")]):
            logging.getLogger("training").warning(line)
    logging.getLogger("training").warning("after the run")
    assert [line.split()[-1] for line in paths.log.read_text().splitlines()] == ["first", "resumed"]
    expected = [tmp_path / "scenes", Path(f"no_mask={tmp_path / 'portraits'}")]
    assert data_of_run(paths.run) == expected


def test_any_path_can_be_recorded(tmp_path: Path) -> None:
    """Paths are bytes that need not be UTF-8."""
    paths = run_paths(None, tmp_path / "run", "mask")
    data = tmp_path / os.fsdecode(b"caf\xe9")
    with recorded_run(paths, [data]):
        # Not by a logger: pytest sends captured texts to another process, as UTF-8.
        record = logging.LogRecord("training", logging.WARNING, "", 0, "%s", (data,), None)
        logging.getLogger().handlers[-1].handle(record)
    assert data_of_run(paths.run) == [data]
    assert "caf\\udce9" in paths.log.read_text()
    for damage in ("", "{", "[1]", "1"):
        (paths.run / "data.json").write_text(damage)
        with pytest.raises(UsageError, match="--data"):
            data_of_run(paths.run)


def test_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    paths = run_paths(None, tmp_path / "file" / "run", "mask")
    with pytest.raises(UserError, match="file/run: Not a directory"), recorded_run(paths, []):
        pass
