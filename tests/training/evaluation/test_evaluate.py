"""`python -m training evaluate` with the model that ships, in the real runtime, on drawn faces."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tests.support import datasets
from training.cli import main
from training.common.metrics import alert_threshold
from training.data.splits import Split
from training.evaluation.evaluate import evaluate
from training.evaluation.predictions import collect_predictions, read_with_all_labels
from training.evaluation.scorers import load_scorer

MODEL = datasets.ROOT / "models" / "mask.tflite"
FOLDERS = {"with_mask": "mask", "without_mask": "no_mask"}


@pytest.fixture(scope="module")
def parted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return datasets.kaggle(tmp_path_factory.mktemp("data") / "parted", 12)


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    two = [("with_mask", (10.0, 10.0, 60.0, 66.0)), ("without_mask", (100.0, 100.0, 40.0, 44.0))]
    odd = ("mask_weared_incorrect", (110.0, 5.0, 50.0, 55.0))
    pictures = {f"scene{index}": [*two, odd] for index in range(30)}
    return datasets.voc(tmp_path_factory.mktemp("data") / "scenes", pictures)


def run(*arguments: object) -> int:
    return main(["evaluate", "--model", str(MODEL), *map(str, arguments)])


def one_json(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict[str, Any]:
    assert run(*arguments, "--json") == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_several_data_sets_make_a_line_each(
    parted: Path, scenes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--data", parted, scenes, "--json") == 0
    one, other, both = map(json.loads, capsys.readouterr().out.splitlines())
    assert both["data"] == "all together"
    assert both["figures"]["count"] == one["figures"]["count"] + other["figures"]["count"]
    assert (one["data"], one["split"], one["figures"]["count"]) == ("parted", "test", 24)
    assert other["data"] == "scenes"
    assert other["left_out"] == other["pictures"]  # the mask worn wrongly in each
    assert other["figures"]["count"] == 2 * other["pictures"]
    assert other["alerts"]["flagged"]["incorrect_mask"]["count"] == other["left_out"]
    assert one["chosen"] == other["chosen"]
    assert one["chosen"]["data"] == ["parted", "scenes"]
    for found in (one, other):
        accuracy = found["accuracy"]
        assert accuracy["value"] == pytest.approx(found["figures"]["accuracy"])
        assert 0 <= accuracy["low"] <= accuracy["high"] <= 1


def test_data_sets_of_one_name_are_told_apart(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, other = (
        datasets.kaggle(tmp_path / "a" / "set", 3),
        datasets.kaggle(tmp_path / "b" / "set", 2),
    )
    assert run("--data", one, other, "--json") == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [each["data"] for each in found] == [str(one), str(other), "all together"]
    assert found[0]["chosen"]["masked_faces"] == 5


def test_a_folder_named_twice_is_refused(parted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--data", parted, parted.parent / "." / parted.name) == 2
    assert f"{parted.resolve()} is given 2 times" in capsys.readouterr().err


def test_the_threshold_is_chosen_on_validation(
    parted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = one_json(capsys, "--data", parted, "--false-alarms", "0.1")
    scorer, data = load_scorer(MODEL, None), read_with_all_labels(parted)
    held = collect_predictions(scorer, data, data.in_split(Split.VALIDATION), "validation")
    threshold = alert_threshold([held.scores_of("no_mask")[held.is_label("mask")]], 0.1)
    assert found["chosen"] == {
        "threshold": threshold,
        "false_alarms": 0.1,
        "data": ["parted"],
        "masked_faces": 12,
    }
    tested = collect_predictions(scorer, data, data.in_split(Split.TEST), "test")
    flagged = tested.scores_of("no_mask")[tested.is_label("no_mask")] >= threshold
    assert found["alerts_at_chosen"]["bare_flagged"] == pytest.approx(flagged.mean())


def test_no_threshold_is_chosen_for_pictures_that_it_was_chosen_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = datasets.classes(tmp_path / "whole", FOLDERS, 4)
    found = one_json(capsys, "--data", whole)
    assert (found["split"], found["chosen"], found["alerts_at_chosen"]) == ("all", None, None)
    assert run("--data", whole, "--false-alarms", "0.02") == 2
    assert "adding --split test may help" in capsys.readouterr().err


@pytest.mark.parametrize("share", ["0", "1", "two"])
def test_false_alarms_are_a_share(share: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        run("--data", "anywhere", "--false-alarms", share)
    assert stopped.value.code == 2
    assert "is not a share between 0 and 1" in capsys.readouterr().err


def test_the_report_is_a_folder_of_figures_and_plots_without_pictures(
    parted: Path, scenes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "deep" / "report"
    assert run("--data", parted, scenes, "--out", out) == 0
    text = (out / "report.md").read_text()
    plots = {path.name for path in out.glob("*.png")}
    assert {"alerts.png", "confusion.png", "roc.png", "reliability.png", "parts.png"} <= plots
    assert all(f"]({name})" in text for name in plots)
    assert all(cv2.imread(str(out / name)) is not None for name in plots)
    assert {path.name for path in out.iterdir()} - plots == {"report.md", "evaluation.json"}
    found = json.loads((out / "evaluation.json").read_bytes())
    assert [each["data"] for each in found["data_sets"]] == ["parted", "scenes"]
    assert [each["data"] for each in found["together"]] == ["all together"]
    assert str(parted) not in text + json.dumps(found)
    assert "## all together (test)" in text
    assert "on all together (test)" in capsys.readouterr().out


def test_mistakes_are_shown_and_listed_the_surest_first(tmp_path: Path) -> None:
    swapped = {"with_mask": "no_mask", "without_mask": "mask"}
    data = datasets.classes(tmp_path / "data", swapped, 8)
    out = tmp_path / "mistakes"
    assert run("--data", data, "--mistakes", out) == 0
    figures = evaluate(MODEL, data, None, None).figures
    rows = [line.split("\t") for line in (out / "mistakes.txt").read_text().splitlines()[1:]]
    assert len(rows) == figures.count - round(figures.accuracy * figures.count) > 0
    scores = [float(row[0]) for row in rows]
    assert scores == sorted(scores, reverse=True)
    assert all(row[1] != row[2] and Path(row[-1]).is_file() for row in rows)
    assert {path.name for path in out.iterdir()} == {
        ".gitignore",
        "mistakes.txt",
        "mistakes-1.png",
    }
    assert (out / ".gitignore").read_text() == "*\n"
    assert cv2.imread(str(out / "mistakes-1.png")).shape[0] > 112


def test_what_else_lies_where_mistakes_go_is_left_alone(tmp_path: Path, parted: Path) -> None:
    out = tmp_path / "mine"
    out.mkdir()
    kept = {".gitignore": b"*.log\n", "mistakes-old.png": b"mine", "mistakes-17.png": b"mine too"}
    for name, content in kept.items():
        (out / name).write_bytes(content)
    (out / "mistakes-3.png").write_bytes(b"of an earlier run")
    assert run("--data", parted, "--mistakes", out) == 0
    assert {name: (out / name).read_bytes() for name in kept} == kept
    assert not (out / "mistakes-3.png").exists()


@pytest.mark.parametrize(
    "inside", [".", "models", "tests/mistakes", "edge/../training/x", ".ci/x", ".git/x", "new"]
)
def test_mistakes_stay_out_of_the_project(
    inside: str, parted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--data", parted, "--mistakes", datasets.ROOT / inside) == 2
    told = capsys.readouterr()
    assert "stay out of it" in told.err
    assert not told.out
    assert not (datasets.ROOT / "tests" / "mistakes").exists()


def test_mistakes_stay_out_of_the_project_through_a_link(
    tmp_path: Path, parted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "link").symlink_to(datasets.ROOT / "models")
    assert run("--data", parted, "--mistakes", tmp_path / "link") == 2
    assert "stay out of it" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--out", "--mistakes"])
def test_a_file_is_no_folder_to_write_to(
    option: str, tmp_path: Path, parted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    assert run("--data", parted, option, tmp_path / "file") == 2
    assert "is not a folder" in capsys.readouterr().err


def test_figures_that_flatter_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    trained = load_scorer(MODEL, None).trained_on
    assert "face-crops-4k" in trained
    data = datasets.classes(tmp_path / "face-crops-4k", FOLDERS, 12)
    for split, told in ((None, True), ("train", True), ("test", False), ("validation", False)):
        caplog.clear()
        run("--data", data, *(["--split", split] if split else []))
        assert ("use --split test" in caplog.text) == told, split
    caplog.clear()
    parted = datasets.kaggle(tmp_path / "face-mask-12k", 2)
    run("--data", parted)
    run("--data", parted / "Test")
    assert "optimistic" not in caplog.text
    run("--data", parted / "Train")
    assert f"evaluate {parted} with --split test" in caplog.text


def test_accuracy_is_told_again_without_what_repeats_a_training_picture(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = datasets.kaggle(tmp_path / "data", 4)
    rng = np.random.default_rng(5)
    for path in sorted(data.rglob("*.png")):  # drawn faces are too much alike
        coarse = rng.integers(0, 256, (8, 8, 3), np.uint8)
        datasets.save(path, np.asarray(cv2.resize(coarse, (64, 64)), np.uint8))
    none = one_json(capsys, "--data", data, "--without-copies-of", data)["without_copies"]
    assert none["copies"] == 0
    for name in ("0.png", "2.png"):
        again = cv2.imread(str(data / "Test" / "WithMask" / name))
        cv2.imwrite(str(data / "Train" / "WithMask" / f"again-{name}.jpg"), again)
    found = one_json(capsys, "--data", data, "--without-copies-of", data)["without_copies"]
    assert (found["of"], found["copies"], found["accuracy"]["count"]) == (["data"], 2, 6)
    part = one_json(capsys, "--data", data, "--without-copies-of", data / "Train")
    assert part["without_copies"]["copies"] == 2
    shutil.rmtree(data / "Train")
    assert run("--data", data, "--without-copies-of", data) == 2
    assert "has no train split" in capsys.readouterr().err


def test_a_part_without_faces_is_named(
    tmp_path: Path, parted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tiny = datasets.voc(tmp_path / "tiny", {"a": [("with_mask", (5.0, 5.0, 20.0, 20.0))]})
    assert run("--data", parted, tiny, "--split", "all") == 1
    told = capsys.readouterr()
    assert "tiny has no face to evaluate" in told.err
    assert not told.out  # found out before anything was evaluated


def test_a_box_outside_its_picture_is_an_error_that_names_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = datasets.voc(tmp_path / "wrong", {"a": [("with_mask", (5.0, 5.0, 60.0, 60.0))]})
    small = np.zeros((9, 9, 3), np.uint8)
    annotation = data / "annotations" / "a.xml"
    annotation.write_text(annotation.read_text().replace(">5<", ">900<").replace(">65<", ">960<"))
    datasets.save(data / "images" / "a.png", small)
    assert run("--data", data, "--split", "all") == 1
    assert "a.png is invalid: box" in capsys.readouterr().err
