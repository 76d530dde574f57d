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
    both = models_of_run(run_with(tmp_path / "a", "mask", "mask3"))
    assert [each.name for each in both] == ["mask", "mask3"]
    (face,) = models_of_run(run_with(tmp_path / "b", "face"))
    assert face.name == "face"


def test_place_follows_from_the_labels(tmp_path: Path) -> None:
    run = run_with(tmp_path / "a", "mask3")
    for ending in ("keras", "json"):
        (run / f"mask3.{ending}").rename(run / f"third.{ending}")
    assert [each.name for each in models_of_run(run / "third.keras")] == ["mask3"]


@pytest.mark.parametrize("damage", ["none", "empty", "unfinished", "other", "derived", "twice"])
def test_what_is_wrong_is_named(tmp_path: Path, damage: str) -> None:
    run = tmp_path / "run"
    if damage != "none":
        run.mkdir()
    if damage not in ("none", "empty"):
        run_with(run, "mask", "mask3")
    report = run / "mask.json"
    if damage == "unfinished":
        report.unlink()
    elif damage == "other":
        (run / "mask.keras").write_bytes(b"")
    elif damage == "derived":
        whole_sha256 = models_of_run(run / "mask3.keras")[0].report.keras_sha256
        report.write_text(report.read_text().replace(whole_sha256, "0" * 64))
    elif damage == "twice":
        shutil.copy(run / "mask.keras", run / "a.keras")
        shutil.copy(report, run / "a.json")
    message = {
        "none": "there is no run",
        "empty": "holds no .keras model",
        "unfinished": "has no report mask.json beside it: its run has not ended",
        "other": "belongs to another model",
        "derived": "was derived from an earlier",
        "twice": "would both become mask.keras",
    }[damage]
    with pytest.raises(UserError, match=message):
        models_of_run(run)
