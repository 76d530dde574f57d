"""The command line of `python -m convert`."""

from __future__ import annotations

from pathlib import Path

import pytest

from convert.cli import main
from tests.support.training.datasets import python

pytestmark = pytest.mark.slow


def test_unknown_variant_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--variants", "int4"])
    assert caught.value.code == 2
    assert "invalid choice: 'int4'" in capsys.readouterr().err


def test_error_becomes_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = tmp_path / "none.keras"
    assert main(["--model", str(model)]) == 1
    assert capsys.readouterr() == (
        "",
        f"the Keras model {model} does not exist; `make train` and `make adopt` make one\n",
    )


def test_place_that_cannot_be_written_becomes_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    out = tmp_path / "file" / "m.tflite"
    done = python("-m", "convert", "--model", "models/mask.keras", "--out", out)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == f"cannot use {out.parent}: File exists"
