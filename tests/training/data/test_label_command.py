"""`label` writes a data set that every command reads, and names what is wrong with its input."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.training.boxed_pictures import write_jsonl
from training.cli import main
from training.data.datasets import LABELS, read_dataset
from training.face_detector.pictures.jsonl_format import read_jsonl

BOX, OTHER, SMALL = (20.4, 30.6, 40.0, 50.0), (90.0, 30.0, 30.0, 40.0), (5.0, 5.0, 9.0, 9.0)


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    return write_jsonl(
        tmp_path / "faces",
        {"a.png": [(BOX, "face"), (OTHER, "face"), (SMALL, "ignore")], "b.png": [(BOX, "face")]},
    )


def _label(faces: Path, out: Path, rows: str) -> int:
    table = faces.parent / "labels.csv"
    table.write_text(f"picture,x,y,label\n{rows}")
    return main(["label", "--data", str(faces), "--labels", str(table), "--out", str(out)])


def test_labels_of_listed_faces_are_read_by_classifier_and_detector(
    faces: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "labelled"
    rows = "images/a.png,20,31,mask\nimages/b.png,20,31,no_mask\nimages/a.png,5,5,no_mask\n"
    assert _label(faces, out, rows) == 0
    assert "1 mask, 1 no_mask; 1 lines of" in capsys.readouterr().out
    data = read_dataset(out, LABELS[3])
    assert [(s.path.name, s.label, s.box_px) for s in data.samples] == [
        ("a.png", "mask", BOX),
        ("b.png", "no_mask", BOX),
    ]
    assert data.boxes[data.samples[0].path] == (BOX, OTHER, SMALL)
    assert [[box.label for box in picture.boxes] for picture in read_jsonl(out)] == [
        ["mask", None, None],
        ["no_mask"],
    ]


def test_face_that_is_left_out_keeps_its_class_and_scores_stay(faces: Path, tmp_path: Path) -> None:
    out = tmp_path / "labelled"
    listing = faces / "boxes.jsonl"
    listing.write_text(listing.read_text().replace('"face"]', '"face", 0.9]'))
    assert _label(faces, out, "images/a.png,20,31,-\nimages/b.png,20,31,no_mask\n") == 0
    first, second = map(json.loads, (out / "boxes.jsonl").read_text().splitlines())
    assert first["boxes"][0] == [*BOX, "face", 0.9]
    assert second["boxes"][0] == [*BOX, "no_mask", 0.9]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("images/c.png,20,31,mask\n", "lists no face of"),
        ("images/a.png,20,31,hat\n", "line 2: 'hat' is not one of"),
    ],
)
def test_unusable_labels_are_named(
    faces: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], rows: str, message: str
) -> None:
    assert _label(faces, tmp_path / "labelled", rows) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "labelled").exists()


def test_existing_folder_and_missing_boxes_are_named(
    faces: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _label(faces, faces, "images/a.png,20,31,mask\n") == 2
    assert "exists already" in capsys.readouterr().err
    assert _label(tmp_path, tmp_path / "out", "images/a.png,20,31,mask\n") == 2
    assert "there is no boxes.jsonl" in capsys.readouterr().err


def test_place_that_cannot_be_written_and_missing_labels_are_named(
    faces: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    assert _label(faces, tmp_path / "file" / "out", "images/a.png,20,31,mask\n") != 0
    assert "out cannot be written: Not a directory" in capsys.readouterr().err
    options = ["--data", str(faces), "--labels", str(tmp_path / "no.csv"), "--out", "out"]
    assert main(["label", *options]) == 2
    assert capsys.readouterr().err.endswith("no.csv cannot be read: No such file or directory\n")


def test_boxes_without_labels_are_refused_with_the_command_that_helps(
    faces: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["explore", "--data", str(faces)]) == 2
    assert "python -m training label" in capsys.readouterr().err
