"""The command line of `python -m convert`."""

from __future__ import annotations

from pathlib import Path

import pytest

from convert.cli import main
from edge.common.paths import shipped_detector, shipped_model

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


@pytest.mark.parametrize("model", [shipped_model(), shipped_detector()])
def test_place_that_cannot_be_written_is_found_before_the_conversion(
    tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    out = tmp_path / "file" / "m.tflite"
    # The conversion would fail here, where TensorFlow cannot be imported.
    assert main(["--model", str(model.with_suffix(".keras")), "--out", str(out)]) == 1
    assert capsys.readouterr() == ("", f"cannot use {out.parent}: File exists\n")
