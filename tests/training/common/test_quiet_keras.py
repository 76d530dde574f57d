"""Importing Keras without its messages, and the errors for files that are not Keras models."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.training import datasets
from training.common.quiet_keras import suppress_stderr

LOAD = """
import sys
from pathlib import Path
from edge.common.errors import UserError
from training.common.quiet_keras import load_model_file
for path in map(Path, sys.argv[1:]):
    try:
        load_model_file(path)
    except UserError as error:
        print(error)
"""


def test_suppressed_output_is_discarded(capfd: pytest.CaptureFixture[str]) -> None:
    with suppress_stderr():
        os.write(2, b"from C++")
    os.write(2, b"afterwards")
    assert capfd.readouterr().err == "afterwards"


def test_suppressed_output_is_written_after_an_error(capfd: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        with suppress_stderr():
            os.write(2, b"from C++")
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        fail()
    assert capfd.readouterr().err == "from C++"


@pytest.mark.slow
def test_missing_and_invalid_model_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "text.keras").write_text("not a model")
    done = datasets.python("-c", LOAD, tmp_path / "none.keras", tmp_path / "text.keras")
    missing, invalid = done.stdout.splitlines()
    assert missing == f"cannot read the model {tmp_path}/none.keras: the file does not exist"
    assert invalid.startswith(f"{tmp_path}/text.keras is not a Keras model: ")
    assert not done.stderr
