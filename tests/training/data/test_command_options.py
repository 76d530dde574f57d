"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.training import datasets
from training.cli import main


def test_data_takes_several_folders(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = datasets.kaggle(tmp_path / "data", 1)
    command = ["train", "--data", str(data), str(tmp_path / "absent"), "--out", "m.keras"]
    assert main(command) == 2
    assert "absent does not exist" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--epochs", "--batch", "--limit"])
@pytest.mark.parametrize("number", ["0", "-1", "many"])
def test_invalid_numbers_are_refused(option: str, number: str) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["train", "--data", "tests", "--out", "m.keras", option, number])
    assert caught.value.code == 2
