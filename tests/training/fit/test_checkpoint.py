"""Checkpoints of a run: writing and reading them, and refusing those that do not match."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge.common.errors import UsageError
from training.common.train_config import TrainConfig
from training.fit.checkpoint import RunProgress, load_state, save_state


def test_state_is_restored(tmp_path: Path) -> None:
    arrays = [np.arange(6.0).reshape(2, 3), np.array(4, np.int64), np.float32(0.5)]
    progress = RunProgress(2, 0.9, [{"epoch": 1}, {"epoch": 2}], {"epochs": 40, "seed": 1})
    config = TrainConfig()
    kept = RunProgress(2, 0.9, progress.history, {**config.__dict__})
    save_state(tmp_path / "state.npz", arrays, kept)
    found, again = load_state(tmp_path / "state.npz", config)
    assert again == kept
    for a, b in zip(found, arrays, strict=True):
        np.testing.assert_array_equal(a, b)
        assert a.dtype == np.asarray(b).dtype


def test_other_settings_are_refused(tmp_path: Path) -> None:
    kept = RunProgress(2, 0.9, [], {**TrainConfig(seed=1).__dict__})
    save_state(tmp_path / "state.npz", [], kept)
    with pytest.raises(UsageError, match=r"seed \(1 then, 2 now\): .* another folder"):
        load_state(tmp_path / "state.npz", TrainConfig(seed=2))


def test_missing_or_broken_state_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no run to resume"):
        load_state(tmp_path / "state.npz", TrainConfig())
    (tmp_path / "state.npz").write_bytes(b"PK\x03\x04 half")
    with pytest.raises(UsageError, match="cannot be read"):
        load_state(tmp_path / "state.npz", TrainConfig())
