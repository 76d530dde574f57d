from __future__ import annotations

from pathlib import Path

import pytest

from edge.health.raspberry_pi import temperature_c, throttled


def test_a_temperature_in_thousandths(tmp_path: Path) -> None:
    (tmp_path / "temp").write_text("48312\n")
    assert temperature_c(tmp_path / "temp") == 48.312


@pytest.mark.parametrize(
    ("flags", "reasons"),
    [
        ("0", []),
        ("50000", []),
        ("50005", ["under-voltage", "throttled"]),
        ("8\n", ["soft temperature limit"]),
    ],
)
def test_the_firmwares_flags_of_now(tmp_path: Path, flags: str, reasons: list[str]) -> None:
    (tmp_path / "throttled").write_text(flags)
    assert throttled(tmp_path / "throttled") == reasons


def test_a_board_that_does_not_tell(tmp_path: Path) -> None:
    assert (temperature_c(tmp_path / "none"), throttled(tmp_path / "none")) == (None, None)
    (tmp_path / "odd").write_text("?")
    assert (temperature_c(tmp_path / "odd"), throttled(tmp_path / "odd")) == (None, None)
