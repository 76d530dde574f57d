"""The alert threshold: limits of false alarms on masked faces and on boxes without a face."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from training.fit.alert_threshold import choose_threshold
from training.fit.prepare import CropSet, HeldOut

LABELS = ("mask", "no_mask")
THREE = (*LABELS, "incorrect_mask")


def brightness_network(pixels: Any, training: bool) -> Any:
    """Give the mean brightness of a crop, 0 to 1, as its `no_mask` score."""
    assert not training
    bare = pixels.mean(axis=(1, 2, 3)) / 255
    return np.stack([1 - bare, bare, np.zeros_like(bare)], axis=1)


def crops(scores: list[float]) -> Any:
    pixels = np.zeros((len(scores), 4, 4, 3), np.uint8)
    pixels[:] = np.round(255 * np.array(scores))[:, None, None, None]
    return pixels


def held_out(masked: list[float], bare: list[float], *empty: list[float]) -> HeldOut:
    truth = np.array([0] * len(masked) + [1] * len(bare), np.int64)
    return HeldOut(
        {"made up": CropSet(crops(masked + bare), truth)},
        [crops(group) for group in empty if group],
        [],
    )


def test_one_percent_of_masked_faces_may_reach_threshold() -> None:
    masked = [index / 200 for index in range(100)]
    found = choose_threshold(brightness_network, held_out(masked, [0.9] * 9, []), LABELS)
    assert (np.round(255 * np.array(masked)) / 255 >= found.value).sum() == 1
    assert "made up" in found.chosen


@pytest.mark.parametrize(("labels", "permitted"), [(LABELS, 2), (THREE, 5)])
def test_boxes_without_a_face_raise_the_threshold(labels: tuple[str, ...], permitted: int) -> None:
    def chosen(*empty: list[float]) -> float:
        held = held_out([0.2] * 100, [0.9], *empty)
        return choose_threshold(brightness_network, held, labels).value

    many = [0.8] * (permitted + 1) + [0.1] * (99 - permitted)
    few = [0.8] * permitted + [0.1] * (100 - permitted)
    assert chosen(many) == pytest.approx(round(255 * 0.8) / 255, abs=1e-3)
    assert chosen(few) < 0.3
    assert chosen(few, many) == chosen(many)  # each group must keep to the limit
