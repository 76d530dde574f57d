"""`python -m training evaluate` with the shipped model, run in the test's own process."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.training import datasets
from training.cli import main

MODEL = datasets.ROOT / "models" / "mask.tflite"


def evaluate(*arguments: object) -> int:
    """Run the command and return its exit status."""
    return main(["evaluate", "--model", str(MODEL), *map(str, arguments)])


def evaluate_json(capsys: pytest.CaptureFixture[str], *arguments: object) -> list[dict[str, Any]]:
    """Run the command with `--json` and return the object of each line that it prints."""
    assert evaluate(*arguments, "--json") == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]
