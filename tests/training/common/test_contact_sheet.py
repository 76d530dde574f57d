"""Contact sheets: complete pictures with their captions."""

from __future__ import annotations

import numpy as np
import pytest

from training.common.contact_sheet import CELL_PX, contact_sheet


def test_sheet_shows_whole_pictures_and_captions() -> None:
    red = np.full((50, 200, 3), (255, 0, 0), np.uint8)
    blue = np.full((200, 50, 3), (0, 0, 255), np.uint8)
    plain = contact_sheet([red, blue, red], [[], [], []], columns=2)
    captioned = contact_sheet([red, blue, red], [["a", "b"], [], ["c"]], columns=2)
    assert plain.shape[1] == captioned.shape[1] > 2 * CELL_PX
    assert captioned.shape[0] > plain.shape[0] > 2 * CELL_PX
    for sheet in (plain, captioned):
        assert (sheet == (255, 0, 0)).all(axis=2).sum() == 2 * CELL_PX * CELL_PX // 4
        assert (sheet == (0, 0, 255)).all(axis=2).sum() == CELL_PX * CELL_PX // 4


@pytest.mark.parametrize("captions", [[], [["one"], ["too many"]]])
def test_number_of_captions_must_match(captions: list[list[str]]) -> None:
    with pytest.raises(ValueError, match="captions"):
        contact_sheet([np.zeros((9, 9, 3), np.uint8)], captions)
