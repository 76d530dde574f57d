"""`python -m training explore`: the whole report on data sets with planted faults."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.support.training import datasets
from tests.support.training.patterns import explore, pattern_folders
from training.cli import main


@pytest.mark.slow
def test_report_finds_what_was_planted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    styled = pattern_folders(tmp_path / "styled", {"mask": 60, "no_mask": 30}, {"mask": 0.4})
    # The data set is wrapped in another folder.
    even = pattern_folders(tmp_path / "even" / "pictures", {"mask": 40, "no_mask": 40})
    lone = pattern_folders(tmp_path / "lone", {"IMFD/00000": 2})
    (lone / "IMFD" / "00000" / "00000-0.png").rename(lone / "IMFD" / "00001_Mask_Chin.png")
    shutil.copy(styled / "mask" / "mask-3.png", even / "no_mask" / "no_mask-3.png")
    (styled / "no_mask" / "no_mask-9.png").write_bytes(b"broken")
    found = explore(tmp_path / "out", styled, even.parent, lone)
    separability = {row["of"]: row for row in found["told_by_style"]}
    assert separability["styled: mask / no_mask"]["brightness"] > 0.95
    assert separability["even: mask / no_mask"]["look"] < 0.7
    (pair,) = found["first_pairs"]
    assert sorted(Path(pair[side]).name for side in ("one", "two")) == [
        "mask-3.png",
        "no_mask-3.png",
    ]
    data = {each["name"]: each for each in found["data"]}
    assert data["styled"]["unreadable"] == [str(styled / "no_mask" / "no_mask-9.png")]
    assert data["styled"]["labels"] == {"mask": 60, "no_mask": 29}
    assert data["lone"]["incorrect_kinds"] == {"under the chin": 1}
    findings = "\n".join(found["findings"])
    for part in (
        "styled: mask / no_mask: style reveals the label",
        "styled: 1 pictures (1.1%) are unreadable; training will stop",
        "lone: all faces are incorrect_mask",
        "1 pair of near-duplicates between even and styled",
        "1 pair of near-duplicates with different labels",
    ):
        assert part in findings
    assert "even: mask / no_mask" not in findings
    shown = capsys.readouterr().out
    assert all(finding in shown for finding in found["findings"])
    assert f"report: {tmp_path / 'out' / 'report.html'}" in shown


def test_too_small_faces_are_counted(tmp_path: Path) -> None:
    root = datasets.voc(tmp_path / "v", {"a": [("with_mask", (1, 1, 12, 14))]})
    found = explore(tmp_path / "out", root)
    assert found["data"][0]["too_narrow_share"] == 1
    assert found["data"][0]["annotated_face_width_px"]["median"] == 12
    assert not (tmp_path / "out" / "style.png").exists()


@pytest.mark.slow
def test_same_data_gives_same_report(tmp_path: Path) -> None:
    root = pattern_folders(tmp_path / "d", {"mask": 30, "no_mask": 30})
    explore(tmp_path / "one", root)
    explore(tmp_path / "two", root)
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--data", "nowhere"], 2, "nowhere does not exist"),
        (["--data", "tests"], 2, "expected one of"),
        (["--data", "{}/d", "--out", "{}/d/mask/mask-0.png"], 1, "cannot write to"),
    ],
)
def test_user_error_is_one_line(
    tmp_path: Path,
    arguments: list[str],
    code: int,
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pattern_folders(tmp_path / "d", {"mask": 1})
    assert main(["explore", *(text.format(tmp_path) for text in arguments)]) == code
    error = capsys.readouterr().err
    assert len(error.strip().splitlines()) == 1
    assert message in error
