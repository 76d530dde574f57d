"""`python -m training cross --left-out`: networks that are tested on the data set they lack."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.cli_process import error_line
from tests.support.training import datasets
from tests.support.training.keras_weights import correlation
from training.cli import main

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
FACES = [
    ("with_mask", (10.0, 10.0, 60.0, 66.0)),
    ("without_mask", (100.0, 100.0, 40.0, 44.0)),
    ("mask_weared_incorrect", (110.0, 5.0, 50.0, 55.0)),
]


def test_each_data_set_is_left_out_in_turn(tmp_path: Path, three_class_model: Path) -> None:
    scenes = datasets.voc(tmp_path / "scenes", {f"scene{n}": FACES for n in range(12)})
    others = datasets.voc(tmp_path / "others", {f"other{n}": FACES for n in range(12)})
    out = tmp_path / "out"
    command = (
        *("-m", "training", "cross", "--left-out", "--classes", "3", "--net", "small"),
        *("--steps", "1", "--start", three_class_model, "--data", scenes, others, "--out", out),
    )
    done = datasets.python(*command, compiled=False)
    assert done.returncode == 0, done.stderr
    found = json.loads((out / "left-out.json").read_bytes())
    assert {each["source"]: each["trained_on"] for each in found["sources"]} == {
        "scenes": ["others"],
        "others": ["scenes"],
    }
    recalls = [each["figures"]["`incorrect_mask`: recall"] for each in found["sources"]]
    assert all(each["count"] > 0 for each in recalls)
    for name in ("left-out.md", "left-out.png", "without-scenes/report/report.md"):
        assert (out / name).is_file()
    report = (out / "without-scenes" / "report" / "report.md").read_text()
    assert "by colour (the same faces with their colours changed)" in report
    assert "by framing (the same boxed faces with another box of the detector)" in report
    rows = done.stdout.splitlines()
    command = [*command[:4], "scenes", *command[4:]]
    again = datasets.python(*command, compiled=False)
    assert (again.returncode, again.stdout.splitlines()) == (
        0,
        [row for row in rows if not row.startswith("| others")],
    )
    assert "epoch 1/1" not in again.stderr, "trained networks must not be trained again"
    for name in ("scenes", "others"):  # started from the given weights
        assert correlation(three_class_model, out / f"without-{name}" / "mask.keras") > 0.9


def test_label_that_only_one_data_set_has_is_named_before_the_training(tmp_path: Path) -> None:
    scenes = datasets.voc(tmp_path / "scenes", {f"scene{n}": FACES for n in range(15)})
    crops = datasets.kaggle(tmp_path / "crops", 2)
    done = datasets.python(
        *("-m", "training", "cross", "--left-out", "--classes", "3", "--out", tmp_path / "out"),
        *("--data", scenes, crops),
    )
    line = error_line(done, code=2)
    assert "has no picture of incorrect_mask" in line
    assert str(crops) in line
    assert not (tmp_path / "out").exists()


def test_unknown_data_set_cannot_be_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = [str(datasets.kaggle(tmp_path / name, 2)) for name in ("first", "second")]
    command = ["cross", "--data", *data, "--out", str(tmp_path / "out"), "--left-out", "third"]
    assert main(command) == 2
    assert "no data set third; the data sets are first, second" in capsys.readouterr().err


def test_start_is_checked_before_the_training(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = [str(datasets.kaggle(tmp_path / name, 2)) for name in ("first", "second")]
    command = ["cross", "--left-out", "--data", *data, "--out", str(tmp_path / "out")]
    assert main([*command, "--start", "weights.pth"]) == 2
    assert "a .pth file can only start a model of --net" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_single_data_set_cannot_be_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["cross", "--left-out", "--data", str(tmp_path), "--out", str(tmp_path / "out")]
    assert main(command) == 2
    assert "give two or more data sets" in capsys.readouterr().err


@pytest.mark.parametrize("left_out", [["--left-out"], []])
def test_unknown_data_set_in_draws_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], left_out: list[str]
) -> None:
    folders = [
        datasets.voc(tmp_path / name, {f"{name}{n}": FACES for n in range(2)})
        for name in ("scenes", "others")
    ]
    command = ["cross", *left_out, "--classes", "3", "--draws", "doors=2", "--data"]
    assert main([*command, *map(str, folders), "--out", str(tmp_path / "out")]) == 2
    assert "there is no data set doors; the data sets are scenes, others" in capsys.readouterr().err
