"""The 2-class model that is made from a 3-class model."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.support.cli_process import error_line
from tests.support.training import datasets
from training.cli import main

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
SAME = """
import json
import sys
import numpy as np
from training.common.quiet_keras import load_model_file
from pathlib import Path
from training.fit.binary_model import without_third_class
whole, part = (load_model_file(Path(each)) for each in sys.argv[1:])
done = json.loads(Path(sys.argv[2]).with_suffix(".json").read_bytes())["calibration"]
pixels = np.random.default_rng(0).integers(0, 256, (8, 96, 96, 3)).astype(np.float32)
three, cut, two = (np.asarray(m(pixels)) for m in (whole, without_third_class(whole), part))
np.testing.assert_allclose(cut, three[:, :2] / three[:, :2].sum(axis=1, keepdims=True), rtol=1e-4)
assert np.ptp(cut[:, 0]) > 0
moved = np.log(cut) * done["scale"] + done["offsets"]
shares = np.exp(moved) / np.exp(moved).sum(axis=1, keepdims=True)
np.testing.assert_allclose(two, shares, rtol=1e-3)
"""


@pytest.mark.slow
def test_binary_model_has_calibrated_conditional_shares(
    tmp_path: Path, three_class_data: Path, three_class_model: Path
) -> None:
    out = tmp_path / "tiny.keras"
    command = (
        "-m",
        "training",
        "binary",
        "--model",
        three_class_model,
        "--out",
        out,
        "--data",
        three_class_data,
    )
    done = datasets.python(*command)
    assert done.returncode == 0, done.stderr
    same = datasets.python("-c", SAME, three_class_model, out)
    assert same.returncode == 0, same.stderr
    whole, part = (
        json.loads(m.with_suffix(".json").read_bytes()) for m in (three_class_model, out)
    )
    assert part["labels"] == ["mask", "no_mask"]
    assert part["derived_from"] == whole["keras_sha256"] != part["keras_sha256"]
    assert part["training_data"] == whole["training_data"]
    again = datasets.python(
        *("-m", "training", "binary", "--model", out, "--out", out, "--data", three_class_data)
    )
    assert "has the labels mask, no_mask, but a 3-class model" in error_line(again, code=2)


def test_shipped_model_is_not_overwritten(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("mask3.keras", "mask3.json", "mask.keras"):
        shutil.copy(datasets.ROOT / "models" / name, tmp_path)
    before = (tmp_path / "mask.keras").read_bytes()
    command = ["binary", "--model", str(tmp_path / "mask3.keras"), "--data", str(tmp_path)]
    for out in ([], ["--out", str(tmp_path / "mask.keras")]):
        assert main([*command, *out]) == 2
        error = capsys.readouterr().err
        assert "exists and is not overwritten" in error
        assert "training adopt" in error
    assert main([*command, "--out", str(tmp_path / "mask3.keras")]) == 2
    assert "is the 3-class model itself" in capsys.readouterr().err
    assert (tmp_path / "mask.keras").read_bytes() == before
