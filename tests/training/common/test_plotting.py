"""Plots: the same drawing gives the same file, and an error leaves no file."""

from __future__ import annotations

from pathlib import Path

import cv2
import pytest

from training.common.plotting import plot


def draw(path: Path) -> bytes:
    with plot(path, columns=2) as (left, right):
        left.plot([1, 2, 3])
        right.set_title("twice")
    return path.read_bytes()


def test_same_drawing_gives_same_bytes(tmp_path: Path) -> None:
    first, again = draw(tmp_path / "new" / "a.png"), draw(tmp_path / "b.png")
    assert first == again
    assert cv2.imread(str(tmp_path / "b.png")).shape[1] == 7 * 144


def test_failed_drawing_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), plot(tmp_path / "a.png") as axes:
        axes.plot([1 / 0])
    assert not list(tmp_path.iterdir())
