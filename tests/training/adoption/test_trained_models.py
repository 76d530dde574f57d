"""The models of a run, and what is wrong with runs that cannot be adopted."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from edge.common.errors import UserError
from training.adoption.trained_models import models_of_run

MODELS = Path(__file__).parents[3] / "models"


def run_with(folder: Path, *names: str) -> Path:
    """Return a run whose models are copies of shipped ones."""
    folder.mkdir(exist_ok=True)
    for name in names:
        for ending in ("keras", "json"):
            shutil.copy(MODELS / f"{name}.{ending}", folder)
    return folder


def test_models_of_runs(tmp_path: Path) -> None:
    for name in ("mask", "face"):
        (model,) = models_of_run(run_with(tmp_path / name, name))
        assert model.name == name


def test_place_follows_from_the_report(tmp_path: Path) -> None:
    run = run_with(tmp_path / "a", "mask")
    for ending in ("keras", "json"):
        (run / f"mask.{ending}").rename(run / f"third.{ending}")
    assert [each.name for each in models_of_run(run / "third.keras")] == ["mask"]


@pytest.mark.parametrize("damage", ["none", "empty", "unfinished", "other", "twice"])
def test_what_is_wrong_is_named(tmp_path: Path, damage: str) -> None:
    run = tmp_path / "run"
    if damage != "none":
        run.mkdir()
    if damage not in ("none", "empty"):
        run_with(run, "mask")
    report = run / "mask.json"
    if damage == "unfinished":
        report.unlink()
    elif damage == "other":
        (run / "mask.keras").write_bytes(b"")
    elif damage == "twice":
        shutil.copy(run / "mask.keras", run / "a.keras")
        shutil.copy(report, run / "a.json")
    message = {
        "none": "there is no run",
        "empty": "holds no .keras model",
        "unfinished": "has no report mask.json beside it: its run has not ended",
        "other": "belongs to another model",
        "twice": "would both become mask.keras",
    }[damage]
    with pytest.raises(UserError, match=message):
        models_of_run(run)
