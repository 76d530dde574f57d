"""Contact sheets and a list of mistakes, which are not written inside the project."""

from __future__ import annotations

from pathlib import Path

import cv2
import pytest

from tests.support.training import datasets
from tests.support.training.evaluate_command import MODEL, evaluate
from training.evaluation.evaluate import evaluate as evaluate_model


def test_most_confident_mistakes_come_first(tmp_path: Path) -> None:
    swapped = {"with_mask": "no_mask", "without_mask": "mask"}
    data = datasets.classes(tmp_path / "data", swapped, 8)
    out = tmp_path / "mistakes"
    assert evaluate("--data", data, "--mistakes", out) == 0
    figures = evaluate_model(MODEL, data, None, None).figures
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


def test_other_files_in_folder_are_kept(tmp_path: Path, split_folders: Path) -> None:
    out = tmp_path / "mine"
    out.mkdir()
    kept = {".gitignore": b"*.log\n", "mistakes-old.png": b"mine", "mistakes-17.png": b"mine too"}
    for name, content in kept.items():
        (out / name).write_bytes(content)
    (out / "mistakes-3.png").write_bytes(b"of an earlier run")
    assert evaluate("--data", split_folders, "--mistakes", out) == 0
    assert {name: (out / name).read_bytes() for name in kept} == kept
    assert not (out / "mistakes-3.png").exists()


@pytest.mark.parametrize(
    "inside", [".", "models", "tests/mistakes", "edge/../training/x", ".ci/x", ".git/x", "new"]
)
def test_project_folder_is_refused(
    inside: str, split_folders: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate("--data", split_folders, "--mistakes", datasets.ROOT / inside) == 2
    printed = capsys.readouterr()
    assert "stay out of it" in printed.err
    assert not printed.out
    assert not (datasets.ROOT / "tests" / "mistakes").exists()


def test_link_into_project_is_refused(
    tmp_path: Path, split_folders: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "link").symlink_to(datasets.ROOT / "models")
    assert evaluate("--data", split_folders, "--mistakes", tmp_path / "link") == 2
    assert "stay out of it" in capsys.readouterr().err
