from __future__ import annotations

import cv2
import numpy as np
import pytest

from edge.classification.classifier import Scores
from edge.detection.annotate import COLOURS, annotated
from edge.detection.still_images import StillFace


def face(box: tuple[int, int, int, int], label: str = "no_mask") -> StillFace:
    return StillFace(box, Scores({"mask": 0.03, "no_mask": 0.97}), label)


@pytest.mark.parametrize("label", ["mask", "no_mask", "incorrect_mask", "unsure"])
def test_box_has_the_colour_of_its_label(label: str) -> None:
    image = np.full((400, 600, 3), 127, np.uint8)
    picture = annotated(image, [face((200, 150, 100, 100), label)])
    assert (image == 127).all(), "the original was changed"
    assert picture[200, 200].tolist() == list(COLOURS[label])
    assert (picture[200, 250] == 127).all()


@pytest.mark.slow
@pytest.mark.parametrize("size", [(40, 30), (120, 160), (480, 640), (3000, 4000)])
@pytest.mark.parametrize("corner", [(0, 0), (0.8, 0.8), (0.8, 0.0), (0.0, 0.8)])
def test_text_is_legible_and_inside_the_image(
    size: tuple[int, int], corner: tuple[float, float]
) -> None:
    height, width = size
    box = (int(corner[0] * width), int(corner[1] * height), max(4, width // 5), max(4, height // 5))
    picture = annotated(np.zeros((height, width, 3), np.uint8), [face(box)])
    white = np.argwhere((picture > 200).all(axis=2))
    assert len(white) > 100, "no text was drawn"
    letters_px = np.ptp(white[:, 0]) + 1
    assert letters_px >= 8
    assert letters_px >= 0.012 * max(picture.shape[:2])
    # Text that is cut off by the border would leave white pixels on the border.
    assert white[:, 0].min() > 0
    assert white[:, 0].max() < picture.shape[0] - 1
    assert white[:, 1].max() < picture.shape[1] - 1


def test_several_faces_are_numbered_and_no_score_is_certain(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    written: list[str] = []
    monkeypatch.setattr(cv2, "putText", lambda image, text, *rest: written.append(text))
    image = np.full((480, 640, 3), 127, np.uint8)
    certain = StillFace((300, 150, 90, 90), Scores({"mask": 0.0004, "no_mask": 0.9996}), "no_mask")
    # With a low threshold, the score of the label is not the highest one.
    low = StillFace((450, 150, 90, 90), Scores({"mask": 0.6, "no_mask": 0.4}), "no_mask")
    annotated(image, [face((100, 150, 90, 90)), certain, low])
    annotated(image, [face((100, 150, 90, 90))])
    assert written == ["1 NO MASK 97%", "2 NO MASK >99%", "3 NO MASK 40%", "NO MASK 97%"]


def test_labels_of_neighbours_do_not_overlap() -> None:
    faces = [face((100 + 70 * n, 150 + 12 * (n % 2), 50, 50)) for n in range(6)]
    picture = annotated(np.full((480, 640, 3), 127, np.uint8), faces)
    alone = [annotated(np.full((480, 640, 3), 127, np.uint8), [each]) for each in faces]
    letters = sum(int((one == 255).all(axis=2).sum()) for one in alone)
    assert int((picture == 255).all(axis=2).sum()) >= 0.95 * letters
