"""Boxes without a face: sampled from scenes, with an uncertain target."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge.common.arrays import Box
from tests.support.training import datasets
from training.common.train_config import TrainConfig
from training.data.datasets import LABELS, read_dataset
from training.fit.prepare import prepare

FACE: Box = (60.0, 50.0, 60.0, 72.0)


@pytest.mark.slow
def test_scenes_give_uncertain_negatives(tmp_path: Path) -> None:
    scenes = {f"scene{i}": [("with_mask" if i % 2 else "without_mask", FACE)] for i in range(40)}
    config = TrainConfig(empty_per_picture=2)
    root = datasets.voc(tmp_path / "scenes", scenes)
    data = prepare([read_dataset(root, LABELS[2])], config, LABELS[2])
    training = data.training
    faces = training.draws == config.annotated_draws
    assert 20 < faces.sum() < 36
    empty = training.targets[~faces]
    assert len(empty) > 0
    np.testing.assert_allclose(empty, np.tile([0.7, 0.3], (len(empty), 1)), rtol=1e-6)
    assert data.held_out.empty.shape[1:] == (96, 96, 3)
    assert len(data.held_out.empty) > 0
    assert list(data.held_out.validation) == ["scenes"]
