from __future__ import annotations

import os
import sys

import numpy as np
import pytest

from edge.common.errors import UserError
from edge.common.paths import shipped_model
from edge.inference.interpreter import RUNTIMES, load_interpreter


def test_first_usable_runtime_is_used() -> None:
    interpreter, runtime = load_interpreter(shipped_model().read_bytes())
    assert runtime in [name for name, _ in RUNTIMES]
    (details,) = interpreter.get_input_details()
    assert details["shape"].tolist() == [1, 96, 96, 3]
    assert details["dtype"] is np.uint8


def test_runtime_can_be_selected() -> None:
    _, usable = load_interpreter(shipped_model().read_bytes())
    assert load_interpreter(shipped_model().read_bytes(), runtime=usable)[1] == usable


def test_unknown_runtime_is_refused() -> None:
    with pytest.raises(UserError, match="no TFLite runtime could load the model"):
        load_interpreter(shipped_model().read_bytes(), runtime="none-of-them")


def test_damaged_model_is_refused_with_the_runtimes_tried() -> None:
    _, usable = load_interpreter(shipped_model().read_bytes())
    with pytest.raises(UserError, match=f"no TFLite runtime could load the model: .*{usable}"):
        load_interpreter(b"\0" * 2000)


def test_native_messages_are_discarded(capfd: pytest.CaptureFixture[str]) -> None:
    load_interpreter(shipped_model().read_bytes())
    assert capfd.readouterr().err == ""
    os.write(sys.stderr.fileno(), b"written afterwards")
    assert capfd.readouterr().err == "written afterwards"
