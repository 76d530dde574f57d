"""Layouts of published data sets: names of folders and files."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.cli import main
from training.data.layouts import incorrect_kind, normalised_name


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
