"""Boxed pictures: names of classes, and pictures that must have their annotated size."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from edge.common.errors import UserError
from tests.support.training.boxed_pictures import write_pictures
from training.data.splits import Split
from training.face_detector.pictures.boxed_pictures import (
    BoxedPicture,
    BoxKind,
    kind_of_class,
    read_pixels,
)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("Face", (BoxKind.FACE, None)),
        ("ignore", (BoxKind.IGNORE, None)),
        ("mask_weared_incorrect", (BoxKind.FACE, "incorrect_mask")),
        ("without mask", (BoxKind.FACE, "no_mask")),
        ("person", None),
    ],
)
def test_class_name_gives_kind_and_label(
    name: str, kind: tuple[BoxKind, str | None] | None
) -> None:
    assert kind_of_class(name) == kind


def test_pixels_have_the_requested_channels(tmp_path: Path) -> None:
    write_pictures(tmp_path, {"a.png": []})
    picture = BoxedPicture(tmp_path / "a.png", None, (), "x", Split.TRAIN)
    assert read_pixels(picture, 1).shape == (120, 160)
    assert read_pixels(picture, 3).shape == (120, 160, 3)


def test_picture_of_other_size_is_refused(tmp_path: Path) -> None:
    write_pictures(tmp_path, {"a.png": []})
    picture = BoxedPicture(tmp_path / "a.png", (160, 120), (), "x", Split.TRAIN)
    assert read_pixels(picture, 1).shape == (120, 160)
    wrong = dataclasses.replace(picture, size_px=(80, 60))
    with pytest.raises(UserError, match="160x120 pixels, but its annotation states 80x60"):
        read_pixels(wrong, 1)
