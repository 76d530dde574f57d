"""The report beside a face detector's model."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.common.errors import UserError
from edge.common.paths import shipped_detector, shipped_model
from tests.support.encodings import save_with_mark
from training.face_detector.detector_report_file import (
    is_detector_report,
    read_detector_report,
    write_detector_report,
)

SHIPPED = shipped_detector().with_suffix(".json")


def test_report_is_read_as_written(tmp_path: Path) -> None:
    report = read_detector_report(SHIPPED)
    write_detector_report(tmp_path / "face.json", report)
    assert read_detector_report(tmp_path / "face.json") == report
    assert (tmp_path / "face.json").read_bytes() == SHIPPED.read_bytes()


def test_only_reports_of_detectors_are_recognised(tmp_path: Path) -> None:
    assert is_detector_report(SHIPPED)
    assert not is_detector_report(shipped_model().with_suffix(".json"))
    assert not is_detector_report(tmp_path / "none.json")
    (tmp_path / "list.json").write_text("[]")
    assert not is_detector_report(tmp_path / "list.json")


def test_unusable_report_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot read the report .*none\.json"):
        read_detector_report(tmp_path / "none.json")
    (tmp_path / "bad.json").write_text('{"kind": "face detector"}')
    with pytest.raises(UserError, match=r"bad\.json is invalid: .*name"):
        read_detector_report(tmp_path / "bad.json")


def test_report_of_a_windows_editor_is_read(tmp_path: Path) -> None:
    path = tmp_path / "face.json"
    path.write_bytes(SHIPPED.read_bytes())
    save_with_mark(path)
    assert is_detector_report(path)
    assert read_detector_report(path) == read_detector_report(SHIPPED)
    path.write_bytes(SHIPPED.read_text().encode("utf-16"))
    with pytest.raises(UserError, match=r"face\.json is invalid: .*UTF-16: save it as UTF-8"):
        read_detector_report(path)
