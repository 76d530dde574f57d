"""`python -m training train`: refused options."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.training import datasets
from training.cli import main


@pytest.mark.parametrize(
    "arguments",
    [("--learning-rate", "0"), ("--put-on", "1.5"), ("--put-on", "x"), ("--classes", "4")],
)
def test_settings_out_of_range_are_refused(
    arguments: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["train", "--data", "tests", "--out", "m.keras", *arguments])
    assert caught.value.code == 2
    assert arguments[0] in capsys.readouterr().err


@pytest.mark.parametrize("draws", ["tiny", "tiny=many", "tiny=0", "tiny=-1", "other=2"])
def test_invalid_draws_are_refused(
    tmp_path: Path, draws: str, capsys: pytest.CaptureFixture[str]
) -> None:
    data = datasets.kaggle(tmp_path / "tiny", 1)
    out = tmp_path / "m.keras"
    assert main(["train", "--data", str(data), "--out", str(out), "--draws", draws]) == 2
    error = capsys.readouterr().err
    assert "--draws" in error
    assert len(error.strip().splitlines()) == 1


def test_missing_file_of_corrections_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--data", "tests", "--out", "m.keras", "--corrections", str(tmp_path / "none")]
    assert main(["train", *arguments]) == 1
    assert f"cannot read the corrections {tmp_path / 'none'}" in capsys.readouterr().err
