from __future__ import annotations

from pathlib import Path

import pytest

from edge.health.raspberry_pi import temperature_c, throttle_flags


def test_temperature_is_converted_to_degrees(tmp_path: Path) -> None:
    (tmp_path / "temp").write_text("48312\n")
    assert temperature_c(tmp_path / "temp") == 48.312


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("0", []),
        ("50000", []),
        ("50005", ["under-voltage", "throttled"]),
        ("8\n", ["soft temperature limit"]),
    ],
)
def test_only_present_flags_are_returned(tmp_path: Path, text: str, names: list[str]) -> None:
    (tmp_path / "throttled").write_text(text)
    assert throttle_flags(tmp_path / "throttled") == names


def test_unreadable_files_are_none(tmp_path: Path) -> None:
    missing, odd = tmp_path / "missing", tmp_path / "odd"
    odd.write_text("?")
    assert (temperature_c(missing), throttle_flags(missing)) == (None, None)
    assert (temperature_c(odd), throttle_flags(odd)) == (None, None)
