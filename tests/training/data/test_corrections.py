"""Corrected labels: the file of corrections, and its effect on a data set."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.common.errors import UsageError
from tests.support.encodings import save_with_mark
from tests.support.training import datasets
from training.data.corrections import (
    LEAVE_OUT,
    apply_corrections,
    read_corrections,
    unused_corrections,
)
from training.data.datasets import LABELS, DataSet, Sample
from training.data.splits import Split

HEAD = "picture,x,y,label\n"
SHIPPED = Path(__file__).parents[3] / "training" / "corrections.csv"


def data_set(split: Split) -> DataSet:
    photo = Path("/d/images/a.jpg")
    samples = (
        Sample(photo, "mask", split, (10.2, 20.0, 30.0, 30.0)),
        Sample(photo, "mask", split, (60.0, 20.0, 30.0, 30.0)),
        Sample(Path("/d/with_mask/a.jpg"), "mask", split),
        Sample(Path("/d/with_mask/b.jpg"), "mask", split),
        Sample(Path("/d/without_mask/b.jpg"), "no_mask", split),
    )
    return DataSet("d", Path("/d"), "classes", samples, False)


def file_of(tmp_path: Path, lines: str) -> Path:
    path = tmp_path / "corrections.csv"
    path.write_text(HEAD + lines)
    return path


def test_faces_are_relabelled_or_left_out(tmp_path: Path) -> None:
    found = read_corrections(
        file_of(
            tmp_path,
            "images/a.jpg,10,20,incorrect_mask\nwith_mask/a.jpg,,,-\nwithout_mask/b.jpg,,,mask\n",
        )
    )
    done = apply_corrections(data_set(Split.TRAIN), found, LABELS[3])
    assert [sample.label for sample in done.samples] == ["incorrect_mask", "mask", "mask", "mask"]
    assert [sample.path.name for sample in done.samples[2:]] == ["b.jpg", "b.jpg"]
    assert unused_corrections([done], found) == [("with_mask/a.jpg", None, None)]


def test_spreadsheet_with_semicolons_is_read(tmp_path: Path) -> None:
    path = tmp_path / "excel.csv"
    path.write_bytes(b"\xef\xbb\xbfpicture;x;y;label\r\nimages/a,b.jpg;10;20;mask\r\n")
    assert read_corrections(path) == {("images/a,b.jpg", 10, 20): "mask"}


def test_label_that_model_lacks_leaves_face_out(tmp_path: Path) -> None:
    found = read_corrections(file_of(tmp_path, "images/a.jpg,10,20,incorrect_mask\n"))
    assert len(apply_corrections(data_set(Split.TRAIN), found, LABELS[2]).samples) == 4


@pytest.mark.parametrize("split", [Split.VALIDATION, Split.TEST])
def test_validation_and_test_splits_are_unchanged(tmp_path: Path, split: Split) -> None:
    found = read_corrections(file_of(tmp_path, "with_mask/a.jpg,,,no_mask\n"))
    data = data_set(split)
    assert apply_corrections(data, found, LABELS[3]) == data
    assert unused_corrections([data], found) == list(found)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("a.jpg,1,2\n", "line 2: expected folder/picture"),
        ("a.jpg,one,2,mask\n", "line 2: expected folder/picture"),
        ("\na.jpg,1,2,masked\n", "line 3: 'masked' is not one of mask, no_mask"),
        ("a.jpg,1,2,mask\na.jpg,1,2,-\n", "line 3: this face is already corrected"),
    ],
)
def test_invalid_line_is_named(tmp_path: Path, lines: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read_corrections(file_of(tmp_path, lines))


def test_other_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other.csv").write_text("")
    with pytest.raises(UsageError, match="line 1: expected picture,x,y,label"):
        read_corrections(tmp_path / "other.csv")
    (tmp_path / "huge.csv").write_text(HEAD + "x" * 200_000)
    with pytest.raises(UsageError, match="not a CSV file"):
        read_corrections(tmp_path / "huge.csv")
    with pytest.raises(UsageError, match="cannot be read"):
        read_corrections(tmp_path / "none.csv")


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.mktemp("any") / "corrections.csv"
    path.write_bytes((HEAD + text).encode("utf-8", "surrogatepass"))
    found = {}
    with contextlib.suppress(UsageError):
        found = read_corrections(path)
    assert set(found.values()) <= {*LABELS[3], LEAVE_OUT}


def test_shipped_file_is_valid() -> None:
    assert len(read_corrections(SHIPPED)) == 168


@pytest.mark.slow
def test_training_logs_unused_corrections(tmp_path: Path) -> None:
    data = datasets.classes(tmp_path / "tiny", {"with_mask": "mask", "without_mask": "no_mask"}, 40)
    done = datasets.python(
        *("-m", "training", "train", "--data", data, "--run-folder", tmp_path / "run"),
        *("--net", "small", "--epochs", "1", "--batch", "8"),
        *("--corrections", file_of(tmp_path, "with_mask/nobody.jpg,,,-\n")),
        compiled=False,
    )
    assert done.returncode == 0, done.stderr
    assert "1 of 1 corrections" in done.stderr
    assert "match no face that is trained on, such as with_mask/nobody.jpg" in done.stderr


def test_file_of_a_windows_editor_is_read(tmp_path: Path) -> None:
    path = file_of(tmp_path, "images/a.jpg,10,20,incorrect_mask\n")
    expected = read_corrections(path)
    assert read_corrections(save_with_mark(path)) == expected
    path.write_bytes(path.read_bytes().decode("utf-8-sig").encode("utf-16"))
    with pytest.raises(UsageError, match=r"labels in .* UTF-16: save it as UTF-8"):
        read_corrections(path)
