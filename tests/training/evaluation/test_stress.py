"""Stress conditions: how they change a picture, and which faces are counted as flagged."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.common.arrays import Pixels
from tests.support.cli_process import error_line
from tests.support.training import datasets
from tests.support.training.evaluate_command import MODEL
from training.cli import main
from training.evaluation.stress import BARE_FACES_ONLY, CONDITIONS
from training.network.model import SIZE_PX


def picture() -> Pixels:
    return datasets.face("no_mask", np.random.default_rng(4), SIZE_PX)


@pytest.mark.parametrize("name", CONDITIONS)
def test_condition_is_reproducible_and_keeps_size(name: str) -> None:
    shown = picture()
    first, again = (CONDITIONS[name](shown, np.random.default_rng(1)) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert (first.shape, first.dtype) == (shown.shape, np.uint8)
    np.testing.assert_array_equal(shown, picture())
    assert (first != shown).any() == (name != "as it is")


def test_dim_is_darker_and_small_is_coarser() -> None:
    def shown(name: str) -> Pixels:
        return CONDITIONS[name](picture(), np.random.default_rng(1))

    def sharpness(pixels: Pixels) -> float:
        return float(cv2.Laplacian(pixels, cv2.CV_64F).var())

    lights = ["as it is", "half of the light", "a quarter of the light", "a tenth of the light"]
    means = [shown(name).mean() for name in [*lights, "a thirtieth of the light"]]
    assert means == sorted(means, reverse=True)
    assert means[1] / means[0] == pytest.approx(0.5 ** (1 / 2.2), abs=0.05)
    details = [sharpness(shown(name)) for name in ("32 px wide", "20 px wide", "12 px wide")]
    assert details == sorted(details, reverse=True)
    grey = shown("grey")
    assert (grey == grey[:, :, :1]).all()


@pytest.mark.slow
def test_each_condition_counts_its_faces(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = datasets.kaggle(tmp_path / "tiny", 5)
    grey = min((data / "Test" / "WithoutMask").iterdir())
    assert cv2.imwrite(str(grey), cv2.imread(str(grey), cv2.IMREAD_GRAYSCALE))
    command = ["stress", "--model", str(MODEL), "--data", str(data)]
    assert main([*command, "--json"]) == 0
    found = {each["condition"]: each for each in json.loads(capsys.readouterr().out)}
    assert list(found)[: len(CONDITIONS)] == list(CONDITIONS)
    for name in CONDITIONS:
        counted = (found[name]["bare"], found[name]["masked"])
        assert counted == ((5, 0) if name in BARE_FACES_ONLY else (5, 5))
        assert (found[name]["masked_flagged"] is None) == (name in BARE_FACES_ONLY)
    tones = [each for name, each in found.items() if name.startswith("skin tone")]
    assert sum(each["bare"] for each in tones) == 2 * 4  # grey says nothing about the skin
    assert main(command) == 0
    assert capsys.readouterr().out.splitlines()[2].startswith("| as it is | ")


@pytest.mark.slow
def test_model_without_threshold_is_refused(tmp_path: Path) -> None:
    data = datasets.kaggle(tmp_path / "tiny", 1)
    (tmp_path / "mask.keras").write_bytes((datasets.ROOT / "models/mask.keras").read_bytes())
    done = datasets.python(
        *("-m", "training", "stress", "--model", tmp_path / "mask.keras", "--data", data)
    )
    assert "no alert threshold" in error_line(done, code=1)
