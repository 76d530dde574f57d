"""The report beside a model: writing it, reading it, and refusing an invalid one."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from edge.classification.model_card import DataSet
from edge.common.errors import UserError
from training.network.model_report import Report, read_report, report_path, write_report

REPORT = Report(
    name="mask-96",
    keras_sha256="sha256:00",
    labels=["mask", "no_mask"],
    size_px=96,
    margin=0.12,
    threshold=0.8,
    threshold_chosen="by hand",
    training_data=[DataSet(name="tiny", pictures=3, sha256="00", licence="MIT")],
    figures={},
    config={},
    history=[],
    training_s=1.5,
    licence="MIT",
    versions={},
)


def test_report_is_read_as_written(tmp_path: Path) -> None:
    path = report_path(tmp_path / "mask.keras")
    write_report(path, REPORT)
    assert path == tmp_path / "mask.json"
    assert read_report(path) == REPORT
    assert [each.name for each in tmp_path.iterdir()] == ["mask.json"]


def test_missing_report_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot read the report .*mask\.json, which training"):
        read_report(tmp_path / "mask.json")


@pytest.mark.parametrize("change", [{"threshold": "high"}, {"unknown": 1}])
def test_invalid_report_is_named(tmp_path: Path, change: dict[str, object]) -> None:
    path = tmp_path / "mask.json"
    path.write_bytes(msgspec.json.encode({**msgspec.to_builtins(REPORT), **change}))
    with pytest.raises(UserError, match=r"the report .*mask\.json is invalid"):
        read_report(path)
