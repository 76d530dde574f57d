"""Layouts of published data sets: names of folders and files."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.training import datasets
from training.cli import main
from training.data.crops import decode_samples
from training.data.datasets import LABELS, read_dataset
from training.data.layouts import PICTURE_SUFFIXES, incorrect_kind, list_pictures, normalised_name


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("00042_Mask_Mouth_Chin.jpg", "nose bare"),
        ("00042_Mask_Nose_Mouth.jpg", "chin bare"),
        ("00042_Mask_Chin.jpg", "under the chin"),
        ("00042_Mask.jpg", None),
        ("portrait.jpg", None),
    ],
)
def test_incorrect_kind_from_file_name(name: str, kind: str | None) -> None:
    assert incorrect_kind(name) == kind


@given(st.text(" -_aB", max_size=8))
def test_normalised_name_ignores_spelling(name: str) -> None:
    assert (
        normalised_name(name)
        == normalised_name(normalised_name(name))
        == normalised_name(name.upper())
    )
    assert not set(normalised_name(name)) & set(" -_B")


@pytest.mark.parametrize("command", ["explore", "train", "evaluate"])
def test_help_draws_the_layouts(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([command, "--help"])
    assert "\n    Train/      WithMask/  WithoutMask/\n" in capsys.readouterr().out


@pytest.mark.parametrize("ending", [*PICTURE_SUFFIXES, ".TIF", ".JFIF"])
def test_pictures_with_any_known_ending_are_read(tmp_path: Path, ending: str) -> None:
    rng = np.random.default_rng(0)
    writer = {".jpe": ".jpg", ".jfif": ".jpg", ".pjpeg": ".jpg", ".pjp": ".jpg", ".dib": ".bmp"}
    for label in LABELS[2]:
        as_known = tmp_path / label / f"a{writer.get(ending.lower(), ending.lower())}"
        datasets.save(as_known, datasets.face(label, rng))
        as_known.rename(as_known.with_name(f"a{ending}"))
    data = read_dataset(tmp_path, LABELS[2])
    assert len(list(decode_samples(data, data.samples, list))) == 2


def test_files_with_other_endings_are_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    for name in ("a.jpg", "b.gif", "deep/c.GIF", "d.heic", "e", ".hidden", "Thumbs.db"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    assert list_pictures(tmp_path) == [tmp_path / "a.jpg"]
    (line,) = caplog.messages
    assert ": 2 .gif, 1 .heic, 1 without an ending; convert" in line


def test_class_folder_of_other_files_is_an_error_that_names_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    datasets.classes(tmp_path, {"no_mask": "no_mask"}, 2)
    (tmp_path / "mask").mkdir()
    (tmp_path / "mask" / "a.gif").write_bytes(b"GIF89a")
    assert main(["explore", "--data", str(tmp_path), "--out", str(tmp_path / "report")]) == 2
    assert "mask holds no picture" in (error := capsys.readouterr().err)
    assert ", only 1 .gif: convert them to JPEG or PNG" in error
