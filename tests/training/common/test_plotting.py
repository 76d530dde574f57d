"""Plots and contact sheets: files that are there, whole, and the same each time."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from training.common.contact_sheet import CELL_PX, contact_sheet
from training.common.plotting import plot


def draw(path: Path) -> bytes:
    with plot(path, columns=2) as (left, right):
        left.plot([1, 2, 3])
        right.set_title("twice")
    return path.read_bytes()


def test_the_same_drawing_gives_the_same_bytes(tmp_path: Path) -> None:
    first, again = draw(tmp_path / "new" / "a.png"), draw(tmp_path / "b.png")
    assert first == again
    assert cv2.imread(str(tmp_path / "b.png")).shape[1] == 7 * 144


def test_a_drawing_that_fails_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), plot(tmp_path / "a.png") as axes:
        axes.plot([1 / 0])
    assert not list(tmp_path.iterdir())


def test_a_contact_sheet_shows_each_picture_whole_with_its_text() -> None:
    red = np.full((50, 200, 3), (255, 0, 0), np.uint8)
    blue = np.full((200, 50, 3), (0, 0, 255), np.uint8)
    bare = contact_sheet([red, blue, red], [[], [], []], columns=2)
    told = contact_sheet([red, blue, red], [["a", "b"], [], ["c"]], columns=2)
    assert bare.shape[1] == told.shape[1] > 2 * CELL_PX
    assert told.shape[0] > bare.shape[0] > 2 * CELL_PX
    for sheet in (bare, told):
        assert (sheet == (255, 0, 0)).all(axis=2).sum() == 2 * CELL_PX * CELL_PX // 4
        assert (sheet == (0, 0, 255)).all(axis=2).sum() == CELL_PX * CELL_PX // 4


@pytest.mark.parametrize("captions", [[], [["one"], ["too many"]]])
def test_a_contact_sheet_wants_a_caption_each(captions: list[list[str]]) -> None:
    with pytest.raises(ValueError, match="captions"):
        contact_sheet([np.zeros((9, 9, 3), np.uint8)], captions)
