"""`python -m training cross`: networks trained on one data set alone and tested on all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.cli_process import error_line
from tests.support.training import datasets

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.mark.slow
def test_each_set_trains_alone_and_tests_on_all(tmp_path: Path) -> None:
    one = datasets.kaggle(tmp_path / "one", 8)
    other = datasets.classes(tmp_path / "other", {"mask": "mask", "no_mask": "no_mask"}, 40)
    command = ("-m", "training", "cross", "--net", "small", "--data", one, other, "--steps", "1")
    done = datasets.python(*command, "--out", tmp_path / "out", compiled=False)
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "out" / "cross.json").read_bytes())
    assert [(row["source"], row["style"]) for row in found["rows"]] == [
        (source, style)
        for source in ("one", "other")
        for style in ("as they are", "style drawn anew")
    ]
    for row in found["rows"]:
        assert list(row["on"]) == ["one", "other"]
        assert row["on"]["one"]["faces"] == 16
        assert all(0 <= cell["accuracy"] <= 1 for cell in row["on"].values())
    lines = done.stdout.strip().splitlines()
    assert lines[0] == f"| trained on | pictures | on one (16) | on other ({other_faces(found)}) |"
    assert len(lines) == 6
    again = datasets.python(*command, "--out", tmp_path / "out", compiled=False)
    assert (again.returncode, again.stdout) == (0, done.stdout)
    assert "epoch 1/1" not in again.stderr, "trained networks must not be trained again"


def other_faces(found: dict[str, list[dict[str, dict[str, dict[str, int]]]]]) -> int:
    return found["rows"][0]["on"]["other"]["faces"]


def test_data_set_with_one_class_is_named(tmp_path: Path) -> None:
    one = datasets.kaggle(tmp_path / "one", 2)
    lone = datasets.classes(tmp_path / "lone", {"no_mask": "no_mask"}, 3)
    done = datasets.python(
        "-m", "training", "cross", "--data", one, lone, "--out", tmp_path / "out"
    )
    line = error_line(done, code=2)
    assert "lone" in line
    assert "no picture of mask" in line
