"""`python -m training evaluate` with a TFLite model, run in the test's own process."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.training import datasets
from training.cli import main

MODEL = datasets.ROOT / "models" / "mask.tflite"


def evaluate(*arguments: object, model: Path = MODEL) -> int:
    """Run the command with a TFLite model, and return its exit status."""
    return main(["evaluate", "--model", str(model), *map(str, arguments)])


def evaluate_json(
    capsys: pytest.CaptureFixture[str], *arguments: object, model: Path = MODEL
) -> list[dict[str, Any]]:
    """Run the command with `--json` and return the object of each line that it prints."""
    assert evaluate(*arguments, "--json", model=model) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]
