"""Pascal VOC annotations: both folder names, and broken annotations."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

import pytest

from edge.common.errors import UsageError
from tests.support.training import datasets
from training.data.datasets import LABELS, read_dataset

TWO, THREE = LABELS[2], LABELS[3]


@pytest.mark.parametrize(
    ("annotation", "message"),
    [
        ("<annotation><object>", "cannot be read"),
        ("<annotation><object><name>with_mask</name></object></annotation>", "bndbox"),
        (f"<annotation>{datasets.OBJECT.format('with_mask', 9, 9, 9, 20)}</annotation>", "no area"),
        (
            f"<annotation>{datasets.OBJECT.format('mask', 9, 9, float('inf'), 20)}</annotation>",
            "'inf' is not a finite number",
        ),
    ],
)
def test_broken_annotation_is_named(tmp_path: Path, annotation: str, message: str) -> None:
    datasets.voc(tmp_path, {"one": [("with_mask", (10, 10, 40, 48))]})
    (tmp_path / "annotations" / "one.xml").write_text(annotation)
    with pytest.raises(UsageError, match=rf"one\.xml.*{message}"):
        read_dataset(tmp_path, TWO)


def test_annotation_without_picture_is_named(tmp_path: Path) -> None:
    datasets.voc(tmp_path, {"one": [("with_mask", (10, 10, 40, 48))]})
    (tmp_path / "images" / "one.png").unlink()
    with pytest.raises(UsageError, match=r"one\.xml has no picture"):
        read_dataset(tmp_path, TWO)


@pytest.mark.parametrize("names", [("images", "annotations"), ("JPEGImages", "Annotations")])
def test_both_names_of_folders_are_read(tmp_path: Path, names: tuple[str, str]) -> None:
    datasets.voc(tmp_path / "v", {"a": [("with_mask", (1, 1, 40, 48))]})
    for old, new in zip(("images", "annotations"), names, strict=True):
        (tmp_path / "v" / old).rename(tmp_path / "v" / new)
    (sample,) = read_dataset(tmp_path / "v", TWO).samples
    assert (sample.path, sample.box_px) == (tmp_path / "v" / names[0] / "a.png", (1, 1, 40, 48))


def many_scenes(root: Path, count: int) -> Path:
    datasets.voc(root, {"s000": [("with_mask", (1, 1, 40, 48))]}, size_px=50)
    for number in range(1, count):
        shutil.copy(root / "images" / "s000.png", root / "images" / f"s{number:03}.png")
        shutil.copy(root / "annotations" / "s000.xml", root / "annotations" / f"s{number:03}.xml")
    return root


def test_few_broken_annotations_are_left_out_many_refused(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root = many_scenes(tmp_path / "v", 200)
    (root / "images" / "s007.png").unlink()
    (root / "annotations" / "s009.xml").write_text("<annotation>")
    with caplog.at_level(logging.WARNING):
        assert len(read_dataset(root, TWO).samples) == 198
    assert "s007.xml has no picture" in caplog.text
    assert "s009.xml cannot be read" in caplog.text
    (root / "images" / "s011.png").unlink()
    with pytest.raises(UsageError, match=r"s007\.xml has no picture.*3 of 200.*more than 1%"):
        read_dataset(root, TWO)
