"""Labels that are much rarer than others are warned of."""

from __future__ import annotations

from pathlib import Path

import pytest

from training.data.datasets import LABELS, DataSet, Sample
from training.data.label_balance import warn_about_rare_labels
from training.data.splits import Split


def data_set(**faces: int) -> DataSet:
    samples = tuple(
        Sample(Path(f"{label}{index}.jpg"), label, Split.TRAIN)
        for label, count in faces.items()
        for index in range(count)
    )
    return DataSet("d", Path("d"), "classes", samples, framed=False)


@pytest.mark.parametrize(("masked", "is_rare"), [(3, True), (14, True), (15, False), (75, False)])
def test_rare_label_is_warned_of(
    masked: int, is_rare: bool, caplog: pytest.LogCaptureFixture
) -> None:
    warn_about_rare_labels([data_set(mask=masked, no_mask=75)], LABELS[2])
    expected = [f"only {masked} faces with the label mask, but 75 with no_mask"] if is_rare else []
    assert [part for part in expected if part in caplog.text] == expected
    assert len(caplog.messages) == is_rare


def test_data_sets_are_counted_together(caplog: pytest.LogCaptureFixture) -> None:
    warn_about_rare_labels([data_set(mask=75), data_set(no_mask=60, mask=1)], LABELS[2])
    assert not caplog.messages
    warn_about_rare_labels([data_set(mask=75), data_set(no_mask=60)], LABELS[3])
    assert "only 0 faces with the label incorrect_mask" in caplog.text
