"""Learning curves of a run."""

from __future__ import annotations

from pathlib import Path

import cv2

from training.fit.learning_curves import write_learning_curves


def entry(epoch: int, score: float) -> dict[str, object]:
    return {"epoch": epoch, "loss": 1 / epoch, "score": score, "accuracy": {"tiny": score}}


def test_curves_are_a_reproducible_picture(tmp_path: Path) -> None:
    history = [entry(1, 0.5), entry(2, 0.9), entry(3, 0.7)]
    write_learning_curves(tmp_path / "one.png", history)
    write_learning_curves(tmp_path / "two.png", history)
    write_learning_curves(tmp_path / "shorter.png", history[:1])
    assert cv2.imread(str(tmp_path / "one.png")) is not None
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
    assert (tmp_path / "one.png").read_bytes() != (tmp_path / "shorter.png").read_bytes()
